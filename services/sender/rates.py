"""A rate per provider that all processes together never exceed: token buckets as rows, taken from in groups."""

from collections.abc import Mapping
from typing import Any

from runtime.clock import wall_ms
from runtime.db import Database
from services.sender.channels.rate import Bucket, Rate, full, take

LOCK = "SELECT nano, at_ms FROM bucket WHERE name = $1 FOR UPDATE"
MAKE = "INSERT INTO bucket VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
SAVE = "UPDATE bucket SET nano = $2, at_ms = $3 WHERE name = $1"


class Rates:
    """`take` answers how many of `wanted` may be called now. Wall time, whatever the driven clock says: providers live in it."""

    def __init__(self, db: Database, limits: Mapping[str, tuple[int, int] | None]) -> None:
        self._db = db
        self._limits = {name: Rate(*limit) for name, limit in limits.items() if limit}
        self._not_before: dict[str, int] = {}

    async def take(self, name: str, wanted: int) -> int:
        rate = self._limits.get(name)
        if rate is None:
            return wanted
        if wall_ms() < self._not_before.get(name, 0):
            return 0
        burst = max(1, rate.tokens * 100 // rate.per_ms)  # what 100 ms give
        async with self._db.transaction() as connection:
            row = await self._row(connection, name, burst)
            # The database's clock: two machines' own clocks would give each a second helping.
            now = await connection.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
            bucket, granted, wait_ms = take(Bucket(row["nano"], row["at_ms"]), now, wanted, rate, burst)
            await connection.execute(SAVE, name, bucket.nano, bucket.at_ms)
        self._not_before[name] = wall_ms() + wait_ms if not granted else 0
        return granted

    async def _row(self, connection: Any, name: str, burst: int) -> Any:
        row = await connection.fetchrow(LOCK, name)
        if row is None:
            start = full(wall_ms(), burst)
            await connection.execute(MAKE, name, start.nano, start.at_ms)
            row = await connection.fetchrow(LOCK, name)
        return row
