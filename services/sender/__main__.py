"""The sender service: `messages.*` -> providers -> `decisions` and `facts.bulk`."""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

from runtime import people
from runtime.db import TRANSIENT
from runtime.definitions import decode_published
from runtime.kafka import Producer
from runtime.process import Context, secret
from runtime.process import main as run_main
from runtime.publisher import Publisher
from runtime.service import Consumes, Service
from runtime.settings import Settings
from schemas.messages import Intent
from schemas.topics import CARRIERS, DECISIONS, DEFINITIONS, FACTS, FACTS_BULK, FACTS_RAW, FACTS_RAW_BULK, messages
from services.sender import ledger, link_checks, trials
from services.sender.api import routes
from services.sender.attendance import Attendance
from services.sender.channels.contract import Channel
from services.sender.channels.missing import MissingChannel
from services.sender.channels.smsc import SmscChannel, SmscSettings
from services.sender.channels.smtp import SmtpChannel
from services.sender.channels.smtp_settings import SmtpSettings, SmtpTimeouts
from services.sender.channels.telegram import TelegramChannel, TelegramSettings
from services.sender.channels.vk import VkChannel, VkSettings
from services.sender.channels.webhook import WebhookChannel, WebhookSettings
from services.sender.confirmation import Confirmation
from services.sender.contents import Contents
from services.sender.delivery import FAILPOINTS, Delivery
from services.sender.handler import Doubts, Handler, decode_fact, decode_message
from services.sender.holding import held
from services.sender.letters import Letters
from services.sender.links import Keys
from services.sender.preferences import Preferences
from services.sender.public import Public
from services.sender.rates import Rates
from services.sender.reports import Reports
from services.sender.settings import SenderSettings
from services.sender.surveys import Surveys
from services.sender.visitors import Visitors
from services.sender.webhook_addresses import networks

log = logging.getLogger(__name__)


def channels(settings: SenderSettings, *, webhook_http: bool) -> dict[str, Channel]:
    timeouts = SmtpTimeouts(accept=settings.smtp_accept_s)
    smtp = SmtpSettings(
        settings.smtp_host, settings.smtp_port, settings.smtp_username, settings.smtp_password,
        tls=settings.smtp_tls, helo=settings.mail_domain, connections=settings.smtp_connections, timeouts=timeouts,  # type: ignore[arg-type]
    )  # fmt: skip
    telegram = TelegramSettings(settings.telegram_token, settings.telegram_url)
    vk = VkSettings(settings.vk_token, settings.vk_url)
    sms = SmscSettings(apikey=settings.smsc_apikey, base_url=settings.smsc_url)
    webhook = WebhookSettings(networks(settings.webhook_allow), webhook_http, settings.webhook_connections)
    return {
        "webhook": WebhookChannel(webhook),
        "email": SmtpChannel(smtp),
        "telegram": TelegramChannel(telegram) if settings.telegram_token else MissingChannel("telegram"),
        "vk": VkChannel(vk) if settings.vk_token else MissingChannel("vk"),
        "sms": SmscChannel(sms) if settings.smsc_apikey else MissingChannel("sms"),
    }


def link_keys(secret_text: str) -> Keys:
    return Keys(1, {1: hashlib.sha256(b"otklik links:" + secret_text.encode()).digest()})


