"""A real process, killed twice at the worst moments: what was accepted is told, and told once."""

from collections import Counter
from pathlib import Path

import asyncpg

from tests.chaos.fleet import SERVICES, Fleet, Kind
from tests.chaos.verify import consumed
from tests.support.live import fact, publish, read, settings, until

FACTS = 120
PROFILE = next(kind for kind in SERVICES if kind.name == "profile")


def arm(home: Path, point: str) -> None:
    draft = home / "failpoints" / "draft"
    draft.write_text("kill")
    draft.rename(draft.with_name(point))


async def killed(fleet: Fleet, kind: Kind = PROFILE) -> None:
    """Start a process; it must fall at the point that is armed."""
    fleet.add(kind, 1)
    worker = fleet.workers[f"{kind.name}-1"]
    await until(lambda: worker.process.poll() is not None, 30)
    assert worker.process.returncode == -9


async def test_killed_before_the_commit_and_after_the_send(kafka, database, topic_prefix, tmp_path):
    config = settings(kafka, database, topic_prefix)
    for folder in ("logs", "failpoints"):
        (tmp_path / folder).mkdir()
    given = {"KAFKA": kafka, "TOPIC_PREFIX": topic_prefix, "PARTITIONS": str(config.partitions), "SESSION_TIMEOUT_MS": "6000"}
    fleet = Fleet(tmp_path, {"DATABASE_URL": database, **{f"OTKLIK_{name}": value for name, value in given.items()}})
    await publish(config, [fact(f"f{n}", f"user_id:{n % 7}") for n in range(FACTS)])

    arm(tmp_path, "profile.before_commit")
    await killed(fleet)
    assert await read(config, "facts") == []  # it had decided, and nobody heard of it

    arm(tmp_path, "profile.relay_sent")
    await killed(fleet)
    assert await read(config, "facts") != []  # sent, and not yet deleted from the outbox

    fleet.add(PROFILE, 1)
    connection = await asyncpg.connect(database)
    try:
        await until(lambda: everything_told(connection), 30)
    finally:
        await connection.close()
        await fleet.stop()
    records, dropped = await consumed(config, "facts")
    assert Counter(r["id"] for r in records if r["type"] == "track") == Counter(fact(f"f{n}").id for n in range(FACTS))
    assert dropped > 0
    hits = (tmp_path / "failpoints" / "hits").read_text().split("\n")
    assert [line.rsplit(" ", 1)[0] for line in hits if line] == ["profile.before_commit kill", "profile.relay_sent kill"]


async def everything_told(connection: asyncpg.Connection) -> bool:
    handled = "SELECT sum(next_offset) FILTER (WHERE next_offset > 0) FROM profile.watermark WHERE topic = 'facts.raw'"
    left = await connection.fetchval("SELECT count(*) FROM profile.outbox")
    return await connection.fetchval(handled) == FACTS and left == 0


async def test_a_fleet_starts_again_what_dies(tmp_path):
    """The runner itself: without it a killed service would stay away, and the run would prove nothing."""
    (tmp_path / "logs").mkdir()
    fleet = Fleet(tmp_path, {"DATABASE_URL": "postgresql://127.0.0.1:1/none", "OTKLIK_KAFKA": "127.0.0.1:1"})
    fleet.start()
    first = fleet.workers["profile-1"].process
    fleet.kill("profile-1")
    try:
        await until(lambda: fleet.workers["profile-1"].process is not first)
        assert fleet.workers["profile-1"].exits == [-9]
    finally:
        for name in fleet.workers:
            fleet.kill(name)
        await fleet.stop()
