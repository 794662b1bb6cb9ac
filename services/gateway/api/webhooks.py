"""/api/webhooks/{key}/...: the secret that signs, shown once, and whether an endpoint is still called."""

from typing import Any, cast

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from schemas.webhooks import WebhookEndpoint, secret_of, shown
from services.gateway.api.desk import Desk
from services.gateway.api.in_force import in_force
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain.kinds import KINDS
from services.gateway.domain.problems import Problem
from services.gateway.handler.call import Answer, Call
from services.gateway.store import documents, keys

WEBHOOK = KINDS["webhook"]


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["webhooks"])

    @router.post("/api/webhooks/{key}/secret", status_code=201)
    async def secret(request: Request, key: str) -> Response:
        """`{secret, secret_version}` for the receiver, once for each `secret_version` in force. It is kept nowhere, but
        for a day, sealed, in the answer to an `Idempotency-Key`.
        """

        async def work(call: Call, _body: Any) -> Answer:
            document = cast("WebhookEndpoint", await in_force(call, WEBHOOK, key))
            version = document.secret_version
            what = f"{document.brand} {key} {version}"
            if await keys.was_shown(call.connection, what):
                raise Problem("secret_shown", version=version)
            await call.audit(keys.SHOWN, what)
            told = shown(secret_of(desk.context.vault, document.brand, key, version))
            return Answer({"secret": told, "secret_version": version}, 201)

        return await desk.act(request, "admin", work)

    @router.get("/api/webhooks/{key}/status")
    async def status(request: Request, key: str) -> Response:
        """`{version, off_since}`: off_since: when (ms) the endpoint said 410 to the version in force, after which it is called no more."""
        async with desk.calling(request, "read") as call:
            await in_force(call, WEBHOOK, key)
            draft = await documents.get(call.connection, WEBHOOK.name, key)
        version = draft.published_version if draft else None
        found = await neighbours.require("sender", f"/webhooks/{key}")
        off = {one["version"]: one["at"] for one in found["off"]}
        return JSONResponse({"version": version, "off_since": off.get(version)})

    return router
