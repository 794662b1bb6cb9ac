"""What a service's own journal proves: which of two things about a person it handled first.

A journal row is written at the end of its transaction, while the person's row is locked, so for one person the order of the rows'
ids is the order in which things happened to him.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg

Place = tuple[str, int]
NEVER = 1 << 62


class Row(NamedTuple):
    """A journal row as one partition saw it."""

    start: int
    end: int
    id: int
    now: int


class Journal:
    """The journal of one service."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows: dict[Place, list[Row]] = defaultdict(list)
        for row in rows:
            spans = zip(row["topics"], row["partitions"], row["from_offsets"], row["to_offsets"], strict=True)
            for topic, partition, start, end in spans:
                if end > start:
                    self._rows[topic, partition].append(Row(start, end, row["id"], row["now"]))

    def handled(self, topic: str, partition: int, offset: int) -> Row | None:
        """The transaction in which a record was handled."""
        rows = self._rows.get((topic, partition), [])
        place = bisect_right(rows, offset, key=lambda row: row.start) - 1
        return rows[place] if place >= 0 and rows[place].end > offset else None

    def told(self, record: Mapping[str, Any]) -> Row | None:
        """The transaction that emitted a record of this service."""
        topic, _, partition = record["src"].partition(":")[2].rpartition("-")
        return self.handled(topic, int(partition), record["seq"][1])


async def journal(connection: asyncpg.Connection, service: str) -> Journal:
    query = f"SELECT id, now, topics, partitions, from_offsets, to_offsets FROM {service}.journal ORDER BY id"
    return Journal(await connection.fetch(query))


class Merges:
    """Since when two profiles are one for a service, as the id of a journal row."""

    def __init__(self, log: Journal, records: Sequence[Mapping[str, Any]]) -> None:
        told = [record for record in records if record["type"] == "profile.merged"]
        rows = [(log.handled(r["_topic"], r["_partition"], r["_offset"]), r["properties"]) for r in told]
        self._merges = sorted((row.id if row else NEVER, about["winner"], about["loser"]) for row, about in rows)
        self._near: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
        for merge in self._merges:
            self._near[merge[1]].append(merge)
            self._near[merge[2]].append(merge)

    def since(self, one: str, other: str) -> int:
        """0 when they are the same profile; NEVER when they never became one."""
        if one == other:
            return 0
        family = sorted(self._family(one))
        owner = {}
        for id_, winner, loser in family:
            for name in (winner, loser):
                owner.setdefault(name, name)
            owner[_root(owner, loser)] = _root(owner, winner)
            if one in owner and other in owner and _root(owner, one) == _root(owner, other):
                return id_
        return NEVER

    def _family(self, one: str) -> set[tuple[int, str, str]]:
        found: set[tuple[int, str, str]] = set()
        ask = [one]
        while ask:
            for merge in self._near[ask.pop()]:
                if merge not in found:
                    found.add(merge)
                    ask += merge[1:]
        return found


def _root(owner: Mapping[str, str], name: str) -> str:
    while owner[name] != name:
        name = owner[name]
    return name
