"""The ledger of consents: /internal/profiles/{id}/consents, /internal/consents/verify."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.poison import Vault
from runtime.process import Context
from services.profile import store
from services.profile.api.answers import brands_asked, refused, sees
from services.profile.domain import ledger
from services.profile.domain.ledger import Entry

PIECE = 10_000  # entries of the ledger that are read at once


def routes(context: Context) -> Sequence[BaseRoute]:
    async def consents(request: Request) -> Response:
        """`GET /profiles/{id}/consents?limit=&next=`: every word of a person and of those who were merged into him, newest first; `next` is
        null at the end.
        """
        try:
            person = str(UUID(request.path_params["id"]))
            limit = max(1, min(1000, int(request.query_params.get("limit", "100"))))
        except ValueError:
            return refused(404, "not_found")
        try:
            before = _place(request.query_params.get("next"))
        except ValueError:
            return refused(422, "bad_cursor")
        async with context.db.connection() as connection:
            person = (await store.resolve(connection, [person])).get(person, person)
            found = await store.person(connection, person)
            if found is None:
                return refused(404, "not_found")
            asked = brands_asked(request)
            if not sees(asked, await store.brands_of(connection, person)):
                return refused(404, "not_found")
            said = await store.entries(connection, [person, *found[2]], limit + 1, asked, before)
        items, more = said[:limit], len(said) > limit
        last = f"{items[-1].recorded_at}.{items[-1].partition}.{items[-1].number}" if more else None
        return JSONResponse({"items": [_word(context.vault, one) for one in items], "next": last})

    async def verify(_: Request) -> Response:
        """`GET /consents/verify`: whether every chain is whole: {entries, chains, broken: [{partition, number, what}]}."""
        count, faults = 0, []
        async with context.db.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            ends = await store.heads(connection)
            for partition in sorted(ends):
                number, prev = 0, ledger.GENESIS
                while piece := await store.walk(connection, partition, number, PIECE):
                    for one in piece:
                        if what := ledger.broken(one, prev, number + 1):
                            faults.append({"partition": partition, "number": number + 1, "what": what})
                        number, prev, count = one.number, one.hash, count + 1
                if (number, prev) != ends[partition]:
                    faults.append({"partition": partition, "number": number + 1, "what": "missing"})
        return JSONResponse({"entries": count, "chains": len(ends), "broken": faults[:100]})

    return [Route("/profiles/{id}/consents", consents), Route("/consents/verify", verify)]


def _place(cursor: str | None) -> store.Place:
    """Where a page goes on. Raises ValueError."""
    if not cursor:
        return store.AFTER_ALL
    at, partition, number = map(int, cursor.split("."))
    if not all(0 <= part <= store.AFTER_ALL[0] for part in (at, partition, number)):
        raise ValueError(cursor)
    return at, partition, number


def _word(vault: Vault, one: Entry) -> dict[str, Any]:
    """An entry with its evidence, as long as that is there, and its place in the chain."""
    proof = msgspec.json.decode(vault.open(one.sealed, f"consent:{one.fact}")) if one.sealed is not None else None
    said = {name: value for name, value in one._asdict().items() if not isinstance(value, bytes) and value is not None}
    return {
        **said,
        "terms": msgspec.json.decode(one.terms),
        "proof": proof,
        "chain": {"hash": one.hash.hex(), "prev": one.prev.hex(), "sealed_sha256": one.sealed_hash.hex()},
    }
