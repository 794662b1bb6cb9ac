"""/api/promo-pools/{key}: how many codes are left beside the document, and codes into it, streamed through to the orchestrator, which has
them. They never lie here.
"""

import json
from typing import Any

import httpx
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from schemas.write_keys import hash_of
from services.gateway.api import wire
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain.kinds import KINDS
from services.gateway.domain.problems import Fault, Problem
from services.gateway.handler import documents as handler
from services.gateway.handler.noticing import with_warnings

POOL = KINDS["promo-pool"]
LOAD_S = 600.0  # a million codes on a busy machine


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["promo pools"])

    @router.get("/api/promo-pools/{key}")
    async def get(request: Request, key: str) -> Response:
        """The draft, with `_meta.codes`: `{free, given, used, low}`, if the orchestrator says. Below `low_water` `_meta.warnings` says so."""
        async with desk.calling(request, "read") as call:
            answer = await handler.get(call, POOL, key)
        if counts := await _counts(neighbours, key):
            low = counts["free"] < answer.body["low_water"]
            params = {"free": counts["free"], "low_water": answer.body["low_water"]}
            warnings = [Fault("low_water", "pool_low", params=params).told(call.language)] if low else []
            answer.body["_meta"] = with_warnings({**answer.body["_meta"], "codes": {**counts, "low": low}}, warnings)
        return wire.answered(answer)

    @router.post("/api/promo-pools/{key}/codes")
    async def load(request: Request, key: str) -> Response:
        """Up to a million codes: `{"codes": [...]}`, `{"generate": {"pattern": "BDAY-########", "count"}}`, or a text or CSV with one a line.

        Answers `{added, refused, reasons, lines}`: good ones are kept, the others listed by line with the reason (the first 1,000).
        """
        async with desk.calling(request, "publish") as call:
            brand = (await handler.get(call, POOL, key)).body["brand"]
            call.key.needs_brand(brand)
        headers = {"content-type": request.headers.get("content-type", "text/csv")}
        if given := request.headers.get("idempotency-key"):
            headers["idempotency-key"] = hash_of(f"{call.key.id}\x1f{given}")
        try:
            answer = await _passed(neighbours, request, key, brand, headers)
        except ClientDisconnect:
            return Response(status_code=499)
        async with desk.calling(request, "publish") as call:
            await call.audit("load", f"promo-pool {key}", added=answer["added"], refused=answer["refused"])
        return JSONResponse(answer)

    return router


async def _counts(neighbours: Neighbours, key: str) -> dict[str, int] | None:
    """A document can be read and mended while the orchestrator is away."""
    try:
        found: dict[str, int] = await neighbours.require("orchestrator", f"/promo-pools/{key}")
    except Problem:
        return None
    return found


async def _passed(neighbours: Neighbours, request: Request, key: str, brand: str, headers: dict[str, str]) -> dict[str, Any]:
    path = f"/promo-pools/{key}/codes"
    answer = await neighbours.stream(
        "POST", "orchestrator", path, seconds=LOAD_S, params={"brand": brand}, headers=headers, content=wire.streamed(request)
    )
    try:
        told: dict[str, Any] = json.loads(await answer.aread())
    except (httpx.HTTPError, ValueError) as error:  # it ended in the middle, or says nothing that it would say of codes
        raise Problem("service_unavailable", service="orchestrator") from error
    finally:
        await answer.aclose()
    if answer.status_code == 200:
        return told
    if answer.status_code != 422:
        raise Problem("service_unavailable", service="orchestrator")
    if told["code"] in ("idempotency_mismatch", "malformed_json"):
        raise Problem(told["code"])
    if told["code"] == "too_large":
        raise Problem("too_large", limit=told["limit"])
    raise Problem("invalid", [Fault(told["path"], told["code"], told["message"])])
