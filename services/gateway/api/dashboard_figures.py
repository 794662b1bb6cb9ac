"""Figures for BI tools, part by part: the audience service is asked, and what stood for these days is replaced (docs/bi.md)."""

import logging
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

import msgspec

from runtime.db import Database
from schemas.zones import Zone, zone
from services.gateway.api.counting import RefusedError, counted
from services.gateway.api.experiment_results import Question, Results
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain import dashboards as domain
from services.gateway.domain.dashboards import Days, Row
from services.gateway.domain.problems import Problem
from services.gateway.settings import NamedTarget
from services.gateway.store import dashboards as store

log = logging.getLogger(__name__)


class Brand(NamedTuple):
    key: str
    clock: Zone


class Figures:
    """Each call is one part in one transaction, and tells how many rows its view has of it. Raises Problem, RefusedError."""

    def __init__(
        self,
        db: Database,
        neighbours: Neighbours,
        results: Results,
        targets: tuple[NamedTarget, ...],
        teams: Mapping[str, str],
    ) -> None:
        self._db, self._neighbours, self._results = db, neighbours, results
        self._targets, self._teams = targets, teams

    async def days(self, brand: Brand, of: Days) -> dict[str, int]:
        """One part of a brand's days, in one transaction."""
        try:
            outcomes, conversions = await self._counted(brand, of)
        except RefusedError as error:
            if not domain.too_many(error.faults) or of.first == of.last:
                raise
            both = [await self.days(brand, half) for half in domain.halves(brand.clock, of)]
            return {view: sum(one[view] for one in both) for view in both[0]}
        async with self._db.transaction() as connection:
            await store.replace_days(connection, brand.key, (of.first, of.last), outcomes, conversions)
        return {"outcomes": len(outcomes), "conversions": len(conversions)}

    async def _counted(self, brand: Brand, of: Days) -> tuple[list[Row], list[Row]]:
        outcomes = domain.outcome_rows(
            brand.key,
            await counted(self._neighbours, "/audience/outcomes", domain.outcomes_asked(brand.key, brand.clock.name, of, None)),
        )
        conversions: list[Row] = []
        for target in self._targets if outcomes else ():
            body = domain.outcomes_asked(brand.key, brand.clock.name, of, target.asked())
            told = await self._by_currency("/audience/outcomes", body, ("asked", "target"))
            conversions += domain.conversion_rows(brand.key, target.name, told)
        return outcomes, conversions

    async def quarter(self, brand: Brand, of: Days) -> int:
        target: NamedTarget = self._targets[0]
        body = domain.channels_asked(brand.key, brand.clock.name, of, target.asked(), self._teams)
        told = await self._by_currency("/audience/reports/channels", body, ("target",))
        rows = domain.channel_rows(brand.key, target.name, told, domain.kinds(self._teams))
        async with self._db.transaction() as connection:
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

    async def experiment(self, question: Question, span: tuple[date, date], now: int) -> int:
        """What it had shown by the end of each day, from its start until its last people had their window."""
        document, asked = question.document, question.asked
        over = None if asked["until"] is None else asked["until"] + document.primary.target.window
        rows: list[Row] = []
        for day in domain.experiment_days(zone(asked["zone"]), *span, asked["since"], over, now):
            try:
                told = await self._results.told(question, min(day.until - 1, now), "en")
            except Problem as error:
                if not error.faults:
                    raise
                # Of this one nothing can be said (its results say why): the others are shown all the same.
                log.warning("an experiment has no figures for BI tools", extra={"experiment": document.key, "why": str(error)})
                break
            rows += domain.experiment_rows(document.key, document.brand, day.first, document.control, told)
        async with self._db.transaction() as connection:
            await store.replace_experiment(connection, document.key, span, rows)
        return len(rows)
