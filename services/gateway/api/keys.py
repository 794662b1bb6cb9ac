"""/api/keys, /api/write-keys and /api/audit."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.gateway.api.desk import Desk
from services.gateway.api.documents import page
from services.gateway.domain.problems import Problem
from services.gateway.handler import keys as handler
from services.gateway.handler.call import Answer, Call
from services.gateway.store import keys as store

Limit = Annotated[int, Query(ge=1, le=1000)]
NEWEST = 2**63 - 1
Before = Annotated[int, Query(ge=0, le=NEWEST)]


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["keys"])

    @router.post("/api/keys", status_code=201)
    async def add(request: Request) -> Response:
        """`{"name", "scopes", "brands"?, "expires_at"?}` -> the key, shown this once."""
        return await desk.act(request, "admin", handler.add)

    @router.get("/api/keys")
    async def list_keys(request: Request, limit: Limit = 100, next: str = "") -> Response:  # noqa: A002
        """Without the keys themselves: nobody has them but their owners."""
        async with desk.calling(request, "admin") as call:
            rows = await store.listed(call.connection, next, limit + 1, call.key.brands)
        return page([dict(row) for row in rows], limit, "id")

    @router.delete("/api/keys/{key_id}", status_code=204)
    async def revoke(request: Request, key_id: str) -> Response:
        """In force at once."""

        async def work(call: Call, _body: Any) -> Answer:
            return await handler.revoke(call, key_id)

        return await desk.act(request, "admin", work)

    @router.post("/api/write-keys", status_code=201)
    async def add_write_key(request: Request) -> Response:
        """`{"brand", "source", "lane"?, "currency"?, "region"?}` -> the write key of a source, shown this once."""
        return await desk.act(request, "admin", handler.add_write_key)

    @router.get("/api/write-keys")
    async def list_write_keys(request: Request, limit: Limit = 100, next: str = "") -> Response:  # noqa: A002
        async with desk.calling(request, "admin") as call:
            return page(await handler.write_keys(call, next, limit + 1), limit, "id")

    @router.delete("/api/write-keys/{key_id}", status_code=204)
    async def revoke_write_key(request: Request, key_id: str) -> Response:
        """In force as soon as ingest has read it, within a second."""

        async def work(call: Call, _body: Any) -> Answer:
            return await handler.revoke_write_key(call, key_id)

        return await desk.act(request, "admin", work)

    @router.get("/api/audit")
    async def audit(request: Request, limit: Limit = 100, next: Before = NEWEST) -> Response:  # noqa: A002
        """Who did what, newest first."""
        async with desk.calling(request, "admin") as call:
            if call.key.brands:
                raise Problem("brand_forbidden", brands=", ".join(call.key.brands))
            items = await store.audited(call.connection, next, limit + 1)
        return page(items, limit, "id")

    return router
