"""Writing: record batches, each acknowledged by all replicas before the next of its partition."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from runtime.kafka.records import Out
from runtime.kafka.security import connection
from runtime.settings import Settings

BATCH_BYTES = 950_000  # of one record batch; the broker's default limit is 1 MiB
STOP_S = 2.0  # for each step of closing
ACK_S = 20.0  # how long a record batch may wait for its ack: the client itself would try for ever


class SendFailed(Exception):  # noqa: N818
    """Kafka did not acknowledge: it may or may not have the records."""


async def _ended(ending: Coroutine[Any, Any, None]) -> bool:
    """Let it end, for STOP_S at most: whether it did, and well.

    Not by asyncio.timeout, which in a task that was cancelled before (this is its cleanup) takes its own expiry for that cancellation.
    """
    task = asyncio.create_task(ending)
    await asyncio.wait({task}, timeout=STOP_S)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=STOP_S)
    return task.done() and not task.cancelled() and task.exception() is None


class Producer:
    """An idempotent producer that knows record batches only. One that failed is thrown away, never used again."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._settings, self._service = settings, service
        self._producer: Any = None

    async def start(self) -> "Producer":
        self._producer = AIOKafkaProducer(
            **connection(self._settings),
            client_id=f"otklik-{self._service}",
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES + 50_000,
            request_timeout_ms=15_000,
            linger_ms=0,
        )
        try:
            async with asyncio.timeout(ACK_S):
                await self._producer.start()
        except (TimeoutError, KafkaError, OSError) as error:
            await self.stop()
            raise SendFailed(f"no producer: {type(error).__name__}") from error
        return self

    async def stop(self) -> None:
        """Close. Not a flush: what was not acknowledged is sent again by a new producer; who waits for an ack here gets SendFailed.

        Also of who was cancelled: all of it is done.
        """
        producer, self._producer = self._producer, None
        if producer is None:
            return
        if await _ended(producer.stop()):
            return
        # The client's own stop waits for a dead broker, and given up on it goes on sending in the background.
        producer._message_accumulator.fail_all(KafkaError("closed"))  # noqa: SLF001
        if (sending := producer._sender.sender_task) is not None:  # noqa: SLF001
            sending.cancel()
        await _ended(producer.client.close())
        if sending is not None:
            await asyncio.wait({sending}, timeout=STOP_S)

    async def send(self, topic: str, partition: int, records: Sequence[Out]) -> None:
        """Send records to one partition as record batches, each after the ack of the one before. Raises SendFailed."""
        name = self._settings.topic(topic)
        try:
            waiting = iter(records)
            record = next(waiting, None)
            while record is not None:
                batch = self._producer.create_batch()
                while record is not None and (batch.record_count() == 0 or batch.size() < BATCH_BYTES):
                    key, value, headers = record
                    if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                        break
                    record = next(waiting, None)
                if batch.record_count() == 0:
                    raise SendFailed(f"{topic}-{partition}: a record larger than a batch")
                async with asyncio.timeout(ACK_S):
                    await self._acknowledged(batch, name, partition)
        except (TimeoutError, KafkaError, OSError, AttributeError) as error:
            raise SendFailed(f"{topic}-{partition}: {type(error).__name__}") from error

    async def _acknowledged(self, batch: Any, topic: str, partition: int) -> None:
        await (await self._producer.send_batch(batch, topic, partition=partition))
