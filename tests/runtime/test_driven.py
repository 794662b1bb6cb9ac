"""The driven clock: one service moves at a time, and what comes out depends on what goes in alone."""

import asyncio
from dataclasses import replace

import pytest

from runtime.batch import At, Emit
from runtime.drive import Backwards, Conductor, NotDriven, Stuck, register, set_clock
from runtime.process import open_context, run_service
from schemas.facts import encode
from tests.runtime.toys import Gate, applied, census, counter, into_outbox, opened, seen
from tests.support.live import T0, driven, fact, publish, read, rows, until

HOUR = 3_600_000


def pair():
    """raw -> facts -> people with timers -> decisions: a flow of two services."""
    return counter(name="profile"), census(name="segmenter")


def inputs(step: int):
    names = "abcdefg"
    made = []
    for n in range(120):
        name = names[(n * n + step) % 7]
        at = T0 + step * HOUR + n * 1000
        one = seen(name, step * 1000 + n, at, due=at + 600_000 if n % 5 == 0 else None)
        made.append(fact(one.id, f"user_id:{n % 13}", at=at, profile=one.profile, properties=one.properties))
    return made


async def play(config) -> tuple[list, list]:
    async with driven(config, *pair()) as (contexts, conductor):
        for step in range(3):
            await set_clock(contexts[0].db, T0 + (step + 1) * HOUR)
            await publish(config, inputs(step))
            await conductor.settle(unheard=1)
        fired = await rows(contexts[1], "SELECT id::text, due_at, now FROM fired ORDER BY 1, 2")
        journal = await rows(contexts[1], "SELECT now, topics, partitions, from_offsets, to_offsets FROM journal ORDER BY id")
    told = [await read(config, topic) for topic in ("facts", "decisions")]
    return told, [list(map(tuple, fired)), list(map(tuple, journal))]


async def test_two_runs_with_the_same_inputs_are_equal_byte_for_byte(config, postgres):
    import asyncpg

    first = await play(config)
    other = f"{config.database_url.rsplit('/', 1)[1]}b"
    server = await asyncpg.connect(postgres)
    await server.execute(f"CREATE DATABASE {other} TEMPLATE template0")
    try:
        again = config.model_copy(
            update={
                "topic_prefix": config.topic_prefix + "b.",
                "database_url": config.database_url.rsplit("/", 1)[0] + "/" + other,
                "gather_ms": 1,  # and records come in other portions
            }
        )
        second = await play(again)
    finally:
        await server.execute(f"DROP DATABASE {other} WITH (FORCE)")
        await server.close()
    assert len(first[0][0]) == 360 and len(first[0][1]) > 20
    assert first == second


async def test_settling_right_after_the_start_waits_for_the_group(config):
    """A turn that comes before the partitions are known is not answered with "nothing moved"."""
    await publish(config, inputs(0))
    async with driven(config, *pair()) as (contexts, conductor):
        rounds = await conductor.settle()
        assert rounds == 2
        assert len(await applied(contexts[0])) == 120
        assert await contexts[0].relay.drained() and await contexts[1].relay.drained()
        assert await conductor.settle() == 1


async def test_what_a_service_wrote_between_turns_is_heard_by_one_before_it(config):
    async with driven(config, *pair()) as (contexts, conductor):
        await conductor.settle()
        late = fact("late", "user_id:1")
        await into_outbox(contexts[1].db, [Emit("facts.raw", "user_id:1", encode(late), At("page", 0, 0))], config)
        await conductor.settle(unheard=1)
        assert list((await applied(contexts[0])).values()) == [1]


async def test_timers_fire_at_their_instants_one_after_the_other(config):
    async with driven(config, census(name="segmenter")) as ((context,), conductor):
        await publish(config, [seen("a", 1, T0, due=T0 + HOUR), seen("b", 1, T0, due=T0 + 2 * HOUR)], topic="facts", key="k")
        await conductor.settle()
        assert not await rows(context, "SELECT FROM fired")
        await set_clock(context.db, T0 + HOUR)
        await conductor.settle()
        assert [r["due_at"] for r in await rows(context, "SELECT due_at FROM fired ORDER BY due_at")] == [T0 + HOUR]
        await set_clock(context.db, T0 + 24 * HOUR)
        await conductor.settle()
        assert len(await rows(context, "SELECT FROM fired")) == 2


