"""What the lake knows, for the gateway: of one person /internal/decisions and /internal/timeline, of segments /internal/memberships."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.kafka import wait_for
from runtime.lake import Lake, Snapshot
from runtime.process import Context
from services.warehouse import roster
from services.warehouse.api import decisions, stats, timeline
from services.warehouse.api.cursor import LATEST, Cursor
from services.warehouse.api.memberships import Memberships
from services.warehouse.freezing import Freezer

Page = Callable[[Snapshot, Sequence[str], Sequence[str], int, Cursor], Awaitable[dict[str, Any]]]


class Reading:
    """The warehouse's own reader of its lake, apart from what writes and merges."""

    def __init__(self) -> None:
        self._lake: Lake | None = None
        self._freezer: Freezer | None = None

    @asynccontextmanager
    async def life(self, context: Context) -> AsyncIterator[None]:
        self._lake = lake = Lake(context.settings.home, context.db, threads=1)
        try:
            await wait_for(lambda: roster.fill(context.db, lake), timeout=60)  # a database that is just coming up
            self._freezer = Freezer(context, self._lake)
            freezing = asyncio.create_task(self._freezer.run(), name="warehouse-freezer")
            try:
                yield
            finally:
                freezing.cancel()
                await asyncio.wait({freezing})
        finally:
            self._lake.close()

    @property
    def lake(self) -> Lake:
        assert self._lake is not None
        return self._lake

    @property
    def freezer(self) -> Freezer:
        assert self._freezer is not None
        return self._freezer

    async def settle(self) -> bool:
        return await self.freezer.settle()

    async def busy(self) -> bool:
        return await self.freezer.busy()

    def api(self, context: Context) -> Sequence[BaseRoute]:
        """`GET /decisions?profiles=a,b&limit=&next=` and `GET /timeline?...`: newest first; `next` is null at the end.

        `brands=a,b`: only what is of one of these. `whole=1`: of facts all that is kept. `document=journey:KEY`: verdicts of it only.

        `GET /document-stats?document=journey:KEY&brands=`: how many of each verdict (api/stats.py).
        """

        async def verdicts(request: Request) -> Response:
            return await self._answer(request, partial(decisions.page, document=request.query_params.get("document", "")))

        async def counted(request: Request) -> Response:
            brands = [one for one in request.query_params.get("brands", "").split(",") if one]
            snapshot = await self.lake.snapshot(merges=True)
            try:
                return JSONResponse(await stats.of_document(snapshot, request.query_params["document"], brands))
            finally:
                snapshot.close()

        async def happened(request: Request) -> Response:
            scopes = timeline.WHOLE if request.query_params.get("whole") == "1" else timeline.PROPERTIES
            return await self._answer(request, partial(timeline.page, scopes=scopes))

        segments = Memberships(context, lambda: self.lake, lambda: self.freezer)
        return [Route("/decisions", verdicts), Route("/timeline", happened), Route("/document-stats", counted), *segments.routes()]

    async def _answer(self, request: Request, page: Page) -> Response:
        try:
            people = [str(UUID(one)) for one in request.query_params["profiles"].split(",")]
            brands = [one for one in request.query_params.get("brands", "").split(",") if one]
            limit = max(1, min(1000, int(request.query_params.get("limit", "100"))))
            cursor = Cursor.read(given) if (given := request.query_params.get("next")) else LATEST
        except (KeyError, ValueError):
            return JSONResponse({"code": "bad_cursor"}, status_code=422)
        snapshot = await self.lake.snapshot()
        try:
            return JSONResponse(await page(snapshot, people, brands, limit, cursor))
        finally:
            snapshot.close()
