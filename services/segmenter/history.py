"""The facts of a person as the lake has them, for counting them anew: without identifiers, attributes and personal properties."""

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runtime.kafka import Place
from runtime.lake import Lake, Snapshot, StaleSnapshot, quote
from runtime.process import Context
from schemas.facts import Fact
from services.segmenter.recount import Recount

log = logging.getLogger(__name__)

AGAIN_S = 10.0  # after trouble with the lake's files

BASE = "id::VARCHAR, type, event, epoch_ms(occurred_at), epoch_ms(received_at), topic, kafka_partition, kafka_offset, rest::JSON::VARCHAR"


class History:
    """The lake of an installation, opened when somebody is to be counted anew: few ever are."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lake: Lake | None = None
        self._next = 0.0

    def readable(self) -> bool:
        """Whether the lake's files are here, and did not fail a moment ago."""
        if asyncio.get_running_loop().time() < self._next:
            return False
        if (self._context.settings.home / "lake").is_dir():
            return True
        self._wait("there is no lake under OTKLIK_HOME: the segmenter reads what the warehouse writes there")
        return False

    async def read(self, rows: Sequence[Recount], events: Iterable[str]) -> dict[str, list[Fact]] | None:
        """Of each of them what he did until he was parted; None: not now."""
        if not self.readable():
            return None
        if self._lake is None:
            self._lake = Lake(self._context.settings.home, self._context.db, threads=1)
        snapshot = await self._lake.snapshot()
        try:
            return {row.person: await facts_of(snapshot, row.ids, row.places, events) for row in rows}
        except StaleSnapshot as error:
            self._wait(str(error))
            return None
        finally:
            snapshot.close()

    def _wait(self, why: str) -> None:
        log.warning("people who were parted wait to be counted anew", extra={"why": why})
        self._next = asyncio.get_running_loop().time() + AGAIN_S

    def close(self) -> None:
        if self._lake is not None:
            self._lake.close()


async def facts_of(snapshot: Snapshot, ids: Sequence[str], places: Mapping[Place, int], events: Iterable[str]) -> list[Fact]:
    """What stands below these offsets, of these event names, in the order in which it was received."""
    found: list[tuple[tuple[Any, ...], Fact]] = []
    for event in sorted(events):
        found += await _of_event(snapshot, ids, places, event)
    return [fact for _, fact in sorted(found, key=lambda one: one[0])]


async def _of_event(
    snapshot: Snapshot, ids: Sequence[str], places: Mapping[Place, int], event: str
) -> list[tuple[tuple[Any, ...], Fact]]:
    table = snapshot.table("facts", event, people=frozenset(ids))
    there = {row[0] for row in await snapshot.query(f"DESCRIBE SELECT * FROM {table}")}  # noqa: S608 - names of ours
    columns = [column for column in snapshot.kinds(event, "properties") if column[2] in there]
    asked = "".join(f", {quote(name)}" for _, _, name in columns)
    rows = await snapshot.query(
        f"SELECT {BASE}{asked} FROM {table} "  # noqa: S608 - names of ours
        f"WHERE profile IN ({', '.join('?' for _ in ids)}) AND coalesce(nullif(event, ''), type) = ?",
        [*ids, event],
    )
    found = []
    for id_, type_, name, occurred, received, topic, partition, offset, rest, *values in rows:
        if offset >= places.get((topic, partition), 0):
            continue
        said = properties(columns, values, json.loads(rest or "{}").get("properties", {}))
        fact = Fact(
            id=id_, type=type_, event=name or "", brand="", source="", occurred_at=occurred, received_at=received, properties=said
        )
        found.append(((received, topic, partition, offset), fact))
    return found


def properties(columns: Sequence[tuple[str, str, str]], values: Sequence[Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    """A fact's properties from its columns (path, kind, name) and what has none (path -> value)."""
    said: dict[str, Any] = {}
    for (path, kind, _), value in zip(columns, values, strict=True):
        if value is not None:
            _put(said, path, _value(kind, value))
    for path, value in rest.items():
        _put(said, path, value)
    return said


def _value(kind: str, value: Any) -> Any:
    match kind:
        case "big":
            return int(value)
        case "null":
            return None
        case "object":
            return {}
        case _:
            return value


def _put(said: dict[str, Any], path: str, value: Any) -> None:
    *outer, last = steps_of(path)
    for step in outer:
        said = said.setdefault(step, {})
    said[last] = value


def steps_of(path: str) -> list[str]:
    """The keys of a path: parted by dots, a dot or backslash within a key behind a backslash."""
    steps, taken = [""], iter(path)
    for character in taken:
        if character == ".":
            steps.append("")
        else:
            steps[-1] += next(taken, "") if character == "\\" else character
    return steps
