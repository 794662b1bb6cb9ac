"""A process: one service or several, live from settings to SIGTERM, with health, metrics and a watchdog."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from runtime import health, log, metrics, presence, retention, watermark
from runtime.clock import Clock, set_within
from runtime.db import TRANSIENT, Database
from runtime.drive import register
from runtime.failpoints import Failpoint, build
from runtime.kafka import Place, Producer, create_topics, wait_for
from runtime.loop import Loop
from runtime.migrate import migrate
from runtime.outbox import Relay
from runtime.poison import Vault
from runtime.service import Service
from runtime.settings import Settings
from runtime.turns import Driver
from runtime.watchdog import Silence, looked
from schemas.topics import FACTS_RAW, FACTS_RAW_BULK

logger = logging.getLogger(__name__)

OBSERVE_S = 2.0

PROGRESS = """
INSERT INTO runtime.progress (service, instance, caught_up_at, reported_at, fresh_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (service, instance) DO UPDATE
SET caught_up_at = EXCLUDED.caught_up_at, reported_at = EXCLUDED.reported_at, fresh_at = EXCLUDED.fresh_at
"""


@dataclass
class Context:
    """What a running service can reach."""

    service: Service
    settings: Settings
    db: Database
    clock: Clock
    relay: Relay
    vault: Vault
    failpoint: Failpoint
    driver: Driver | None = None
    loop: Loop | None = None
    apps: dict[str, Any] = field(default_factory=dict)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def producer(self) -> Producer:
        return Producer(self.settings, self.service.name)


def secret(settings: Settings) -> str:
    """The installation's secret, from the keys file; a fixed one without it, which only a test has."""
    if settings.keys_file is None:
        return "no keys file: a test"
    keys: dict[str, str] = json.loads(Path(settings.keys_file).read_text())
    return keys.get("secret") or keys["api_key"]


async def open_context(service: Service, settings: Settings) -> Context:
    """Migrations, topics, connections. Waits for a broker and a database that are just coming up."""
    settings = service.settings(settings)
    await wait_for(lambda: migrate(settings, "runtime", "runtime.clocksql"), timeout=60)
    await wait_for(lambda: migrate(settings, service.name, "runtime.sql", *service.migrations), timeout=60)
    read = [c.topic for c in service.consumes]
    if read or service.topics_written:
        await wait_for(lambda: create_topics(settings, [*read, *service.topics_written]), timeout=60)
    db = await wait_for(lambda: Database(settings, service.name).open(), timeout=60)
    clock = Clock(db)
    await wait_for(clock.start, timeout=60)
    if service.consumes or service.timers:
        await wait_for(lambda: register(db, service.name), timeout=60)
    failpoint = build(settings.failpoints, service.name)
    relay = Relay(db, service.name, lambda: Producer(settings, service.name), failpoint)
    return Context(service, settings, db, clock, relay, Vault(secret(settings)), failpoint)


async def run_service(context: Context) -> None:
    """Run until `context.stopping`: then finish the batch in hand, drain the relay, close."""
    service, settings = context.service, context.settings
    loop = Loop(service, settings, context.db, context.clock, context.relay, context.vault, context.failpoint)
    driver = Driver(loop)
    context.loop, context.driver = loop, driver
    async with AsyncExitStack() as stack:
        stack.push_async_callback(context.db.close)
        stack.push_async_callback(context.clock.stop)
        stack.push_async_callback(presence.leave, context.db, service.name, presence.address(settings))
        await stack.enter_async_context(service.life(context))
        relay = asyncio.create_task(context.relay.run(), name=f"{service.name}-relay")
        work = asyncio.create_task(driver.run(), name=f"{service.name}-loop")
        ending = asyncio.Event()
        observer = asyncio.create_task(_watch(context, ending), name=f"{service.name}-observer")
        stop = asyncio.create_task(context.stopping.wait())
        context.ready.set()
        everything: list[asyncio.Task[Any]] = [relay, work, observer, stop]
        done, _ = await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
        ending.set()
        driver.stop()
        await asyncio.wait({observer}, timeout=5)  # it asks the client of the loop: not cancelled in mid-air, not left behind
        await asyncio.wait({work})
        context.relay.stop()
        await asyncio.wait({relay}, timeout=10)
        for task in (relay, observer, stop):
            task.cancel()
        for task in [*done, work, relay]:
            if task is not stop and task.done() and not task.cancelled() and task.exception():
                raise task.exception()  # type: ignore[misc]


async def _watch(context: Context, ending: asyncio.Event) -> None:
    here = presence.address(context.settings)
    there = presence.keep(context.db, context.service.name, here, ending)
    await asyncio.gather(_observe(context, ending), _keep_fresh(context, ending), there)


async def _keep_fresh(context: Context, ending: asyncio.Event) -> None:
    """How old its knowledge is, where somebody asks: often until it is known, then once a second. A driven turn knows everything."""
    loop = context.loop
    assert loop is not None

    async def marks() -> Mapping[Place, int]:
        async with context.db.connection() as connection:
            known = await watermark.read(connection, [topic.name for topic in context.service.knows_its_age])
        return {place: mark for place, (mark, _) in known.items()}

    while context.service.knows_its_age and not ending.is_set():
        if not context.clock.state.driven:
            try:
                await loop.freshness.look(loop.lanes[0], marks)
            except TRANSIENT as error:
                logger.warning("nobody says where the logs end, or how far they were read", extra={"why": type(error).__name__})
        await set_within(ending, 1.0 if loop.freshness.at else 0.1)


async def _observe(context: Context, ending: asyncio.Event) -> None:
    """Every few seconds: lag, outbox and progress; and the watchdog (runtime/watchdog.py)."""
    loop_time = asyncio.get_running_loop().time
    assert context.loop is not None
    loop, silence, forgot = context.loop, Silence(loop_time(), -1), loop_time()
    while not ending.is_set():
        await set_within(ending, OBSERVE_S)
        try:
            behind = await _lag(context)
        except TRANSIENT as error:
            logger.warning("Kafka does not say where its logs end", extra={"why": type(error).__name__})
            silence = looked(silence, loop_time(), loop.pulse, OBSERVE_S, waits=False)
            continue
        waits = behind > 0 and not context.clock.state.driven and not any(lane.reader.joining for lane in loop.lanes)
        silence = looked(silence, loop_time(), loop.pulse, OBSERVE_S, waits=waits)
        if silence.seconds > context.settings.watchdog_s:
            logger.critical(
                "stuck: records wait and none was handled",
                extra={"behind": behind, "seconds": context.settings.watchdog_s},
            )
            os._exit(1)  # a hung client cannot be trusted to close
        try:
            now = context.clock.last_known_ms()
            _age(context, now, behind)
            await context.relay.measure(now)
            await _report(context, now, behind)
            if loop_time() - forgot > retention.EVERY_S and not context.clock.state.driven:
                forgot = loop_time()
                await retention.forget(context.db, now)
        except TRANSIENT as error:
            logger.warning("could not report", extra={"why": type(error).__name__})


async def _lag(context: Context) -> int:
    """Records that wait. The broker is asked: a client that hangs does not hear of new ones."""
    behind = 0
    assert context.loop is not None
    for lane in context.loop.lanes:
        places = lane.reader.assigned & lane.positions.keys()
        ends = await lane.reader.ends(places) if places else {}
        for place, end in ends.items():
            lag = max(0, end - lane.reached(place))
            metrics.lag.labels(context.service.name, place[0], str(place[1])).set(lag)
            behind += lag
    return behind


def _age(context: Context, now: int, behind: int) -> None:
    """How old the last handled record is while others wait. A service that has handled none yet does not know: its records tell."""
    oldest = context.loop.oldest if context.loop else 0
    if not behind or oldest:
        metrics.lag_seconds.labels(context.service.name).set(max(0, now - oldest) / 1000 if behind else 0)


async def _report(context: Context, now: int, behind: int) -> None:
    """For ingest's backpressure: only a service that has caught up moves its mark, so a stuck or dead one ages."""
    if not any(c.topic in (FACTS_RAW, FACTS_RAW_BULK) for c in context.service.consumes):
        return
    if behind == 0 or (context.loop and context.loop.handled):
        oldest = now if behind == 0 else context.loop.oldest if context.loop else 0
        async with context.db.transaction() as connection:
            fresh_at = context.loop.freshness.at if context.loop else 0
            await connection.execute(PROGRESS, context.service.name, context.settings.instance, oldest, now, fresh_at)


async def run(services: Sequence[Service], settings: Settings) -> None:
    """Run services in this process until SIGTERM or SIGINT, or until one of them fails."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    contexts = []
    for service in services:
        contexts.append(await open_context(service, settings))
    server = _admin(contexts, settings)
    tasks = {asyncio.create_task(run_service(c), name=c.service.name) for c in contexts}
    serving = asyncio.create_task(server.serve())
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({*tasks, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for context in contexts:
        context.stopping.set()
    await asyncio.wait(tasks, timeout=30)
    server.should_exit = True
    await asyncio.wait({serving}, timeout=5)
    waiting.cancel()
    for task in tasks:
        if task.done() and not task.cancelled() and task.exception():
            raise task.exception()  # type: ignore[misc]


def _admin(contexts: Sequence[Context], settings: Settings) -> uvicorn.Server:
    config = uvicorn.Config(
        health.app(contexts, secret(settings)),
        host=settings.host,
        port=settings.admin_port_own,
        log_config=None,
        access_log=False,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    return server


def main(services: Sequence[Service], settings: Settings | None = None) -> None:
    """The entry of every service's `__main__`: exit code 1 with the reason in the log when it fails."""
    settings = settings or Settings()
    log.setup("+".join(s.name for s in services), settings.instance)
    # A batch makes thousands of values that die together: the default of 700 has the collector walk them all, again and again.
    gc.set_threshold(100_000, 20, 100)
    try:
        uvloop.run(run(services, settings))
    except Exception as error:
        logger.critical("stopped", exc_info=error, extra={"why": str(error)[:300]})
        raise SystemExit(1) from error
