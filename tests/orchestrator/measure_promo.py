"""How long a million codes take to come in, and to be given: `pytest -s tests/orchestrator/measure_promo.py`. Not one of the tests."""

import time

import pytest

from runtime.db import Database
from runtime.migrate import migrate
from services.orchestrator.promo.stock import Stock
from tests.orchestrator.test_promo_stock_live import ANN, VAULT, lines, load, take

MILLION = 1_000_000


@pytest.mark.timeout(900)
async def test_a_million_codes(config):
    await migrate(config, "orchestrator", "runtime.sql", "services.orchestrator.migrations")
    db = await Database(config, "orchestrator").open()
    body = lines(MILLION)
    wall, cpu = time.perf_counter(), time.process_time()
    assert (await load(db, body, key="k"))["added"] == MILLION
    print(f"\nloaded {MILLION} in {time.perf_counter() - wall:.1f} s, {time.process_time() - cpu:.1f} s of CPU here")
    for batch, times in ((1000, 100), (1, 200)):
        for given in ("the first", "after these"):
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(times):
                async with db.transaction() as connection:
                    stock = Stock(connection, VAULT)
                    await take(stock, {"p": batch}, ANN)
                    await stock.save(lambda person: person)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(f"{batch} a transaction, {given}: {wall / times * 1000:.1f} ms, of it {cpu / times * 1000:.1f} ms of CPU here")
    await db.close()
