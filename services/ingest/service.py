"""Puts ingest together: what it reads from the outside, what runs beside the loop, and in which order it ends."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.routing import BaseRoute

from runtime.db import TRANSIENT
from runtime.process import Context
from runtime.publisher import Publisher
from runtime.service import Consumes, Service
from runtime.serving import serving
from schemas import bots
from schemas.bots import Bot
from schemas.connectors import Connector, secret_of
from schemas.topics import DEFINITIONS, FACTS_RAW, FACTS_RAW_BULK
from services.ingest.api import app
from services.ingest.api import connectors as connectors_api
from services.ingest.api import imports as imports_api
from services.ingest.api.bots import BotEdge
from services.ingest.api.hooks import HookEdge
from services.ingest.api.operations import OperationsEdge
from services.ingest.domain import Source
from services.ingest.handler.bots import Updates
from services.ingest.handler.buried import DeadLetters
from services.ingest.handler.connectors import Hooks
from services.ingest.handler.importer import FAILPOINTS, Importer, Means
from services.ingest.handler.in_force import InForce
from services.ingest.handler.log import KafkaLog, Pressure
from services.ingest.handler.sources import Sources, decode_definition, first_of
from services.ingest.settings import IngestSettings
from services.ingest.store import Imports, Payloads

log = logging.getLogger(__name__)

LOOK_S = 1.0
CLEAN_MS = 60_000
ROOM = 0.45  # of the retention: events are refused before the slowest consumer's lag reaches half of it


class Ingest:
    """The service while it runs; `context.apps["ingest"]` is its port once it serves."""

    def __init__(self, settings: IngestSettings) -> None:
        self.settings = settings
        self._sources = Sources()
        self._connectors = InForce("connector", Connector)
        self._bots = InForce("bot", Bot)
        self._hooks: Hooks | None = None
        self._cleaned_at = 0
        self._context: Context | None = None
        self._importer: Importer | None = None

    @asynccontextmanager
    async def life(self, context: Context) -> AsyncIterator[None]:
        """Ends in this order: requests under way, imports, the publisher."""
        self._context = context
        retention = context.settings.retention_ms or FACTS_RAW.retention_ms
        pressure = Pressure(int(retention * ROOM), context.clock.last_known_ms())
        self._sources.first = first_of(context.settings.keys_file, self._first())
        await self._look(context, pressure)
        publisher = Publisher(context.producer)
        kafka = KafkaLog(publisher, lambda: context.clock.state.driven or not pressure.too_high(context.clock.last_known_ms()))
        importer = self._importer = Importer(self._means(context, kafka))
        letters = DeadLetters(context.db, context.vault)
        self._hooks = Hooks(
            self._connectors, Payloads(context.db, context.vault), kafka, context.clock.now, context.settings.partitions
        )
        hooks = HookEdge(self._hooks, lambda connector: secret_of(context.vault, connector), self._bot_edge(context, kafka))
        edge = app(
            kafka, letters, self._sources, context.clock.now, context.settings.partitions, hooks, OperationsEdge(self._hooks)
        )
        async with AsyncExitStack() as stack:
            stack.push_async_callback(publisher.close)
            await stack.enter_async_context(_beside(self._look_on(context, pressure), context))
            await stack.enter_async_context(_beside(importer.run(), context))
            context.apps["ingest"] = await stack.enter_async_context(
                serving(
                    edge,
                    context.settings.host,
                    self.settings.ingest_port,
                    context.stopping,
                    http="httptools",
                    ws="none",
                    server_header=False,
                    limit_concurrency=self.settings.max_connections,
                    # Longer than what stands before us keeps a connection, so that it never meets a closed one.
                    timeout_keep_alive=75,
                    timeout_graceful_shutdown=8,
                )
            )
            yield

    def api(self, context: Context) -> Sequence[BaseRoute]:
        imports = Imports(context.db, context.vault)
        payloads = Payloads(context.db, context.vault)
        return [
            *imports_api.routes(imports, self.settings, context.clock.now, self._wake),
            *connectors_api.routes(payloads, self._taker, context.clock.last_known_ms),
        ]

    def _bot_edge(self, context: Context, kafka: KafkaLog) -> BotEdge:
        updates = Updates(self._bots, context.vault, kafka, context.clock.now, context.settings.partitions)
        return BotEdge(updates, lambda bot: bots.secret_of(context.vault, bot))

    def _taker(self) -> Hooks:
        if self._hooks is None:
            raise RuntimeError("ingest does not serve yet")
        return self._hooks

    async def committed(self) -> None:
        """Documents came: keys are in force at once."""
        if self._context is not None:
            with contextlib.suppress(*TRANSIENT):  # the next look takes them in
                await self._refresh(self._context)

    async def settle(self) -> bool:
        return await self._importer.settle() if self._importer else False

    async def busy(self) -> bool:
        return self._importer is not None and self._importer.busy()

    def _first(self) -> Source:
        said = self.settings
        return Source(
            brand=said.first_brand, name=said.first_source, currency=said.first_currency or None, region=said.first_region
        )

    def _means(self, context: Context, kafka: KafkaLog) -> Means:
        return Means(
            Imports(context.db, context.vault),
            kafka,
            context.clock,
            context.failpoint,
            rows=self.settings.import_rows,
            partitions=context.settings.partitions,
        )

    def _wake(self) -> None:
        if self._importer is not None:
            self._importer.wake()

    async def _refresh(self, context: Context) -> None:
        async with context.db.transaction() as connection:
            revision = await connection.fetchval("SELECT revision FROM definition_revision")
            await self._sources.refresh(connection, revision)
            await self._connectors.refresh(connection, revision)
            await self._bots.refresh(connection, revision)

    async def _look(self, context: Context, pressure: Pressure) -> None:
        """Keys that another process took in, and how far the consumers are."""
        await self._refresh(context)
        await pressure.read(context.db, context.clock.last_known_ms())

    async def _clean(self, context: Context) -> None:
        """What has been kept long enough goes, whether new things come or not."""
        now = context.clock.last_known_ms()
        if now - self._cleaned_at >= CLEAN_MS:
            await Payloads(context.db, context.vault).clean(now)
            await Imports(context.db, context.vault).clean(now)
            self._cleaned_at = now

    async def _look_on(self, context: Context, pressure: Pressure) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look(context, pressure)
                await self._clean(context)
            except TRANSIENT as error:  # until then the last answer holds
                log.warning("could not look at keys and lag", extra={"why": type(error).__name__})


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None], context: Context) -> AsyncIterator[None]:
    """A task beside the block. When it fails the service stops, and says so."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda _: context.stopping.set())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def build(settings: IngestSettings) -> Service:
    """The service; `context.apps["ingest"]` is its port once it serves."""
    ingest = Ingest(settings)
    return Service(
        name="ingest",
        consumes=(Consumes(DEFINITIONS, decode_definition),),
        migrations=("services.ingest.migrations",),
        topics_written=(FACTS_RAW, FACTS_RAW_BULK),
        life=ingest.life,
        committed=ingest.committed,
        settle=ingest.settle,
        busy=ingest.busy,
        api=ingest.api,
        failpoints=FAILPOINTS,
    )
