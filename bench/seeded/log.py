"""Lets the log begin where a history ends, as if its records had been kept for their seven days and deleted since."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from runtime.kafka import Place
from runtime.settings import Settings

BATCH = 900_000  # bytes before compression


async def begin_at(settings: Settings, starts: Mapping[Place, int]) -> None:
    """The next record of each place gets this offset, and there is none before. Kafka gives offsets to records alone, so the log is filled
    up with empty ones, which are deleted. Raises ValueError where the log is beyond it already.
    """
    places = {TopicPartition(settings.topic(topic), partition): start for (topic, partition), start in starts.items() if start > 0}
    async with _started(AIOKafkaConsumer(bootstrap_servers=settings.kafka)) as consumer:
        ends = await consumer.end_offsets(list(places))
    if behind := [place for place, end in ends.items() if end > places[place]]:
        raise ValueError(f"the log of {behind} goes on beyond the history: load it before anything else is posted")
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all", compression_type="gzip", max_batch_size=BATCH)
    async with _started(producer):
        for place, start in places.items():
            await _fill(producer, place, ends[place], start)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.delete_records({place: RecordsToDelete(before_offset=start) for place, start in places.items()})
    finally:
        await admin.close()


@asynccontextmanager
async def _started(client: Any) -> AsyncIterator[Any]:
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def _fill(producer: Any, place: TopicPartition, end: int, start: int) -> None:
    while end < start:
        batch, count = producer.create_batch(), 0
        while end + count < start and batch.append(timestamp=None, key=None, value=b"") is not None:
            count += 1
        await (await producer.send_batch(batch, place.topic, partition=place.partition))
        end += count
