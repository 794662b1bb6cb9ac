"""/api/bi/refresh, and the job that does the same by itself: figures of reports, kept by day for BI tools (docs/bi.md)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from runtime.clock import wall_ms
from runtime.db import TRANSIENT, Database
from services.gateway.api.counting import RefusedError
from services.gateway.api.dashboard_figures import Brand, Figures
from services.gateway.api.desk import Desk, Ready
from services.gateway.api.experiment_results import Question, Results
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain import dashboards as domain
from services.gateway.domain.access import SCOPES, Key
from services.gateway.domain.brands import clock_of
from services.gateway.domain.problems import Problem
from services.gateway.handler.call import Answer, Call
from services.gateway.settings import GatewaySettings
from services.gateway.store import dashboards as store
from services.gateway.store import documents

log = logging.getLogger(__name__)

DAY_S = 86_400.0
LEASE_S = 60.0  # whose turn was not renewed for so long has lost it
LOOK_S = 5.0  # how often it is looked whether a refresh is due
OURSELVES = Key("installation", "installation", frozenset(SCOPES))


def routes(desk: Desk, dashboards: "Dashboards") -> APIRouter:
    router = APIRouter(tags=["reports"])

    @router.post("/api/bi/refresh", openapi_extra=_described())
    async def refresh(request: Request) -> Response:
        """Count the days `from` to `to` (both among them; without them the last ones) again for the views of BI tools, and answer when they
        show it: how many rows each view has for these days.
        """

        async def ask(body: Any) -> Ready:
            key = await desk.admit(request, "write")
            key.needs_brand(None)
            now, _ = await desk.context.clock.now()
            first, last = domain.asked(body, domain.EPOCH + timedelta(milliseconds=now), dashboards.usual)
            try:
                rows = await dashboards.refresh(first, last)
            except RefusedError as error:
                raise error.problem() from error

            async def done(call: Call) -> Answer:
                await call.audit("refresh", "bi", **rows)
                return Answer({"rows": rows})

            return done

        return await desk.act_on(request, "write", ask)

    return router


def _described() -> dict[str, Any]:
    day = {"type": "string", "format": "date"}
    schema = {"type": "object", "properties": {"from": day, "to": day}}
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


class Dashboards:
    """Asks the reports, and keeps what they answer."""

    def __init__(self, desk: Desk, neighbours: Neighbours, settings: GatewaySettings) -> None:
        self._context, self._neighbours, self._settings = desk.context, neighbours, settings
        self._results = Results(desk, neighbours)
        self._figures = Figures(desk.context.db, neighbours, self._results, settings.bi_targets, settings.bi_teams)
        self.usual = settings.bi_days

    @asynccontextmanager
    async def life(self) -> AsyncIterator[None]:
        """Refresh by itself while it lasts. In a driven run nothing comes by itself: it is asked for."""
        keeping = asyncio.create_task(self._keep(), name="gateway-bi") if self._settings.bi_every_s else None
        try:
            yield
        finally:
            if keeping is not None:
                await _ended(keeping)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(min(LOOK_S, self._settings.bi_every_s))
            try:
                await self.look()
            except Problem as error:
                log.warning("figures for BI tools wait", extra={"why": str(error)})
            except TRANSIENT as error:
                log.warning("figures for BI tools wait", extra={"why": type(error).__name__})
            except Exception:  # management does not stop for what BI tools see
                log.exception("figures for BI tools cannot be brought up: it is tried again")

    async def look(self) -> None:
        """Do what is due, if no other process does it and time is nobody's to drive. Raises Problem: it is due again within a minute."""
        if (await self._context.clock.read()).driven:
            return
        for name, every_s, days in (
            ("often", self._settings.bi_every_s, self._settings.bi_days),
            ("nightly", DAY_S, self._settings.bi_nightly_days),
        ):
            async with turn(self._context.db, name, round(every_s * 1000)) as mine:
                if mine:
                    await self._by_itself(days, nightly=name == "nightly")

    async def _by_itself(self, days: int, *, nightly: bool) -> None:
        """What is refused stays as it stood until the next turn: it would be refused in a minute too. Raises Problem where somebody did not
        answer.
        """
        failed: list[Exception] = []
        await self.refresh(None, None, days, nightly=nightly, failed=failed)
        if silent := [error for error in failed if isinstance(error, Problem)]:
            raise silent[0]

    async def refresh(
        self,
        first: date | None,
        last: date | None,
        most: int | None = None,
        *,
        nightly: bool = False,
        failed: list[Exception] | None = None,
    ) -> dict[str, int]:
        """Count these days again; without them the last `most`. Returns how many rows each view has of them.

        failed: takes what was refused, or not answered, and the rest is counted all the same; without it the first of these is raised: a
        Problem or RefusedError.
        """
        now, _ = await self._context.clock.now()
        brands, experiments = await self._known()
        rows = {"outcomes": 0, "conversions": 0, "channels": 0, "experiments": 0}
        spans: dict[str, tuple[date, date]] = {}
        for brand in brands:
            today = domain.EPOCH + timedelta(days=brand.clock.day(now))
            end = min(last or today, today)
            begin = min(first or end - timedelta(days=(most or self.usual) - 1), end)
            spans[brand.key] = max(begin, domain.EPOCH), end
            with _past(Problem, failed, brand=brand.key):  # who does not answer for one part is not asked for a year of them
                await self._brand(brand, spans[brand.key], rows, failed)
        for question in experiments:
            span = spans.get(question.document.brand)
            if span is not None and not nightly:  # what one had shown by a day that is over changes with late facts alone
                with _past((Problem, RefusedError), failed, experiment=question.document.key):
                    rows["experiments"] += await self._figures.experiment(question, span, now)
        return rows

    async def _brand(self, brand: Brand, span: tuple[date, date], rows: dict[str, int], failed: list[Exception] | None) -> None:
        """Its days and the quarters that they touch. rows: are added to."""
        for part in domain.parts(brand.clock, *span):
            with _past(RefusedError, failed, brand=brand.key, days=f"{part.first}/{part.last}"):
                for view, count in (await self._figures.days(brand, part)).items():
                    rows[view] += count
        for quarter in domain.quarters(brand.clock, *span):
            with _past(RefusedError, failed, brand=brand.key, quarter=str(quarter.first)):
                rows["channels"] += await self._figures.quarter(brand, quarter)

    async def _known(self) -> tuple[list[Brand], list[Question]]:
        """Brands that are published, and experiments that ran. What is no more is forgotten."""
        async with self._context.db.transaction() as connection:
            call = Call(connection, OURSELVES, wall_ms(), self._context.settings)
            published = await documents.of_kind(connection, "brand")
            brands = [Brand(key, clock_of(body)) for key, body in sorted(published.items())]
            keys = sorted(await documents.of_kind(connection, "experiment"))
            found = [await self._results.question(call, key) for key in keys]
            await store.keep_experiments(connection, keys)
        return brands, [one for one in found if one is not None]


