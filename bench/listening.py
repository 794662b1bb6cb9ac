"""Who hears what the segmenter tells, and when."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import uuid4

from bench.installation import Installation
from runtime.kafka import Reader
from runtime.settings import Settings
from schemas.memberships import Membership, decode
from schemas.topics import MEMBERSHIPS


@dataclass
class Heard:
    """so_far: entries and exits with the instant (s) at which each was there to be read."""

    so_far: list[tuple[Membership, float]] = field(default_factory=list)

    async def by_time(self, count: int, most_s: float = 300) -> list[tuple[Membership, float]]:
        """The first so many that time alone has brought. Raises RuntimeError when they do not come."""
        end = time.monotonic() + most_s
        while time.monotonic() < end:
            found = [(one, at) for one, at in self.so_far if one.why == "time"]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.2)
        raise RuntimeError(f"{len(found)} of {count} flips were told within {most_s} s")


@asynccontextmanager
async def to_memberships(found: Installation) -> AsyncIterator[Heard]:
    """Listens from now on."""
    config = Settings(kafka=found.settings.kafka, DATABASE_URL=found.database_url)
    reader, heard = Reader(config, f"bench-{uuid4()}", "live", [MEMBERSHIPS.name]), Heard()
    await reader.start()
    while not reader.assigned:  # noqa: ASYNC110  (the client's own task)
        await asyncio.sleep(0.05)
    for place, end in (await reader.ends(reader.assigned)).items():
        reader.seek(place, end)
    listening = asyncio.create_task(_listen(reader, heard))
    try:
        yield heard
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await reader.stop()


async def _listen(reader: Reader, heard: Heard) -> None:
    while True:
        await reader.fetch(200, 100_000)
        at = time.time()
        for records in reader.take(1_000_000, 1 << 30).values():
            told = (decode(record.value or b"") for record in records)
            heard.so_far.extend((one, at) for one in told if one.type != "mark")
