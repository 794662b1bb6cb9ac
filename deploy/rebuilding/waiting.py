"""Until the lake has all that profile had told at the stated instant."""

import asyncio
import time
from collections.abc import Mapping

from deploy.local.errors import LocalRunError
from runtime import lake
from runtime.db import Connection, Database
from runtime.kafka import Place, Reader, create_topics
from runtime.settings import Settings
from schemas.topics import BY_NAME
from services.segmenter.filling import TOPICS

LOOK_S = 0.3
TOLD = "SELECT coalesce(max(id), 0) FROM outbox"
WAITING = "SELECT count(*) FROM profile.outbox WHERE id <= $1"


async def told(connection: Connection) -> int:
    """Number of the last thing that profile had told, in the stated instant."""
    return int(await connection.fetchval(TOLD))


async def for_the_lake(settings: Settings, db: Database, last: int, seconds: float) -> Mapping[Place, int]:
    """The ends of the log when all up to `last` was in it, once the lake has them too. Raises LocalRunError where it does not get there."""
    end = time.monotonic() + seconds
    while waiting := await _ask(db, WAITING, last):
        _still(end, f"{waiting} rows of profile's outbox wait to get into Kafka: is profile running?")
        await asyncio.sleep(LOOK_S)
    ends = await ends_of(settings, TOPICS)
    while True:
        async with db.connection() as connection:
            passed = await lake.passed(connection)
        behind = next((place for place, n in sorted(ends.items()) if n and passed.get(place, 0) < n), None)
        if behind is None:
            return ends
        _still(
            end, f"the lake stands at {passed.get(behind, 0)} of {ends[behind]} in {behind[0]}-{behind[1]}: is warehouse running?"
        )
        await asyncio.sleep(LOOK_S)


async def ends_of(settings: Settings, topics: tuple[str, ...]) -> dict[Place, int]:
    """Behind the last record of each partition."""
    await create_topics(settings, [BY_NAME[topic] for topic in topics])  # where Kafka does not answer it says so
    reader = Reader(settings, "rebuild", "ends", topics)
    await reader.start()
    try:
        return await reader.ends([(topic, partition) for topic in topics for partition in range(settings.partitions)])
    finally:
        await reader.stop()


async def _ask(db: Database, query: str, last: int) -> int:
    async with db.connection() as connection:
        return int(await connection.fetchval(query, last))


def _still(end: float, why: str) -> None:
    if time.monotonic() > end:
        raise LocalRunError(f"{why} Nothing was compared; --wait gives it more seconds")
