"""What becomes of codes by time alone: how many are left is told to the metrics, and those of pools long expired go."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from runtime import metrics
from runtime.db import TRANSIENT, Connection
from runtime.definitions import Definitions
from runtime.process import Context
from schemas.definitions import Published
from schemas.promo_pools import PromoPool

log = logging.getLogger(__name__)

EVERY_S = 60.0
KEEP_MS = 400 * 86_400_000  # after a pool expired: orders are disputed for a year
REVISION = "SELECT revision FROM definition_revision"
FREE = """
SELECT u.pool, (SELECT count(*) FROM promo_code c WHERE c.pool = u.pool AND c.given_at IS NULL AND c.used_at IS NULL) AS free
FROM unnest($1::text[]) AS u (pool)
"""
DROP = "DELETE FROM promo_code WHERE pool = ANY($1::text[])"


@asynccontextmanager
async def watching(context: Context) -> AsyncIterator[None]:
    """Look once a minute until the block ends."""
    ending = asyncio.Event()
    task = asyncio.create_task(_watch(context, ending), name="promo-pools")
    try:
        yield
    finally:
        ending.set()
        await task


async def _watch(context: Context, ending: asyncio.Event) -> None:
    pools = Definitions(("promo-pool",), _in_force)
    while not ending.is_set():
        try:
            async with context.db.transaction() as connection:
                known = await pools.at(connection, await connection.fetchval(REVISION))
                state = context.clock.state  # a driven run is the same whenever this task has its turn
                await look(connection, known, 0 if state.driven else context.clock.last_known_ms())
        except TRANSIENT as error:
            log.warning("nobody says how many promo codes are left", extra={"why": type(error).__name__})
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(ending.wait(), EVERY_S)


def _in_force(documents: Sequence[Published], _revision: int) -> list[PromoPool]:
    return [PromoPool.model_validate_json(bytes(d.body)) for d in documents if d.pointer]


async def look(connection: Connection, pools: Iterable[PromoPool], now: int) -> None:
    """now: ms."""
    by_key = {pool.key: pool for pool in pools}
    over = [key for key, pool in by_key.items() if pool.expires_ms is not None and pool.expires_ms + KEEP_MS < now]
    if over:
        await connection.execute(DROP, over)
    for row in await connection.fetch(FREE, sorted(by_key)) if by_key else ():
        metrics.promo_free.labels(row["pool"]).set(row["free"])
        metrics.promo_low.labels(row["pool"]).set(row["free"] < by_key[row["pool"]].low_water)
