"""A batch of facts through the live plan: load the people that it may move, decide in order, save, tell who entered and left."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from runtime import people
from runtime.batch import At, Emit, Item, Tx
from runtime.db import Again
from runtime.kafka import Place, Record
from runtime.people import People, Saved
from runtime.service import Fired
from schemas import facts
from schemas.facts import PROFILE_CHANGED, PROFILE_ERASED, PROFILE_MERGED, Fact
from schemas.ids import derive, partition_of
from schemas.memberships import Membership
from schemas.topics import MEMBERSHIPS
from services.segmenter.domain import live, state
from services.segmenter.domain.draft import Change, Decision
from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.plan import Plan
from services.segmenter.domain.state import Glance, State
from services.segmenter.plans import Live, Plans

_encode = msgspec.json.Encoder().encode
_glance = msgspec.msgpack.Decoder(Glance).decode


def decode(record: Record) -> Fact:
    return facts.decode(record.value or b"")


class Handler:
    """Handles batches of `facts` and `facts.bulk`, and is the timer lane of the flips."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._plans = Plans()
        self._settled = -1  # number of the last plan under which everybody was seen to stand

    async def __call__(self, tx: Tx, items: Sequence[Item]) -> list[Emit]:
        now_live = await self._plans.at(tx)
        # A mark says that what a new condition answers is told of everybody below it, so whoever comes by is brought up first. It
        # does not help that the fact's own partition is swept: he may be merged into somebody of another.
        settled = await self._is_settled(tx, now_live.plan.revision)
        moving = [item for item in items if not settled or _may_move(item.value, now_live.plan)]
        emits: list[Emit] = []
        strayed: dict[Place, set[int]] = {}
        if moving:
            desk = await self._desk(tx, now_live, _people(moving))
            for item in moving:
                told = list(desk.handle(item.value, tx.at(item)))
                emits.extend(told)
                strayed.setdefault(item.place, set()).update(partition_of(emit.key, self._partitions) for emit in told)
            await desk.save(tx, early=True)
        emits.extend(_marks(tx, items, strayed))
        return emits

    async def _is_settled(self, tx: Tx, number: int) -> bool:
        """Whether everybody has been brought under the plan."""
        if self._settled != number and await tx.connection.fetchval(SWEPT_ONES, number) >= self._partitions:
            self._settled = number
        return self._settled == number

    async def _desk(self, tx: Tx, now_live: Live, ids: Iterable[str]) -> "Desk":
        crowd = await people.load(tx.connection, set(ids))
        return Desk(crowd, now_live, self._plans.known, tx.now, self._partitions)

    # ---- timers

    async def due(self, connection: Any, partitions: Sequence[int], now: int) -> bool:
        if await people.is_due(connection, partitions, now):
            return True
        return bool(await connection.fetchval(SWEEP_DUE, list(partitions)))

    async def fire(self, tx: Tx, ats: Mapping[int, At], limit: int) -> Fired:
        """Flips that are due, oldest first; when there are none, people who are to be brought under a new plan."""
        now_live = await self._plans.at(tx)
        due = await people.due(tx.connection, list(ats), tx.now, limit)
        if not due:
            return await self._sweep(tx, now_live, ats, limit)
        desk = await self._desk(tx, now_live, [person for person, _, _ in due])
        emits: list[Emit] = []
        for person, partition, _ in sorted(due, key=lambda row: (desk.due(row[0]), row[0])):
            emits.extend(desk.fire(person, ats[partition]))
        await desk.save(tx)
        return Fired(emits, len(due), due[0][2])

    async def _sweep(self, tx: Tx, now_live: Live, ats: Mapping[int, At], limit: int) -> Fired:
        rows = await tx.connection.fetch(SWEEP_NEXT, list(ats), now_live.plan.revision)
        if not rows:
            return Fired()
        partition, last = rows[0]["partition"], rows[0]["last_id"]
        ids = [row["id"] for row in await tx.connection.fetch(WALK, partition, last or BEFORE_ALL, limit)]
        emits: list[Emit] = []
        if ids:
            desk = await self._desk(tx, now_live, ids)
            for person in ids:
                emits.extend(desk.upgrade(person, ats[partition]))
            await desk.save(tx)
        done = len(ids) < limit
        await tx.connection.execute(SWEPT, partition, now_live.plan.revision, ids[-1] if ids else None, done)
        if done:
            emits.extend(_asked(now_live.asked, partition, ats[partition], tx.now))
        return Fired(emits, max(1, len(ids)), tx.now)


