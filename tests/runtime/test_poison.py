"""One bad record is buried and its neighbours go on; a service that can handle nothing stops; trouble of the machine buries nobody."""

import pytest

from runtime.batch import Emit
from runtime.poison import TooMuchPoison, Vault, name_of
from runtime.process import secret
from runtime.service import Consumes
from schemas.facts import decode
from schemas.topics import DECISIONS, FACTS
from tests.runtime.toys import all_passed, applied, counter, decode_fact, opened
from tests.support.live import fact, publish, rows, running, until


def facts(count: int):
    return [fact(str(n), f"user_id:{n % 11}") for n in range(count)]


def fails_on(*ids: str):
    async def before(_tx, items) -> None:
        for item in items:
            if item.value.id in ids:
                raise KeyError("ann@example.org")  # a broken handler

    return before


async def buried(context):
    return await rows(context, 'SELECT topic, partition, "offset", reason, detail, record FROM dead_letter ORDER BY id')


async def test_one_of_a_thousand_is_buried_and_its_neighbours_are_applied_once(config):
    everything = facts(1000)
    bad = everything[617]
    await publish(config, everything)
    async with running(config, counter(fails_on(bad.id))) as (context,):
        await until(all_passed(context, 1000))
        (letter,) = await buried(context)
        assert await applied(context) == {f.id: 1 for f in everything if f is not bad}
        place = name_of(letter["topic"], letter["partition"], letter["offset"])
        assert decode(Vault(secret(config)).open(letter["record"], place)).id == bad.id
        assert (letter["reason"], letter["detail"]) == ("unhandled", "KeyError")  # the text would show an address
    async with running(config, counter()) as (context,):  # and it is behind us
        await publish(config, [fact("later", "user_id:1")])
        await until(all_passed(context, 1001))
        assert len(await buried(context)) == 1


async def test_a_handler_that_fails_on_everything_stops_with_few_buried(config):
    await publish(config, facts(500))

    async def broken(_tx, _items) -> None:
        raise ZeroDivisionError

    with pytest.raises(TooMuchPoison, match="21 records in a row"):
        async with running(config, counter(broken)) as (context,):
            await until(stopped(context))
    async with opened(counter(), config) as context:
        assert len(await buried(context)) == 20
        assert await applied(context) == {}


def stopped(context):
    return lambda: context.loop is not None and context.loop.lanes[0].reader._consumer._closed


async def test_rubbish_in_our_own_topic_stops_the_service_and_in_an_open_one_does_not(config):
    rubbish = [b"{}"] * 60
    await publish(config, [*rubbish, fact("1", "user_id:1")], key="k")
    async with running(config, counter()) as (context,):
        await until(all_passed(context, 61))
        assert len(await buried(context)) == 60
    await publish(config, rubbish, topic="facts", key="k")
    closed = counter(emits=False, name="closed", consumes=(Consumes(FACTS, decode_fact),), topics_written=(DECISIONS,))
    with pytest.raises(TooMuchPoison):
        async with running(config, closed) as (context,):
            await until(stopped(context))
    async with opened(closed, config) as context:
        assert len(await buried(context)) == 0


async def test_rubbish_beside_a_batch_that_runs_again_is_counted_once(config):
    """Retries are not new records: 25 attempts with one unreadable record are one unreadable record."""
    from runtime.db import Again

    attempts = 0

    async def again(_tx, _items) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 25:
            raise Again

    await publish(config, [b"{}", fact("1", "user_id:1")], topic="facts", key="k")
    service = counter(again, emits=False, consumes=(Consumes(FACTS, decode_fact),), topics_written=(DECISIONS,))
    async with running(config, service) as (context,):
        await until(all_passed(context, 2, "facts"))
        assert attempts == 25 and len(await buried(context)) == 1


