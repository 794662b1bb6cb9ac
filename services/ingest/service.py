"""Puts ingest together: what it reads from the outside, what runs beside the loop, and in which order it ends."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from runtime.db import TRANSIENT
from runtime.process import Context
from runtime.publisher import Publisher
from runtime.service import Consumes, Service
from schemas.topics import DEFINITIONS, FACTS_RAW, FACTS_RAW_BULK
from services.ingest.api import app
from services.ingest.api.imports import imports_app
from services.ingest.api.inside import Doors
from services.ingest.api.server import Listening, serving
from services.ingest.domain import Source
from services.ingest.handler.buried import DeadLetters
from services.ingest.handler.importer import FAILPOINTS, Importer, Means
from services.ingest.handler.log import KafkaLog, Pressure, Starting
from services.ingest.handler.sources import Sources, decode_definition, first_of
from services.ingest.settings import IngestSettings
from services.ingest.store import Imports

log = logging.getLogger(__name__)

LOOK_S = 1.0
ROOM = 0.45  # of the retention: events are refused before the slowest consumer's lag reaches half of it


@dataclass
class Ingest:
    """The running service. port: where it listens, once it does."""

    settings: IngestSettings
    sources: Sources = field(default_factory=Sources)
    context: Context | None = None
    importer: Importer | None = None
    listening: Listening | None = None

    @property
    def port(self) -> int:
        return self.listening.port if self.listening else 0

    @asynccontextmanager
    async def life(self, context: Context) -> AsyncIterator[None]:
        """Ends in the order: requests under way, imports, the publisher."""
        self.context = context
        context.apps["ingest"] = self
        now = context.clock.last_known_ms()
        retention = context.settings.retention_ms or FACTS_RAW.retention_ms
        pressure = Pressure(int(retention * ROOM), now)
        first = self._first()
        self.sources.first = first_of(context.settings.keys_file, first)
        await self._look(pressure)
        publisher = Publisher(lambda: Starting(context.settings, "ingest"))
        kafka = KafkaLog(publisher, lambda: context.clock.state.driven or not pressure.too_high(context.clock.last_known_ms()))
        imports = Imports(context.db, context.vault)
        means = Means(
            imports, kafka, context.clock, context.failpoint, rows=self.settings.import_rows, partitions=context.settings.partitions
        )
        importer = self.importer = Importer(means)
        edge = app(kafka, DeadLetters(context.db, context.vault), self.sources, context.clock.now, context.settings.partitions)
        inside = imports_app(imports, self.settings, context.clock.last_known_ms, importer.wake)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(publisher.close)
            await stack.enter_async_context(_beside(self._look_on(pressure), context))
            await stack.enter_async_context(_beside(importer.run(), context))
            server = serving(Doors(edge, inside), context.settings.host, self.settings.ingest_port, self.settings.max_connections)
            self.listening = await stack.enter_async_context(server)
            yield

    def _first(self) -> Source:
        said = self.settings
        return Source(
            brand=said.first_brand, name=said.first_source, currency=said.first_currency or None, region=said.first_region
        )

    async def _look(self, pressure: Pressure) -> None:
        assert self.context is not None
        await self.sources.refresh(self.context.db)
        await pressure.read(self.context.db, self.context.clock.last_known_ms())

    async def _look_on(self, pressure: Pressure) -> None:
        """Keys that another process took in, and how far the consumers are. Without the database the last answer holds."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look(pressure)
            except TRANSIENT as error:
                log.warning("could not look at keys and lag", extra={"why": type(error).__name__})

    async def committed(self) -> None:
        """Documents came: keys are in force at once."""
        if self.context is not None:
            with contextlib.suppress(*TRANSIENT):  # the next look takes them in
                await self.sources.refresh(self.context.db)

    async def settle(self) -> bool:
        return await self.importer.settle() if self.importer else False

    async def listens(self) -> bool:
        return self.listening is not None and not self.listening.ended.is_set()


@asynccontextmanager
async def _beside(work: object, context: Context) -> AsyncIterator[None]:
    """A task beside the block. When it fails the service stops, and says so."""
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]
    task.add_done_callback(lambda _: context.stopping.set())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def build(settings: IngestSettings) -> Service:
    ingest = Ingest(settings)
    return Service(
        name="ingest",
        consumes=(Consumes(DEFINITIONS, decode_definition),),
        migrations=("services.ingest.migrations",),
        topics_written=(FACTS_RAW, FACTS_RAW_BULK),
        life=ingest.life,
        committed=ingest.committed,
        settle=ingest.settle,
        failpoints=FAILPOINTS,
        checks={"listening": ingest.listens},
    )
