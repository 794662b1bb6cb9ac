"""Facts into Kafka for callers who wait for the ack (ingest): concurrent calls share record batches, one under way per partition."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from runtime.kafka import Producer, SendFailed


class Outgoing(NamedTuple):
    """One record to publish."""

    topic: str
    partition: int
    key: bytes
    value: bytes


class Full(Exception):  # noqa: N818
    """So much waits for Kafka that taking more would only grow the queue: refuse the caller."""


class Publisher:
    """`publish` returns when Kafka has all records (acks=all) and raises SendFailed when it may not have them.

    max_waiting: bytes that may wait for acks; above it Full.
    """

    def __init__(self, make: Callable[[], Producer], max_waiting: int = 64_000_000) -> None:
        self._make, self._max = make, max_waiting
        self._producer: Producer | None = None
        self._queues: dict[tuple[str, int], list[tuple[Outgoing, asyncio.Future[None]]]] = {}
        self._senders: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._waiting = 0
        self._starting = asyncio.Lock()

    async def publish(self, records: Sequence[Outgoing]) -> None:
        size = sum(len(r.value) for r in records)
        if self._waiting + size > self._max:
            raise Full(f"{self._waiting} bytes wait for Kafka")
        self._waiting += size
        loop = asyncio.get_running_loop()
        futures: dict[tuple[str, int], asyncio.Future[None]] = {}
        for record in records:
            place = (record.topic, record.partition)
            if place not in futures:
                futures[place] = loop.create_future()
            self._queues.setdefault(place, []).append((record, futures[place]))
        try:
            for place in futures:
                if place not in self._senders:
                    self._senders[place] = asyncio.create_task(self._drain(place))
            outcomes = await asyncio.gather(*futures.values(), return_exceptions=True)
        finally:
            self._waiting -= size
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _drain(self, place: tuple[str, int]) -> None:
        """Send what waits for one partition, again and again until nothing does; new records gather while a batch is under way."""
        try:
            while waiting := self._queues.pop(place, None):
                error: BaseException | None = None
                producer: Producer | None = None
                try:
                    producer = await self._ready()
                    await producer.send(*place, [(record.key, record.value, []) for record, _ in waiting])
                except (SendFailed, OSError) as failure:
                    error = failure if isinstance(failure, SendFailed) else SendFailed(type(failure).__name__)
                    await self._drop(producer)
                for future in {id(f): f for _, f in waiting}.values():
                    if not future.done():
                        future.set_exception(error) if error else future.set_result(None)
        finally:
            self._senders.pop(place, None)

    async def _ready(self) -> Producer:
        async with self._starting:
            if self._producer is None:
                self._producer = await self._make().start()
            return self._producer

    async def _drop(self, producer: Producer | None) -> None:
        """Throw away this producer; not the next one, which another partition's failure may have brought already."""
        if producer is None:
            return
        if self._producer is producer:
            self._producer = None
        await producer.stop()

    async def close(self) -> None:
        """Wait for what is under way, then close."""
        while self._senders:
            with contextlib.suppress(Exception):
                await asyncio.gather(*self._senders.values())
        await self._drop(self._producer)