async def test_an_emit_too_large_for_a_record_buries_its_cause(config):
    everything = facts(60)

    async def handle(tx, items):
        big = b"x" * 900_000
        return [
            Emit(FACTS.name, "k", b'{"x":"' + (big if item.value.id == everything[30].id else b"") + b'"}', tx.at(item))
            for item in items
        ]

    await publish(config, everything)
    async with running(config, counter(handle=handle)) as (context,):
        await until(all_passed(context, 60))
        (letter,) = await buried(context)
        assert letter["detail"] == "RecordTooLarge"


async def test_connections_that_die_in_the_batch_bury_nobody_and_apply_once(config):
    everything = facts(400)
    kills = 0

    async def killed(tx, items) -> None:
        nonlocal kills
        if kills < 6:
            kills += 1
            pid = await tx.connection.fetchval("SELECT pg_backend_pid()")
            async with context.db.connection() as other:
                await other.execute("SELECT pg_terminate_backend($1)", pid)
                await until(lambda: gone(other, pid))

    async def gone(other, pid) -> bool:
        return not await other.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid)

    await publish(config, everything)
    async with running(config.model_copy(update={"batch_rows": 100}), counter(killed)) as (context,):
        await until(all_passed(context, 400))
        assert kills == 6
        assert await buried(context) == []
        assert await applied(context) == {f.id: 1 for f in everything}


async def test_a_slow_statement_and_a_deadlock_bury_nobody(config):
    kinds = iter(
        [
            "SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)",
            "deadlock",
            "SET LOCAL transaction_read_only = on; UPDATE total SET n = n",
        ]
    )

    async def troubled(tx, _items) -> None:
        kind = next(kinds, None)
        if kind == "deadlock":
            raise __import__("asyncpg").DeadlockDetectedError("as PostgreSQL says it")
        if kind:
            await tx.connection.execute(kind)

    await publish(config, facts(20))
    async with running(config, counter(troubled)) as (context,):
        await until(all_passed(context, 20))
        assert await buried(context) == []
        assert await applied(context) == {f.id: 1 for f in facts(20)}


async def test_trouble_outside_of_deciding_stops_the_service(config):
    async def committed() -> None:
        raise ValueError("our code")

    await publish(config, facts(5))
    with pytest.raises(ValueError, match="our code"):
        async with running(config, counter(committed=committed)) as (context,):
            await until(stopped(context))
    async with opened(counter(), config) as context:
        assert await applied(context)  # committed before
        assert await buried(context) == []


async def test_an_error_of_an_odd_text_buries_its_record(config):
    async def odd(_tx, items) -> None:
        if any(item.value.id == fact("odd", "user_id:1").id for item in items):
            raise ValueError("\x00 \ud800 " + "z" * 1000)

    await publish(config, [fact("odd", "user_id:1"), fact("good", "user_id:1")])
    async with running(config, counter(odd)) as (context,):
        await until(all_passed(context, 2))
        (letter,) = await buried(context)
        assert letter["detail"] == "ValueError"
        assert set(await applied(context)) == {fact("good", "user_id:1").id}


@pytest.mark.parametrize(
    ("statement", "value"), [("SELECT $1::bigint", 2**70), ("SELECT $1::text", "a\x00b"), ("SELECT $1::int", "x")]
)
async def test_what_the_database_cannot_take_is_the_records_fault(config, statement, value):
    async def before(tx, items) -> None:
        if any(item.value.event == "odd" for item in items):
            await tx.connection.execute(statement, value)

    await publish(config, [fact("1", "user_id:1", event="odd"), fact("2", "user_id:1")])
    async with running(config, counter(before)) as (context,):
        await until(all_passed(context, 2))
        assert len(await buried(context)) == 1 and len(await applied(context)) == 1


async def test_whatever_the_client_says_of_a_lost_connection_is_passing_trouble(config):
    import asyncpg

    said = iter(
        [asyncpg.InternalClientError("cannot switch to state 12"), asyncpg.PostgresIOError("x"), asyncpg.InternalServerError("x")]
    )

    async def before(_tx, _items) -> None:
        if (error := next(said, None)) is not None:
            raise error

    await publish(config, facts(5))
    async with running(config, counter(before)) as (context,):
        await until(all_passed(context, 5))
        assert await buried(context) == [] and len(await applied(context)) == 5
