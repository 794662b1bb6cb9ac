"""The people of a batch, decided in memory: states decoded once, saved once."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Self

import msgspec

from runtime.batch import At, Emit, Item, Tx
from runtime.db import Again
from runtime.parted import Parted, owner, parted_by
from runtime.people import People, Saved
from schemas.facts import PROFILE_CHANGED, PROFILE_ERASED, PROFILE_MERGED, PROFILE_SPLIT, Fact, Split
from schemas.ids import derive, partition_of
from schemas.memberships import Membership
from schemas.topics import MEMBERSHIPS
from services.segmenter.domain import filling, hearing, live, parting, state
from services.segmenter.domain.draft import Change, Decision, awaited
from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.plan import Plan
from services.segmenter.domain.series import Series
from services.segmenter.domain.state import OUTSIDE, Glance, State
from services.segmenter.domain.succession import Difference, difference, standing, untouched
from services.segmenter.gathered import Found, Gathered
from services.segmenter.plans import Live
from services.segmenter.recount import Recount, Recounts, kin

AT_ONCE = 250  # people whose rows are written while the next ones are decided

_encode = msgspec.json.Encoder().encode
_glance = msgspec.msgpack.Decoder(Glance).decode


class Desk:
    """The people of a batch: states decoded once, decided in memory, saved once."""

    def __init__(
        self,
        crowd: People,
        now_live: Live,
        plans: Mapping[int, Plan],
        now: int,
        partitions: int,
        apart: Mapping[str, Parted] | None = None,
        ids: Collection[str] = (),
    ) -> None:
        """apart: of the homes of the batch's facts and of whom they were told of, what unmerges said before. ids: all that were loaded."""
        self._crowd, self._live, self._plans, self._now, self._partitions = crowd, now_live, plans, now, partitions
        self._states: dict[str, State] = {}
        self._changed: set[str] = set()
        self._differences: dict[int, Difference] = {}
        self._apart, self.recounts = dict(apart or {}), Recounts(ids, partitions)

    def handle(self, item: Item, at: At) -> Iterable[Emit]:
        told = self._handle(item.value, item, at)
        self.recounts.passed(item)
        return told

    def _handle(self, fact: Fact, item: Item, at: At) -> Iterable[Emit]:
        if fact.type == PROFILE_MERGED:
            return self._merge(fact, item, at)
        if fact.type == PROFILE_ERASED:
            return self._erase(fact)
        if fact.type == PROFILE_SPLIT:
            return self._split(fact, item, at)
        if fact.type == PROFILE_CHANGED:
            if "act" in fact.properties:
                return self._parted(fact, at)
            # Most attributes were heard with the facts that said them; reach, the bucketing pair and the rest are news.
            fact = msgspec.structs.replace(fact, attributes=live.news(fact, self._live.plan))
        person = self._crowd.canonical(owner(fact.profile or "", fact.home, self._apart))
        if self._crowd.gone(person):
            return ()
        raw = self._crowd.state(person)
        if person not in self._states and raw and live.idle(self._head(person, raw), fact, self._live.plan):
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
        if self._crowd.gone(person) or (person not in self._states and raw and self._stands(person, _glance(raw).revision)):
            return ()
        return self._tell(person, self._state(person)[1], at)

    def _erase(self, fact: Fact) -> Iterable[Emit]:
        """Nobody is told that he left: whoever keeps anything of him hears of the erasure itself."""
        gone = {self._crowd.canonical(person) for person in ids_of(fact)}
        self._crowd.erase([*ids_of(fact)], self._now)
        self.recounts.forget({*gone, *ids_of(fact)})
        for person in gone:
            self._states.pop(person, None)
        self._changed -= gone
        return ()

    def _merge(self, fact: Fact, item: Item, at: At) -> Iterable[Emit]:
        pair = self._crowd.merge(fact.properties["winner"], fact.properties["loser"])
        if pair is None:
            return ()
        winner, loser = pair
        (one, told_one), (other, told_other) = self._state(winner), self._state(loser)
        # What time brought to the loser before is told of him, as if his timer had come in time; the merge knows only what he is now.
        past = live.fire(other, max(fact.received_at, one.clock, other.clock), self._live.plan)
        decision = live.merge(one, past.state, fact.received_at, self._live.plan, fact.id, live.news(fact, self._live.plan))
        if live.unlike(one, other, self._live.plan):
            self._anew(winner, (winner, loser), fact.id, item)
        self._states.pop(loser)
        self._changed.discard(loser)
        gone = self._tell(loser, [*told_other, *past.changes], at)
        return [*gone, *self._take(winner, decision, at, told_one)]

    def _anew(self, person: str, ids: Iterable[str], act: str, item: Item | None = None) -> None:
        self._wait_for_cuts()
        self.recounts.anew(person, ids, act, self._crowd, item)

    def _wait_for_cuts(self) -> None:
        """Below the cut of a place nothing new is gathered, so nobody is counted up to where it stands before it has one."""
        if not self._live.cut:
            raise Again("another process has yet to come under the plan")

    def _split(self, fact: Fact, item: Item, at: At) -> Iterable[Emit]:
        """He from whom others are parted, and each of these. By now some may have become one with somebody, or be gone."""
        split, plan = msgspec.convert(fact.properties, Split), self._live.plan
        told_as = fact.profile or ""
        person = self._crowd.canonical(told_as)
        self._apart |= {row.part: row for row in parted_by(told_as, split)}
        whole, fired = self._fired(person, fact.received_at)
        for part in split.parts:
            self._crowd.part(part.profile, part.others)
        self._crowd.part(person, split.stay)
        emits: list[Emit] = []
        each: dict[str, list[str]] = {person: []}
        for part in split.parts:
            each.setdefault(self._crowd.canonical(part.profile), []).append(part.profile)
        alive = [one for one in each if not self._crowd.gone(one)]
        self._wait_for_cuts()
        for one in alive:
            if one == person:
                decision, news = parting.stays(whole, fact, each[one], plan, himself=person == told_as), fired
            else:
                his, news = self._fired(one, fact.received_at)
                decision = parting.leaves(his, whole, fact, each[one], plan)
            emits += self._take(one, decision, at, news)
        self.recounts.split(fact, split, item, alive, self._crowd)
        return emits

    def _parted(self, fact: Fact, at: At) -> Iterable[Emit]:
        """Who he is that was parted from another."""
        person = self._crowd.canonical(fact.profile or "")
        if self._crowd.gone(person):
            return ()
        before, fired = self._fired(person, fact.received_at)
        return self._take(person, parting.heard(before, fact, self._live.plan), at, fired)

    def recount(self, row: Recount, found: Sequence[Fact], at: At) -> Iterable[Emit]:
        """What the lake had of somebody is counted; what he did since comes on top."""
        person = self._crowd.canonical(row.person)
        if self._crowd.gone(person):
            return ()
        before, told = self._state(person)
        if self.recounts.asked(person):  # more was published: he is asked for anew, up to a later place
            return self._tell(person, told, at)
        plan = self._live.plan
        found_there = parting.replay(found, self._now, plan)
        return self._take(person, parting.counted(before, found_there, row.act, self._now, plan), at, told)

    async def fill(self, tx: Tx, portion: Found, lake: Gathered, at: At) -> tuple[list[Emit], int]:
        """What the lake had of these people before new conditions were published is added to whom they are now, with what it had of all
        who became one with him; only if it was not added before. Returns what is told, and of how many people it was.
        """
        crowd, plan, emits = self._crowd, self._live.plan, list[Emit]()
        whole: list[str] = []
        for person in sorted({crowd.canonical(one) for one in portion}):
            if not crowd.gone(person):
                before, told = self._state(person)
                emits += self._tell(person, told, at)
                whole += [person] if awaited(before, plan) else []
        others = await kin(tx.connection, whole)
        everybody = {*whole, *(one for ones in others.values() for one in ones)}
        found = {**portion, **await lake.of(sorted(everybody - portion.keys()))}
        async with _Writing(self, tx) as writing:
            for number, person in enumerate(whole, 1):
                his: Mapping[int, Series] = found.get(person, {})
                for one in others.get(person, ()):
                    his = live.folded(his, found.get(one, {}), plan, self._now)
                emits += self._take(person, filling.filled(self._states[person], his, self._now, plan), at, ())
                if number % AT_ONCE == 0:
                    await writing.on()
        return emits, len(whole)

    def hear(self, said: Mapping[str, Mapping[str, tuple[int, Any]]], at: At) -> Iterable[Emit]:
        """What profile has of these people, whose rows are locked, of personal attributes that new conditions ask for. Who became one with
        another here, and there no more or not yet, learns it with the fact that tells of it.
        """
        plan, emits = self._live.plan, list[Emit]()
        for person in sorted(said):
            if self._crowd.canonical(person) == person and not self._crowd.gone(person):
                before, told = self._state(person)
                emits += self._take(person, hearing.heard(before, live.entries(said[person], plan), self._now, plan), at, told)
        return emits

    def _fired(self, person: str, received: int) -> tuple[State, list[Change]]:
        """As he is when what time brought until then is told of him."""
        before, told = self._state(person)
        past = live.fire(before, max(received, before.clock), self._live.plan)
        if past.changed:
            self._states[person] = past.state
        return past.state, [*told, *past.changes]

    def _state(self, person: str) -> tuple[State, Sequence[Change]]:
        """His state under the current plan, and what bringing it there changed."""
        if person in self._states:
            return self._states[person], ()
        raw = self._crowd.state(person)
        held = self.under(person, state.decode(raw)) if raw else State()
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
            if held.owed and live.fills(held, plan):
                self._anew(person, (), derive("filling", person, plan.filling.number))
            decision = live.upgrade(held, self._now, plan)
            decision = parting.held(held.members, decision, plan) if held.apart else decision
            held = decision.state
            told.extend(decision.changes)
            self._changed.add(person)
        self._states[person] = held
        return held, told

    def under(self, person: str, held: State) -> State:
        """His state as his row has it, under the last plan that is known to leave him as he is."""
        plan = self._live.plan
        if held.revision == plan.revision:
            return held
        held = standing(held, self._live.settled.get(partition_of(person, self._partitions), 0), plan)
        if held.revision < plan.revision and (old := self._plans.get(held.revision)) is not None:
            if held.revision not in self._differences:
                self._differences[held.revision] = difference(old, plan)
            if untouched(held, self._now, self._differences[held.revision], plan):
                return standing(held, plan.revision, plan)
        return held

    def moved(self, page: Iterable[tuple[str, bytes]], most: int) -> tuple[list[str], int]:
        """Of people and what their rows hold those who must be written under the plan, up to `most`, and how many were looked at."""
        found: list[str] = []
        seen = 0
        for person, raw in page:
            seen += 1
            if not raw or self.under(person, state.decode(raw)).revision < self._live.plan.revision:
                found.append(person)
                if len(found) == most:
                    break
        return found, seen

    def _stands(self, person: str, number: int) -> bool:
        """Whether he whose row has this number stands under the plan."""
        plan = self._live.plan.revision
        return number == plan or (
            number > OUTSIDE and max(number, self._live.settled.get(partition_of(person, self._partitions), 0)) == plan
        )

    def _head(self, person: str, raw: bytes) -> Glance:
        head = _glance(raw)
        if head.revision != self._live.plan.revision and self._stands(person, head.revision):
            head.revision = self._live.plan.revision
        return head

    def _take(self, person: str, decision: Decision, at: At, told: Sequence[Change]) -> Iterable[Emit]:
        if decision.changed:
            if decision.state.apart:
                decision = parting.held(self._states[person].members, decision, self._live.plan)
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

    async def write(self, tx: Tx) -> None:
        """Write whom was decided so far; `save` writes the rest and what belongs to all."""
        rows, self._changed = self._rows(), set()
        await self._crowd.save(tx.connection, rows)

    async def save(self, tx: Tx, *, early: bool = False) -> None:
        """early: with nearly each fact the next flip moves into the future, and the index with it; so the row keeps the instant it
        has, the timer comes too early once, finds nothing and sets it right.
        """
        await self.recounts.look_up(tx.connection)
        await self._crowd.save(tx.connection, self._rows(), early=early)
        await self.recounts.save(tx.connection)

    def _rows(self) -> list[Saved]:
        states = [(person, self._states[person]) for person in sorted(self._changed)]
        return [Saved(p, partition_of(p, self._partitions), state.encode(s), s.due_at) for p, s in states]


class _Writing:
    """Writes a part of a desk while the next one is decided: PostgreSQL takes as long for a row as deciding it does."""

    def __init__(self, desk: Desk, tx: Tx) -> None:
        self._desk, self._tx = desk, tx
        self._under_way: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def on(self) -> None:
        """Write what was decided since; the part before is written by then."""
        await self._settle()
        self._under_way = asyncio.create_task(self._desk.write(self._tx))
        await asyncio.sleep(0)  # it is on its way before the next one is decided

    async def __aexit__(self, *_: object) -> None:
        await self._settle()

    async def _settle(self) -> None:
        if self._under_way:
            await self._under_way


def people_of(facts: Iterable[Fact]) -> Iterable[str]:
    for fact in facts:
        yield from ids_of(fact)


def ids_of(fact: Fact) -> Iterable[str]:
    """Everybody whom a fact is about."""
    yield fact.profile or ""
    if fact.type == PROFILE_MERGED:
        yield fact.properties["loser"]
    if fact.type == PROFILE_ERASED:
        yield from fact.properties["others"]
    if fact.type == PROFILE_SPLIT:
        yield from (part["profile"] for part in fact.properties["parts"])
