"""Thousands of people at once: /internal/profiles/rows, and which attributes there are: /internal/attributes."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from runtime.process import Context
from services.profile.api.answers import Brands, brands_asked, refused
from services.profile.api.people import attributes_of, hidden_from
from services.profile.domain.cells import flat
from services.profile.store import rows, shown
from services.profile.store.rows import Person

MOST = 10_000
PIECE = 2_000  # people whose news is taken in at once
_encode = msgspec.json.Encoder().encode


def routes(context: Context) -> Sequence[BaseRoute]:
    """`POST /profiles/rows` with a list of ids of up to 10,000 people: who of them is there, by id; `brands=a,b` as of one person; with
    `flat=1` their attributes as cells of a table. `GET /attributes`: (name, kind) of all cells that anybody has had until now.
    """

    async def people(request: Request) -> Response:
        asked = brands_asked(request)
        try:
            ids = checked(msgspec.json.decode(await request.body(), type=list[UUID]))
        except ValueError:
            return refused(422, "bad_ids")
        async with context.db.connection() as connection:
            found = await rows.everything(connection, ids, asked)
        table = request.query_params.get("flat") == "1"
        return Response(_encode([told(one, asked, table=table) for one in found]), media_type="application/json")

    async def columns(request: Request) -> Response:
        while True:
            async with context.db.transaction() as connection:
                if await shown.bring_up(connection, PIECE, wait=True) < PIECE:
                    found = await shown.cells(connection)
                    break
        hidden = hidden_from(brands_asked(request))
        return Response(_encode([one for one in found if one[0].partition(".")[0] not in hidden]), media_type="application/json")

    return [
        Route("/profiles/rows", people, methods=["POST"]),
        Route("/attributes", columns),
    ]


def told(one: Person, asked: Brands, *, table: bool) -> dict[str, Any]:
    """What is told of a person among many."""
    return {
        "id": one.id,
        "identifiers": one.identifiers,
        "attributes": flat(one.attributes, hidden_from(asked)) if table else attributes_of(one.attributes, asked),
        "first_received_at": one.first_at,
        "brands": one.brands,
        "consents": one.consents,
    }


def checked(ids: Sequence[UUID]) -> list[str]:
    """Raises ValueError where these are too many."""
    if len(ids) > MOST:
        raise ValueError(len(ids))
    return [str(one) for one in ids]
