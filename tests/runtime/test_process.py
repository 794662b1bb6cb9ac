"""A process: probes, a quiet end, the watchdog, and patience at a cold start."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest

from runtime import health, metrics, process
from runtime.clock import Clock
from runtime.process import open_context, run_service
from runtime.watchdog import looked
from tests.conftest import free_ports
from tests.runtime.toys import Gate, all_passed, applied, counter, opened, passed
from tests.support.live import fact, publish, read, rows, running, until

ROOT = Path(__file__).parents[2]


def facts(start: int, stop: int):
    return [fact(str(n), f"user_id:{n % 50}") for n in range(start, stop)]


# ---- as a process of its own


@asynccontextmanager
async def spawned(config, **more: str):
    """`python -m services.profile`; yields (process, admin port, what it logs)."""
    (port,) = free_ports(1)
    given = {
        "OTKLIK_KAFKA": config.kafka, "DATABASE_URL": config.database_url, "OTKLIK_TOPIC_PREFIX": config.topic_prefix,
        "OTKLIK_PARTITIONS": "4", "OTKLIK_SESSION_TIMEOUT_MS": "6000", "OTKLIK_ADMIN_PORT_OWN": str(port), **more,
    }  # fmt: skip
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OTKLIK_")}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.profile", cwd=ROOT, env={**clean, **given}, stderr=asyncio.subprocess.PIPE
    )
    logs = asyncio.create_task(child.stderr.read())
    try:
        yield child, port, logs
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
        await logs


async def answer(port: int, path: str) -> httpx.Response | None:
    async with httpx.AsyncClient() as client:
        try:
            return await client.get(f"http://127.0.0.1:{port}{path}")
        except httpx.TransportError:
            return None


async def test_probes_and_sigterm_of_a_real_process(config):
    await publish(config, facts(0, 3000))
    async with spawned(config, OTKLIK_BATCH_ROWS="50") as (child, port, logs):

        async def ready():
            got = await answer(port, "/readyz")
            return got and got.status_code == 200

        await until(ready)
        assert (await answer(port, "/livez")).json() == {"ok": True}
        assert (await answer(port, "/readyz")).json()["services"]["profile"] == {
            "started": True,
            "live lane joined": True,
            "bulk lane joined": True,
        }

        async def under_way():
            return 'otklik_records_total{service="profile",topic="facts.raw"}' in (await answer(port, "/metrics")).text

        await until(under_way)
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 15) == 0
        text = (await logs).decode()
        assert "Traceback" not in text and "never retrieved" not in text and '"level": "critical"' not in text
    async with opened(counter(name="profile", migrations=("services.profile.migrations",)), config) as context:
        done = await passed(context)
        assert done > 0 and await context.relay.drained()  # the batch in hand was finished and told
    assert len([f for f in await read(config, "facts") if f["type"] == "track"]) == done


async def test_a_process_that_cannot_run_says_why_and_exits_with_1(config):
    await publish(config, facts(0, 10))
    profile = counter(name="profile", migrations=("services.profile.migrations",))
    async with opened(profile, config) as context, context.db.transaction() as connection:
        await connection.execute(
            "INSERT INTO watermark (topic, partition, next_offset) SELECT 'facts.raw', n, 99 FROM generate_series(0, 3) n"
        )
    async with spawned(config) as (child, _, logs):
        assert await asyncio.wait_for(child.wait(), 15) == 1
        assert "The topic was deleted and made again" in (await logs).decode()


# ---- within the test's own process


async def test_stopping_finishes_the_batch_in_hand_and_drains_the_outbox(config):
    gate = Gate()
    await publish(config, facts(0, 40))
    context = await open_context(counter(gate), config)
    task = asyncio.create_task(run_service(context))
    await gate.reached.wait()
    context.stopping.set()
    await asyncio.wait({task}, timeout=0.2)
    assert not task.done()
    gate.open.set()
    await asyncio.wait_for(task, 10)
    told = await read(config, "facts")
    async with opened(counter(), config) as after:
        assert {f["id"] for f in told} == set(await applied(after)) and told
        assert await after.relay.drained()


async def test_readyz_is_false_until_the_lanes_have_their_partitions(config):
    context = await open_context(counter(checks={"own": _true}), config)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(health.app([context], "s")), base_url="http://x")
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["ok"]) == (503, False)
    task = asyncio.create_task(run_service(context))

    async def ready():
        return (await client.get("/readyz")).status_code == 200

    await until(ready)
    assert (await client.get("/readyz")).json()["services"]["toy"] == {"started": True, "live lane joined": True, "own": True}
    context.stopping.set()
    await task
    await client.aclose()


async def _true() -> bool:
    return True


@pytest.fixture
def watched(config, monkeypatch):
    """A watchdog with a short patience, whose bite only notes the exit code."""
    exits: list[int] = []
    monkeypatch.setattr(process, "OBSERVE_S", 0.05)
    monkeypatch.setattr(process.os, "_exit", exits.append)
    return config.model_copy(update={"watchdog_s": 0.5}), exits


async def test_the_watchdog_ends_a_handler_that_hangs(watched):
    config, exits = watched
    gate = Gate()
    await publish(config, facts(0, 40))
    async with running(config, counter(gate)):
        await until(lambda: exits)
        gate.open.set()
    assert set(exits) == {1}


async def test_the_watchdog_ends_a_client_that_hears_of_nothing_any_more(watched):
    config, exits = watched
    await publish(config, facts(0, 40))
    async with running(config, counter()) as (context,):
        await until(all_passed(context, 40))
        reader = context.loop.lanes[0].reader
        reader._consumer.pause(*map(reader._tp, reader.assigned))  # stuck: assigned, silent, and the log grows
        await publish(config, facts(40, 50))
        await until(lambda: exits)


async def test_the_watchdog_leaves_alone_who_waits_for_the_database_or_has_nothing_to_do(watched, monkeypatch):
    config, exits = watched
    looks = 0
    lag = process._lag

    async def counted(context):
        nonlocal looks
        looks += 1
        return await lag(context)

    monkeypatch.setattr(process, "_lag", counted)
    trouble = True

    async def troubled(_tx, _items) -> None:
        if trouble:
            raise ConnectionError("the database is away")

    await publish(config, facts(0, 40))
    started = asyncio.get_running_loop().time()
    async with running(config.model_copy(update={"watchdog_s": 6}), counter(troubled)) as (context,):
        # retries come at most 5 s apart: shorter than the patience
        await until(lambda: context.loop and context.loop.pulse >= 6)
        trouble = False
        await until(all_passed(context, 40))
        assert looks > 10 and exits == [] and asyncio.get_running_loop().time() - started > 1
    async with running(config, counter()) as (context,):
        seen = looks
        await until(lambda: looks > seen + 15)
        assert exits == []


@pytest.mark.parametrize("away", ["Kafka says nothing", "the process does not run"])
async def test_the_watchdog_does_not_count_time_in_which_nobody_could_know(watched, monkeypatch, away):
    """A record waits, and is not handled; twice the watchdog's patience goes by; and it is not handled in the next looks either."""
    config, exits = watched
    now = asyncio.get_running_loop().time
    before: list[float] = []
    after: list[int] = []
    told: list[bool] = []

    def noted(*given, waits: bool):
        told.append(waits)
        return looked(*given, waits=waits)

    async def lag(_context) -> int:
        if len(before) < 3:
            before.append(now())
            return 1
        if away == "the process does not run":
            await until(lambda: now() - before[-1] > 1)
        if now() - before[-1] <= 1:
            raise ConnectionError("the broker is away")
        after.append(len(after) < 3)
        return after[-1]

    async with running(config, counter()) as (context,):
        await until(lambda: context.loop and not any(lane.reader.joining for lane in context.loop.lanes))
        monkeypatch.setattr(process, "_lag", lag)
        monkeypatch.setattr(process, "looked", noted)
        await until(lambda: len(after) > 5)
        assert exits == []
    assert told[:4] == [True, True, True, away == "the process does not run"], "a look that learns nothing ends the silence"