@contextmanager
def _past(kind: type[Exception] | tuple[type[Exception], ...], failed: list[Exception] | None, **of: str) -> Iterator[None]:
    """Errors of this kind go to `failed` and the log, and the work behind them goes on; without `failed` they are raised."""
    try:
        yield
    except kind as error:
        if failed is None:
            raise
        log.warning("figures for BI tools stay as they were", extra={"why": str(error), **of})
        failed.append(error)


@asynccontextmanager
async def turn(db: Database, name: str, every: int) -> AsyncIterator[bool]:
    """Whether it is due and ours. every: ms from one beginning to the next.

    It is held on a lease, and counts as begun at its end only: where it fails, or this process or its database dies, it is due again within
    LEASE_S.
    """
    begun = wall_ms()
    lease = store.Lease(name, every, round(LEASE_S * 1000))
    async with db.transaction() as connection:
        mine = await lease.taken(connection, begun)
    if not mine:
        yield False
        return
    renewing = asyncio.create_task(_renewed(db, lease), name=f"gateway-bi-{name}")
    try:
        yield True
    finally:
        await _ended(renewing)
    async with db.transaction() as connection:
        await lease.done(connection, begun)


async def _renewed(db: Database, lease: store.Lease) -> None:
    """Until it is lost. A database that is away for a moment is asked again."""
    while True:
        await asyncio.sleep(LEASE_S / 4)
        try:
            async with db.transaction() as connection:
                if not await lease.renewed(connection, wall_ms()):
                    return
        except TRANSIENT as error:
            log.warning("the turn of a refresh is not renewed", extra={"why": type(error).__name__})


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
