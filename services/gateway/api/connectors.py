"""/api/connectors/{key}/...: the address of a webhook, what it took in, trying a mapping before it is published, replaying."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from schemas.connectors import Connector, secret_of
from services.gateway.api import wire
from services.gateway.api.desk import Desk
from services.gateway.api.in_force import in_force, reaches
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import brands_of
from services.gateway.domain.kinds import KEY, KINDS, read, text_of
from services.gateway.domain.problems import Fault, Problem

Limit = Annotated[int, Query(ge=1, le=100)]
Before = Annotated[int, Query(ge=0, le=2**62)]
CONNECTOR = KINDS["connector"]
MOST = 100  # payloads of one replay


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["connectors"])

    @router.get("/api/connectors/{key}/url")
    async def url(request: Request, key: str) -> Response:
        """Where the other system sends its payloads to. Another `secret_version` of the document gives another address."""
        async with desk.calling(request, "admin") as call:
            document = cast("Connector", await in_force(call, CONNECTOR, key))
        base = str(request.base_url).rstrip("/")
        secret = secret_of(desk.context.vault, document)
        return JSONResponse({"url": f"{base}/hooks/{key}/{secret}", "path": f"/hooks/{key}/{secret}"})

    @router.get("/api/connectors/{key}/payloads")
    async def payloads(request: Request, key: str, limit: Limit = 20, before: Before = 2**62) -> Response:
        """The payloads of the last days as they came, newest first, with the facts that each made and what was wrong with it."""
        asked = await desk.admit(request, "read")
        return _passed(
            *await neighbours.ask("ingest", f"/connectors/{_plain(key)}/payloads", **brands_of(asked), limit=limit, before=before)
        )

    @router.post("/api/connectors/{key}/test")
    async def test(request: Request, key: str) -> Response:
        """{document, payload}: the calls and facts that a payload would make by this document; nothing is sent.

        payload: the id of one that was taken in, or {content_type, query, body}; without one the last that came.
        """
        asked = await desk.admit(request, "write")
        body = wire.json_of(await wire.body_of(request))
        if not isinstance(body, dict):
            raise Problem("invalid", [Fault("", "object")])
        document = read(CONNECTOR, key, body.get("document"))
        reaches(asked, document)
        told = {"document": text_of(document), "payload": body.get("payload")}
        if not isinstance(told["payload"], dict):
            asked.needs("read")  # it shows what came
        status, found = await neighbours.tell("ingest", f"/connectors/{_plain(key)}/test", told, **brands_of(asked))
        if status == 404:
            raise Problem("payload_not_found")
        return JSONResponse(found, status)

    @router.post("/api/connectors/{key}/replay")
    async def replay(request: Request, key: str) -> Response:
        """{ids}: read kept payloads again by the published document. A fact that was made before is the same fact, and counts once."""
        async with desk.calling(request, "publish") as call:
            await in_force(call, CONNECTOR, key)
        body = wire.json_of(await wire.body_of(request))
        ids = body.get("ids") if isinstance(body, dict) else None
        if not isinstance(ids, list) or not ids or not all(type(one) is int for one in ids):
            raise Problem("invalid", [Fault("ids", "list_type")])
        if len(ids) > MOST:
            raise Problem("invalid", [Fault("ids", "too_long", params={"max_length": MOST})])
        return _passed(*await neighbours.tell("ingest", f"/connectors/{_plain(key)}/replay", {"ids": ids}, **brands_of(call.key)))

    return router


def _plain(key: str) -> str:
    if not KEY.fullmatch(key):
        raise Problem("document_not_found", kind=CONNECTOR.name, key=key)
    return key


def _passed(status: int, found: Any) -> Response:
    if status == 404:
        raise Problem("payload_not_found")
    return JSONResponse(found, status)
