"""Everybody's state made anew in an empty database, beside the one that live has, and what of it differs (docs/adr/0015).

What people did is counted in the lake below the places where this service stood at the stated instant; who they are comes from profile,
which keeps it. No merge, timer, unmerge or filling is run again: what they came to must be the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from runtime.db import Connection
from runtime.kafka import Place
from runtime.lake import Snapshot
from runtime.parted import Parted
from schemas.ids import partition_of
from schemas.topics import FACTS
from schemas.unnamed import UNNAMED
from services.segmenter.domain import hearing, state
from services.segmenter.domain.filling import incomplete
from services.segmenter.domain.hearing import NOTHING_TO_HEAR, Hearing
from services.segmenter.domain.live import folded
from services.segmenter.domain.plan import Plan
from services.segmenter.domain.rebuilding import Known, differences, rebuilt, standing_since, under_way
from services.segmenter.domain.series import Series
from services.segmenter.domain.state import State
from services.segmenter.domain.succession import standing
from services.segmenter.filling import TOPICS
from services.segmenter.gathered import Cut, Gathered, gather
from services.segmenter.plans import Plans
from services.segmenter.sweeping import SETTLED

STAND = "SELECT topic, partition, greatest(0, next_offset) FROM watermark WHERE topic = ANY($1::text[])"
BURIED = "SELECT count(*) FROM dead_letter WHERE replayed_at IS NULL AND topic = ANY($1::text[])"
HELD = """
SELECT id::text AS id, state FROM person
WHERE merged_into IS NULL AND erased_at IS NULL AND ($1::uuid IS NULL OR id > $1) AND ($2::uuid IS NULL OR id <= $2)
"""
MERGED = "SELECT id::text, merged_into::text FROM person WHERE merged_into IS NOT NULL AND erased_at IS NULL"
ERASED = "SELECT id::text FROM person WHERE erased_at IS NOT NULL"
COPIED = ("definition", "definition_current", "definition_revision", "plan", "parted", "watermark")
COLUMNS = ("id", "partition", "state", "due_at", "merged_into", "erased_at")

KINDS = """
CREATE TEMP TABLE kinds AS SELECT x, list(DISTINCT kind) AS kinds FROM (
    SELECT t.profile AS x, unnest(string_split(t.kinds, ',')) AS kind FROM {facts} AS t
    JOIN cut ON cut.topic = t.topic AND cut.place = t.kafka_partition AND t.kafka_offset < cut.upto WHERE t.kinds IS NOT NULL
) GROUP BY x
"""
KINDS_OF = "SELECT x::VARCHAR, kinds FROM kinds WHERE x IN (SELECT unnest(?::UUID[]))"
LATER = """
SELECT DISTINCT t.profile::VARCHAR FROM {facts} AS t LEFT JOIN cut ON cut.topic = t.topic AND cut.place = t.kafka_partition
WHERE t.profile IS NOT NULL AND t.kafka_offset >= coalesce(cut.upto, 0)
"""
ANONYMOUS = "anonymous_id"  # of the kinds, the one of which an unmerge tells nothing


class NothingToCompare(RuntimeError):  # noqa: N818
    """The segmenter has not come so far that its state could be compared: the message says why."""


class Stated(NamedTuple):
    """Where live stood: ms, the first offset of each place that it had not handled, the plan that ruled, records that it had buried, and
    of each partition the number of the last plan of which everybody was asked; and what profile was still telling.
    """

    now: int
    places: Mapping[Place, int]
    plan: Plan
    buried: int
    settled: Mapping[int, int]
    hearing: Hearing = NOTHING_TO_HEAR


class Person(NamedTuple):
    """Somebody as profile has him. others: ids of all who became one with him."""

    id: str
    others: Sequence[str]
    known: Known


class Whose(NamedTuple):
    """merged: id -> whom he became; erased: ids of those who were erased; ends: of the places of the log, when all that profile had told by the stated instant was in it."""

    merged: Mapping[str, str]
    erased: frozenset[str]
    ends: Mapping[Place, int]


@dataclass
class Found:
    """What was compared, and what differs: id -> names of it. moving: people of whom live had not heard all that profile had told;
    under_way: to whom history, a plan or half of an unmerge was still to come. unasked: segments that could not be compared.
    """

    people: int = 0
    rows: int = 0
    memberships: int = 0
    segments: int = 0
    conditions: int = 0
    moving: int = 0
    under_way: int = 0
    unasked: set[str] = field(default_factory=set)
    differing: dict[str, list[str]] = field(default_factory=dict)


async def stated(connection: Connection, now: int) -> Stated:
    """Where live stands in a transaction that sees one instant. Raises NothingToCompare."""
    ruling = await Plans().seen(connection)
    if ruling is None:
        raise NothingToCompare("the segmenter has not taken the newest definitions yet: run again when it has")
    places = {(topic, partition): n for topic, partition, n in await connection.fetch(STAND, list(TOPICS))}
    settled: dict[int, int] = dict(await connection.fetch(SETTLED))
    buried = await connection.fetchval(BURIED, list(TOPICS))
    return Stated(now, places, ruling.plan, buried, settled, ruling.hearing)


class Counted:
    """What the lake has below the stated places. later: ids of whom it has something from there on; parted: ids that unmerges were about."""

    def __init__(self, snapshot: Snapshot, gathered: Gathered, later: frozenset[str], parts: Iterable[Parted]) -> None:
        self._snapshot, self._gathered, self.later = snapshot, gathered, later
        self._parted = {one for row in parts for one in (row.owner, row.stays, *row.told)}

    async def of(self, ids: Sequence[str]) -> tuple[dict[str, dict[int, Series]], dict[str, set[str]]]:
        """What these ids did, and kinds of the identifiers with which that came, as far as it is known whose they are."""
        kinds = {x: set(found) for x, found in await self._snapshot.query(KINDS_OF, [list(ids)])}
        for one in kinds.keys() & self._parted:
            kinds[one] &= {ANONYMOUS}
        return await self._gathered.of(ids), kinds

    def close(self) -> None:
        self._gathered.close()


async def count(snapshot: Snapshot, where: Stated, parts: Sequence[Parted], partitions: int) -> Counted:
    """Count everything for everybody. Raises StaleSnapshot when a file of the lake is gone meanwhile."""
    asked = [one for one in where.plan.accumulators.values() if not one.personal]
    gathered = await gather(snapshot, asked, Cut(where.places, where.now), partitions)
    facts = snapshot.table("facts")
    await snapshot.query(KINDS.format(facts=facts))
    later = await snapshot.query(LATER.format(facts=facts))
    return Counted(snapshot, gathered, frozenset(row[0] for row in later), parts)


class Rebuild:
    """Fills the empty database page by page and compares each with what live has. Ids must come in their order."""

    def __init__(self, held: Connection, into: Connection, where: Stated, counted: Counted, whose: Whose, partitions: int) -> None:
        """held: in the stated instant; into: to the empty database, in this service's schema."""
        self._held, self._into, self._where, self._counted, self._whose = held, into, where, counted, whose
        self._partitions = partitions
        self._after: str | None = None
        self._moving = {self._canonical(one, whose.merged) for one in counted.later}
        plan = where.plan
        self.found = Found(unasked=incomplete(plan) | hearing.incomplete(plan, where.hearing))
        self.found.conditions = sum(key.startswith(UNNAMED) for key in plan.place.keys() - self.found.unasked)
        self.found.segments = len(plan.place.keys() - self.found.unasked) - self.found.conditions

    async def take(self, people: Sequence[Person], *, last: bool) -> None:
        """The people that follow; last: there are no more."""
        upto = None if last else people[-1].id
        held = {row["id"]: row["state"] for row in await self._held.fetch(HELD, self._after, upto)}
        ids = [one for person in people for one in (person.id, *person.others)]
        did, kinds = await self._counted.of(ids)
        records: list[tuple[Any, ...]] = []
        for person in people:
            raw = held.pop(person.id, None)
            live = self._standing(person.id, state.decode(raw)) if raw else None
            again = self._again(person, live, did, kinds)
            records.append((person.id, partition_of(person.id, self._partitions), state.encode(again), again.due_at, None, None))
            self._judge(person.id, live, again)
        for unknown in held.keys() - self._whose.merged.keys() - self._whose.erased:  # of those `finish` tells
            self._differs(unknown, ["profile has nobody of this id"])
        await self._into.copy_records_to_table("person", records=records, columns=COLUMNS)
        self._after = upto

    def _standing(self, person: str, held: State) -> State:
        """Whom the last plans did not move his row still has under an earlier one."""
        return standing(held, self._where.settled.get(partition_of(person, self._partitions), 0), self._where.plan)

    def _again(
        self, person: Person, live: State | None, did: Mapping[str, Mapping[int, Series]], kinds: Mapping[str, set[str]]
    ) -> State:
        plan, now = self._where.plan, self._where.now
        series: Mapping[int, Series] = {}
        found = set(person.known.kinds)
        for one in (person.id, *person.others):
            series = folded(series, did.get(one, {}), plan, now)
            found |= kinds.get(one, set())
        if live is not None:  # the lake lacks what is personal
            series = {**series, **{id_: held for id_, held in live.series.items() if _is_personal(id_, plan)}}
        again = rebuilt(person.known._replace(kinds=found), series, now, plan)
        return again if live is None else standing_since(again, live)

    def _judge(self, person: str, live: State | None, again: State) -> None:
        if person in self._moving:
            self.found.moving += 1
        elif live is None:
            self._differs(person, ["live has nobody of this id"])
        elif under_way(live, self._where.plan):
            self.found.under_way += 1
        else:
            self.found.people += 1
            self.found.rows += 1
            self.found.memberships += len(live.members.keys() - self.found.unasked)
            unsaid = self._where.hearing.names
            if what := differences(live, again, self._where.now, self._where.plan, self.found.unasked, unsaid):
                self._differs(person, what)

    async def finish(self) -> Found:
        """After the last page: who became whom, who was erased, and what else a segmenter has in its schema."""
        merged: dict[str, str] = dict(await self._held.fetch(MERGED))
        erased = {row[0] for row in await self._held.fetch(ERASED)}
        for one in sorted(merged.keys() | self._whose.merged.keys()):
            here, there = self._canonical(one, merged), self._canonical(one, self._whose.merged)
            if not self._moving.isdisjoint({here, there}):
                self.found.moving += here != there
            else:
                self.found.rows += 1
                if here != there:
                    self._differs(one, ["whom he became"])
        for one in sorted(erased | self._whose.erased):
            self._judge_erased(one, one in erased)
        stones = [(one, 0, b"", None, self._canonical(one, self._whose.merged), None) for one in sorted(self._whose.merged)]
        gone = [(one, 0, b"", None, None, self._where.now) for one in sorted(self._whose.erased)]
        await self._into.copy_records_to_table("person", records=[*stones, *gone], columns=COLUMNS)
        await self._copy()
        return self.found

    def _judge_erased(self, one: str, here: bool) -> None:
        place = FACTS.name, partition_of(self._canonical(one, self._whose.merged), self._partitions)
        if here and one in self._whose.erased:
            self.found.rows += 1
        elif not here and self._where.places.get(place, 0) < self._whose.ends.get(place, 0):
            self.found.moving += 1
        else:
            self._differs(one, ["erased here alone" if here else "not erased"])

    async def _copy(self) -> None:
        for table in COPIED:
            rows = await self._held.fetch(f"SELECT * FROM {table}")  # noqa: S608 - names of ours
            await self._into.execute(f"DELETE FROM {table}")  # noqa: S608
            if rows:
                await self._into.copy_records_to_table(table, records=[tuple(row) for row in rows], columns=list(rows[0].keys()))
        number = self._where.plan.revision
        swept = [(partition, number, None, True, number) for partition in range(self._partitions)]
        await self._into.copy_records_to_table(
            "sweep", records=swept, columns=("partition", "revision", "last_id", "done", "settled")
        )

    def _differs(self, person: str, what: Iterable[str]) -> None:
        self.found.differing.setdefault(person, []).extend(what)

    @staticmethod
    def _canonical(person: str, merged: Mapping[str, str]) -> str:
        while person in merged:
            person = merged[person]
        return person


def _is_personal(id_: int, plan: Plan) -> bool:
    return id_ in plan.accumulators and plan.accumulators[id_].personal
