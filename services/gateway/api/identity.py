"""/api/identity/rules/rehearse: what other rules of identity would do, before they are published."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from services.gateway.api import wire
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import for_all_brands
from services.gateway.domain.kinds import KINDS, read, text_of

IDENTITY = KINDS["identity"]


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["profiles"])
    body = {
        "requestBody": {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{IDENTITY.model.__name__}"}}}}
    }

    @router.post("/api/identity/rules/rehearse", openapi_extra=body)
    async def rehearse(request: Request) -> Response:
        """Which people would become one under these rules, of those whom a contradiction keeps apart now: how many, by which kinds of
        identifiers, and a sample of pairs. Nothing is changed. Published rules judge a contradiction when the next fact brings it.
        """
        for_all_brands(await desk.admit(request, "read"))
        document = read(IDENTITY, "rules", wire.json_of(await wire.body_of(request)))
        status, found = await neighbours.tell("profile", "/identity/rehearse", text_of(document))
        return JSONResponse(found, status)

    return router
