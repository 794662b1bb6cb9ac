"""A batch of facts through the live plan: load the people that it may move, decide in order, save, tell who entered and left."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
from starlette.routing import BaseRoute

from runtime import parted, people
from runtime.batch import At, Emit, Item, Tx
from runtime.db import Again
from runtime.kafka import Place, Record
from runtime.neighbours import Neighbour
from runtime.process import Context
from runtime.service import Fired
from schemas import facts
from schemas.facts import PROFILE_CHANGED, PROFILE_ERASED, PROFILE_MERGED, PROFILE_SPLIT, Fact
from schemas.ids import partition_of
from schemas.memberships import Membership
from schemas.topics import MEMBERSHIPS
from services.segmenter import filling as fillings
from services.segmenter import hearing as hearings
from services.segmenter import progress, recount, rehearsing, sweeping
from services.segmenter.desk import Desk, people_of
from services.segmenter.domain import consenting, filling, hearing
from services.segmenter.domain.plan import Plan
from services.segmenter.filler import Filler
from services.segmenter.filling import Cuts
from services.segmenter.hearing import Hearer
from services.segmenter.history import History
from services.segmenter.plans import Live, Plans
from services.segmenter.progress import Trouble
from services.segmenter.sweeping import BEFORE_ALL, Sweeps

_encode = msgspec.json.Encoder().encode


def decode(record: Record) -> Fact:
    return facts.decode(record.value or b"")


class Work(NamedTuple):
    """What a round of the timers may do."""

    tx: Tx
    live: Live
    ats: Mapping[int, At]
    limit: int


class Handler:
    """Handles batches of `facts` and `facts.bulk`, and is the timer lane of the flips."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._plans = Plans()
        self._sweeps = Sweeps(partitions)
        self._cuts = Cuts(partitions)
        self._history: History | None = None
        self._filler: Filler | None = None
        self._hearer: Hearer | None = None

    @asynccontextmanager
    async def life(self, context: Context) -> AsyncIterator[None]:
        self._history = history = History(context)
        self._filler = filler = Filler(context, history, self._plans, self._cuts)
        reading = asyncio.create_task(filler.run(), name="segmenter-filler")
        try:
            async with Neighbour(context, "profile") as profile:
                self._hearer = Hearer(context, profile)
                yield
        finally:
            reading.cancel()
            await asyncio.wait({reading})
            filler.close()
            history.close()

    def api(self, context: Context) -> Sequence[BaseRoute]:
        return [*progress.routes(context, self._plans, self._cuts, self._trouble), *rehearsing.routes(context)]

    def _trouble(self) -> Trouble:
        return Trouble(self._history is not None and self._history.troubled, self._hearer is not None and self._hearer.troubled)

    async def settle(self) -> bool:
        """In a driven turn: read from the lake what new conditions ask of the time before."""
        return self._filler is not None and await self._filler.settle()

    async def __call__(self, tx: Tx, items: Sequence[Item]) -> list[Emit]:
        now_live = await self._rules(tx)
        # A mark says that what a new condition answers is told of everybody below it, so whoever comes by is brought up first. It
        # does not help that the fact's own partition is swept: he may be merged into somebody of another.
        settled = self._sweeps.over(now_live.plan.revision)
        moving = [item for item in items if not settled or _may_move(item.value, now_live.plan)]
        emits: list[Emit] = []
        strayed: dict[Place, set[int]] = {}
        if moving:
            desk = await self._desk_of(tx, now_live, [item.value for item in moving])
            for item in moving:
                told = list(desk.handle(item, tx.at(item)))
                emits.extend(told)
                strayed.setdefault(item.place, set()).update(partition_of(emit.key, self._partitions) for emit in told)
            await desk.save(tx, early=True)
        emits.extend(_marks(tx, items, strayed))
        return emits

    async def _rules(self, tx: Tx) -> Live:
        live = await self._plans.at(tx)
        settled = await self._sweeps.settled(tx, live.plan.revision)
        return replace(live, cut=await self._cuts.note(tx, live.plan.filling.number), settled=settled)

    async def _desk(self, tx: Tx, now_live: Live, ids: Iterable[str]) -> Desk:
        crowd = await people.load(tx.connection, set(ids))
        return Desk(crowd, now_live, self._plans.known, tx.now, self._partitions)

    async def _desk_of(self, tx: Tx, now_live: Live, moving: Sequence[Fact]) -> Desk:
        """With all who are touched, loaded: whose a fact is may have been said by an unmerge, before or while we wait for the locks."""
        ids, asked = set(people_of(moving)), parted.asked(moving)
        apart = await parted.known(tx.connection, asked) if asked else {}
        if apart:
            ids |= {parted.owner(fact.profile or "", fact.home, apart) for fact in moving}
        if any(fact.type == PROFILE_SPLIT for fact in moving):
            joining = [fact for fact in moving if fact.type in (PROFILE_SPLIT, PROFILE_MERGED)]
            ids |= await recount.family(tx.connection, set(people_of(joining)))
        crowd = await people.load(tx.connection, ids)
        if asked and await parted.known(tx.connection, asked) != apart:
            raise Again("somebody was parted while we waited for the lock")
        return Desk(crowd, now_live, self._plans.known, tx.now, self._partitions, apart, ids)

    # ---- timers

    async def due(self, connection: Any, partitions: Sequence[int], now: int) -> bool:
        if await people.is_due(connection, partitions, now):
            return True
        if await connection.fetchval(sweeping.DUE, list(partitions)):
            return True
        if self._history is not None and await recount.ready(connection, partitions) and self._history.readable():
            return True
        if self._hearer is not None and await self._hearer.due(connection, partitions):
            return True
        return self._filler is not None and await self._filler.due(connection, partitions)

    async def fire(self, tx: Tx, ats: Mapping[int, At], limit: int) -> Fired:
        """Flips that are due, oldest first; when there are none, people who are to be counted anew, to whom history is to be added, or who
        are to be brought under a new plan.
        """
        work = Work(tx, now_live := await self._rules(tx), ats, limit)
        due = await people.due(tx.connection, list(ats), tx.now, limit)
        if not due:
            return await self._recount(work) or await self._fill(work) or await self._sweep(work)
        desk = await self._desk(tx, now_live, [person for person, _, _ in due])
        emits: list[Emit] = []
        for person, partition, _ in sorted(due, key=lambda row: (desk.due(row[0]), row[0])):
            emits.extend(desk.fire(person, ats[partition]))
        await desk.save(tx)
        return Fired(emits, len(due), due[0][2])

    async def _recount(self, work: Work) -> Fired | None:
        """Those whom an unmerge left with what another did, as soon as the lake has all of it."""
        tx, now_live, ats, history = work.tx, work.live, work.ats, self._history
        rows = await recount.ready(tx.connection, ats) if history else []
        if history is None or not rows or (found := await history.read(rows, now_live.plan.by_event)) is None:
            return None
        desk = await self._desk(tx, now_live, found)
        still = await recount.done(tx.connection, rows)
        emits: list[Emit] = []
        for row in rows:
            if row.person in still:
                emits.extend(desk.recount(row, found[row.person], ats[row.partition]))
        await desk.save(tx)
        return Fired(emits, len(rows), tx.now)

    async def _fill(self, work: Work) -> Fired | None:
        """The next people of a partition of whom the lake has something that new conditions ask for."""
        tx, number = work.tx, work.live.plan.filling.number
        filler = self._filler
        found = filler.of(number) if filler and number else None
        step = await fillings.step(tx.connection, number, work.ats) if found else None
        if filler is None or found is None or step is None:
            return None
        emits, left, looked = list[Emit](), work.limit, 0
        while step and left > 0:
            portion, more = await found.next(step.partition, step.last_id, left)
            desk = await self._desk(tx, work.live, portion)
            told, filled = await desk.fill(tx, portion, found, work.ats[step.partition])
            await desk.save(tx)
            emits.extend(told)
            await fillings.added(tx, number, step.partition, max(portion) if more else None, filled, self._partitions)
            filler.added(step)
            looked, left = looked + len(portion), left - len(portion)
            step = await fillings.step(tx.connection, number, work.ats)
        return Fired(emits, max(1, looked), tx.now)

    async def _sweep(self, work: Work) -> Fired:
        """The next people who are to be asked under a new plan; as many are looked at as quickly as few are written."""
        tx, number, looked = work.tx, work.live.plan.revision, 0
        emits: list[Emit] = []
        step = await self._sweeps.next(tx, list(work.ats), number)
        if step is None:
            return await self._hear(work) or await self._tell_held_back(work)
        if not work.live.committed or not await self._sweeps.alone(tx, number):
            return Fired((), 1, tx.now)
        left = work.limit
        waiting = work.live.asked & self._incomplete(work.live)
        while step and left > 0 and looked < LOOKS * work.limit:
            reader = Desk(NOBODY, work.live, self._plans.known, tx.now, self._partitions)
            found = await self._sweeps.walk(tx, step, reader, LOOKS * work.limit - looked, left)
            if found.moved:
                desk = await self._desk(tx, work.live, found.moved)
                for person in found.moved:
                    emits.extend(desk.upgrade(person, work.ats[step.partition]))
                await desk.save(tx)
            looked, left = looked + found.looked, left - len(found.moved)
            await self._sweeps.came(tx, step, number, found.last, done=found.done, waits=bool(waiting))
            if found.done:
                emits.extend(_asked(work.live.asked - waiting, step.partition, work.ats[step.partition], tx.now))
            step = await self._sweeps.next(tx, list(work.ats), number)
        return Fired(emits, max(1, looked), tx.now)

    def _incomplete(self, now_live: Live) -> set[str]:
        """The segments whose answers lack something of before that is on its way."""
        unheard = hearing.incomplete(now_live.plan, now_live.hearing)
        return unheard | filling.incomplete(now_live.plan) if self._filler and self._filler.hopeful() else unheard

    async def _hear(self, work: Work) -> Fired | None:
        """Of the next people of a partition, what they said before conditions asked for it; when everybody is under the plan."""
        tx, now_live, hearer = work.tx, work.live, self._hearer
        number = now_live.hearing.number
        if hearer is None or hearer.troubled or not now_live.hearing.names:
            return None
        step = await hearings.step(tx.connection, number, work.ats)
        if step is None:
            return None
        if step.last_id is None:
            await hearings.begin(tx, number, step, BEFORE_ALL, range(self._partitions))
            return Fired((), 1, tx.now)
        ids = [row["id"] for row in await tx.connection.fetch(hearings.NEXT, step.partition, step.last_id, work.limit)]
        desk = await self._desk(tx, now_live, ids)
        said = await hearer.ask(ids, now_live.hearing)
        if said is None:
            return None
        emits = list(desk.hear(said, work.ats[step.partition]))
        await desk.save(tx)
        await hearings.went(tx, number, step, ids[-1] if len(ids) == work.limit else None, len(said), self._partitions)
        hearer.told()
        return Fired(emits, max(1, len(ids)), tx.now)

    async def _tell_held_back(self, work: Work) -> Fired:
        """That everybody was asked about conditions, of which history had to come before."""
        emits: list[Emit] = []
        for (partition,) in await work.tx.connection.fetch(sweeping.TELL, list(work.ats)):
            emits.extend(_asked(work.live.asked, partition, work.ats[partition], work.tx.now))
        return Fired(emits, len(emits), work.tx.now)


LOOKS = 5  # so many people are looked at for each that may be written
NOBODY = people.People({}, {})


def _may_move(fact: Fact, plan: Plan) -> bool:
    """Whether the person's row must be looked at. Reach and bucketing come with profile.changed, so most page views need no row."""
    if fact.type in (PROFILE_CHANGED, PROFILE_MERGED, PROFILE_ERASED, PROFILE_SPLIT) or fact.attributes:
        return True
    if "anonymous_id" in plan.by_kind and any(text.startswith("anonymous_id:") for text in fact.identifiers):
        return True  # profile.changed names those that prove who somebody is, this one it does not
    return (fact.event or fact.type) in plan.by_event or consenting.is_word(fact)


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