def _life(delivery: Delivery, handler: Handler, settings: SenderSettings):  # type: ignore[no-untyped-def]  # noqa: ANN202
    @asynccontextmanager
    async def life(context: Context) -> AsyncIterator[None]:
        """The provider connections, the pump, the lock that says this incarnation lives, and the public paths."""
        keys = link_keys(secret(context.settings))
        handler.vault = context.vault
        built = channels(settings, webhook_http=context.settings.webhook_http)
        rates = Rates(context.db, {name: settings.rate(name) for name in CARRIERS})
        delivery.attach(context, built, Letters(settings, keys, context.vault), rates)
        publisher = Publisher(lambda: Producer(context.settings, "sender"))
        visitors = Visitors(context.db, publisher, keys, context.clock, context.settings.partitions)
        surveys = Surveys(context.db, visitors, keys, context.clock)
        reports = Reports(context.db, publisher, context.clock, context.settings.partitions, settings.smsc_report_secret)

        async def reconcile(intent: Intent, person: str) -> None:
            await delivery.reconcile(intent, person)

        visitors.reconcile = reports.reconcile = reconcile
        paths = (Public(visitors), Preferences(visitors), Confirmation(visitors), Attendance(visitors))
        config = uvicorn.Config(
            Starlette(routes=[*reports.routes(), *surveys.routes(), *(route for pages in paths for route in pages.routes())]),
            host=context.settings.host,
            port=settings.public_port,
            log_config=None,
            access_log=False,
            lifespan="off",
        )
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        tasks = [
            asyncio.create_task(_alive(context, delivery), name="sender-alive"),
            asyncio.create_task(delivery.run(), name="sender-pump"),
            asyncio.create_task(server.serve(), name="sender-public"),
            asyncio.create_task(Contents(context.db, context.clock, settings.content_days).run(), name="sender-contents"),
        ]
        for task in tasks:
            task.add_done_callback(lambda done: _ended(context, done))
        try:
            yield
        finally:
            await delivery.drain()
            server.should_exit = True
            for task in (*tasks[:2], *tasks[3:]):
                task.cancel()
            await asyncio.wait(tasks, timeout=5)
            await publisher.close()
            for channel in built.values():
                await channel.close()

    return life


def _ended(context: Context, task: asyncio.Task[None]) -> None:
    """None of them may end by itself: a sender that claims and never calls would look well for ever."""
    if not task.cancelled() and task.exception():
        log.error("a part of the sender ended", exc_info=task.exception(), extra={"task": task.get_name()})
        context.stopping.set()


async def _alive(context: Context, delivery: Delivery) -> None:
    """Hold the advisory lock of this incarnation, and look for those whose lock is free: they are dead."""
    while True:
        connection = None
        try:
            connection = await context.db.dedicated()
            await connection.execute("SELECT pg_advisory_lock($1, $2)", ledger.LOCK_CLASS, delivery.owner)
            while True:
                await delivery.hear()
                await delivery.adopt(connection)
                await asyncio.sleep(2.0)
        except TRANSIENT as error:
            log.warning("incarnation lock lost", extra={"why": type(error).__name__})
            await asyncio.sleep(0.5)
        finally:
            if connection is not None:
                with contextlib.suppress(Exception):
                    await connection.close(timeout=1)


def service(settings: SenderSettings | None = None, machine: Settings | None = None) -> Service:
    settings, machine = settings or SenderSettings(), machine or Settings()
    delivery = Delivery()
    handler = Handler(delivery, machine.partitions)
    first = [messages(channel, cls) for channel in CARRIERS for cls in ("service", "triggered")]
    second = [messages(channel, "mass") for channel in CARRIERS]
    return Service(
        name="sender",
        knows_its_age=(FACTS, DEFINITIONS),
        consumes=(
            *(Consumes(topic, decode_message) for topic in first),
            *(Consumes(topic, decode_message, lane="bulk") for topic in second),
            Consumes(FACTS, decode_fact),
            Consumes(FACTS_BULK, decode_fact, lane="bulk"),
            Consumes(DEFINITIONS, decode_published),
        ),
        handle=handler,
        committed=handler.committed,
        timers=Doubts(),
        settle=delivery.settle,
        busy=delivery.busy,
        api=lambda context: [
            *routes(context),
            *trials.routes(context, lambda: delivery.letters, settings.public_url),
            *link_checks.routes(settings),
        ],
        may_read=lambda lane: delivery.crowding() < settings.queue_limit * (1 if lane == "bulk" else 4),
        migrations=("services.sender.migrations",),
        topics_written=(DECISIONS, FACTS_BULK, FACTS_RAW, FACTS_RAW_BULK),
        life=_life(delivery, handler, settings),
        failpoints=FAILPOINTS,
        held=held,
        erased=people.erased,
    )


def main() -> None:
    run_main([service()])


if __name__ == "__main__":
    main()