SWEEP_DUE = """
SELECT EXISTS (
    SELECT FROM unnest($1::smallint[]) AS p (partition) LEFT JOIN sweep s USING (partition)
    WHERE s.partition IS NULL OR NOT s.done OR s.revision <> (SELECT number FROM plan)
) OR (SELECT revision FROM definition_revision) > (SELECT revision FROM plan)
"""
SWEPT_ONES = "SELECT count(*) FROM sweep WHERE revision = $1 AND done"
SWEEP_NEXT = """
SELECT p.partition, CASE WHEN s.revision = $2 THEN s.last_id END AS last_id
FROM unnest($1::smallint[]) AS p (partition) LEFT JOIN sweep s USING (partition)
WHERE s.partition IS NULL OR NOT s.done OR s.revision <> $2 ORDER BY 1 LIMIT 1
"""
BEFORE_ALL = UUID(int=0)
WALK = """
SELECT id::text AS id FROM person
WHERE partition = $1 AND merged_into IS NULL AND id > $2 ORDER BY id LIMIT $3
"""
SWEPT = """
INSERT INTO sweep (partition, revision, last_id, done) VALUES ($1, $2, $3, $4)
ON CONFLICT (partition) DO UPDATE SET revision = EXCLUDED.revision, last_id = EXCLUDED.last_id, done = EXCLUDED.done
"""


class Desk:
    """The people of a batch: states decoded once, decided in memory, saved once."""

    def __init__(self, crowd: People, now_live: Live, plans: Mapping[int, Plan], now: int, partitions: int) -> None:
        self._crowd, self._live, self._plans, self._now, self._partitions = crowd, now_live, plans, now, partitions
        self._states: dict[str, State] = {}
        self._changed: set[str] = set()

    def handle(self, fact: Fact, at: At) -> Iterable[Emit]:
        if fact.type == PROFILE_MERGED:
            return self._merge(fact, at)
        if fact.type == PROFILE_ERASED:
            return self._erase(fact)
        if fact.type == PROFILE_CHANGED:
            # Attributes were heard with the facts that said them; here only reach and the bucketing pair are news.
            fact = msgspec.structs.replace(fact, attributes={})
        person = self._crowd.canonical(fact.profile or "")
        if self._crowd.gone(person):
            return ()
        raw = self._crowd.state(person)
        if person not in self._states and raw and live.idle(_glance(raw), fact, self._live.plan):
            return ()
        before, told = self._state(person)
        decision = live.decide(before, fact, self._now, self._live.plan)
        return self._take(person, decision, at, told)

    def due(self, person: str) -> int:
        """When time alone may next flip a segment of his; his row may name an earlier instant."""
        raw = self._crowd.state(self._crowd.canonical(person))
        return _glance(raw).due if raw else NEVER

    def fire(self, person: str, at: At) -> Iterable[Emit]:
        person = self._crowd.canonical(person)
        if self._crowd.gone(person):
            return ()
        before, told = self._state(person)
        self._changed.add(person)  # where nothing is due yet the row still says so (see save): it learns the true instant
        return self._take(person, live.fire(before, self._now, self._live.plan), at, told)

    def upgrade(self, person: str, at: At) -> Iterable[Emit]:
        person = self._crowd.canonical(person)
        raw = self._crowd.state(person)
        if self._crowd.gone(person) or (person not in self._states and raw and _glance(raw).revision == self._live.plan.revision):
            return ()
        return self._tell(person, self._state(person)[1], at)

    def _erase(self, fact: Fact) -> Iterable[Emit]:
        """Nobody is told that he left: whoever keeps anything of him hears of the erasure itself."""
        gone = {self._crowd.canonical(person) for person in _ids(fact)}
        self._crowd.erase([*_ids(fact)], self._now)
        for person in gone:
            self._states.pop(person, None)
        self._changed -= gone
        return ()

    def _merge(self, fact: Fact, at: At) -> Iterable[Emit]:
        pair = self._crowd.merge(fact.properties["winner"], fact.properties["loser"])
        if pair is None:
            return ()
        winner, loser = pair
        (one, told_one), (other, told_other) = self._state(winner), self._state(loser)
        # What time brought to the loser before is told of him, as if his timer had come in time; the merge knows only what he is now.
        past = live.fire(other, max(fact.received_at, one.clock, other.clock), self._live.plan)
        decision = live.merge(one, past.state, fact.received_at, self._live.plan, fact.id)
        self._states.pop(loser)
        self._changed.discard(loser)
        gone = self._tell(loser, [*told_other, *past.changes], at)
        return [*gone, *self._take(winner, decision, at, told_one)]

    def _state(self, person: str) -> tuple[State, Sequence[Change]]:
        """His state under the current plan, and what bringing it there changed."""
        if person in self._states:
            return self._states[person], ()
        raw = self._crowd.state(person)
        held = state.decode(raw) if raw else State()
        told: list[Change] = []
        plan = self._live.plan
        if held.revision > plan.revision:
            raise Again("a later plan rules: this one must bring nobody back")
        if raw and held.revision != plan.revision:
            old = self._plans.get(held.revision)
            if old is not None:
                first = live.fire(held, self._now, old)
                held = first.state
                told.extend(first.changes)
            decision = live.upgrade(held, self._now, plan)
            held = decision.state
            told.extend(decision.changes)
            self._changed.add(person)
        self._states[person] = held
        return held, told

    def _take(self, person: str, decision: Decision, at: At, told: Sequence[Change]) -> Iterable[Emit]:
        if decision.changed:
            self._states[person] = decision.state
            self._changed.add(person)
        return self._tell(person, [*told, *decision.changes], at)

    def _tell(self, person: str, changes: Sequence[Change], at: At) -> list[Emit]:
        emits = []
        for change in changes:
            kind = "entered" if change.entered else "left"
            record = Membership(
                type=kind,  # type: ignore[arg-type]
                received_at=change.at,
                id=derive("membership", person, change.segment, kind, change.at, change.cause or ""),
                profile=person,
                segment=change.segment,
                version=self._live.versions.get(change.segment, 0),
                at=change.at,
                why=change.kind,
                carried=change.carried,
                cause=change.cause,
            )
            emits.append(Emit(MEMBERSHIPS.name, person, _encode(record), at, kind))
        return emits

    async def save(self, tx: Tx, *, early: bool = False) -> None:
        """early: with nearly each fact the next flip moves into the future, and the index with it; so the row keeps the instant it
        has, the timer comes too early once, finds nothing and sets it right.
        """
        rows = [Saved(p, partition_of(p, self._partitions), state.encode(s), s.due_at) for p, s in self._changed_states()]
        await self._crowd.save(tx.connection, rows, early=early)

    def _changed_states(self) -> list[tuple[str, State]]:
        return [(person, self._states[person]) for person in sorted(self._changed)]


