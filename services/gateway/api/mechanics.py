"""/api/mechanics: ready-made mechanics, and their installation for a brand."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from services.gateway.api.desk import Desk
from services.gateway.domain.mechanics import Install, Mechanic
from services.gateway.domain.problems import Problem
from services.gateway.handler import mechanics as handler
from services.gateway.handler.call import Answer, Call
from services.gateway.store.mechanics import shipped


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["mechanics"])
    body = {"requestBody": {"content": {"application/json": {"schema": Install.model_json_schema()}}}}

    @router.get("/api/mechanics", name="list mechanics")
    async def list_all(request: Request) -> Response:
        """All that are shipped, with their rows, events and parameters."""
        await desk.admit(request, "read")
        found = await asyncio.to_thread(shipped)
        return JSONResponse({"items": [one.told() for one in found.values()], "next": None})

    @router.get("/api/mechanics/{name}", name="get mechanic")
    async def get(request: Request, name: str) -> Response:
        """One, with the bodies of its documents as they are shipped."""
        await desk.admit(request, "read")
        mechanic = await _named(name)
        return JSONResponse({**mechanic.told(), "documents": list(mechanic.documents)})

    @router.post("/api/mechanics/{name}/install", name="install mechanic", openapi_extra=body)
    async def install(request: Request, name: str) -> Response:
        """Save its documents for a brand as drafts, or (`publish`) put them in force: all of them or none."""

        async def work(call: Call, asked: Any) -> Answer:
            return await handler.install(call, await _named(name), asked)

        return await desk.act(request, "write", work)

    return router


async def _named(name: str) -> Mechanic:
    found = (await asyncio.to_thread(shipped)).get(name)
    if found is None:
        raise Problem("document_not_found", kind="mechanic", key=name)
    return found
