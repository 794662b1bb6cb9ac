"""/api/reports/{attribution,funnel,stages,cohort,touchpoints,channels,lifetime,retention}: by which ways people come to what we wish."""

import logging
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from schemas.forecast import Forecast
from services.gateway.api import wire
from services.gateway.api.counting import RefusedError, counted
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.outcomes import clock_of, described
from services.gateway.domain import forecast as domain
from services.gateway.domain import incremental
from services.gateway.domain.analyses import MODELS, WITH_TRAFFIC, Analysis, flat
from services.gateway.domain.problems import Problem
from services.gateway.handler.keys import validated
from services.gateway.handler.noticing import Told, warned_of, with_warnings
from services.gateway.store import traffic

log = logging.getLogger(__name__)

MOST_GAINS = 50  # documents of which the statistics are asked, those that went to most people first
TOLD = {
    "attribution": "Conversions and revenue credited by five models side by side: last click, first touch, linear, position, Markov removal effect. "
    "With `leads`: origins kept, repeats, and leads that were ours by the last click alone.",
    "funnel": "How many people took the steps in order, by when they entered, and how long each took; traffic beside them.",
    "stages": "C0 to C3: registrations and applications a visitor, sales of applications, repeat applications of those who did not buy.",
    "cohort": "How customers who open letters, or are otherwise alike, differ from others: a correlation.",
    "touchpoints": "Channels before first purchases, year against year; what became of the contacts that each place brought.",
    "channels": "Revenue and its share by channel, mechanic, team and period; mail and sales side by side with what ads cost.",
    "lifetime": "Revenue a customer by age, by the period in which people came first.",
    "retention": "Who came back, by the period in which people came first.",
}

# The figures that open people, as docs/reports.md names them.
OPENED = {
    "attribution": "people, people.<label>, <model>.<label>, unattributed.<model>, leads.<figure>, leads.<figure>.<label>",
    "funnel": "step.<number>, also behind complete., cohort.<from>. and group.<value>.",
    "stages": "registrations, applications, sales, unsold, repeats, visitors.content, visitors.product, also behind cohort.<from>.",
    "cohort": "people, left_out, group.<number>, dropped, product.<name>, buyers.group.<number>, several.group.<number>",
    "touchpoints": "buyers, a_year_ago, also with .<channel>; shown.<place>, left.<place>, new.<place>, registered.<place>, paid.<place>",
    "channels": "mail, sales, both, neither, credited.mail, credited.sales, credited.ads, channel.<from>.<name>, mechanic.<from>.<name>, team.<from>.<name>",
    "lifetime": "cohort.<from>",
    "retention": "cohort.<from>, cohort.<from>.back.<number>",
}


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router, analyses = APIRouter(tags=["reports"]), Analyses(desk, neighbours)
    for name in MODELS:
        router.get(f"/api/reports/{name}", description=TOLD[name], openapi_extra=_described(name), name=name)(analyses.of(name))

    @router.post("/api/reports/forecast", openapi_extra=_forecast_described())
    async def forecast(request: Request) -> Response:
        """What an improvement of each stage is worth from registration to repeat payment: pessimistic, expected and optimistic, with payback,
        beside what came of it (`result`). Nothing is kept.
        """
        await desk.admit(request, "read")
        asked = validated(Forecast, wire.json_of(await wire.body_of(request)))
        return JSONResponse(domain.forecast(asked))

    return router


def _forecast_described() -> dict[str, Any]:
    schema = Forecast.model_json_schema(ref_template="#/$defs/{model}")
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def _described(name: str) -> dict[str, Any]:
    """The parameters: those of every report, and the fields of its model, as JSON where they are no plain text."""
    common = ("from", "to", "brand", "zone", "as_of", "format", "table", "figure", "next", "limit")
    fields = [field for field in MODELS[name].model_fields if field not in ("since", "until", "brands", "zone", "as_of", "traffic")]
    said = (MODELS[name].__doc__ or "").replace("\n", " ")
    told = {**dict.fromkeys((*common, *fields), ""), "figure": f"the people behind one in place of the report: {OPENED[name]}"}
    return {**described(told), "x-fields": " ".join(said.split())}


