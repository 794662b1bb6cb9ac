"""What the lake knows of one person, for the gateway: /internal/decisions and /internal/timeline."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.lake import Lake, Snapshot
from runtime.process import Context
from services.warehouse.api import decisions, timeline
from services.warehouse.api.cursor import LATEST, Cursor

Page = Callable[[Snapshot, Sequence[str], Sequence[str], int, Cursor], Awaitable[dict[str, Any]]]


class Reading:
    """The warehouse's own reader of its lake, apart from what writes and merges."""

    def __init__(self) -> None:
        self._lake: Lake | None = None

    @asynccontextmanager
    async def life(self, context: Context) -> AsyncIterator[None]:
        self._lake = Lake(context.settings.home, context.db, threads=1)
        try:
            yield
        finally:
            self._lake.close()

    def api(self, _context: Context) -> Sequence[BaseRoute]:
        """`GET /decisions?profiles=a,b&limit=&next=` and `GET /timeline?...`: newest first; `next` is null at the end.

        `brands=a,b`: only what is of one of these. `whole=1`: of facts all that is kept.
        """

        async def verdicts(request: Request) -> Response:
            return await self._answer(request, decisions.page)

        async def happened(request: Request) -> Response:
            scopes = timeline.WHOLE if request.query_params.get("whole") == "1" else timeline.PROPERTIES
            return await self._answer(request, partial(timeline.page, scopes=scopes))

        return [Route("/decisions", verdicts), Route("/timeline", happened)]

    async def _answer(self, request: Request, page: Page) -> Response:
        try:
            people = [str(UUID(one)) for one in request.query_params["profiles"].split(",")]
            brands = [one for one in request.query_params.get("brands", "").split(",") if one]
            limit = max(1, min(1000, int(request.query_params.get("limit", "100"))))
            cursor = Cursor.read(given) if (given := request.query_params.get("next")) else LATEST
        except (KeyError, ValueError):
            return JSONResponse({"code": "bad_cursor"}, status_code=422)
        assert self._lake is not None
        snapshot = await self._lake.snapshot()
        try:
            return JSONResponse(await page(snapshot, people, brands, limit, cursor))
        finally:
            snapshot.close()
