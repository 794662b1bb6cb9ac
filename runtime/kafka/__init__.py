"""The only package that knows the Kafka client (docs/adr/0002)."""

from runtime.kafka.producer import Producer, SendFailed
from runtime.kafka.reader import Reader
from runtime.kafka.records import Fetched, Headers, Out, Place, Record
from runtime.kafka.topics import NotReady, OtherPartitions, create_topics, wait_for

__all__ = [
    "Fetched",
    "Headers",
    "NotReady",
    "OtherPartitions",
    "Out",
    "Place",
    "Producer",
    "Reader",
    "Record",
    "SendFailed",
    "create_topics",
    "wait_for",
]