def _may_move(fact: Fact, plan: Plan) -> bool:
    """Whether the person's row must be looked at. Reach and bucketing come with profile.changed, so most page views need no row."""
    if fact.type in (PROFILE_CHANGED, PROFILE_MERGED, PROFILE_ERASED) or fact.attributes:
        return True
    if "anonymous_id" in plan.by_kind and any(text.startswith("anonymous_id:") for text in fact.identifiers):
        return True  # profile.changed names those that prove who somebody is, this one it does not
    return (fact.event or fact.type) in plan.by_event


def _people(items: Sequence[Item]) -> Iterable[str]:
    for item in items:
        yield from _ids(item.value)


def _ids(fact: Fact) -> Iterable[str]:
    """Everybody whom a fact is about."""
    yield fact.profile or ""
    if fact.type == PROFILE_MERGED:
        yield fact.properties["loser"]
    if fact.type == PROFILE_ERASED:
        yield from fact.properties["others"]


def _asked(keys: Iterable[str], partition: int, at: At, now: int) -> Iterable[Emit]:
    """Everybody of the partition stands under the plan: who asks about these conditions and hears nothing knows the answer.

    Without that, a run that meets a new condition before the segmenter does would take our silence for a no.
    """
    for key in sorted(keys):
        mark = Membership(type="mark", received_at=now, topic=key, partition=partition, offset=1)
        yield Emit(MEMBERSHIPS.name, "", _encode(mark), at, "mark", partition)


def _marks(tx: Tx, items: Sequence[Item], strayed: Mapping[Place, set[int]]) -> Iterable[Emit]:
    """For each partition of the batch: everything below this offset has been handled.

    strayed: partitions in which something was told because of a fact of this one: late news of somebody merged into a person of
    another partition. The mark stands there too.
    """
    last: dict[Place, Item] = {item.place: item for item in items}
    for place, item in sorted(last.items()):
        parts = tuple(sorted({place[1], *strayed.get(place, ())}))
        mark = Membership(
            type="mark", received_at=item.received_at, topic=place[0], partition=place[1], offset=item.offset + 1,
            parts=parts if len(parts) > 1 else (),
        )  # fmt: skip
        for part in parts:
            yield Emit(MEMBERSHIPS.name, "", _encode(mark), tx.at(item), "mark", part)
