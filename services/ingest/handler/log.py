"""The log as the edge knows it: `facts.raw` behind the publisher, and refusals before there is no room in it."""

from collections.abc import Callable, Sequence

from runtime.db import Database
from runtime.kafka import SendFailed
from runtime.publisher import Full, Publisher
from services.ingest.ports import Overloaded, Record, Unavailable

FRESH_MS = 60_000
FULL_RETRY_S = 1
BEHIND_RETRY_S = 60
PROGRESS = """
SELECT service, max(caught_up_at) AS newest, min(caught_up_at) FILTER (WHERE reported_at > $1) AS slowest
FROM runtime.progress GROUP BY service
"""


class Pressure:
    """How far the slowest consumer of `facts.raw` is behind, in time.

    limit_ms: at this lag events are refused. since: ms; a consumer that never reported counts as behind since then.
    """

    def __init__(self, limit_ms: int, since: int) -> None:
        self._limit = limit_ms
        self._caught_up_at = since
        self._since = since

    async def read(self, db: Database, now: int) -> None:
        """Ask how far they are. An instance that is gone does not count, unless all of its service are."""
        async with db.connection() as connection:
            rows = await connection.fetch(PROGRESS, now - FRESH_MS)
        marks = [row["newest"] if row["slowest"] is None else row["slowest"] for row in rows]
        self._caught_up_at = min(marks, default=self._since)

    def too_high(self, now: int) -> bool:
        """Between two readings the lag grows by itself: it is only known that they were there."""
        return now - self._caught_up_at >= self._limit


class KafkaLog:
    """Keeps records in Kafka. has_room: asked before each publish."""

    def __init__(self, publisher: Publisher, has_room: Callable[[], bool]) -> None:
        self._publisher, self._has_room = publisher, has_room

    async def publish(self, records: Sequence[Record]) -> None:
        if not self._has_room():
            raise Overloaded(BEHIND_RETRY_S)
        try:
            await self._publisher.publish(records)
        except Full as error:
            raise Overloaded(FULL_RETRY_S) from error
        except SendFailed as error:
            raise Unavailable from error
