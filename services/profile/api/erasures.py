"""Asking for an erasure, and what became of it: /internal/profiles/{id}/erase, /internal/erasures/{act}."""

from collections.abc import Sequence
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.process import Context
from schemas.facts import ERASE
from services.profile import store
from services.profile.api.acts import ask
from services.profile.api.answers import refused


def routes(context: Context) -> Sequence[BaseRoute]:
    async def erase(request: Request) -> Response:
        """`POST /profiles/{id}/erase` `{"reason", "only"}`: by a fact, so that it has its place among all others. Answers the act's id."""
        try:
            asked, person = await request.json(), str(UUID(request.path_params["id"]))
        except ValueError:
            return refused(404, "not_found")
        async with context.db.transaction() as connection:
            meant = (await store.meant(connection, [person])).get(person)
            if meant is None:
                return refused(404, "not_found")
            only = sorted(asked.get("only", ()))
            return await ask(context, connection, ERASE, meant, {"reason": asked["reason"], "only": only})

    async def act(request: Request) -> Response:
        try:
            wanted = str(UUID(request.path_params["act"]))
        except ValueError:
            return refused(404, "not_found")
        async with context.db.connection() as connection:
            found = await store.act(connection, wanted)
        return JSONResponse(found._asdict()) if found is not None else refused(404, "not_found")

    return [Route("/profiles/{id}/erase", erase, methods=["POST"]), Route("/erasures/{act}", act)]
