"""/api/traffic: visits that were bought or came, and what they cost. Reports print them beside the leads."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from schemas.attribution import Spend
from services.gateway.api import wire
from services.gateway.api.desk import Desk
from services.gateway.domain import traffic as domain
from services.gateway.domain.problems import Fault, Problem
from services.gateway.handler.call import Answer, Call
from services.gateway.store import traffic as store

Limit = Annotated[int, Query(ge=1, le=1000)]
FIRST, LAST = date(1970, 1, 1), date(9999, 12, 31)


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["reports"])

    @router.post("/api/traffic", openapi_extra=_described())
    async def keep(request: Request) -> Response:
        """Rows of day, brand, source, campaign, landing, visits, cost (whole minor units) and currency, as JSON `{"rows": [...]}` or as CSV
        (`text/csv`) with these names above. A row that is told again under its day, brand, source, campaign and landing corrects the one
        that stood there. All rows are taken, or none.
        """
        of_csv = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "text/csv"
        return await desk.act(request, "write", _keep, wire.MAX_IMPORT, domain.rows_of_csv if of_csv else _rows_of_json)

    @router.get("/api/traffic")
    async def page(
        request: Request,
        brand: str = "",
        since: str = "",
        until: str = "",
        limit: Limit = 100,
        next: str = "",  # noqa: A002
    ) -> Response:
        """The rows of the days since <= day <= until: `{items, next}`."""
        async with desk.calling(request, "read") as call:
            if brand:
                call.key.needs_brand(brand)
            days = _day("since", since, FIRST), _day("until", until, LAST)
            brands = [brand] if brand else list(call.key.brands)
            rows = await store.page(call.connection, domain.place_of(next), days, brands, limit)
        more = domain.cursor_of(rows[-1]) if len(rows) == limit else None
        return JSONResponse({"items": [domain.told(dict(row)) for row in rows], "next": more})

    return router


def _rows_of_json(raw: bytes) -> list[Spend]:
    return domain.rows_of(wire.json_of(raw))


async def _keep(call: Call, rows: list[Spend] | None) -> Answer:
    if rows is None:  # no body
        raise Problem("invalid", [Fault("rows", "missing")])
    for brand in sorted({row.brand for row in rows}):
        call.key.needs_brand(brand)
    kept = await store.keep(call.connection, rows, call.now)
    await call.audit("keep traffic", "traffic", rows=len(rows), corrected=kept.corrected)
    return Answer({"rows": len(rows), "new": kept.fresh, "corrected": kept.corrected})


def _day(name: str, given: str, otherwise: date) -> date:
    if not given:
        return otherwise
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise Problem("invalid", [Fault(name, "date")]) from error


def _described() -> dict[str, Any]:
    schema = {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "array", "items": Spend.model_json_schema()}}}
    return {"requestBody": {"content": {"application/json": {"schema": schema}, "text/csv": {"schema": {"type": "string"}}}}}
