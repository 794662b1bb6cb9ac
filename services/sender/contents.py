"""That a message was sent is kept for ever; what it said, as long as the operator wants (`OTKLIK_CONTENT_DAYS`); that a manager's address is
bad, for a month.
"""

import asyncio
import logging

import msgspec

from runtime.clock import Clock
from runtime.db import TRANSIENT, Connection, Database
from schemas.messages import decode_intent
from services.sender import store
from services.sender.erasure import bare

log = logging.getLogger(__name__)

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
EVERY_S = 600.0
AT_ONCE = 1_000  # rows that are written at once

UNTIL = "SELECT until FROM contents FOR UPDATE"
FIRST = "SELECT min(finished_at) FROM attempt"
ENDED = "SELECT id, intent FROM attempt WHERE finished_at >= $1 AND finished_at < $2"
BARE = "UPDATE attempt a SET intent = u.intent FROM unnest($1::uuid[], $2::bytea[]) AS u (id, intent) WHERE a.id = u.id"
MOVE = "UPDATE contents SET until = $1"


class Contents:
    """Forgets, an hour of messages at a time. days: how long what they said is kept after they ended; None: for ever."""

    def __init__(self, db: Database, clock: Clock, days: int | None) -> None:
        self._db, self._clock, self._days = db, clock, days

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.forget()
            except TRANSIENT as error:
                log.warning("contents are forgotten later", extra={"why": type(error).__name__})
            await asyncio.sleep(EVERY_S)

    async def forget(self) -> int:
        """Forget whatever is due. Returns of how many messages."""
        now, count = (await self._clock.now())[0], 0
        async with self._db.transaction() as connection:
            await store.forgive_managers(connection, now)
        if self._days is None:
            return 0
        due = now - self._days * DAY_MS
        while True:
            async with self._db.transaction() as connection:
                since = await connection.fetchval(UNTIL) or await connection.fetchval(FIRST) or due
                if since >= due:
                    return count
                until = min(since + HOUR_MS, due)
                count += await _forget(connection, since, until)
                await connection.execute(MOVE, until)


async def _forget(connection: Connection, since: int, until: int) -> int:
    found = [(row["id"], decode_intent(row["intent"])) for row in await connection.fetch(ENDED, since, until)]
    said = [(id_, msgspec.json.encode(bare(intent))) for id_, intent in found if intent.data]
    for start in range(0, len(said), AT_ONCE):
        ids, intents = zip(*said[start : start + AT_ONCE], strict=True)
        await connection.execute(BARE, ids, intents)
    return len(said)
