"""A rate that all processes together keep to, on a real PostgreSQL: each asks through connections of its own."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.db import Database
from runtime.migrate import migrate
from runtime.settings import Settings
from services.sender.rates import Rates
from tests.support import live

ROOT = Path(__file__).parents[3]
TOKENS, PER_MS = 50, 1000
BURST = TOKENS * 100 // PER_MS
# A process that takes whatever it is given for two seconds, and writes the database's time of each token.
TAKER = """
import asyncio, sys
from runtime.db import Database
from runtime.settings import Settings
from services.sender.rates import Rates
async def main():
    db = await Database(Settings(), "sender").open()
    rates, clock = Rates(db, {"email": (%d, %d)}), asyncio.get_running_loop().time
    end = clock() + 2
    while clock() < end:
        granted = await rates.take("email", 7)
        async with db.connection() as connection:
            at = await connection.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        for _ in range(granted):
            print(at)
    await db.close()
asyncio.run(main())
"""


@pytest.fixture
async def config(database: str) -> Settings:
    config = live.settings("127.0.0.1:1", database, "")
    await migrate(config, "runtime", "runtime.clocksql")
    await migrate(config, "sender", "runtime.sql", "services.sender.migrations")
    return config


async def test_two_processes_together_never_exceed_the_rate_and_waste_none_of_it(config: Settings):
    words = (sys.executable, "-c", TAKER % (TOKENS, PER_MS))
    environment = {"DATABASE_URL": config.database_url, "PATH": "/usr/bin:/bin"}
    takers = [await asyncio.create_subprocess_exec(*words, cwd=ROOT, env=environment, stdout=subprocess.PIPE) for _ in range(2)]
    told = [(await taker.communicate())[0].split() for taker in takers]
    assert all(taker.returncode == 0 for taker in takers)
    assert all(told), "both had a share"
    grants = sorted(int(at) for one in told for at in one)
    for first in range(len(grants)):
        for last in range(first, len(grants)):
            # The time is read after the grant, by a statement's way at most later: 50 ms are allowed for it.
            assert last - first + 1 <= BURST + (grants[last] - grants[first] + 50) * TOKENS / PER_MS + 1
    assert len(grants) >= 0.8 * (grants[-1] - grants[0]) * TOKENS / PER_MS


async def test_a_channel_without_a_rate_asks_nobody(config: Settings):
    db = await Database(config, "sender").open()
    try:
        assert await Rates(db, {"email": None}).take("email", 500) == 500
    finally:
        await db.close()
