"""POST /api/journeys/{key}/start: a person, or up to 1,000 of them, begins a journey whose trigger is the API."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.gateway.api import wire
from services.gateway.api.desk import Desk
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.starting import Start, Starts
from services.gateway.handler.starting import start as start_journey


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["journeys"])
    schema = {"anyOf": [Start.model_json_schema(), Starts.model_json_schema()]}
    body = {"requestBody": {"content": {"application/json": {"schema": schema}}}}

    @router.post("/api/journeys/{key}/start", status_code=202, openapi_extra=body)
    async def start(request: Request, key: str) -> Response:
        """Answers the id of the fact, of `people` their `ids`: timelines show it, and decisions have it as their `occurrence`. The same
        `Idempotency-Key` starts nobody twice.
        """

        async def work(call: Call, asked: Any) -> Answer:
            return await start_journey(call, key, asked, request.headers.get("idempotency-key"))

        return await desk.act(request, "write", work, wire.MAX_IMPORT)

    return router
