"""Making the topics, and waiting until they can be used."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from runtime.db import TRANSIENT
from runtime.kafka.security import connection
from runtime.settings import Settings
from schemas.topics import Topic


async def create_topics(settings: Settings, topics: Iterable[Topic], patience_s: float = 60.0) -> None:
    """Make the topics that are missing, with the retention that `schemas.topics` states, and wait until they can be used."""
    wanted = {settings.topic(topic.name): topic for topic in topics}
    async with _admin(settings) as admin:
        have = set(await admin.list_topics())
        missing = [_new_topic(settings, name, topic) for name, topic in wanted.items() if name not in have]
        if missing:
            answer = await admin.create_topics(missing)
            for name, code, *_rest in answer.topic_errors:
                if code and code != TopicAlreadyExistsError.errno:
                    raise for_code(code)(f"topic {name}")
        end = asyncio.get_running_loop().time() + patience_s
        while not await _usable(admin, list(wanted), settings.partitions):
            if asyncio.get_running_loop().time() > end:
                raise NotReady(f"topics {sorted(wanted)} have no leaders after {patience_s:.0f} s")
            await asyncio.sleep(0.1)


class OtherPartitions(RuntimeError):  # noqa: N818
    """A topic has another number of partitions than the setting says: keys would be sent to places that nobody looks at."""


class NotReady(ConnectionError):  # noqa: N818
    """Kafka made the topics and does not serve them yet."""


def _new_topic(settings: Settings, name: str, topic: Topic) -> NewTopic:
    retention = settings.retention_ms or topic.retention_ms
    config = {"cleanup.policy": "compact"} if topic.compacted else {"retention.ms": str(retention)}
    # Of three replicas two must have a record before it counts as acknowledged, or acks=all promises nothing.
    config["min.insync.replicas"] = str(max(1, settings.replication - 1))
    return NewTopic(name, settings.partitions, settings.replication, topic_configs=config)


async def _usable(admin: Any, names: list[str], partitions: int) -> bool:
    """Every partition of every topic has a leader, by the broker's own word: a topic just made is unknown for a moment."""
    for topic in await admin.describe_topics(names):
        found = topic["partitions"]
        if topic["error_code"] or not found or any(p["leader"] < 0 for p in found):
            return False
        if len(found) != partitions:
            raise OtherPartitions(
                f"{topic['topic']} has {len(found)} partitions, OTKLIK_PARTITIONS says {partitions} (docs/operations.md)"
            )
    return True


@contextlib.asynccontextmanager
async def _admin(settings: Settings) -> Any:
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def wait_for(what: Callable[[], Awaitable[Any]], timeout: float, pause: float = 0.2) -> Any:
    """Call until it stops raising connection errors: at a cold start the servers may be a second behind us."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    while True:
        try:
            return await what()
        except (KafkaError, *TRANSIENT):
            if loop.time() >= end:
                raise
            await asyncio.sleep(pause)
