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
_GIVEN = ("upload-offset", "upload-complete")


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["imports"])

    @router.post("/api/imports", status_code=202)
    async def create(request: Request) -> Response:
        """A form with `mapping` (JSON) and `file`, or the file itself with `?mapping=`; answers `{"id"}`. What cannot be read is kept by line.

        With `Upload-Complete: ?0` the file follows by PATCH; answers `{"id", "offset"}`, with an `Idempotency-Key` of an upload that was
        cut the same one's.
        """
        return await _sent(neighbours, request, await desk.admit(request, "write"), "/imports")

    @router.patch("/api/imports/{id}", status_code=202)
    async def append(request: Request, id: str) -> Response:  # noqa: A002
        """What follows of a file: its bytes from `Upload-Offset` on; with `Upload-Complete: ?1` it is all there. 409 says the right offset."""
        return await _sent(neighbours, request, await desk.admit(request, "write"), f"/imports/{id}")

    @router.post("/api/imports/preview")
    async def preview(request: Request) -> Response:
        """The first 20 rows of a file as the facts that they would become, with the faults by row and column; nothing is kept.

        A form or a body as for an import; the first part of a text file is enough. Without a mapping one is suggested by the header.
        """
        return await _sent(neighbours, request, await desk.admit(request, "write"), "/imports/preview")

    @router.get("/api/imports")
    async def page(request: Request) -> Response:
        """Newest first: `{items, next}`; `limit` up to 1,000, `after` is the last `next`."""
        return await _passed(neighbours, request, await desk.admit(request, "read"), "/imports")

    @router.get("/api/imports/{id}")
    async def one(request: Request, id: str) -> Response:  # noqa: A002
        """State, size, lines read of all, facts made and repeated, rows refused, lines a second."""
        return await _passed(neighbours, request, await desk.admit(request, "read"), f"/imports/{id}")

    @router.get("/api/imports/{id}/refused")
    async def refused(request: Request, id: str) -> Response:  # noqa: A002
        """The rows that were refused as CSV: line, reason, text."""
        return await _passed(neighbours, request, await desk.admit(request, "read"), f"/imports/{id}/refused")

    @router.get("/api/imports/{id}/bad")
    async def bad(request: Request, id: str) -> Response:  # noqa: A002
        """The rows that were refused as CSV: line, column, reason, and their cells under the file's own names, to mend and send again."""
        return await _passed(neighbours, request, await desk.admit(request, "read"), f"/imports/{id}/bad")

    return router


async def _sent(neighbours: Neighbours, request: Request, key: Key, path: str) -> Response:
    """With the request's body, as it comes."""
    headers = {"content-type": request.headers.get("content-type", "text/csv")}
    headers.update({name: value for name in _GIVEN if (value := request.headers.get(name)) is not None})
    if given := request.headers.get("idempotency-key"):
        headers["idempotency-key"] = hash_of(f"{key.id}\x1f{given}")
    try:
        return await _passed(neighbours, request, key, path, headers=headers, content=_stream(request))
    except ClientDisconnect:
        return Response(status_code=499)


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
