"""One intent, one call: whoever dies between the steps, and however often the intent comes."""

from collections import Counter
from pathlib import Path

import asyncpg

from runtime.clock import wall_ms
from tests.chaos.fleet import SERVICES, Fleet
from tests.sender.live.test_sender_live import config, contact, intent, put, sender, smtp, states  # noqa: F401  (config, smtp: fixtures)
from tests.support.live import driven, until

SENDER = next(kind for kind in SERVICES if kind.name == "sender")


def environment(config, database: str, port: int) -> dict[str, str]:  # noqa: F811
    given = {
        "KAFKA": config.kafka, "TOPIC_PREFIX": config.topic_prefix, "PARTITIONS": str(config.partitions), "SESSION_TIMEOUT_MS": "6000",
        "SMTP_PORT": str(port),
    }  # fmt: skip
    return {"DATABASE_URL": database, **{f"OTKLIK_{name}": value for name, value in given.items()}}


def arm(home: Path, point: str) -> None:
    draft = home / "failpoints" / "draft"
    draft.write_text("kill")
    draft.rename(draft.with_name(point))


async def test_a_sender_that_dies_after_the_call_leaves_it_in_doubt_and_nobody_calls_again(config, smtp, database, tmp_path):  # noqa: F811
    """The provider has the letter and no one wrote it down: only what was committed before the call can say so."""
    for folder in ("logs", "failpoints"):
        (tmp_path / folder).mkdir()
    fleet = Fleet(tmp_path, environment(config, database, smtp.port_used))
    now = wall_ms()
    await put(config, contact(1, at=now), [intent(1, at=now)])
    connection = await asyncpg.connect(database)
    try:
        arm(tmp_path, "sender.called")
        fleet.add(SENDER, 1)
        first = fleet.workers["sender-1"].process
        await until(lambda: first.poll() is not None, 40)
        assert first.returncode == -9
        assert len(smtp.record.accepted) == 1
        assert await connection.fetchval("SELECT state FROM sender.attempt") == "started"
        fleet.add(SENDER, 1)
        ended = "SELECT count(*) FROM sender.attempt WHERE state NOT IN ('taken', 'started')"
        await until(lambda: connection.fetchval(ended), 40)
        assert await connection.fetchval("SELECT state FROM sender.attempt") == "in_doubt"
    finally:
        await connection.close()
        await fleet.stop()
    assert len(smtp.record.accepted) == 1


async def test_an_intent_that_comes_again_later_finds_its_row(config, smtp):  # noqa: F811
    one, _ = sender(config, smtp)
    intents = [intent(n) for n in range(5)]
    await put(config, [fact for n in range(5) for fact in contact(n)], intents)
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        await put(config, [], intents, documents=False)
        await conductor.settle()
        assert await states(context) == {"accepted": 5}
    assert set(Counter(m["message_id"] for m in smtp.record.accepted).values()) == {1}
