"""What the system says of itself: its tables, read-only, where no interface tells it yet, and its log."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import asyncpg
import msgspec

from deploy.local import secrets
from deploy.local.settings import LocalSettings
from runtime.kafka import Reader
from runtime.settings import Settings
from services.segmenter.domain import state

PROFILES = "SELECT count(*) FILTER (WHERE merged_into IS NULL) AS people, count(merged_into) AS merged FROM profile.profile"
STATES = "SELECT state FROM segmenter.person WHERE merged_into IS NULL"
DUE = """
SELECT least((SELECT min(due_at) FROM segmenter.person), (SELECT min(due_at) FROM orchestrator.person),
    (SELECT min(due_at) FROM sender.person)) AS due
"""


class Tables:
    """Read-only questions to PostgreSQL."""

    def __init__(self, settings: LocalSettings) -> None:
        self._url = secrets.database_url(settings)
        self._connection: Any = None

    async def __aenter__(self) -> Self:
        self._connection = await asyncpg.connect(self._url, server_settings={"default_transaction_read_only": "on"})
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._connection.close()

    async def profiles(self) -> tuple[int, int]:
        """(people, how many were merged into others)."""
        row = await self._connection.fetchrow(PROFILES)
        return row["people"], row["merged"]

    async def members(self) -> Counter[str]:
        """Segment -> how many people stand in it now."""
        rows = await self._connection.fetch(STATES)
        return Counter(segment for row in rows for segment in state.decode(row["state"]).members)

    async def next_due(self) -> int | None:
        """The earliest timer of any service (UTC ms, simulated)."""
        due: int | None = await self._connection.fetchval(DUE)
        return due


class Told(msgspec.Struct, frozen=True):
    """As much of a fact as is counted."""

    id: str
    type: str
    source: str
    received_at: int
    event: str = ""


_told = msgspec.json.Decoder(Told).decode


@asynccontextmanager
async def log(settings: LocalSettings, topics: Iterable[str]) -> AsyncIterator["Log"]:
    """The topics of the installation, to be read from their beginnings."""
    own = Settings(kafka=settings.kafka, DATABASE_URL=secrets.database_url(settings))
    reader = Reader(own, f"demo-{asyncio.get_running_loop().time()}", "live", list(topics))
    await reader.start()
    try:
        while not reader.assigned:  # the group forms as soon as the client is polled
            await reader.fetch(50, 1)
        yield Log(reader)
    finally:
        await reader.stop()


class Log:
    """Kafka's records, read with the runtime's own reader."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def count(self, *topics: str) -> int:
        """Records of topics that nothing was cut off from yet."""
        places = [place for place in self._reader.assigned if place[0] in topics]
        ends, begins = await self._reader.ends(places), await self._reader.begins(places)
        return sum(ends.values()) - sum(begins.values())

    async def all(self) -> dict[str, list[bytes]]:
        """Topic -> the values of its records, partition by partition."""
        reader = self._reader
        ends, begins = await reader.ends(reader.assigned), await reader.begins(reader.assigned)
        for place, start in begins.items():
            reader.seek(place, start)
        reached, found = dict(begins), {topic: list[tuple[int, int, bytes]]() for topic in reader.topics}
        while any(reached[place] < end for place, end in ends.items()):
            await reader.fetch(500, 100_000)
            for place, records in reader.take(10_000_000, 1 << 40).items():
                for record in records:
                    if record.offset >= reached[place]:
                        found[place[0]].append((place[1], record.offset, record.value or b""))
                        reached[place] = record.offset + 1
        return {topic: [value for _, _, value in sorted(records)] for topic, records in found.items()}


def facts(values: Iterable[bytes]) -> list[Told]:
    return [_told(value) for value in values]


def decoded(values: Iterable[bytes]) -> list[Mapping[str, Any]]:
    """Records as JSON objects, in the order of partitions and offsets."""
    return [json.loads(value) for value in values]
