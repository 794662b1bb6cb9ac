"""One intent, one call: whoever dies between the steps, and however often the intent comes."""

from collections import Counter
from dataclasses import replace

import asyncpg

from runtime.clock import wall_ms
from schemas.ids import derive
from services.sender import ledger, store
from services.sender.delivery import Delivery
from services.sender.store import Start
from tests.chaos.fleet import SERVICES, Fleet
from tests.sender.live.kit import arm, contact, environment, intent, person, put, sender, states
from tests.support.live import T0, driven, read, until

SENDER = next(kind for kind in SERVICES if kind.name == "sender")


async def test_a_sender_that_dies_after_the_call_leaves_it_in_doubt_and_nobody_calls_again(config, smtp, database, tmp_path):
    """The provider has the letter and no one wrote it down: only what was committed before the call can say so."""
    (tmp_path / "logs").mkdir()
    fleet = Fleet(tmp_path, environment(config, smtp))
    now = wall_ms()
    await put(config, contact(1, at=now), [intent(1, at=now)])
    connection = await asyncpg.connect(database)
    try:
        arm(tmp_path, "called")
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


async def test_one_that_comes_back_to_an_address_which_has_the_message_is_told_to_be_over(config, smtp):
    """He has the address of somebody else by then, who was sent the same. Without a word its run would wait for it."""
    one, _ = sender(config, smtp)
    launch = derive("launch")
    early = [intent(n, occurrence=launch, not_after=T0 - 5) for n in (1, 3)]
    facts = [fact for n in (1, 2, 3) for fact in contact(n)]
    await put(config, facts, [*early, intent(2, occurrence=launch)])
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        assert await states(context) == {"accepted": 1, "late": 2}
        moved = [fact for n in (1, 3) for fact in contact(n, "p2@example.org", at=T0 + 1)[:1]]
        await put(config, moved, documents=False)
        await conductor.settle()
        await put(config, [], [intent(n, occurrence=launch, attempt=1) for n in (1, 3)], documents=False)
        await conductor.settle()
        assert await states(context) == {"accepted": 1, "skipped": 2}
    told = [(d["profile"], d["verdict"], d["rule"], d["attempt"]) for d in await read(config, "decisions") if d.get("attempt")]
    assert sorted(told) == sorted((person(n), "skipped", "same_address", 1) for n in (1, 3))
    assert len(smtp.record.accepted) == 1


async def test_two_that_come_back_together_to_one_address_are_one_letter(config, smtp):
    one, _ = sender(config, smtp)
    launch = derive("launch")
    await put(
        config,
        [fact for n in (1, 2) for fact in contact(n)],
        [intent(n, occurrence=launch, not_after=T0 - 5) for n in (1, 2)],
    )
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        await put(config, [fact for n in (1, 2) for fact in contact(n, "one@example.org", at=T0 + 1)[:1]], documents=False)
        await conductor.settle()
        await put(config, [], [intent(n, occurrence=launch, attempt=1) for n in (1, 2)], documents=False)
        await conductor.settle()
        assert await states(context) == {"accepted": 1, "skipped": 1}
    assert len(smtp.record.accepted) == 1


async def test_two_jobs_of_one_intent_are_one_call(config, smtp, monkeypatch):
    """As a takeover leaves them whose commit failed, when the letter waits until the next takeover: both begin in one group."""
    put_one, again = Delivery.put, []

    def twice(self, job, at=0):
        put_one(self, job, at)
        if not again:
            again.append(job)
            put_one(self, replace(job), at)

    monkeypatch.setattr(Delivery, "put", twice)
    one, _ = sender(config, smtp)
    await put(config, contact(1), [intent(1)])
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        assert await states(context) == {"accepted": 1}
    assert len(again) == 1 and len(smtp.record.accepted) == 1


async def test_a_job_of_an_earlier_attempt_neither_starts_nor_ends_the_later_one(config, smtp):
    """A process that was held for dead has it still, when the intent has come back and is ours again."""
    one, _ = sender(config, smtp)
    await put(config, contact(1), [intent(1, not_after=T0 - 5)])
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        async with context.db.transaction() as connection:
            await connection.execute("UPDATE attempt SET state = 'taken', attempt = 1, owner = 4")
            old = Start(intent(1).id, person(1), 0, "4:1", 0, None)
            assert await store.start(connection, 4, T0, [old]) == set()
            assert (
                await ledger.write(connection, config, 4, T0, [ledger.Record(intent(1), person(1), "late", "not_after")]) == set()
            )
            assert await store.start(connection, 4, T0, [old._replace(attempt=1)]) == {"4:1"}
            await connection.execute("UPDATE attempt SET state = 'late', owner = NULL")


async def test_an_intent_that_comes_again_later_finds_its_row(config, smtp):
    one, _ = sender(config, smtp)
    intents = [intent(n) for n in range(5)]
    await put(config, [fact for n in range(5) for fact in contact(n)], intents)
    async with driven(config, one) as ((context,), conductor):
        await conductor.settle()
        await put(config, [], intents, documents=False)
        await conductor.settle()
        assert await states(context) == {"accepted": 5}
    assert set(Counter(m["message_id"] for m in smtp.record.accepted).values()) == {1}