class Analyses:
    """Reads what is asked, brings the traffic along, asks the audience service, and shapes what it tells."""

    def __init__(self, desk: Desk, neighbours: Neighbours) -> None:
        self._desk, self._neighbours = desk, neighbours

    def of(self, name: str) -> Callable[[Request], Any]:
        async def report(request: Request) -> Response:
            reading = Analysis(name, request.query_params)
            form = reading.form()
            body, unseen = await self._body(request, name, reading)
            try:
                told = await counted(self._neighbours, f"/audience/reports/{name}", body)
            except RefusedError as error:
                raise error.problem(_place) from error
            if name == "attribution" and "figure" not in body:
                await self._gains(body, told)
            if form == "csv":
                return _csv(name, told, reading)
            return JSONResponse(with_warnings(told, unseen))

        return report

    async def _body(self, request: Request, name: str, reading: Analysis) -> tuple[dict[str, Any], list[Told]]:
        """The question, and warnings of it."""
        async with self._desk.calling(request, "read") as call:
            brands = reading.listed("brand") or list(call.key.brands)
            for brand in brands:
                call.key.needs_brand(brand)
            body = reading.told(await clock_of(call, request.query_params.get("zone"), reading, brands), brands)
            unseen = await warned_of(call, reading.read(body), reading.named)
            if name in WITH_TRAFFIC:
                body["traffic"] = await traffic.summed(call.connection, _days(body), brands)
        return body, unseen

    async def _gains(self, body: Mapping[str, Any], told: dict[str, Any]) -> None:
        """Beside what is credited, the gain against the control groups: of each document (`level=document`), and of all together."""
        try:
            groups = incremental.groups_of(await counted(self._neighbours, "/audience/outcomes", incremental.question(body)))
        except (Problem, RefusedError) as error:  # what came after the period may not add up: what is credited stands without it
            problem = error.problem() if isinstance(error, RefusedError) else error
            told |= {"incremental": None, "incremental_fault": next((fault.code for fault in problem.faults), problem.code)}
            return
        rows = {row["label"]: row for row in told["rows"]} if body.get("level") == "document" else {}
        for row in told["rows"]:
            row["incremental"] = None
        told["incremental"] = None if "" not in groups else incremental.gained(groups[""], await self._evaluated(groups[""]), None)
        for name, one in incremental.largest(groups, rows, MOST_GAINS):
            rows[name]["incremental"] = incremental.gained(one, await self._evaluated(one), rows[name][incremental.MODEL])
        if sum(name in rows for name in groups) > MOST_GAINS:
            told["incremental_limit"] = MOST_GAINS

    async def _evaluated(self, one: incremental.Groups) -> dict[str, Any] | None:
        """What the statistics say of it; None: they cannot, and the figure stands without an interval."""
        if not incremental.telling(one):
            return None
        try:
            status, told = await self._neighbours.tell("experiments", "/experiments/evaluate", incremental.evaluation(one))
        except Problem as error:
            log.warning("a gain stands without its interval", extra={"why": error.code, "groups": one._asdict()})
            return None
        if status != 200:
            log.error("a gain stands without its interval", extra={"why": status, "groups": one._asdict()})
            return None
        answer: dict[str, Any] = told
        return answer


def _days(body: Mapping[str, Any]) -> tuple[date, date]:
    """All days that may lie in the period, in whatever zone."""
    first, last = (date(1970, 1, 1) + timedelta(milliseconds=min(body[name], 200_000_000_000_000)) for name in ("since", "until"))
    return first - timedelta(days=1 if first > date(1970, 1, 1) else 0), last + timedelta(days=1)


def _place(path: str) -> str:
    """What a field of the question is called by who asked."""
    return {"since": "from", "until": "to", "target.currency": "currency"}.get(path, path)


def _csv(name: str, told: Mapping[str, Any], reading: Analysis) -> Response:
    from services.gateway.domain.outcome_table import csv_of_rows  # Arrow is large, and only tables need it

    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(csv_of_rows(flat(told, reading.table())), media_type="text/csv; charset=utf-8", headers=headers)
