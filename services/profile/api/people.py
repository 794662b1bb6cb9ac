"""One person: /internal/profiles."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.definitions import Definitions
from runtime.process import Context
from schemas.definitions import Published
from schemas.identifiers import normalise
from services.profile import store
from services.profile.api import belongings
from services.profile.api.answers import Brands, brands_asked, kept, refused, sees
from services.profile.domain import KIND, Attributes, Rules, build
from services.profile.domain.charges import Day, Open, date_of, together
from services.profile.store import charges as table

REVISION = "SELECT revision FROM definition_revision"
compile_rules: Callable[[Sequence[Published], int], Rules] = build


def routes(context: Context) -> Sequence[BaseRoute]:
    """`GET /profiles?identifier=kind:value` and `GET /profiles/{id}`; an id that was merged away answers with the winner.

    `brands=a,b`: only of somebody who was seen in one of them.
    """
    rules = Definitions((KIND,), compile_rules)

    async def find(request: Request) -> Response:
        kind, _, value = request.query_params.get("identifier", "").partition(":")
        clean = normalise(kind, value)
        if clean is None:
            return refused(422, "bad_identifier")
        async with context.db.connection() as connection:
            known = await rules.at(connection, await connection.fetchval(REVISION))
            named = known.spelled(f"{kind}:{clean}")
            person = await store.owner_of(connection, named) if named is not None else None
            return await _person(connection, person, brands_asked(request))

    async def one(request: Request) -> Response:
        try:
            person = str(UUID(request.path_params["id"]))
        except ValueError:
            return refused(404, "not_found")
        async with context.db.connection() as connection:
            stones = await store.resolve(connection, [person])
            return await _person(connection, stones.get(person, person), brands_asked(request))

    return [Route("/profiles", find), Route("/profiles/{id}", one)]


async def _person(connection: Any, person: str | None, asked: Brands) -> Response:
    found = await store.person(connection, person) if person else None
    if person is None or found is None:
        return refused(404, "not_found")
    profile, identifiers, merged = found
    brands = await store.brands_of(connection, person)
    if not sees(asked, brands):
        return refused(404, "not_found")
    untold = together((row[:2] for row in await table.of(connection, [person, *merged])), dict.fromkeys(merged, person))
    return JSONResponse(
        {
            "id": person,
            "identifiers": identifiers,
            "attributes": attributes_of(profile.attributes, asked),
            "first_received_at": profile.first_at,
            "bucketing_id": profile.bucketing_id,
            "merged": merged,
            "brands": [brand for brand in brands if kept(asked, brand)],
            **await belongings.of_person(connection, person, asked),
            "charges": [_day(key, part) for key, part in sorted(untold.items()) if kept(asked, key.brand)],
        }
    )


def attributes_of(attributes: Attributes, asked: Brands) -> dict[str, Any]:
    hidden = hidden_from(asked)
    return {name: value for name, (_, value) in sorted(attributes.items()) if value is not None and name not in hidden}


def hidden_from(asked: Brands) -> tuple[str, ...]:
    """What tells of his company and of all his deals is for keys of all brands: the objects themselves are shown brand by brand."""
    return () if asked is None else ("account", "deals")


def _day(key: Day, part: Open) -> dict[str, Any]:
    """Charges that are added up and not told yet."""
    return {
        "brand": key.brand,
        "product": key.product,
        "day": date_of(key.day),
        "lane": key.lane,
        "amount": {"minor": part.minor, "currency": key.currency},
        "count": part.counted,
        "first_at": part.first_at,
        "last_at": part.last_at,
    }
