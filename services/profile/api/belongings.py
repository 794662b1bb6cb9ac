"""Companies and deals: /internal/accounts, /internal/deals, and what a person's answer says of them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.db import Connection
from runtime.process import Context
from services.profile import store
from services.profile.api.answers import Brands, brands_asked, kept, refused, sees
from services.profile.domain import accounts, deals
from services.profile.domain.accounts import Account
from services.profile.domain.deals import Deal

SHOWN = 1_000  # members of one company
NOBODY = "00000000-0000-0000-0000-000000000000"


def routes(context: Context) -> Sequence[BaseRoute]:
    """`GET /accounts?key=&after=key&id=&limit=`, `GET /accounts/{id}`, `GET /deals/{id}`; `brands=a,b` as of a person."""

    async def listed(request: Request) -> Response:
        asked, query = brands_asked(request), request.query_params
        try:
            limit = max(1, min(1000, int(query.get("limit", "100"))))
            after = (query.get("after", ""), str(UUID(query.get("id", NOBODY))))
        except ValueError:
            return refused(422, "bad_cursor")
        async with context.db.connection() as connection:
            rows = await store.listed(connection, store.ACCOUNT, after, query.get("key"), limit + 1)
        page = rows[:limit]
        items = [_line(row.id, row.state) for row in page if isinstance(row.state, Account) and sees(asked, row.state.brands)]
        return JSONResponse({"items": items, "next": [page[-1].key, page[-1].id] if len(rows) > limit else None})

    async def account(request: Request) -> Response:
        async with context.db.connection() as connection:
            id_, found = await _one(connection, request)
            asked = brands_asked(request)
            if not isinstance(found, Account) or not sees(asked, found.brands):
                return refused(404, "not_found")
            people = dict(await store.members(connection, id_, SHOWN, asked))
        return JSONResponse(_account(id_, found, people, asked))

    async def deal(request: Request) -> Response:
        async with context.db.connection() as connection:
            id_, found = await _one(connection, request)
            if not isinstance(found, Deal) or not kept(brands_asked(request), found.brand):
                return refused(404, "not_found")
            people = await store.members(connection, id_, SHOWN, None)
        return JSONResponse({**_deal(id_, found), "profiles": [person for person, _ in people], "history": deals.history(found)})

    return [Route("/accounts", listed), Route("/accounts/{id}", account), Route("/deals/{id}", deal)]


async def _one(connection: Connection, request: Request) -> tuple[str, Account | Deal | None]:
    try:
        id_ = str(UUID(request.path_params["id"]))
    except ValueError:
        return "", None
    return id_, (await store.objects(connection, [id_])).get(id_)


async def of_person(connection: Connection, person: str, asked: Brands) -> dict[str, Any]:
    """His companies, the one that counts first, and his deals, the one that moved last first."""
    mine = {one.object: one.state for one in await store.belongings(connection, [person])}
    found = await store.objects(connection, mine)
    memberships = [
        (id_, thing, mine[id_])
        for id_, thing in found.items()
        if isinstance(thing, Account) and accounts.is_member(mine[id_]) and sees(asked, thing.brands)
    ]
    memberships.sort(key=lambda one: (one[2]["member"][0], one[1].key), reverse=True)
    own = [(id_, thing) for id_, thing in found.items() if isinstance(thing, Deal) and kept(asked, thing.brand)]
    own.sort(key=lambda one: (deals.moved_at(one[1]), one[0]), reverse=True)
    return {
        "accounts": [{**_line(id_, account), "role": accounts.role_of(state)} for id_, account, state in memberships],
        "deals": [_deal(id_, deal) for id_, deal in own[: deals.MOST_LISTED]],
    }


def _line(id_: str, account: Account) -> dict[str, Any]:
    name = account.attributes.get("name", (0, None))[1]
    return {"id": id_, "key": account.key, "name": name, "kind": accounts.kind_of_account(account)}


def _account(id_: str, account: Account, people: Mapping[str, Any], asked: Brands) -> dict[str, Any]:
    """people: those who may be seen, with their memberships; of others its history says nothing either."""
    said = {name: value for name, (_, value) in sorted(account.attributes.items()) if value is not None}
    shown = [line for line in account.history if asked is None or not line.who or line.who in people]
    return {
        **_line(id_, account),
        "attributes": said,
        "members": [
            {"profile": person, "role": accounts.role_of(state), "named_at": state["member"][0]}
            for person, state in people.items()
            if accounts.is_member(state)
        ],
        "deals": [{**deal, "id": one, "deal_id": deal["id"]} for one, deal in account.deals.items() if kept(asked, deal["brand"])],
        "brands": account.brands,
        "first_received_at": account.first_at,
        "history": [{name: getattr(line, name) for name in line.__struct_fields__ if getattr(line, name) != ""} for line in shown],
    }


def _deal(id_: str, deal: Deal) -> dict[str, Any]:
    return {
        **deals.now(deal),
        "id": id_,
        "deal_id": deal.key,
        "brand": deal.brand,
        "source": deal.source,
        "moved_at": deals.moved_at(deal),
    }
