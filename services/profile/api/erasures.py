"""Asking for an erasure, and what became of it: /internal/profiles/{id}/erase, /internal/erasures/{act}."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.db import Connection
from runtime.process import Context
from schemas.facts import ERASE
from services.profile import store
from services.profile.api.acts import ask, of_person
from services.profile.api.answers import refused


def routes(context: Context) -> Sequence[BaseRoute]:
    async def erase(connection: Connection, person: str, asked: Mapping[str, Any]) -> Response:
        """`POST /profiles/{id}/erase` `{"reason", "only"}`. Answers the act's id."""
        only = sorted(asked.get("only", ()))
        return await ask(context, connection, ERASE, person, {"reason": asked["reason"], "only": only})

    async def act(request: Request) -> Response:
        try:
            wanted = str(UUID(request.path_params["act"]))
        except ValueError:
            return refused(404, "not_found")
        async with context.db.connection() as connection:
            found = await store.act(connection, wanted)
        return JSONResponse(found._asdict()) if found is not None else refused(404, "not_found")

    return [Route("/profiles/{id}/erase", of_person(context, erase), methods=["POST"]), Route("/erasures/{act}", act)]
