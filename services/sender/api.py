"""What the gateway asks of the sender: the messages whose fate nobody knows, the endpoints that are gone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from schemas.messages import decode_intent
from services.sender.store import switched_off

if TYPE_CHECKING:
    from runtime.process import Context

IN_DOUBT = """
SELECT id::text AS id, intent, started_at, code FROM attempt
WHERE state = 'in_doubt' AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2
"""


def routes(context: "Context") -> Sequence[BaseRoute]:
    async def in_doubt(request: Request) -> Response:
        """`{items, next}`: each with the intent's place in its journey; no address, no text."""
        limit = min(1000, int(request.query_params.get("limit", 100)))
        after = request.query_params.get("next")
        async with context.db.connection() as connection:
            rows = await connection.fetch(IN_DOUBT, after, limit)
        items = []
        for row in rows:
            intent = decode_intent(row["intent"])
            items.append(
                {
                    "intent": row["id"],
                    "profile": intent.profile,
                    "channel": intent.channel,
                    "class": intent.message_class,
                    "document": intent.document,
                    "step": intent.step,
                    "started_at": row["started_at"],
                    "code": row["code"],
                }
            )
        return JSONResponse({"items": items, "next": items[-1]["intent"] if len(items) == limit else None})

    async def webhook(request: Request) -> Response:
        """`{off: [{version, at}]}`: the versions of an endpoint that answered 410 and are called no more; at: ms."""
        key = request.path_params["key"]
        async with context.db.connection() as connection:
            found = await switched_off(connection, key)
        return JSONResponse({"off": [{"version": version, "at": at} for (_, version), at in sorted(found.items())]})

    return [Route("/in-doubt", in_doubt), Route("/webhooks/{key}", webhook)]
