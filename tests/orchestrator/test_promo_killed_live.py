"""Two real processes that give codes of one pool, killed at each step: every run has a code of its own, and what is left is free."""

import asyncpg
import pytest

from runtime.db import Database
from runtime.poison import Vault
from runtime.process import secret
from schemas.ids import derive
from schemas.promo_pools import GIVEN
from services.orchestrator.promo.loading import Loading
from tests.chaos.fleet import SERVICES, Fleet
from tests.chaos.test_kill import arm
from tests.chaos.verify import consumed
from tests.orchestrator.feed import Feed, did, person
from tests.orchestrator.pools import give, pool
from tests.orchestrator.world import journey, published, send, wait
from tests.support.live import T0, settings, until

ORCHESTRATOR = next(kind for kind in SERVICES if kind.name == "orchestrator")
POINTS = ("before_commit", "after_commit", "timers_before_commit", "timers_after_commit", "relay_sent")
EACH = 30
CODES = EACH * len(POINTS) + 10
# One code as the fact is heard, one as a timer fires.
TWO = journey(
    "j", give("now", "p"), send("one", **{"class": "service"}), wait("w", "1s"), give("then", "q"),
    send("two", **{"class": "service"}), {"id": "end", "end": True}, on="Born",
)  # fmt: skip


@pytest.mark.timeout(150)
async def test_killed_at_every_step_two_instances_give_each_run_its_own(kafka, database, topic_prefix, tmp_path):
    config = settings(kafka, database, topic_prefix)
    for folder in ("logs", "failpoints"):
        (tmp_path / folder).mkdir()
    given = {"KAFKA": kafka, "TOPIC_PREFIX": topic_prefix, "PARTITIONS": str(config.partitions), "SESSION_TIMEOUT_MS": "6000"}
    fleet = Fleet(tmp_path, {"DATABASE_URL": database, **{f"OTKLIK_{name}": value for name, value in given.items()}})
    feed = Feed(config)
    await feed.documents(published("journey", TWO), pool("p"), pool("q"))
    for number in (1, 2):
        fleet.add(ORCHESTRATOR, number)
    fleet.watch()
    connection = await until(lambda: opened(database), 60)
    try:
        await until(lambda: ruling(connection), 60)
        await loaded(config)
        people = []
        for number, point in enumerate(POINTS):
            some = [derive("promo", point, n) for n in range(EACH)]
            people += some
            arm(tmp_path, f"orchestrator.{point}")
            await feed.put(
                "facts", *(person(who, T0, "email:x@example.org") for who in some), *(did(who, "Born", T0) for who in some)
            )
            await until(lambda number=number: hits(tmp_path) == number + 1, 40)
        await until(lambda: everybody_has_two(connection), 60)
        rows = await connection.fetch(
            "SELECT number, pool, given_to::text AS who FROM orchestrator.promo_code WHERE given_at IS NOT NULL"
        )
        free = await connection.fetchval("SELECT count(*) FROM orchestrator.promo_code WHERE given_at IS NULL")
    finally:
        await connection.close()
        await fleet.stop()
    assert sorted((row["who"], row["pool"]) for row in rows) == sorted((who, key) for who in people for key in "pq")
    assert free == 2 * CODES - len(rows), "lost"
    intents, _ = await consumed(config, "messages.email.service")
    codes = {(one["profile"], step, told["code"]) for one in intents for step, told in one["data"]["promo"].items()}
    assert len(codes) == len({code for *_, code in codes}) == 2 * len(people), "each letter of a run has its run's own"
    facts, _ = await consumed(config, "facts.raw")
    assert sorted(one["properties"]["code_number"] for one in facts if one.get("event") == GIVEN) == sorted(
        r["number"] for r in rows
    )


async def loaded(config) -> None:
    db = await Database(config, "orchestrator").open()
    vault = Vault(secret(config))
    for key in "pq":
        async with db.transaction() as connection:
            body = "\n".join(f"{key}-{n}" for n in range(CODES)).encode()
            assert (await Loading(connection, vault, key, "shop", T0).load(body, is_json=False, key=None))["added"] == CODES
    await db.close()


async def opened(database: str) -> asyncpg.Connection | None:
    """Once the service has made its tables."""
    connection = await asyncpg.connect(database)
    if await connection.fetchval("SELECT to_regclass('orchestrator.promo_code')") is not None:
        return connection
    await connection.close()
    return None


async def ruling(connection: asyncpg.Connection) -> bool:
    return await connection.fetchval("SELECT count(*) FROM orchestrator.definition_current") == 3


async def everybody_has_two(connection: asyncpg.Connection) -> bool:
    given = await connection.fetchval("SELECT count(*) FROM orchestrator.promo_code WHERE given_at IS NOT NULL")
    return given == 2 * EACH * len(POINTS) and not await connection.fetchval("SELECT count(*) FROM orchestrator.outbox")


def hits(home) -> int:
    file = home / "failpoints" / "hits"
    return len(file.read_text().splitlines()) if file.exists() else 0