async def test_partitions_that_change_hands_in_a_turn_do_not_hang_it(config):
    """A rebalance within the turn: everything is positioned anew, and the turn ends with all handled once."""
    shaken = False

    async def shake(_tx, _items) -> None:
        nonlocal shaken
        if not shaken:
            shaken = True
            reader = contexts[0].loop.lanes[0].reader
            reader.fresh |= reader.assigned
            for place in reader.assigned:  # as after an assignment: the client stands at Kafka's own offset
                reader._consumer.seek(reader._tp(place), 0)

    config = config.model_copy(update={"batch_rows": 20})
    async with driven(config, counter(shake, name="profile")) as (contexts, conductor):
        await publish(config, inputs(0))
        await asyncio.wait_for(conductor.settle(), 15)
        assert shaken and set((await applied(contexts[0])).values()) == {1} and len(await applied(contexts[0])) == 120


async def test_a_watermark_set_back_is_read_again_before_the_turn_ends(config):
    async with driven(config, counter(name="profile")) as ((context,), conductor):
        await publish(config, inputs(0))
        await conductor.settle()
        async with context.db.transaction() as connection:
            await connection.execute(
                "UPDATE watermark SET next_offset = next_offset / 2, fingerprint = 0 WHERE topic = 'facts.raw'"
            )
            await connection.execute("UPDATE applied SET times = 0")
        await publish(config, inputs(1))
        await asyncio.wait_for(conductor.settle(), 15)
        ends = await context.loop.lanes[0].reader.ends(context.loop.lanes[0].reader.assigned)
        marks = await rows(context, "SELECT topic, partition, next_offset FROM watermark WHERE topic = 'facts.raw'")
        assert {(r["topic"], r["partition"]): r["next_offset"] for r in marks} == ends


async def test_a_service_that_does_not_finish_its_turn_is_named(config):
    gate = Gate()
    async with driven(config, counter(gate, name="profile")) as ((context,), _):
        await publish(config, inputs(0))
        impatient = await Conductor(context.db, patience_s=1.0).open()
        with pytest.raises(Stuck, match="profile did not finish"):
            await impatient.settle()
        gate.open.set()
        await impatient.settle()  # and it goes on where it was
        await impatient.close()
        assert len(await applied(context)) == 120


async def test_a_registered_service_that_does_not_run_is_named(config):
    async with driven(config, counter(name="profile")) as ((context,), _):
        await register(context.db, "warehouse")
        impatient = await Conductor(context.db, patience_s=1.0).open()
        with pytest.raises(Stuck, match="warehouse"):
            await impatient.settle()
        await impatient.close()


async def test_a_driven_clock_only_goes_forward_and_a_live_one_gives_no_turns(config):
    async with opened(counter(), config) as context:
        conductor = await Conductor(context.db).open()
        with pytest.raises(NotDriven, match="PUT /api/clock"):
            await conductor.settle()
        await set_clock(context.db, T0)
        await until(lambda: context.clock.state.driven)
        with pytest.raises(Backwards, match=str(T0)):
            await set_clock(context.db, T0 - 1)
        await set_clock(context.db, T0)  # where it stands is no step back
        assert await context.clock.now() == (T0, True)
        await set_clock(context.db, None)
        await until(lambda: not context.clock.state.driven)
        assert (await context.clock.now())[1] is False
        await conductor.close()


async def test_the_clock_hears_again_after_its_connection_died(config):
    async with opened(counter(), config) as context:
        async with context.db.connection() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        async def moved():
            try:
                await set_clock(context.db, T0)
            except Exception:  # connections of the pool were ended too
                return False
            return True

        await until(moved)
        await until(lambda: context.clock.state.at == T0)


async def test_a_run_that_goes_live_again_handles_what_comes(config):
    context = await open_context(counter(name="profile"), config)
    await set_clock(context.db, T0)
    task = asyncio.create_task(run_service(context))
    await until(lambda: context.loop and context.loop.lanes[0].reader.assigned)
    await publish(config, inputs(0))
    await set_clock(context.db, None)

    async def handled():
        return len(await applied(context)) == 120 and await context.relay.drained()

    await until(handled)
    context.stopping.set()
    await task


async def test_a_turn_of_a_service_with_its_own_work_ends_when_that_is_done(config):
    left = 3

    async def settle() -> bool:
        nonlocal left
        left -= left > 0
        return left > 0

    service = replace(counter(name="profile"), settle=settle)
    async with driven(config, service) as (_, conductor):
        await conductor.settle()
        assert left == 0