async def test_progress_names_the_oldest_that_is_not_handled(watched):
    config, _ = watched
    gate = Gate()
    gate.open.set()
    await publish(config, [b"rubbish", *facts(0, 10), b"rubbish"], key="k")
    async with running(config, counter(gate)) as (context,):
        await until(all_passed(context, 12))
        assert context.loop.oldest == facts(0, 1)[0].received_at  # never that of rubbish, which has none

        async def told():
            return [
                r
                for r in await rows(context, "SELECT caught_up_at, reported_at FROM runtime.progress")
                if r["caught_up_at"] == r["reported_at"]
            ]

        await until(told)


async def test_lag_is_told_in_seconds_while_records_wait(watched):
    config, _ = watched
    gate = Gate()
    gate.open.set()
    lag = metrics.lag_seconds.labels("toy")._value
    await publish(config, facts(0, 10))
    async with running(config, counter(gate)) as (context,):
        await until(all_passed(context, 10))
        gate.open.clear()
        await publish(config, facts(10, 20))
        await until(lambda: lag.get() > 3600)  # they were received in 2010
        gate.open.set()
        await until(lambda: lag.get() == 0)


async def test_a_database_that_is_just_starting_is_waited_for(config, monkeypatch):
    real, refused = asyncpg.connect, []

    async def starting(*given, **named):
        if len(refused) < 3:
            refused.append(1)
            raise asyncpg.CannotConnectNowError("the database system is starting up")
        return await real(*given, **named)

    monkeypatch.setattr("runtime.migrate.asyncpg.connect", starting)
    async with opened(counter(), config) as context:
        assert len(refused) == 3 and await passed(context) == 0


@pytest.mark.parametrize("where", ["clock", "register"])
async def test_a_database_that_goes_away_while_a_process_starts_is_waited_for(config, monkeypatch, where):
    gone = [asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")]
    whole = Clock.read if where == "clock" else process.register

    async def once(*given):
        if gone:
            raise gone.pop()
        return await whole(*given)

    if where == "clock":
        monkeypatch.setattr(Clock, "read", once)
    else:
        monkeypatch.setattr(process, "register", once)
    async with opened(counter(), config) as context:
        assert not gone and await passed(context) == 0


async def test_a_clock_whose_connection_ends_at_any_moment_listens_again(config, caplog):
    """Once it ended in silence when the session died between two of the client's steps: a driven run without turns."""
    caplog.set_level(logging.WARNING)
    async with opened(counter(), config) as context:
        for _ in range(3):
            caplog.clear()
            await until(lambda: listening(context))
            await ended_sessions(context)
            await until(lambda: "clock listener lost" in caplog.text)
        assert not context.clock._task.done()


async def listening(context) -> bool:
    connection = await context.db.dedicated()
    try:
        query = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND (query = 'SELECT 1' OR query ILIKE 'LISTEN%')"
        return bool(await connection.fetch(query))
    finally:
        await connection.close()


async def ended_sessions(context) -> None:
    connection = await context.db.dedicated()
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()
