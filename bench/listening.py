"""Who hears what the segmenter tells, and when; and who reads afterwards what was told."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import uuid4

from bench.installation import Installation
from runtime.kafka import Place, Reader, Record
from runtime.settings import Settings
from schemas.memberships import Membership, decode
from schemas.topics import MEMBERSHIPS


@dataclass
class Heard:
    """so_far: entries and exits by their ids, with the instant (s) at which each was there to be read."""

    so_far: dict[str, tuple[Membership, float]] = field(default_factory=dict)

    async def of(self, people: Collection[str], most_s: float = 300) -> list[tuple[Membership, float]]:
        """The one entry or exit of each of these people. Raises RuntimeError when they are not all there in time."""
        end = time.monotonic() + most_s
        found: list[tuple[Membership, float]] = []
        while len(found) < len(people):
            if time.monotonic() > end:
                raise RuntimeError(f"{len(found)} of {len(people)} flips were told within {most_s} s")
            await asyncio.sleep(0.5)
            found = [pair for pair in self.so_far.values() if pair[0].profile in people]
        return found


@asynccontextmanager
async def to_memberships(found: Installation) -> AsyncIterator[Heard]:
    """Listens from now on."""
    config = Settings(kafka=found.settings.kafka, DATABASE_URL=found.database_url)
    reader, heard = Reader(config, f"bench-{uuid4()}", "live", [MEMBERSHIPS.name]), Heard()
    await reader.start()
    while not reader.assigned:  # noqa: ASYNC110  (the client's own task)
        await asyncio.sleep(0.05)
    listening = asyncio.create_task(_listen(reader, heard, await reader.ends(reader.assigned)))
    try:
        yield heard
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await reader.stop()


async def _listen(reader: Reader, heard: Heard, positions: dict[Place, int]) -> None:
    """On a crowded machine the group may form anew: then it goes on where it was."""
    while True:
        for place in sorted(reader.fresh):
            reader.seek(place, positions[place])
        reader.fresh.clear()
        await reader.fetch(200, 100_000)
        at = time.time()
        if reader.fresh:
            reader.buffer.clear()
            continue
        for place, records in reader.take(1_000_000, 1 << 30).items():
            positions[place] = records[-1].offset + 1
            told = (decode(record.value or b"") for record in records)
            for one in told:
                if one.type != "mark":
                    heard.so_far.setdefault(one.id, (one, at))


async def told_since(found: Installation, topic: str, since: Mapping[Place, int]) -> AsyncIterator[Record]:
    """What stands in a topic from these offsets on until its end of now. A record's timestamp (ms) is when its sender gave it to Kafka."""
    reader = Reader(Settings(kafka=found.settings.kafka, DATABASE_URL=found.database_url), f"bench-{uuid4()}", "live", [topic])
    await reader.start()
    try:
        while not reader.assigned:  # noqa: ASYNC110  (the client's own task)
            await asyncio.sleep(0.05)
        left = {place: end for place, end in (await reader.ends(since)).items() if end > since[place]}
        for place in reader.assigned:
            reader.seek(place, since.get(place, 0))
        while left:
            await reader.fetch(500, 20_000)
            for place, records in reader.take(1_000_000, 1 << 30).items():
                for record in records:
                    yield record
                if records[-1].offset + 1 >= left.get(place, 0):
                    left.pop(place, None)
    finally:
        await reader.stop()
