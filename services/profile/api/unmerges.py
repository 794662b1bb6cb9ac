"""Taking a wrong merge back: /internal/profiles/{id}/unmerge."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.db import Connection
from runtime.definitions import Definitions
from runtime.process import Context
from schemas.facts import UNMERGE
from schemas.identifiers import normalise
from services.profile.api.acts import ask, of_person
from services.profile.api.answers import refused
from services.profile.api.people import REVISION, compile_rules
from services.profile.domain import KIND, Part, Rules
from services.profile.handler.erasure import locked
from services.profile.handler.unmerge import parts_of


def routes(context: Context) -> Sequence[BaseRoute]:
    rules = Definitions((KIND,), compile_rules)

    async def unmerge(connection: Connection, person: str, asked: Mapping[str, Any]) -> Response:
        """`POST /profiles/{id}/unmerge` `{"apart": [identifiers], "reason", "rehearse"}`: these identifiers are never one person with the
        others of his. Answers the act; with `rehearse` the people who would come of it, and nothing is changed.
        """
        in_force = await rules.at(connection, await connection.fetchval(REVISION))
        standing = await locked(connection, person)
        apart = [_spelled(in_force, name) for name in asked["apart"]]
        if unknown := [place for place, name in enumerate(apart) if name not in standing.homes]:
            return JSONResponse({"code": "not_his", "places": unknown}, status_code=422)
        people = [person, *standing.others]
        parts = await parts_of(connection, people, standing.profile, standing.homes, in_force, apart, "rehearsed")
        if len(parts) < 2:
            return refused(409, "nothing_to_part")
        if asked["rehearse"]:
            return JSONResponse({"profile": person, "people": list(map(_shown, parts))})
        return await ask(context, connection, UNMERGE, person, {"apart": apart, "reason": asked["reason"]})

    return [Route("/profiles/{id}/unmerge", of_person(context, unmerge), methods=["POST"])]


def _spelled(rules: Rules, name: str) -> str:
    kind, _, value = name.partition(":")
    clean = normalise(kind, value)
    return (clean is not None and rules.spelled(f"{kind}:{clean}")) or name


def _shown(part: Part) -> dict[str, Any]:
    return {"identifiers": sorted(part.profile.known_as()), "attributes": sorted(part.profile.attributes)}
