"""What passes between Kafka and the loop: records, and the places they stand in."""

from typing import Any, Protocol

import msgspec
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords

Place = tuple[str, int]  # topic without prefix, partition
Headers = list[tuple[str, bytes]]  # a list: the client insists
Out = tuple[bytes | None, bytes | None, Headers]  # key, value, headers


class Record(Protocol):
    """What the loop reads; tests make their own."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Fetched(msgspec.Struct, gc=False):
    """A record as it came from Kafka. gc=False: a batch has thousands, and none is in a cycle."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def _fetched(_self: PartitionRecords, tp: TopicPartition, record: Any) -> Fetched:
    return Fetched(tp.topic, tp.partition, record.offset, record.timestamp, record.key, record.value, record.headers)


# The client's own record is a frozen dataclass of eleven fields, which costs more than all the rest of reading (docs/adr/0002).
PartitionRecords._consumer_record = _fetched  # noqa: SLF001
