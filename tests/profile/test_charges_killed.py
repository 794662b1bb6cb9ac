"""A real process, killed at each step of adding up and telling: every charge is told, and told once."""

import asyncpg
import pytest

from schemas.charges import ROLLED_UP
from tests.chaos.fleet import Fleet
from tests.chaos.test_kill import PROFILE, arm, killed
from tests.chaos.verify import consumed
from tests.profile.test_charges_live import T0, charge
from tests.support.live import publish, settings, until

POINTS = ("before_commit", "after_commit", "timers_locked", "timers_before_commit", "timers_after_commit", "relay_sent")
EACH = 60
DAY, YEARS = 86_400_000, 10 * 365 * 86_400_000  # long ago: on a live clock all days are over


@pytest.mark.timeout(120)
async def test_killed_at_every_step_it_tells_each_charge_once(kafka, database, topic_prefix, tmp_path):
    config = settings(kafka, database, topic_prefix)
    for folder in ("logs", "failpoints"):
        (tmp_path / folder).mkdir()
    given = {"KAFKA": kafka, "TOPIC_PREFIX": topic_prefix, "PARTITIONS": str(config.partitions), "SESSION_TIMEOUT_MS": "6000"}
    fleet = Fleet(tmp_path, {"DATABASE_URL": database, **{f"OTKLIK_{name}": value for name, value in given.items()}})
    charged = 0
    for number, point in enumerate(POINTS):
        some = [
            charge(
                f"{point}-{n}",
                f"user_id:{n % 7}",
                T0 - YEARS + n % 5 * DAY + n,
                minor=2**n % 1009,
                received_at=T0 - YEARS + n * DAY,
            )
            for n in range(EACH)
        ]
        charged += sum(one.properties["amount"]["minor"] for one in some)
        await publish(config, some)
        arm(tmp_path, f"profile.{point}")
        await killed(fleet)
        assert len((tmp_path / "failpoints" / "hits").read_text().splitlines()) == number + 1
    fleet.add(PROFILE, 1)
    connection = await asyncpg.connect(database)
    try:
        await until(lambda: everything_told(connection), 30)
    finally:
        await connection.close()
        await fleet.stop()
    records, _ = await consumed(config, "facts")
    said = [record for record in records if record.get("event") == ROLLED_UP]
    assert sum(one["properties"]["count"] for one in said) == EACH * len(POINTS)
    assert sum(one["properties"]["amount"]["minor"] for one in said) == charged
    assert len({one["id"] for one in said}) == len(said)


async def everything_told(connection: asyncpg.Connection) -> bool:
    handled = "SELECT sum(next_offset) FILTER (WHERE next_offset > 0) FROM profile.watermark WHERE topic = 'facts.raw'"
    left = "SELECT (SELECT count(*) FROM profile.outbox) + (SELECT count(*) FROM profile.charge)"
    return await connection.fetchval(handled) == EACH * len(POINTS) and not await connection.fetchval(left)
