"""/api/bi/refresh, and the job that does the same by itself: figures of reports, kept by day for BI tools (docs/bi.md)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any, NamedTuple

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from runtime.clock import wall_ms
from runtime.db import TRANSIENT
from schemas.zones import Zone, names, zone
from services.gateway.api.counting import RefusedError, counted
from services.gateway.api.desk import Desk, Ready
from services.gateway.api.experiment_results import Question, Results
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain import dashboards as domain
from services.gateway.domain.access import SCOPES, Key
from services.gateway.domain.dashboards import Days, Row
from services.gateway.domain.problems import Problem
from services.gateway.handler.call import Answer, Call
from services.gateway.settings import GatewaySettings, NamedTarget
from services.gateway.store import dashboards as store
from services.gateway.store import documents

log = logging.getLogger(__name__)

DAY_S = 86_400.0
AGAIN_S = 60.0
LOOK_S = 5.0  # how often it is looked whether a refresh is due
OURSELVES = Key("installation", "installation", frozenset(SCOPES))


class Brand(NamedTuple):
    key: str
    clock: Zone


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
        self.usual = settings.bi_days

    @asynccontextmanager
    async def life(self) -> AsyncIterator[None]:
        """Refresh by itself while it lasts. In a driven run nothing comes by itself: it is asked for."""
        keeping = asyncio.create_task(self._keep(), name="gateway-bi") if self._settings.bi_every_s else None
        try:
            yield
        finally:
            if keeping is not None:
                keeping.cancel()
                await asyncio.wait({keeping})

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(min(LOOK_S, self._settings.bi_every_s))
            try:
                if not (await self._context.clock.read()).driven:
                    await self._by_itself()
            except (Problem, RefusedError) as error:
                log.warning("figures for BI tools wait", extra={"why": str(error)})
            except TRANSIENT as error:
                log.warning("figures for BI tools wait", extra={"why": type(error).__name__})
            except Exception:  # management does not stop for what BI tools see
                log.exception("figures for BI tools cannot be brought up: it is tried again")

    async def _by_itself(self) -> None:
        for name, every_s, days in (
            ("often", self._settings.bi_every_s, self._settings.bi_days),
            ("nightly", DAY_S, self._settings.bi_nightly_days),
        ):
            async with self._context.db.transaction() as connection:
                due = await store.take_turn(connection, name, wall_ms(), round(every_s * 1000))
            if due:
                await self._or_again(name, every_s, days)

    async def _or_again(self, name: str, every_s: float, days: int) -> None:
        """A refresh whose turn this is; one that fails is due again in a minute."""
        done = False
        try:
            await self.refresh(None, None, days, nightly=name == "nightly")
            done = True
        finally:
            if not done:
                async with self._context.db.transaction() as connection:
                    await store.turn_again(connection, name, wall_ms() - round((every_s - AGAIN_S) * 1000))

    async def refresh(
        self, first: date | None, last: date | None, most: int | None = None, *, nightly: bool = False
    ) -> dict[str, int]:
        """Count these days again; without them the last `most`. Returns how many rows each view has of them. Raises Problem, RefusedError."""
        now, _ = await self._context.clock.now()
        brands, experiments = await self._known()
        rows = {"outcomes": 0, "conversions": 0, "channels": 0, "experiments": 0}
        spans: dict[str, tuple[date, date]] = {}
        for brand in brands:
            today = domain.EPOCH + timedelta(days=brand.clock.day(now))
            end = min(last or today, today)
            begin = min(first or end - timedelta(days=(most or self.usual) - 1), end)
            spans[brand.key] = max(begin, domain.EPOCH), end
            for part in domain.parts(brand.clock, *spans[brand.key]):
                for view, count in (await self._days(brand, part)).items():
                    rows[view] += count
            for quarter in domain.quarters(brand.clock, *spans[brand.key]):
                rows["channels"] += await self._quarter(brand, quarter)
        for question in experiments:
            span = spans.get(question.document.brand)
            if span is not None and not nightly:  # what one had shown by a day that is over changes with late facts alone
                rows["experiments"] += await self._experiment(question, span, now)
        return rows

    async def _known(self) -> tuple[list[Brand], list[Question]]:
        """Brands that are published, and experiments that ran. What is no more is forgotten."""
        async with self._context.db.transaction() as connection:
            call = Call(connection, OURSELVES, wall_ms(), self._context.settings)
            published = await documents.of_kind(connection, "brand")
            named = {key: str(body.get("time_zone", "UTC")) for key, body in sorted(published.items())}
            brands = [Brand(key, zone(name if name in names() else "UTC")) for key, name in named.items()]
            keys = sorted(await documents.of_kind(connection, "experiment"))
            found = [await self._results.question(call, key) for key in keys]
            await store.keep_experiments(connection, keys)
        return brands, [one for one in found if one is not None]

    async def _days(self, brand: Brand, of: Days) -> dict[str, int]:
        """One part of a brand's days, in one transaction."""
        try:
            outcomes, conversions = await self._counted(brand, of)
        except RefusedError as error:
            if not domain.too_many(error.faults) or of.first == of.last:
                raise
            both = [await self._days(brand, half) for half in domain.halves(brand.clock, of)]
            return {view: sum(one[view] for one in both) for view in both[0]}
        async with self._context.db.transaction() as connection:
            await store.replace_days(connection, brand.key, (of.first, of.last), outcomes, conversions)
        return {"outcomes": len(outcomes), "conversions": len(conversions)}

    async def _counted(self, brand: Brand, of: Days) -> tuple[list[Row], list[Row]]:
        outcomes = domain.outcome_rows(
            brand.key,
            await counted(self._neighbours, "/audience/outcomes", domain.outcomes_asked(brand.key, brand.clock.name, of, None)),
        )
        conversions: list[Row] = []
        for target in self._settings.bi_targets if outcomes else ():
            body = domain.outcomes_asked(brand.key, brand.clock.name, of, target.asked())
            for place, told in enumerate(await self._by_currency("/audience/outcomes", body, ("asked", "target"))):
                conversions += domain.conversion_rows(brand.key, target.name, told, first=not place)
        return outcomes, conversions

    async def _quarter(self, brand: Brand, of: Days) -> int:
        target: NamedTarget = self._settings.bi_targets[0]
        body = domain.channels_asked(brand.key, brand.clock.name, of, target.asked())
        rows: list[Row] = []
        for place, told in enumerate(await self._by_currency("/audience/reports/channels", body, ("target",))):
            rows += domain.channel_rows(brand.key, target.name, told, first=not place)
        async with self._context.db.transaction() as connection:
            await store.replace_quarter(connection, brand.key, of.first, rows)
        return len(rows)

    async def _by_currency(self, path: str, body: dict[str, Any], at: tuple[str, ...]) -> list[dict[str, Any]]:
        """The answer; where amounts are of several currencies, one for each. at: where the target stands in the question."""
        try:
            return [await counted(self._neighbours, path, body)]
        except RefusedError as error:
            found = domain.currencies(error.faults)
            if domain.too_many(error.faults):
                raise
            if not found:  # amounts that nobody can add up: the report says so to whoever asks it
                log.warning("a target action has no figures for BI tools", extra={"why": str(error)})
        told = []
        for currency in found:
            changed = msgspec.json.decode(msgspec.json.encode(body))
            place = changed
            for step in at:
                place = place[step]
            place["currency"] = currency
            told.append(await counted(self._neighbours, path, changed))
        return told

    async def _experiment(self, question: Question, span: tuple[date, date], now: int) -> int:
        """What it had shown by the end of each day, from its start on."""
        clock = zone(question.asked["zone"])
        rows: list[Row] = []
        for part in domain.parts(clock, *span, size=1):
            if part.until > question.asked["since"] and part.since <= now:
                try:
                    told = await self._results.told(question, min(part.until - 1, now), "en")
                except Problem as error:
                    if not error.faults:
                        raise
                    # Of this one nothing can be said (its results say why): the others are shown all the same.
                    log.warning(
                        "an experiment has no figures for BI tools", extra={"experiment": question.document.key, "why": str(error)}
                    )
                    break
                rows += domain.experiment_rows(
                    question.document.key, question.document.brand, part.first, question.document.control, told
                )
        async with self._context.db.transaction() as connection:
            await store.replace_experiment(connection, question.document.key, span, rows)
        return len(rows)
