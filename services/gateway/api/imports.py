"""/api/imports: files of facts for the second lane, streamed through to ingest, which never meets the outside itself."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse

from schemas.write_keys import hash_of
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain.access import Key

_KEPT = frozenset(("content-type", "content-disposition"))


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["imports"])

    @router.post("/api/imports", status_code=202)
    async def create(request: Request) -> Response:
        """A form with `mapping` (JSON) and `file`, or a CSV body with `?mapping=`; answers `{"id"}`. What cannot be read is kept by line."""
        key = await desk.admit(request, "write")
        headers = {"content-type": request.headers.get("content-type", "text/csv")}
        if given := request.headers.get("idempotency-key"):
            headers["idempotency-key"] = hash_of(f"{key.id}\x1f{given}")
        try:
            return await _passed(neighbours, request, key, "/imports", headers=headers, content=_stream(request))
        except ClientDisconnect:
            return Response(status_code=499)

    @router.get("/api/imports")
    async def page(request: Request) -> Response:
        """Newest first: `{items, next}`; `limit` up to 1,000, `after` is the last `next`."""
        return await _passed(neighbours, request, await desk.admit(request, "read"), "/imports")

    @router.get("/api/imports/{id}")
    async def one(request: Request, id: str) -> Response:  # noqa: A002
        """State, size, rows read, facts made, rows refused."""
        return await _passed(neighbours, request, await desk.admit(request, "read"), f"/imports/{id}")

    @router.get("/api/imports/{id}/refused")
    async def refused(request: Request, id: str) -> Response:  # noqa: A002
        """The rows that were refused as CSV: line, reason, text."""
        return await _passed(neighbours, request, await desk.admit(request, "read"), f"/imports/{id}/refused")

    return router


async def _passed(neighbours: Neighbours, request: Request, key: Key, path: str, **more: Any) -> Response:
    """Ingest's answer as it is. brands: what the key may see; whatever the caller says of it does not count."""
    params = [(name, value) for name, value in request.query_params.multi_items() if name not in ("brands", "service")]
    if key.brands:
        params.append(("brands", ",".join(key.brands)))
    answer: httpx.Response = await neighbours.stream(request.method, "ingest", path, params=params, **more)
    headers = {name: value for name, value in answer.headers.items() if name in _KEPT}
    return StreamingResponse(answer.aiter_raw(), answer.status_code, headers, background=BackgroundTask(answer.aclose))


async def _stream(request: Request) -> AsyncIterator[bytes]:
    async for part in request.stream():
        if part:
            yield part
