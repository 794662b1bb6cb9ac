"""/api/accounts and /api/deals: companies with their people and deals, as the profile service keeps them."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import Limit, brands_of
from services.gateway.domain.problems import Fault, Problem


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["accounts"])

    @router.get("/api/accounts")
    async def listed(request: Request, limit: Limit = 100, next: str = "", key: str | None = None) -> Response:  # noqa: A002
        """Companies by their group ids. `key`: the one with this group id; `next`: as the last page gave it."""
        asked = await desk.admit(request, "read")
        after, _, last = next.rpartition("~")
        cursor = {"after": after, "id": last} if next else {}
        status, found = await neighbours.ask(
            "profile", "/accounts", limit=limit, **cursor, **({"key": key} if key is not None else {}), **brands_of(asked)
        )
        if status == 422:
            raise Problem("invalid", [Fault("next", "cursor")])
        return JSONResponse({"items": found["items"], "next": "~".join(found["next"]) if found["next"] else None})

    @router.get("/api/accounts/{account}")
    async def account(request: Request, account: str) -> Response:
        """What is known of a company, who is with it in which role, its deals, and what was said of it when and by whom."""
        asked = await desk.admit(request, "read")
        return _thing(*await neighbours.ask("profile", f"/accounts/{_plain(account, 'account')}", **brands_of(asked)), "account")

    @router.get("/api/deals/{deal}")
    async def deal(request: Request, deal: str) -> Response:
        """What a deal is now, whose it is, and each change: when, by which source, from what to what."""
        asked = await desk.admit(request, "read")
        return _thing(*await neighbours.ask("profile", f"/deals/{_plain(deal, 'deal')}", **brands_of(asked)), "deal")

    return router


def _plain(id_: str, kind: str) -> str:
    if not id_.isascii() or not id_.replace("-", "").isalnum():
        raise Problem("thing_not_found", kind=kind)
    return id_


def _thing(status: int, found: object, kind: str) -> Response:
    if status == 404:
        raise Problem("thing_not_found", kind=kind)
    return JSONResponse(found, status)
