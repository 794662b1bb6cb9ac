"""Registrations for events, for the gateway: it has checked who asks and for which event. On the admin port, never open to the outside."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from runtime.process import Context

MOST = 1000
PAGE = """
SELECT profile::text AS profile, id::text AS id, status, online, seated, rank, place, said_at, coming, answers, code
FROM registration WHERE event = $1 AND place > $2 AND ($3 = '' OR status = ANY(string_to_array($3, ','))) AND ($4 = '' OR code = $4)
    ORDER BY place LIMIT $5
"""
COUNTS = """
SELECT status, count(*) AS people, count(*) FILTER (WHERE seated) AS seated, count(*) FILTER (WHERE coming) AS coming
FROM registration WHERE event = $1 GROUP BY status ORDER BY status
"""


def routes(context: "Context") -> Sequence[BaseRoute]:
    async def registrations(request: Request) -> Response:
        """In the order in which they came: `?after=` a place, `limit`, `status` (several, by commas), `code`: `{items, next}`."""
        asked = request.query_params
        limit = min(MOST, int(asked.get("limit", MOST)))
        narrow = [asked.get(name, "") for name in ("status", "code")]
        async with context.db.connection() as connection:
            rows = await connection.fetch(PAGE, request.path_params["key"], int(asked.get("after", 0)), *narrow, limit)
        items = [{**dict(row), "answers": msgspec.json.decode(row["answers"])} for row in rows]
        return JSONResponse({"items": items, "next": items[-1]["place"] if len(items) == limit else None})

    async def counts(request: Request) -> Response:
        """`{statuses: {confirmed: 40}, seated, coming}`."""
        async with context.db.connection() as connection:
            rows = await connection.fetch(COUNTS, request.path_params["key"])
        sums = {name: sum(row[name] for row in rows) for name in ("seated", "coming")}
        return JSONResponse({"statuses": {row["status"]: row["people"] for row in rows}, **sums})

    return [Route("/events/{key}/registrations", registrations), Route("/events/{key}", counts)]
