"""Run services in the test's own process against the real Kafka and PostgreSQL, and look at what they wrote."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from runtime.drive import Conductor, set_clock
from runtime.kafka import Producer, Reader, create_topics
from runtime.process import Context, open_context, run_service
from runtime.service import Service
from runtime.settings import Settings
from schemas.facts import Fact, encode
from schemas.ids import derive, partition_of
from schemas.topics import BY_NAME

T0 = 1_290_000_000_000  # a day in November 2010


def settings(kafka: str, database: str, prefix: str, **more: Any) -> Settings:
    return Settings(
        kafka=kafka,
        DATABASE_URL=database,
        topic_prefix=prefix,
        partitions=4,
        session_timeout_ms=6000,
        gather_ms=20,
        gather_bulk_ms=20,
        **more,
    )


@asynccontextmanager
async def running(config: Settings, *services: Service) -> AsyncIterator[list[Context]]:
    """The services, until the block ends; an error of one of them is the test's error."""
    contexts = [await open_context(service, config) for service in services]
    tasks = [asyncio.create_task(run_service(context)) for context in contexts]
    try:
        yield contexts
    finally:
        for context in contexts:
            context.stopping.set()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def driven(config: Settings, *services: Service, at: int = T0) -> AsyncIterator[tuple[list[Context], Conductor]]:
    """The services under the driven clock, at `at` ms."""
    contexts = [await open_context(service, config) for service in services]
    await set_clock(contexts[0].db, at)
    tasks = [asyncio.create_task(run_service(context)) for context in contexts]
    conductor = await Conductor(contexts[0].db).open()
    try:
        yield contexts, conductor
    finally:
        await conductor.close()
        for context in contexts:
            context.stopping.set()
        await asyncio.gather(*tasks)


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait for a condition (it may be a coroutine function) and return its value."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"not within {seconds} s: {condition}")
        await asyncio.sleep(0.01)


def fact(message: str, *identifiers: str, at: int = T0, **more: Any) -> Fact:
    """A track fact with an id derived from `message`."""
    given = {"type": "track", "event": "Seen", "brand": "shop", "source": "site", "occurred_at": at, "received_at": at, **more}
    return Fact(id=derive("site", message), identifiers=identifiers, **given)


async def publish(config: Settings, facts: Iterable[Fact | bytes], topic: str = "facts.raw", key: str | None = None) -> None:
    """Straight to the topic, as a backend would; in partition order of source and strongest identifier."""
    places: dict[int, list[Any]] = {}
    for one in facts:
        name = key or (f"{one.source}|{one.identifiers[0] if one.identifiers else one.about}" if isinstance(one, Fact) else "raw")
        value = one if isinstance(one, bytes) else encode(one)
        places.setdefault(partition_of(name, config.partitions), []).append((name.encode(), value, []))
    await create_topics(config, [BY_NAME[topic]])
    producer = await Producer(config, "test").start()
    await asyncio.gather(*(producer.send(topic, partition, records) for partition, records in places.items()))
    await producer.stop()


async def read(config: Settings, topic: str, *, logged: bool = False) -> list[dict[str, Any]]:
    """Every record of a topic, by partition and offset, as JSON objects with `_partition` and `_offset`. logged: also with `_logged`, when
    it was sent there (ms).
    """
    reader = Reader(config, f"test-{derive(topic, asyncio.get_running_loop().time())}", "live", [topic])
    await reader.start()
    try:
        await until(lambda: reader.assigned)
        ends = await reader.ends(reader.assigned)
        begins = await reader.begins(reader.assigned)
        for place, start in begins.items():
            reader.seek(place, start)
        found: dict[tuple[str, int], list[Any]] = {}
        while any(_end(found, begins, place) < end for place, end in ends.items()):
            await reader.fetch(200, 100_000)
            for place, records in reader.take(1_000_000, 1 << 30).items():
                fresh = [r for r in records if r.offset >= _end(found, begins, place)]
                found.setdefault(place, []).extend(fresh)
    finally:
        await reader.stop()
    return [
        {
            **json.loads(record.value),
            "_partition": place[1],
            "_offset": record.offset,
            **({"_logged": record.timestamp} if logged else {}),
        }
        for place in sorted(found)
        for record in found[place]
    ]


def _end(found: dict[Any, list[Any]], begins: dict[Any, int], place: Any) -> int:
    return found[place][-1].offset + 1 if found.get(place) else begins[place]


async def rows(context: Context, query: str, *arguments: Any) -> Sequence[Any]:
    async with context.db.connection() as connection:
        fetched: Sequence[Any] = await connection.fetch(query, *arguments)
        return fetched
