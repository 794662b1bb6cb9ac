"""What services of one installation ask each other over HTTP: dead letters, quiet, and what a service adds (`Service.api`).

Served beside /livez under /internal, to callers that hold the installation's secret: it shows personal data and it acts.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime import quiet, replays

if TYPE_CHECKING:
    from runtime.process import Context

MOST = 1000


def token(secret: str) -> str:
    """What a caller sends as `Authorization: Bearer`; secret: of the installation (runtime.process.secret)."""
    return hmac.new(secret.encode(), b"otklik internal", hashlib.sha256).hexdigest()


class Guarded:
    """Answers 401 unless the caller sends the token."""

    def __init__(self, app: Any, expected: str) -> None:
        self._app, self._expected = app, f"Bearer {expected}".encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        given = dict(scope["headers"]).get(b"authorization", b"")
        if hmac.compare_digest(given, self._expected):
            await self._app(scope, receive, send)
        else:
            await JSONResponse({"code": "unauthorized"}, status_code=401)(scope, receive, send)


def app(contexts: Sequence["Context"], secret: str) -> Guarded:
    """All services of a process: generic routes take `?service=` where there are several, their own routes have names of their own."""
    routes: list[BaseRoute] = [
        Route("/dead-letters", _of_one(contexts, _dead_letters)),
        Route("/dead-letters/replay", _of_one(contexts, _replay), methods=["POST"]),
        Route("/quiet", _of_one(contexts, _quiet)),
        Route("/held", _of_one(contexts, _held)),
        Route("/erased", _of_one(contexts, _erased)),
    ]
    for context in contexts:
        routes.extend(context.service.api(context))
    return Guarded(Starlette(routes=routes), token(secret))


Handle = Callable[["Context", Request], Awaitable[Response]]


def _of_one(contexts: Sequence["Context"], handle: Handle) -> Callable[[Request], Awaitable[Response]]:
    by_name = {context.service.name: context for context in contexts}

    async def endpoint(request: Request) -> Response:
        name = request.query_params.get("service") or next(iter(by_name))
        if name not in by_name:
            return JSONResponse({"code": "unknown_service", "here": sorted(by_name)}, status_code=404)
        return await handle(by_name[name], request)

    return endpoint


async def _dead_letters(context: "Context", request: Request) -> Response:
    limit = min(MOST, int(request.query_params.get("limit", "100")))
    found = await replays.listed(context.db, int(request.query_params.get("after", "0")), limit)
    return JSONResponse({"items": found})


async def _replay(context: "Context", request: Request) -> Response:
    body = await request.json()
    return JSONResponse(await replays.replay(context, [int(number) for number in body["ids"]]))


async def _held(context: "Context", request: Request) -> Response:
    """`?profiles=a,b`: what the service keeps of a person, who has had these ids."""
    async with context.db.connection() as connection:
        return JSONResponse(await context.service.held(connection, _ids(request)))


async def _erased(context: "Context", request: Request) -> Response:
    """`?profiles=a`: what the service has done about his erasure, and when."""
    async with context.db.connection() as connection:
        return JSONResponse(await context.service.erased(connection, _ids(request)[0]))


def _ids(request: Request) -> list[str]:
    return [str(UUID(one)) for one in request.query_params["profiles"].split(",")]


async def _quiet(context: "Context", _request: Request) -> Response:
    return JSONResponse(await quiet.state(context))
