"""One person: /internal/profiles."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.process import Context
from schemas.identifiers import normalise
from services.profile import store


def routes(context: Context) -> Sequence[BaseRoute]:
    """`GET /profiles?identifier=kind:value` and `GET /profiles/{id}`; an id that was merged away answers with the winner."""

    async def find(request: Request) -> Response:
        kind, _, value = request.query_params.get("identifier", "").partition(":")
        clean = normalise(kind, value)
        if clean is None:
            return refused(422, "bad_identifier")
        async with context.db.connection() as connection:
            return await _person(connection, await store.owner_of(connection, f"{kind}:{clean}"))

    async def one(request: Request) -> Response:
        try:
            person = str(UUID(request.path_params["id"]))
        except ValueError:
            return refused(404, "not_found")
        async with context.db.connection() as connection:
            stones = await store.resolve(connection, [person])
            return await _person(connection, stones.get(person, person))

    return [Route("/profiles", find), Route("/profiles/{id}", one)]


async def _person(connection: Any, person: str | None) -> Response:
    found = await store.person(connection, person) if person else None
    if found is None:
        return refused(404, "not_found")
    profile, identifiers, merged = found
    return JSONResponse(
        {
            "id": person,
            "identifiers": identifiers,
            "attributes": {name: value for name, (_, value) in sorted(profile.attributes.items()) if value is not None},
            "first_received_at": profile.first_at,
            "bucketing_id": profile.bucketing_id,
            "merged": merged,
        }
    )


def refused(status: int, code: str) -> Response:
    return JSONResponse({"code": code}, status_code=status)
