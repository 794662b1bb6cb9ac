"""What becomes of codes by time alone: how many are left is told to the metrics, and those of pools long expired go."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from runtime import metrics
from runtime.clock import set_within
from runtime.db import TRANSIENT, Connection
from runtime.definitions import Definitions
from runtime.process import Context
from schemas.definitions import Published
from schemas.promo_pools import PromoPool
from services.orchestrator.promo import loading

log = logging.getLogger(__name__)

EVERY_S = 60.0
KEEP_MS = 400 * 86_400_000  # after a pool expired: orders are disputed for a year
REVISION = "SELECT revision FROM definition_revision"
ONE = "SELECT pg_try_advisory_xact_lock(hashtext('promo.watch'))"
# Pools that nobody has counted lately. Each is counted by its index of free codes.
STALE = """
SELECT u.pool FROM unnest($1::text[]) AS u (pool) LEFT JOIN promo_pool p USING (pool)
WHERE p.counted_at IS NULL OR p.counted_at <= now() - make_interval(secs => $2::float8)
"""
COUNT = """
INSERT INTO promo_pool AS p (pool, free)
SELECT u.pool, (SELECT count(*) FROM promo_code c WHERE c.pool = u.pool AND c.given_at IS NULL AND c.used_at IS NULL)
FROM unnest($1::text[]) AS u (pool) ORDER BY 1
ON CONFLICT (pool) DO UPDATE SET free = EXCLUDED.free, counted_at = EXCLUDED.counted_at
"""
FREE = "SELECT pool, free FROM promo_pool WHERE pool = ANY($1::text[])"
DROP = "DELETE FROM promo_code WHERE pool = ANY($1::text[])"
UNCOUNT = "DELETE FROM promo_pool WHERE pool = ANY($1::text[])"


class Pools(NamedTuple):
    """expires: of every pool that was ever in force, by the last that was published of it (ms)."""

    in_force: Sequence[PromoPool]
    expires: dict[str, int | None]


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
    pools = Definitions(("promo-pool",), known)
    while not ending.is_set():
        try:
            async with context.db.transaction() as connection:
                found = await pools.at(connection, await connection.fetchval(REVISION))
                state = context.clock.state  # a driven run is the same whenever this task has its turn
                await look(connection, found, 0 if state.driven else context.clock.last_known_ms())
        except TRANSIENT as error:
            log.warning("nobody says how many promo codes are left", extra={"why": type(error).__name__})
        except Exception:  # codes are given all the same
            log.exception("nobody says how many promo codes are left: it is tried again")
        await set_within(ending, EVERY_S)


def known(documents: Sequence[Published], _revision: int) -> Pools:
    """documents: every version that there is."""
    read = [(d, PromoPool.model_validate_json(bytes(d.body))) for d in documents]
    expires = {d.key: pool.expires_ms for d, pool in sorted(read, key=lambda one: (one[0].pointer, one[0].version))}
    return Pools([pool for d, pool in read if d.pointer], expires)


async def look(connection: Connection, pools: Pools, now: int) -> None:
    """now: ms."""
    by_key = {pool.key: pool for pool in pools.in_force}
    if await connection.fetchval(ONE):
        over = [key for key, at in pools.expires.items() if at is not None and at + KEEP_MS < now]
        if over:
            await connection.execute(DROP, over)
            await connection.execute(UNCOUNT, over)
        await connection.execute(loading.FORGET, now - loading.KEEP_MS)
        stale = [row["pool"] for row in await connection.fetch(STALE, sorted(by_key), EVERY_S / 2)]
        if stale:
            await connection.execute(COUNT, stale)
    for row in await connection.fetch(FREE, sorted(by_key)):
        metrics.promo_free.labels(row["pool"]).set(row["free"])
        metrics.promo_low.labels(row["pool"]).set(row["free"] < by_key[row["pool"]].low_water)
