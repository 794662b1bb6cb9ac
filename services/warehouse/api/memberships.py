"""The history of memberships for the gateway: /internal/memberships/..."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from runtime.batches import MEDIA
from runtime.lake import Lake, Snapshot
from runtime.process import Context
from services.warehouse import freezing
from services.warehouse.api import flows, leaving, members
from services.warehouse.api.cursor import LATEST, Cursor
from services.warehouse.freezing import Freeze, Freezer
from services.warehouse.standing import NEVER

MOST_SEGMENTS = 50  # of a matrix
STREAM_MEMORY = "128MB"  # of everybody in a segment: what is more goes to the disk
MOST_CIRCLES = 6  # of an overlap: nobody reads more than its 63 regions

Answer = Callable[[Request], Awaitable[Response]]


class Memberships:
    """Answers from the lake; of who is in a segment now from the table that is kept of it."""

    def __init__(self, context: Context, lake: Callable[[], Lake], freezer: Callable[[], Freezer]) -> None:
        self._context, self._lake, self._freezer = context, lake, freezer

    def routes(self) -> Sequence[BaseRoute]:
        """`members?segment=&as_of=&after=&limit=&facts=`, `stream?segment=&as_of=&lines=`, `history?segment=&profiles=&limit=&next=`,
        `flows?segments=&from=&to=`, `overlap?segments=&as_of=`. Instants are UTC ms, lists are parted by commas.

        `POST freezes` `{id, segment, list, brand, as_of}`: make a list; `GET freezes?list=`: how far that has come.
        """
        answers: dict[str, Answer] = {
            "members": self._members,
            "stream": self._stream,
            "history": self._history,
            "flows": self._flows,
            "overlap": self._overlap,
        }
        return [
            *(Route(f"/memberships/{name}", _readable(answer)) for name, answer in answers.items()),
            Route("/memberships/freezes", _readable(self._freeze), methods=["POST"]),
            Route("/memberships/freezes", _readable(self._progress)),
        ]

    async def _members(self, request: Request) -> Response:
        query = request.query_params
        limit = max(1, min(1000, int(query.get("limit", "100"))))
        after = str(UUID(query.get("after") or members.BEFORE_ALL))
        whole, as_of = query.get("facts") == "1", query.get("as_of")
        found: dict[str, Any] = {}
        if as_of is None:
            async with self._context.db.connection() as connection:
                found = await members.now(connection, query["segment"], after, limit)
        if as_of is None and not whole:
            return JSONResponse(found)
        async with self._snapshot() as snapshot:
            if as_of is not None:
                found = await members.page(snapshot, members.Asked(query["segment"], int(as_of), after, limit))
            if whole:
                await members.explain(snapshot, found["items"])
        return JSONResponse(found)

    async def _stream(self, request: Request) -> Response:
        query = request.query_params
        segment, at, lines = query["segment"], int(query.get("as_of", NEVER)), query.get("lines") == "1"

        async def parts() -> AsyncIterator[bytes]:
            # What it may take is its own and goes back with it: beside it others are answered.
            lake = Lake(self._context.settings.home, self._context.db, threads=1, memory=STREAM_MEMORY)
            try:
                async with _of(lake) as snapshot, aclosing(leaving.stream(snapshot, segment, at, lines=lines)) as found:
                    async for part in found:
                        yield part
            finally:
                lake.close()

        return StreamingResponse(parts(), media_type=MEDIA)

    async def _history(self, request: Request) -> Response:
        query = request.query_params
        people = [str(UUID(one)) for one in query["profiles"].split(",")]
        limit = max(1, min(1000, int(query.get("limit", "100"))))
        cursor = Cursor.read(given) if (given := query.get("next")) else LATEST
        async with self._snapshot() as snapshot:
            return JSONResponse(await members.log(snapshot, people, query["segment"], limit, cursor))

    async def _flows(self, request: Request) -> Response:
        query = request.query_params
        segments = _segments(query["segments"], MOST_SEGMENTS)
        async with self._snapshot() as snapshot:
            return JSONResponse(await flows.flows(snapshot, segments, int(query["from"]), int(query["to"])))

    async def _overlap(self, request: Request) -> Response:
        segments = _segments(request.query_params["segments"], MOST_CIRCLES)
        async with self._snapshot() as snapshot:
            return JSONResponse(await flows.overlap(snapshot, segments, int(request.query_params["as_of"])))

    async def _freeze(self, request: Request) -> Response:
        asked, now = await request.json(), (await self._context.clock.now())[0]
        as_of = now if asked["as_of"] is None else min(now, asked["as_of"])
        freeze = Freeze(asked["id"], asked["segment"], asked["list"], asked["brand"], as_of, now)
        async with self._context.db.transaction() as connection:
            await freezing.ask(connection, freeze)
            found = await freezing.progress(connection, freeze.list)
        self._freezer().wake()
        return JSONResponse(found, status_code=202)

    async def _progress(self, request: Request) -> Response:
        async with self._context.db.connection() as connection:
            found = await freezing.progress(connection, request.query_params["list"])
        return JSONResponse(found, 200 if found else 404)

    def _snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        return _of(self._lake())


@asynccontextmanager
async def _of(lake: Lake) -> AsyncIterator[Snapshot]:
    snapshot = await lake.snapshot(merges=True)
    try:
        yield snapshot
    finally:
        snapshot.close()


def _segments(given: str, most: int) -> list[str]:
    """Raises ValueError."""
    found = list(dict.fromkeys(given.split(",")))
    if not all(found) or len(found) > most:
        raise ValueError(given)
    return found


def _readable(answer: Answer) -> Answer:
    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request)
        except (KeyError, ValueError):
            return JSONResponse({"code": "unreadable"}, status_code=422)

    return endpoint
