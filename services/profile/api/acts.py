"""What an operator asks for goes by a fact, so that it has its place among all others of the person."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runtime import own
from runtime.db import Again, Connection
from runtime.process import Context
from schemas.facts import Fact, encode
from schemas.ids import derive
from schemas.topics import FACTS_RAW
from services.profile import store
from services.profile.api.answers import refused

Act = Callable[[Connection, str, Mapping[str, Any]], Awaitable[Response]]

TRIES = 5
ASKED = "erasures"  # the row in which these emits are counted; of the first that there were


def of_person(context: Context, act: Act) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint of `/profiles/{id}/...`: `act` gets a transaction, the canonical id, and what the body says."""

    async def endpoint(request: Request) -> Response:
        try:
            asked, person = await request.json(), str(UUID(request.path_params["id"]))
        except ValueError:
            return refused(404, "not_found")
        for _ in range(TRIES):
            with suppress(Again):  # he became somebody else's, or got another name, while we waited for his lock
                async with context.db.transaction() as connection:
                    meant = (await store.meant(connection, [person])).get(person)
                    return await act(connection, meant, asked) if meant is not None else refused(404, "not_found")
        return refused(503, "busy")

    return endpoint


async def ask(context: Context, connection: Connection, kind: str, person: str, properties: Mapping[str, Any]) -> Response:
    """Ask for an act on a canonical person in the connection's transaction. Answers the act's id."""
    now = (await context.clock.now())[0]
    fact = Fact(
        id=derive(kind, person, now, encode(properties).decode()),
        type=kind,
        brand="*",
        source="otklik",
        occurred_at=now,
        received_at=now,
        about=person,
        properties=dict(properties),
    )
    emit = own.unplaced(FACTS_RAW.name, person, encode(fact), kind)
    await own.publish_in(connection, context.settings, "profile", ASKED, [emit])
    return JSONResponse({"act": fact.id, "profile": person, "at": now}, status_code=202)
