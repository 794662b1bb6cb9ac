"""What the gateway asks: /internal/rehearsals and /internal/walk."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.definitions import Definitions
from runtime.process import Context
from schemas.definitions import Published
from services.orchestrator.domain import leading
from services.orchestrator.domain.leading import Choice, Made
from services.orchestrator.domain.trials import AROUND, Draft, tried
from services.orchestrator.rehearsal.jobs import MOST_OPEN, Busy, Jobs
from services.orchestrator.rehearsal.playing import REVISION, Asked, published


class _Job(msgspec.Struct):
    asked: Asked
    brand: str | None = None


class _Walk(msgspec.Struct):
    key: str
    body: dict[str, object]
    made: Made
    choices: list[Choice] = []


def _walked(known: Sequence[Published], asked: _Walk) -> dict[str, Any]:
    book = tried(known, Draft("journey", asked.key, asked.body), alone=True).book
    return leading.walk(book, book.current[asked.key], asked.made, asked.choices)


_job = msgspec.json.Decoder(_Job).decode
_walk = msgspec.json.Decoder(_Walk).decode


def routes(context: Context, jobs: Jobs) -> Sequence[BaseRoute]:
    """`POST /rehearsals` takes a job in (429: too many are open), `GET /rehearsals/{id}` and `POST /rehearsals/{id}/stop` answer how it stands; 404: there is none.
    `POST /walk` with {key, body, made, choices}: see `leading.walk`; 422 {place, may} for a choice that cannot be made.
    """
    documents = Definitions(AROUND, published)

    async def ask(request: Request) -> Response:
        job = _job(await request.body())
        try:
            return JSONResponse(await jobs.ask(job.asked, job.brand))
        except Busy:
            return JSONResponse({"code": "rehearsals_open", "most": MOST_OPEN}, 429)

    async def read(request: Request) -> Response:
        found = await jobs.read(str(UUID(request.path_params["id"])))
        return JSONResponse(found or {"code": "not_found"}, 200 if found else 404)

    async def stop(request: Request) -> Response:
        found = await jobs.stop(str(UUID(request.path_params["id"])))
        return JSONResponse(found or {"code": "not_found"}, 200 if found else 404)

    async def walk(request: Request) -> Response:
        asked = _walk(await request.body())
        async with context.db.connection() as connection:
            known = await documents.at(connection, await connection.fetchval(REVISION))
        try:
            return JSONResponse(await asyncio.to_thread(_walked, known, asked))
        except leading.Refused as error:
            return JSONResponse({"place": error.place, "may": list(error.may)}, 422)

    return [
        Route("/rehearsals", ask, methods=["POST"]),
        Route("/rehearsals/{id}", read),
        Route("/rehearsals/{id}/stop", stop, methods=["POST"]),
        Route("/walk", walk, methods=["POST"]),
    ]
