"""/api/profiles: one person, as the profile service knows him."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from schemas.facts import IDENTIFIER_KINDS
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain.access import Key
from services.gateway.domain.problems import Fault, Problem


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["profiles"])

    @router.get("/api/profiles")
    async def find(request: Request, identifier: str) -> Response:
        """By an identifier, such as `email:ann@example.org`."""
        for_all_brands(await desk.admit(request, "read"))
        kind, _, value = identifier.partition(":")
        if kind == "phone" and value.startswith(" "):
            value = f"+{value[1:]}"  # an unescaped "+" arrives as a space
        status, found = await neighbours.ask("profile", "/profiles", identifier=f"{kind}:{value}")
        if status == 422:
            raise Problem("invalid", [Fault("identifier", "identifier", params={"kinds": ", ".join(IDENTIFIER_KINDS)})])
        return _person(status, found)

    @router.get("/api/profiles/{profile}")
    async def get(request: Request, profile: str) -> Response:
        """By id; the id of somebody merged away answers with whom he is now."""
        for_all_brands(await desk.admit(request, "read"))
        if not profile.isascii() or not profile.replace("-", "").isalnum():
            raise Problem("profile_not_found")
        return _person(*await neighbours.ask("profile", f"/profiles/{profile}"))

    return router


def for_all_brands(key: Key) -> None:
    """People, dead letters and doubts are of the installation, not of a brand."""
    if key.brands:
        raise Problem("brand_forbidden", brands=", ".join(key.brands))


def _person(status: int, found: object) -> Response:
    if status == 404:
        raise Problem("profile_not_found")
    return JSONResponse(found, status)
