"""Profile's state made anew of the log, where the log still has all of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deploy.rebuilding.segments import Step
from runtime.batch import merge
from runtime.db import Connection
from runtime.kafka import Place, Reader, Record
from runtime.process import open_context
from runtime.settings import Settings
from services.profile.__main__ import service
from services.profile.handler import Handler, decode_raw
from services.profile.replaying import TOPICS, Batch, Past, Replay, copy_rules, differences, past

FETCH_ROWS = 5000
FETCH_MS = 200
AHEAD_ROWS = 20_000  # of one partition, read before their batch comes: no more is held in memory


@dataclass
class Profiles:
    """What was compared, and what differs. missing: places of which the log or the journal lacks the beginning, so that nothing was.
    changed: other rules of identity ruled in between; buried: records that neither live nor the replay could handle.
    """

    people: int = 0
    records: int = 0
    buried: int = 0
    changed: bool = False
    missing: Mapping[Place, int] = field(default_factory=dict)
    differing: Mapping[str, Sequence[str]] = field(default_factory=dict)


async def rebuild(settings: Settings, fresh: Settings, held: Connection, step: Step) -> Profiles:
    """fresh: of the empty database; held: live in the stated instant."""
    known = await past(held)
    reader = Reader(settings, "rebuild", "profiles", TOPICS)
    await reader.start()
    try:
        lacking = (
            {**known.missing, **{place: n for place, n in (await reader.begins(known.stands)).items() if n}} if known.stands else {}
        )
        if lacking:
            return Profiles(missing=lacking)
        context = await open_context(service(), fresh)
        try:
            async with context.db.connection() as into:
                await copy_rules(held, into)
            handler = Handler()
            async with handler.life(context):
                replay = Replay(context, handler)
                await _replay(_Log(reader), known, replay, step)
            async with context.db.connection() as into:
                step("comparing profiles", 0, 0)
                people, found = await differences(held, into)
        finally:
            await context.clock.stop()
            await context.db.close()
    finally:
        await reader.stop()
    return Profiles(people, sum(known.stands.values()), replay.buried, known.changed, {}, found)


async def _replay(log: "_Log", known: Past, replay: Replay, step: Step) -> None:
    await log.begin(known.stands)
    decoders = dict.fromkeys(TOPICS, decode_raw)
    done, total = 0, sum(known.stands.values())
    for batch in known.batches:
        items, _ = merge(await log.of(batch), decoders)
        await replay.take(batch.now, items)
        done += sum(end - start for start, end in batch.ranges.values())
        step("records of the log", done, total)


class _Log:
    """Reads what a batch read."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self._ahead = reader, dict[Place, list[Record]]()
        self._reached: dict[Place, int] = {}

    async def begin(self, stands: Mapping[Place, int]) -> None:
        while not self._reader.assigned >= stands.keys():
            await asyncio.sleep(0.05)
            await self._reader.fetch(0, 1)
        for place in stands:
            self._reader.seek(place, 0)
        self._reached = dict.fromkeys(stands, 0)
        self._reader.buffer.clear()

    async def of(self, batch: Batch) -> dict[Place, list[Record]]:
        while wanted := {place for place, (_, end) in batch.ranges.items() if self._reached.get(place, 0) < end}:
            self._reader.listen(wanted | {place for place in self._reached if len(self._ahead.get(place, ())) < AHEAD_ROWS})
            await self._reader.fetch(FETCH_MS, FETCH_ROWS)
            for place, records in self._reader.take(1 << 30, 1 << 40).items():
                fresh = [record for record in records if record.offset >= self._reached.get(place, 0)]
                self._ahead.setdefault(place, []).extend(fresh)
                self._reached[place] = max(self._reached.get(place, 0), *(record.offset + 1 for record in records))
        found = {}
        for place, (start, end) in batch.ranges.items():
            ahead = self._ahead.get(place, [])
            count = sum(record.offset < end for record in ahead)
            found[place] = [record for record in ahead[:count] if record.offset >= start]
            self._ahead[place] = ahead[count:]
        return {place: records for place, records in found.items() if records}
