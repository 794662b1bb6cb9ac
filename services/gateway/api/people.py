"""/api/profiles: one person, as the profile service knows him, and what was decided about him."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from schemas.facts import IDENTIFIER_KINDS
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain.access import Key
from services.gateway.domain.problems import Fault, Problem

Limit = Annotated[int, Query(ge=1, le=1000)]


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["profiles"])

    @router.get("/api/profiles")
    async def find(request: Request, identifier: str) -> Response:
        """By an identifier, such as `email:ann@example.org`."""
        key = await desk.admit(request, "read")
        kind, _, value = identifier.partition(":")
        if kind == "phone" and value.startswith(" "):
            value = f"+{value[1:]}"  # an unescaped "+" arrives as a space
        status, found = await neighbours.ask("profile", "/profiles", identifier=f"{kind}:{value}", **brands_of(key))
        if status == 422:
            raise Problem(
                "invalid", [Fault("identifier", "identifier", params={"kinds": ", ".join((*IDENTIFIER_KINDS, "id.<your own>"))})]
            )
        return _person(status, found)

    @router.get("/api/profiles/{profile}")
    async def get(request: Request, profile: str) -> Response:
        """By id; the id of somebody merged away answers with whom he is now."""
        key = await desk.admit(request, "read")
        return _person(*await neighbours.ask("profile", path_of(profile), **brands_of(key)))

    @router.get("/api/profiles/{profile}/decisions")
    async def decisions(request: Request, profile: str, limit: Limit = 100, next: str = "") -> Response:  # noqa: A002
        """Every verdict about the person, newest first: what was sent, skipped, deferred or held, by whom and by which rule.

        Those of people who were merged into him belong to it. `next`: as the last page gave it.
        """
        return await from_lake(await desk.admit(request, "read"), "/decisions", profile, limit, next)

    @router.get("/api/profiles/{profile}/timeline")
    async def timeline(request: Request, profile: str, limit: Limit = 100, next: str = "") -> Response:  # noqa: A002
        """What happened to the person, newest first: his facts, whom he became one with and why, whom not and by which rule, the
        segments he entered and left, and every verdict about him. Those of people who were merged into him belong to it.
        """
        return await from_lake(await desk.admit(request, "read"), "/timeline", profile, limit, next)

    @router.get("/api/profiles/{profile}/consents")
    async def consents(request: Request, profile: str, limit: Limit = 100, next: str = "") -> Response:  # noqa: A002
        """Every word of consent of the person, newest first: what, for which channel and topic, under which text, by which source, with
        its evidence and its place in the chain of the ledger. `state` unproven: it was imported without evidence, and allows nothing.
        `next`: as the last page gave it.
        """
        key = await desk.admit(request, "read")
        path = f"{path_of(profile)}/consents"
        return _page(*await neighbours.ask("profile", path, limit=limit, next=next, **brands_of(key)))

    @router.get("/api/consents/verify")
    async def verify(request: Request) -> Response:
        """Whether the ledger is whole: no word was changed, none left out."""
        for_all_brands(await desk.admit(request, "read"))
        return _person(*await neighbours.ask("profile", "/consents/verify"))

    async def from_lake(key: Key, path: str, profile: str, limit: int, cursor: str) -> Response:
        status, person = await neighbours.ask("profile", path_of(profile), **brands_of(key))
        if status == 404:
            raise Problem("profile_not_found")
        people = ",".join((person["id"], *person["merged"]))
        return _page(*await neighbours.ask("warehouse", path, profiles=people, limit=limit, next=cursor, **brands_of(key)))

    return router


def path_of(profile: str) -> str:
    """Where profile answers about him. Raises Problem for what cannot be an id."""
    if not profile.isascii() or not profile.replace("-", "").isalnum():
        raise Problem("profile_not_found")
    return f"/profiles/{profile}"


def brands_of(key: Key) -> dict[str, str]:
    """A key of some brands sees who was seen in one of them, and of what happened to him what is theirs."""
    return {"brands": ",".join(key.brands)} if key.brands else {}


def for_all_brands(key: Key) -> None:
    """The ledger as a whole, rules of identity, dead letters and doubts are of the installation, not of a brand."""
    if key.brands:
        raise Problem("brand_forbidden", brands=", ".join(key.brands))


def _person(status: int, found: object) -> Response:
    if status == 404:
        raise Problem("profile_not_found")
    return JSONResponse(found, status)


def _page(status: int, found: object) -> Response:
    if status == 422:
        raise Problem("invalid", [Fault("next", "cursor")])
    return _person(status, found)
