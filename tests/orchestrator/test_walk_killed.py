"""A real process, killed at each step of a launch, then two at once: everybody of the audience gets one verdict and one letter."""

from collections import Counter

import asyncpg
import pytest

from runtime.clock import wall_ms
from schemas.ids import derive
from schemas.memberships import Membership
from tests.chaos.fleet import SERVICES, Fleet
from tests.chaos.test_kill import arm, killed
from tests.chaos.verify import consumed
from tests.orchestrator.feed import Feed, entered, person
from tests.orchestrator.mailing import AUDIENCE, campaign, launch
from tests.support.live import settings, until

POINTS = ("timers_before_commit", "timers_after_commit", "relay_sent", "timers_locked")
PEOPLE = 1500  # some chunks in each partition
ORCHESTRATOR = next(kind for kind in SERVICES if kind.name == "orchestrator")
DECIDED = """
SELECT (SELECT count(*) FROM orchestrator.recipient WHERE verdict <> '') = $1 AND NOT EXISTS (SELECT FROM orchestrator.outbox)
"""


@pytest.mark.timeout(180)
async def test_killed_at_every_step_it_decides_about_each_once(kafka, database, topic_prefix, tmp_path):
    config, now = settings(kafka, database, topic_prefix), wall_ms()
    for folder in ("logs", "failpoints"):
        (tmp_path / folder).mkdir()
    given = {"KAFKA": kafka, "TOPIC_PREFIX": topic_prefix, "PARTITIONS": str(config.partitions), "SESSION_TIMEOUT_MS": "6000"}
    fleet = Fleet(tmp_path, {"DATABASE_URL": database, **{f"OTKLIK_{name}": value for name, value in given.items()}})
    people = [derive("profile", f"p{n}") for n in range(PEOPLE)]
    feed = Feed(config)
    await feed.documents(campaign(), launch(start_at=now, changed_at=now))
    await feed.put("facts", *(person(who, now, f"email:{who}@example.org") for who in people))
    await feed.put("memberships", *(entered(who, AUDIENCE, now, why="backfill") for who in people))
    for place in range(config.partitions):
        mark = Membership(type="mark", received_at=now, topic=AUDIENCE, partition=place, offset=1)
        await feed.put("memberships", mark, partition=place)
    for number, point in enumerate(POINTS):
        arm(tmp_path, f"orchestrator.{point}")
        await killed(fleet, ORCHESTRATOR)
        assert len((tmp_path / "failpoints" / "hits").read_text().splitlines()) == number + 1
    connection = await asyncpg.connect(database)
    try:
        assert await connection.fetchval("SELECT count(*) FROM orchestrator.recipient WHERE due"), "the kills came in the middle"
        fleet.add(ORCHESTRATOR, 1)
        fleet.add(ORCHESTRATOR, 2)
        await until(lambda: connection.fetchval(DECIDED, PEOPLE), 60)
    finally:
        await connection.close()
        await fleet.stop()
    for topic in ("decisions", "messages.email.mass"):
        records, _ = await consumed(config, topic)
        assert Counter(record["profile"] for record in records) == Counter(people), topic
