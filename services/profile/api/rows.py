"""Thousands of people at once: /internal/profiles/there and /internal/profiles/piece, and which attributes there are: /internal/attributes."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from runtime.batches import MEDIA, packed
from runtime.process import Context
from services.profile.api.answers import Brands, brands_asked, refused
from services.profile.api.people import hidden_from
from services.profile.domain import sheet
from services.profile.domain.sheet import Person
from services.profile.store import rows, shown

MOST = 10_000
PIECE = 2_000  # people whose news is taken in at once
_encode = msgspec.json.Encoder().encode


class Piece(msgspec.Struct):
    """attributes: name -> kind of the columns, None: lines are asked for; loose: as of `sheet.columns`."""

    ids: list[str]
    attributes: dict[str, str] | None = None
    loose: bool = False


_piece = msgspec.json.Decoder(Piece).decode


def routes(context: Context) -> Sequence[BaseRoute]:
    """Of up to 10,000 people, by id; `brands=a,b` as of one person. `POST /profiles/there` with a list of ids: who of them is there.
    `POST /profiles/piece` with a `Piece`: what is known of these, as an Arrow batch. `GET /attributes`: (name, kind) of all cells that
    anybody has had until now.
    """

    async def there(request: Request) -> Response:
        try:
            ids = checked(msgspec.json.decode(await request.body(), type=list[str]))
            async with context.db.connection() as connection:
                found = await rows.there(connection, ids, brands_asked(request))
        except (ValueError, asyncpg.DataError):
            return refused(422, "bad_ids")
        return Response(_encode(found), media_type="application/json")

    async def piece(request: Request) -> Response:
        asked = brands_asked(request)
        try:
            wanted = _piece(await request.body())
            async with context.db.connection() as connection:
                found = await rows.everything(connection, checked(wanted.ids), asked)
        except (ValueError, asyncpg.DataError):
            return refused(422, "bad_ids")
        return Response(await asyncio.to_thread(_told, wanted, found, asked), media_type=MEDIA)  # facts do not wait for it

    async def columns(request: Request) -> Response:
        while True:
            async with context.db.transaction() as connection:
                if await shown.bring_up(connection, PIECE, wait=True) < PIECE:
                    found = await shown.cells(connection)
                    break
        asked = brands_asked(request)
        return Response(_encode([one for one in found if not _is_hidden(one[0], asked)]), media_type="application/json")

    return [
        Route("/profiles/there", there, methods=["POST"]),
        Route("/profiles/piece", piece, methods=["POST"]),
        Route("/attributes", columns),
    ]


def _told(wanted: Piece, people: Sequence[Person], asked: Brands) -> bytes:
    if wanted.attributes is None:
        return packed(sheet.lines(people, hidden_from(asked)))
    seen = {name: kind for name, kind in wanted.attributes.items() if not _is_hidden(name, asked)}
    return packed(sheet.columns(people, seen, loose=wanted.loose))


def _is_hidden(cell: str, asked: Brands) -> bool:
    return cell.partition(".")[0] in hidden_from(asked)


def checked(ids: Sequence[Any]) -> list[str]:
    """Raises ValueError where these are too many."""
    if len(ids) > MOST:
        raise ValueError(len(ids))
    return [str(one) for one in ids]
