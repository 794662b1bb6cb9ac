"""Who would have entered and left what, over days of the lake, for a rehearsal: /internal/flips.

Nothing of it touches anybody's state. It is worked out on a thread: the loop takes its turn at the interpreter every few milliseconds.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from runtime.batches import MEDIA, framed, packed
from runtime.definitions import Definitions
from runtime.histories import MOST_PEOPLE, Histories, History, Wanted
from runtime.lake import Lake, Snapshot
from runtime.process import Context
from schemas import consents
from schemas.audience import Condition, references
from schemas.audience_reading import parse
from schemas.facts import PERSONAL, PROFILE_CHANGED
from services.segmenter.domain.live import folded
from services.segmenter.domain.plan import Plan, compile_plan
from services.segmenter.domain.rehearsing import Flip, begun, flips
from services.segmenter.domain.series import Series
from services.segmenter.gathered import Cut, Gathered, gather
from services.segmenter.history import there
from services.segmenter.plans import NOBODY, Defined, defined

REVISION = "SELECT revision FROM definition_revision"
AT_ONCE = 500  # people of one portion
MOST = 2  # answers of a process at a time: each holds what it reads in memory. Others wait
COLUMNS = ("person", "type", "segment", "at", "why", "cause", "carried", "received", "topic", "partition", "place")


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """conditions: of documents that are not in force, by the keys that their answers go by. keys: of all segments that are asked about.
    since, until: ms; upto: the last person, None: everybody.
    """

    conditions: dict[str, dict[str, Any]]
    keys: list[str]
    since: int
    until: int
    upto: str | None = None


_asked = msgspec.json.Decoder(Asked).decode


def routes(context: Context) -> Sequence[BaseRoute]:
    """`POST /flips` with `Asked`: `{people, without}` as JSON, then for the people in the order of their ids, a portion at a time, its last
    id and an Arrow batch of COLUMNS, each framed. type: `standing` at `since` (at: since when), `entered` or `left`; received, topic,
    partition, place: of the fact that brought it. without: personal attributes and properties, which the lake does not have.
    """
    documents, turns = Definitions(("segment", "topic"), defined), asyncio.Semaphore(MOST)

    async def answer(request: Request) -> Response:
        try:
            asked = _asked(await request.body())
            async with context.db.connection() as connection:
                found = await documents.at(connection, await connection.fetchval(REVISION))
            plan = await asyncio.to_thread(_plan, asked, found)
        except (msgspec.MsgspecError, ValueError) as error:
            return JSONResponse({"code": "bad_question", "why": str(error)}, 422)
        if not there(context):
            return JSONResponse({"code": "no_lake"}, 503)
        return StreamingResponse(in_turn(turns, _told(context, asked, plan)), media_type=MEDIA)

    return [Route("/flips", answer, methods=["POST"])]


async def in_turn(turns: asyncio.Semaphore, frames: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with turns, aclosing(frames):
        async for frame in frames:
            yield frame


def _plan(asked: Asked, found: Defined) -> Plan:
    """What is asked, and whatever that asks about."""
    given: dict[str, Condition] = {key: parse(condition) for key, condition in asked.conditions.items()}
    wanted: dict[str, Condition] = {}
    waiting = [*asked.keys, *given]
    while waiting:
        key = waiting.pop()
        if key not in wanted:
            wanted[key] = given.get(key) or found.conditions.get(key) or NOBODY
            waiting += references(wanted[key])
    return compile_plan(wanted, 1, found.topics)


async def _told(context: Context, asked: Asked, plan: Plan) -> AsyncGenerator[bytes, None]:
    lake = Lake(context.settings.home, context.db, threads=1)
    try:
        counting = await lake.snapshot()
        try:
            reading = await lake.snapshot(merges=True)
            try:
                async for frame in _frames(_Reader(counting, reading, asked, plan), asked, plan):
                    yield framed(frame)
            finally:
                reading.close()
        finally:
            counting.close()
    finally:
        lake.close()


async def _frames(reader: "_Reader", asked: Asked, plan: Plan) -> AsyncGenerator[bytes, None]:
    await reader.open()
    yield msgspec.json.encode({"people": reader.histories.people, "without": _without(plan)})
    keys = frozenset((*asked.keys, *asked.conditions))
    after: str | None = None
    while portion := await reader.histories.next(after, AT_ONCE):
        series = await reader.series(after, portion)
        after = portion[-1].person
        yield after.encode()
        yield await asyncio.to_thread(_batch, portion, series, asked, (plan, keys))


class _Reader:
    """What people did in the days asked about, and what they had done before."""

    def __init__(self, counting: Snapshot, reading: Snapshot, asked: Asked, plan: Plan) -> None:
        self._counting, self._asked, self._plan = counting, asked, plan
        self.histories = Histories(reading, asked.until, plan.by_attribute.keys() - PERSONAL)
        self._gathered: Gathered | None = None

    async def open(self) -> None:
        await self.histories.choose(MOST_PEOPLE, self._asked.upto)
        await self.histories.want(self._wanted(self._counting))
        accumulators = [one for one in self._plan.accumulators.values() if not one.personal]
        if accumulators:
            people = None if self._asked.upto is None else await self.histories.ids()
            cut = Cut(self._counting.passed, self._asked.since, people, self._asked.since)
            self._gathered = await gather(self._counting, accumulators, cut, 1)

    def _wanted(self, snapshot: Snapshot) -> Iterable[Wanted]:
        plan, since = self._plan, self._asked.since
        words = consents.EVENTS if plan.by_consent else frozenset[str]()
        for event, accumulators in plan.by_event.items():
            paths = {path for one in accumulators for path in one.paths}
            early = event in words or event == PROFILE_CHANGED
            yield Wanted(event, 0 if early else since, None if event in words else paths)
        for event in words - plan.by_event.keys():
            yield Wanted(event, 0)
        if PROFILE_CHANGED not in plan.by_event:
            yield Wanted(PROFILE_CHANGED, 0, ())
        asked = plan.by_attribute.keys() - PERSONAL
        for event in snapshot.events_telling(asked) if asked else ():
            if event not in {*words, PROFILE_CHANGED}:  # those are read from the first day on
                yield Wanted(event, 0, (), telling=True, until=since if event in plan.by_event else None)

    async def series(self, after: str | None, portion: Sequence[History]) -> dict[str, Mapping[int, Series]]:
        """What these people had done by `since`."""
        if self._gathered is None:
            return {}
        others = await self.histories.others(after, portion[-1].person)
        ids = {one.person: [one.person, *others.get(one.person, ())] for one in portion}
        found = await self._gathered.of([id_ for told in ids.values() for id_ in told])
        whole: dict[str, Mapping[int, Series]] = {}
        for person, told in ids.items():
            his: Mapping[int, Series] = {}
            for id_ in told:
                his = folded(his, found.get(id_, {}), self._plan, self._asked.since)
            whole[person] = his
        return whole


def _without(plan: Plan) -> dict[str, list[str]]:
    """What is personal of that which is asked."""
    paths = {path for one in plan.accumulators.values() if one.personal for path in one.paths}
    return {"attributes": sorted(PERSONAL & plan.by_attribute.keys()), "properties": sorted(paths)}


def _batch(
    portion: Sequence[History], series: Mapping[str, Mapping[int, Series]], asked: Asked, under: tuple[Plan, frozenset[str]]
) -> bytes:
    import pyarrow as pa  # large, and not every process ever needs it

    plan, keys = under
    rows: list[tuple[Any, ...]] = []
    for one in portion:
        before, since = one.parted(asked.since)
        state = begun(before, series.get(one.person, {}), one.first_at, asked.since, plan)
        rows += [
            (one.person, "standing", key, at, "", None, False, at, "", -1, -1) for key, at in state.members.items() if key in keys
        ]
        told = flips(state, since, asked.until - 1, plan)
        rows += [_row(one.person, flip) for flip in told if flip.change.segment in keys]
    shape = pa.schema(
        [("person", pa.string()), ("type", pa.string()), ("segment", pa.string()), ("at", pa.int64()), ("why", pa.string()),
         ("cause", pa.string()), ("carried", pa.bool_()), ("received", pa.int64()), ("topic", pa.string()), ("partition", pa.int32()),
         ("place", pa.int64())]
    )  # fmt: skip
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    return packed(
        pa.RecordBatch.from_arrays([pa.array(list(c), f.type) for c, f in zip(columns, shape, strict=True)], schema=shape)
    )


def _row(person: str, flip: Flip) -> tuple[Any, ...]:
    change = flip.change
    received, topic, partition, offset = flip.place or (change.at, "", -1, -1)
    kind = "entered" if change.entered else "left"
    return person, kind, change.segment, change.at, change.kind, change.cause, change.carried, received, topic, partition, offset
