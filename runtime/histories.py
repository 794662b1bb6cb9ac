"""What people did, as the lake has it, read person by person in the order in which it was received: for playing it again.

Everybody is who he is today: what was told of people who became one is one person's from the first day on.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from runtime.lake import Snapshot, quote, text
from runtime.property_columns import Source, Steps, properties
from schemas.facts import PROFILE_CHANGED, Fact
from schemas.paths import steps_of

MOST_PEOPLE = 1 << 62
FIRST = "00000000-0000-0000-0000-000000000000"

# Ids are hashes (uuid5), so that the people with the smallest ones are a fair sample, the same one whoever draws it.
CROWD = """
CREATE TEMP TABLE crowd AS SELECT person, epoch_ms(min(received_at)) AS first_at FROM (
    SELECT coalesce(a.person, f.profile) AS person, received_at FROM {facts} AS f LEFT JOIN alias AS a ON a.told = f.profile
    WHERE f.profile IS NOT NULL AND received_at < make_timestamp_ms(?)
) WHERE person <= ?::UUID GROUP BY person ORDER BY person
"""
LAST = "SELECT person::VARCHAR FROM crowd ORDER BY person LIMIT 1 OFFSET ?"
CUT = "DELETE FROM crowd WHERE person > ?::UUID"
PEOPLE = "SELECT person::VARCHAR, first_at FROM crowd WHERE person > ?::UUID ORDER BY person LIMIT ?"
UPTO = "SELECT person::VARCHAR, first_at FROM crowd WHERE person > ?::UUID AND person <= ?::UUID ORDER BY person"
TOLD = "SELECT told::VARCHAR, person::VARCHAR FROM alias WHERE person > ?::UUID AND person <= ?::UUID"

HEAD = (
    "person::VARCHAR", "epoch_ms(received_at)", "topic", "kafka_partition", "kafka_offset", "id::VARCHAR", "type", "event", "brand", "source",
    "lane", "epoch_ms(occurred_at)", "kinds", "home::VARCHAR", "rest::JSON::VARCHAR",
)  # fmt: skip
NAMES = (
    "person", "received", "topic", "partition", "at_offset", "id", "type", "event", "brand", "source", "lane", "occurred", "kinds", "home",
    "rest",
)  # fmt: skip
READ = """
CREATE TEMP TABLE {name} AS SELECT {columns} FROM (
    SELECT coalesce(a.person, f.profile) AS person, f.* FROM {facts} AS f LEFT JOIN alias AS a ON a.told = f.profile
    WHERE f.profile IS NOT NULL AND coalesce(nullif(f.event, ''), f.type) = {event}
        AND received_at >= make_timestamp_ms({since}) AND received_at < make_timestamp_ms({until})
) SEMI JOIN crowd USING (person){telling} ORDER BY person
"""
PAGE = "SELECT * FROM {name} WHERE person > ? AND person <= ?"

Place = tuple[int, str, int, int]  # received_at, topic, partition, offset: the order in which a person's facts are played
_decode = msgspec.json.Decoder().decode


class Wanted(NamedTuple):
    """Facts of one event name (or type, for those without), received from `since` (ms) on. paths: of properties (dotted), None: all.
    telling: only those which say one of the attributes that are asked for. until: ms, where it is earlier than that of the whole.
    """

    event: str
    since: int
    paths: Collection[str] | None = None
    telling: bool = False
    until: int | None = None


class History(NamedTuple):
    """One person: when the first fact of his was received (ms), and what he did, in order."""

    person: str
    first_at: int
    facts: list[tuple[Place, Fact]]

    def parted(self, at: int) -> tuple[list[Fact], list[tuple[Place, Fact]]]:
        """What was received before an instant (ms), and what then or later."""
        split = next((n for n, (place, _) in enumerate(self.facts) if place[0] >= at), len(self.facts))
        return [fact for _, fact in self.facts[:split]], self.facts[split:]


class _Table(NamedTuple):
    """A table of facts of one event, and where their properties and attributes stand behind HEAD."""

    name: str
    said: Sequence[Source]
    told: Sequence[Source]


class Histories:
    """Reads one snapshot, which must know merges, and is closed with it. Memory: of what is asked for, in DuckDB."""

    def __init__(self, snapshot: Snapshot, until: int, attributes: Collection[str] = ()) -> None:
        """until: ms, nothing received then or later is read. attributes: names that are asked for."""
        self._snapshot, self._until, self._attributes = snapshot, until, frozenset(attributes)
        self._tables: list[_Table] = []
        self.everybody = self.people = 0
        self.upto: str | None = None

    async def choose(self, most: int = MOST_PEOPLE, upto: str | None = None) -> None:
        """Whom to read: of everybody who ever did anything, up to `most` people, or those up to an id. Call it first.

        everybody, people: how many there are and how many are read; upto: the last of them where not all are.
        """
        facts = self._snapshot.table("facts")
        await self._snapshot.query(CROWD.format(facts=facts), [self._until, upto or "f" * 8 + "-ffff-ffff-ffff-" + "f" * 12])
        ((self.everybody,),) = await self._snapshot.query("SELECT count(*) FROM crowd")
        self.people = min(most, self.everybody)
        if self.people < self.everybody:
            ((self.upto,),) = await self._snapshot.query(LAST, [self.people - 1])
            await self._snapshot.query(CUT, [self.upto])

    async def want(self, wanted: Iterable[Wanted]) -> None:
        """Read these facts, too. Raises StaleSnapshot when a file of the lake is gone."""
        for one in wanted:
            await self._read(one)

    async def next(self, after: str | None, most: int) -> list[History]:
        """The people that follow an id, in the order of their ids, up to `most`."""
        return await self._histories(after, await self._snapshot.query(PEOPLE, [after or FIRST, most]))

    async def between(self, after: str | None, upto: str) -> list[History]:
        """All people behind one id up to another."""
        return await self._histories(after, await self._snapshot.query(UPTO, [after or FIRST, upto]))

    async def ids(self) -> list[str]:
        """Of those who are read, all with which anything was told of them."""
        rows = await self._snapshot.query(
            "SELECT person::VARCHAR FROM crowd UNION ALL SELECT told::VARCHAR FROM alias SEMI JOIN crowd USING (person)"
        )
        return [row[0] for row in rows]

    async def others(self, after: str | None, upto: str) -> dict[str, list[str]]:
        """Of people behind one id up to another: with which other ids something was told of each."""
        found: dict[str, list[str]] = {}
        for told, person in await self._snapshot.query(TOLD, [after or FIRST, upto]):
            found.setdefault(person, []).append(told)
        return found

    async def _histories(self, after: str | None, people: Sequence[tuple[str, int]]) -> list[History]:
        if not people:
            return []
        found: defaultdict[str, list[tuple[Place, Fact]]] = defaultdict(list)
        for table in self._tables:
            rows = await self._snapshot.query(PAGE.format(name=table.name), [after or FIRST, people[-1][0]])
            await asyncio.to_thread(_gather, table, rows, self._attributes, found)
        return [History(person, first_at, sorted(found.get(person, ()), key=_place)) for person, first_at in people]

    async def _read(self, wanted: Wanted) -> None:
        table = self._snapshot.table("facts", wanted.event)
        there = {row[0] for row in await self._snapshot.query(f"DESCRIBE SELECT * FROM {table}")}  # noqa: S608 - names of ours
        said = [one for one in self._columns(wanted.event, "properties", there) if _is_asked(one.steps, wanted.paths)]
        told = [one for one in self._columns(wanted.event, "attributes", there) if one.steps[0] in self._attributes]
        name = f"history_{len(self._tables)}"
        columns = [f"{sql} AS {as_}" for sql, as_ in zip(HEAD, NAMES, strict=True)]
        columns += [f"{source.sql} AS c{number}" for number, source in enumerate((*said, *told))]
        loose = f"json_exists(rest::JSON, '/attributes') AND {text(wanted.event)} IN ('identify', {text(PROFILE_CHANGED)})"
        telling = " OR ".join([*(f"{source.sql} IS NOT NULL" for source in told), f"(rest IS NOT NULL AND {loose})"])
        await self._snapshot.query(
            READ.format(
                name=name, columns=", ".join(columns), facts=table, event=text(wanted.event), since=wanted.since,
                until=self._until if wanted.until is None else min(wanted.until, self._until), telling=f" WHERE {telling}" if wanted.telling else "",
            )
        )  # fmt: skip
        self._tables.append(_Table(name, said, told))

    def _columns(self, event: str, scope: Any, there: Collection[str]) -> list[Source]:
        return [
            Source(quote(column), kind, steps_of(path))
            for path, kind, column in self._snapshot.kinds(event, scope)
            if column in there
        ]


def _is_asked(steps: Steps, paths: Collection[str] | None) -> bool:
    """Whether what lies there lies at one of these paths, within it or around it."""
    if paths is None:
        return True
    return any(all(one == other for one, other in zip(steps, path.split("."), strict=False)) for path in paths)


def _place(one: tuple[Place, Fact]) -> Place:
    return one[0]


def _gather(
    table: _Table, rows: Sequence[tuple[Any, ...]], names: Collection[str], found: defaultdict[str, list[tuple[Place, Fact]]]
) -> None:
    first, then = len(HEAD), len(HEAD) + len(table.said)
    for row in rows:
        person, received, topic, partition, offset, id_, type_, event, brand, source, lane, occurred, kinds, home, rest = row[
            :first
        ]
        more = _decode(rest) if rest else {}
        said = _said(table.said, row[first:then], more.get("properties"))
        told = _said(table.told, row[then:], more.get("attributes"), names) if names else {}
        if type_ == PROFILE_CHANGED and told:
            told = {name: _dated(value, occurred) for name, value in told.items()}
        if more.get("proven"):  # the evidence of a word of consent is personal; that there is some is known
            said["evidence"] = {"kept": True}
        at, pair = more.get("bucketing") or (None, None)
        fact = Fact(
            id=id_, type=type_, event=event or "", brand=brand, source=source, lane=lane, occurred_at=occurred, received_at=received,
            identifiers=tuple(f"{kind}:" for kind in kinds.split(",")) if kinds else (), properties=said, attributes=told, profile=person,
            home=home, bucketing_id=pair, bucketed_at=at, ruled=tuple(more.get("ruled", ())),
        )  # fmt: skip
        found[person].append(((received, topic, partition, offset), fact))


def _said(sources: Sequence[Source], values: Sequence[Any], rest: Any, names: Collection[str] | None = None) -> dict[str, Any]:
    """The object of these columns, and of what has none. names: only these of its keys."""
    if not rest:
        return properties(sources, values)
    found = [(steps_of(path), value) for path, value in rest.items()]
    loose = [(steps, value) for steps, value in found if names is None or steps[0] in names]
    more = [Source("", "plain", steps) for steps, _ in loose]
    return properties([*sources, *more], [*values, *(value for _, value in loose)])


def _dated(value: Any, occurred: int) -> list[Any]:
    """What profile tells of an attribute: [at, value]. The lake keeps the value alone where the instant is the fact's own."""
    if type(value) is list and len(value) == 2 and type(value[0]) is int:
        return value
    return [occurred, value]
