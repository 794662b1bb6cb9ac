"""Who is to be counted anew: from the lake up to where this service stood when that was asked for, and from there on as heard.

After an unmerge each of the parts is; and who becomes one with another while history for new conditions has come to one of them only.

So nothing is counted twice and nothing left out, however far the lake is behind: every place of the log is on one side of its cut.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from runtime import lake, parted
from runtime.batch import Item
from runtime.db import Connection
from runtime.kafka import Place
from runtime.people import People
from schemas.facts import Fact, Split
from schemas.ids import partition_of
from schemas.topics import FACTS, FACTS_BULK

AT_ONCE = 8  # people whose facts are read with one look at the lake

# All who are one with any of these, up and down.
FAMILY = """
WITH RECURSIVE kin AS (
    SELECT unnest($1::uuid[]) AS id
    UNION
    SELECT near.id FROM kin k CROSS JOIN LATERAL (
        SELECT merged_into AS id FROM person WHERE id = k.id AND merged_into IS NOT NULL
        UNION ALL SELECT id FROM person WHERE merged_into = k.id
    ) AS near
)
SELECT id::text FROM kin
"""
# Who has become one with each of these, down to the last.
KIN = """
WITH RECURSIVE kin AS (
    SELECT id AS person, id FROM unnest($1::uuid[]) AS u (id)
    UNION ALL SELECT k.person, p.id FROM kin k JOIN person p ON p.merged_into = k.id
)
SELECT person::text, id::text FROM kin WHERE id <> person
"""
STAND = "SELECT topic, partition, next_offset FROM watermark WHERE topic = ANY($1::text[])"
FORGET = "DELETE FROM rebuild WHERE person = ANY($1::uuid[])"
ASK = "INSERT INTO rebuild (person, partition, act, ids, topics, partitions, offsets) VALUES ($1, $2, $3, $4::uuid[], $5, $6, $7)"
WAITING = """
SELECT person::text, partition, act::text, ids::text[], topics, partitions, offsets FROM rebuild WHERE partition = ANY($1::smallint[])
ORDER BY person
"""
DONE = "DELETE FROM rebuild WHERE (person, act) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[])) RETURNING person::text"


class Recount(NamedTuple):
    """A row: places are the first offsets that are not to be read."""

    person: str
    partition: int
    act: str
    ids: Sequence[str]
    places: dict[Place, int]


class Recounts:
    """What the splits of a batch ask for."""

    def __init__(self, known: Collection[str], partitions: int) -> None:
        """known: ids of all whom a split of the batch may be about, whoever they are by now."""
        self._known, self._partitions = set(known), partitions
        self._reached: dict[Place, int] = {}
        self._splits: list[tuple[str, Split, int]] = []
        self._asked: dict[str, Recount] = {}
        self._forgotten: set[str] = set()
        self._kin_of: set[str] = set()  # whose `ids` lack those that became one with them before

    def passed(self, item: Item) -> None:
        self._reached[item.place] = item.offset + 1

    def split(self, fact: Fact, split: Split, item: Item, people: Iterable[str], crowd: People) -> None:
        """These people are counted anew, from where the batch stands. What was asked of them before is settled with it."""
        told_as = fact.profile or ""
        self._known |= {told_as, *split.stay, *(one for part in split.parts for one in (part.profile, *part.others))}
        self._splits.append((told_as, split, fact.received_at))
        places = {**self._reached, item.place: item.offset + 1}
        for person in people:
            ids = sorted({person, *(one for one in self._known if crowd.canonical(one) == person)})
            self.forget(ids)
            self._asked[person] = Recount(person, partition_of(person, self._partitions), split.act, ids, places)

    def anew(self, person: str, ids: Iterable[str], act: str, crowd: People, item: Item | None = None) -> None:
        """He is counted anew from where the batch stands; item: which it is deciding, if that is behind it by then."""
        ids = sorted({person, *ids, *(one for one in self._known if crowd.canonical(one) == person)})
        places = {**self._reached, item.place: item.offset + 1} if item else dict(self._reached)
        self.forget(ids)
        self._asked[person] = Recount(person, partition_of(person, self._partitions), act, ids, places)
        self._kin_of.add(person)

    def asked(self, person: str) -> bool:
        return person in self._asked

    async def look_up(self, connection: Connection) -> None:
        """Before anything of the batch is written: who had become one with whom."""
        asked = {person: row for person, row in self._asked.items() if person in self._kin_of}
        found = await kin(connection, [one for row in asked.values() for one in row.ids]) if asked else {}
        for person, row in asked.items():
            ids = sorted({*row.ids, *(other for one in row.ids for other in found.get(one, ()))})
            self._forgotten.update(ids)
            self._asked[person] = row._replace(ids=ids)

    def forget(self, people: Iterable[str]) -> None:
        gone = set(people)
        self._forgotten |= gone
        self._asked = {person: row for person, row in self._asked.items() if person not in gone}

    async def save(self, connection: Connection) -> None:
        """After the people are locked: what another process hears of them later is not below where its partitions stand now."""
        if self._forgotten:
            await connection.execute(FORGET, sorted(self._forgotten))
        for told_as, split, at in self._splits:
            await parted.learn(connection, told_as, split, at)
        if self._asked:
            stand = {(t, p): n for t, p, n in await connection.fetch(STAND, [FACTS.name, FACTS_BULK.name])}
            await connection.executemany(ASK, [_row(one, {**stand, **one.places}) for one in self._asked.values()])


def _row(one: Recount, places: dict[Place, int]) -> tuple[object, ...]:
    ordered = sorted(places)
    columns = [topic for topic, _ in ordered], [partition for _, partition in ordered], [places[place] for place in ordered]
    return one.person, one.partition, one.act, one.ids, *columns


async def kin(connection: Connection, people: Collection[str]) -> dict[str, list[str]]:
    """Of each of these people, whose rows are locked, who has become one with him."""
    found: dict[str, list[str]] = {}
    for person, other in await connection.fetch(KIN, sorted(people)):
        found.setdefault(person, []).append(other)
    return found


async def family(connection: Connection, people: Collection[str]) -> set[str]:
    return {row[0] for row in await connection.fetch(FAMILY, sorted(people))}


async def ready(connection: Connection, partitions: Iterable[int]) -> list[Recount]:
    """Those of whom the lake has all that is to be read."""
    rows = await connection.fetch(WAITING, list(partitions))
    if not rows:
        return []
    passed = await lake.passed(connection)
    waiting = [
        Recount(person, partition, act, ids, dict(zip(zip(topics, parts, strict=True), offsets, strict=True)))
        for person, partition, act, ids, topics, parts, offsets in rows
    ]
    return [one for one in waiting if all(n <= 0 or passed.get(place, 0) >= n for place, n in one.places.items())][:AT_ONCE]


async def done(connection: Connection, rows: Sequence[Recount]) -> set[str]:
    """Settle them, under their people's locks. Returns whose they were: another split may have asked anew meanwhile."""
    return {row[0] for row in await connection.fetch(DONE, [one.person for one in rows], [one.act for one in rows])}
