"""What an operator asks for goes by a fact, so that it has its place among all others of the person."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from runtime import own
from runtime.db import Connection
from runtime.process import Context
from schemas.facts import Fact, encode
from schemas.ids import derive
from schemas.topics import FACTS_RAW

ASKED = "erasures"  # the row in which these emits are counted; of the first that there were


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
