"""Kafka as somebody outside sees it: a plain client, none of our code. It reads `decisions` and `facts`, and writes `facts.raw`."""

import json
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


class Log:
    """Without a group, so that nothing is rebalanced. Records are read once and kept."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self._kafka, self._prefix = kafka, prefix
        self._consumers: dict[str, Any] = {}
        self._read: dict[str, list[dict[str, Any]]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for consumer in self._consumers.values():
            await consumer.stop()

    async def records(self, topic: str) -> list[dict[str, Any]]:
        """Every record of the topic up to its end of this moment, as JSON; without what is no object: tests write such to `facts.raw`."""
        consumer, found = await self._consumer(topic), self._read.setdefault(topic, [])
        ends = await consumer.end_offsets(consumer.assignment())
        assert ends, f"there is no topic {topic}"
        while behind := [place for place, end in ends.items() if await consumer.position(place) < end]:
            for records in (await consumer.getmany(*behind, timeout_ms=200)).values():
                found += [told for record in records if (told := _object(record.value)) is not None]
        return found

    async def write(self, topic: str, key: str, value: bytes) -> None:
        """One record, acknowledged; the client's own partitioner chooses the partition."""
        producer = AIOKafkaProducer(bootstrap_servers=self._kafka, acks="all")
        await producer.start()
        try:
            await producer.send_and_wait(self._prefix + topic, value, key.encode())
        finally:
            await producer.stop()

    async def _consumer(self, topic: str) -> Any:
        if topic not in self._consumers:
            more = {"auto_offset_reset": "earliest", "fetch_max_wait_ms": 50}
            consumer = AIOKafkaConsumer(self._prefix + topic, bootstrap_servers=self._kafka, **more)
            await consumer.start()
            self._consumers[topic] = consumer
        return self._consumers[topic]


def _object(value: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(value)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None
