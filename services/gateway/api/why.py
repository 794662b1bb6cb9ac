"""/api/profiles/{id}/why: the whole chain of verdicts about one person in one journey or campaign, in words."""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from schemas.rules import Rule
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import brands_of, path_of
from services.gateway.domain import why
from services.gateway.domain.problems import Fault, Problem
from services.gateway.store import documents

MOST = 1000


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["profiles"])

    @router.get("/api/profiles/{profile}/why")
    async def because(request: Request, profile: str, journey: str = "", campaign: str = "", document: str = "") -> Response:
        """Why he got it, and why not: every verdict of a journey, a campaign, or another document (`bot:menu`), oldest first, each with the
        rule, the rule's document and its numbers, as a sentence in the language of Accept-Language (en, ru) and times by his own clock.

        `answer`: how it stands. The numbers are those that the rule documents have now. `more`: there are older verdicts than these 1,000.
        """
        about = _about(journey, campaign, document)
        async with desk.calling(request, "read") as call:
            rules = _read((await documents.of_kind(call.connection, "rule")).values())
            brands = await documents.of_kind(call.connection, "brand")
        status, found = await neighbours.ask("profile", path_of(profile), **brands_of(call.key))
        if status == 404:
            raise Problem("profile_not_found")
        people = ",".join((found["id"], *found["merged"]))
        page = await neighbours.require(
            "warehouse", "/decisions", profiles=people, document=about, limit=MOST, **brands_of(call.key)
        )
        verdicts = page["items"][::-1]
        numbers = why.Numbers(rules)
        if any(numbers.lack(verdict) for verdict in verdicts):
            async with desk.calling(request, "read") as call:
                numbers = why.Numbers([*rules, *_read(await documents.past_rules(call.connection))])
        brand = brands.get(verdicts[-1].get("brand", ""), {}) if verdicts else {}
        zone = why.own_zone(found.get("attributes", {}), brand.get("time_zone", ""))
        person = why.Person(call.language, zone)
        told = [why.tell(verdict, numbers, person) for verdict in verdicts]
        answer = {"profile": found["id"], "document": about, "time_zone": zone, "answer": why.answer(told, person), "items": told}
        return JSONResponse({**answer, "more": page["next"] is not None}, headers={"Content-Language": call.language})

    return router


def _about(journey: str, campaign: str, document: str) -> str:
    """The name of the document in verdicts."""
    given = [f"journey:{journey}" if journey else "", f"campaign:{campaign}" if campaign else "", document]
    named = [name for name in given if name]
    if len(named) != 1:
        raise Problem("invalid", [Fault("journey", "variant", params={"expected": "journey, campaign, document"})])
    return named[0]


def _read(bodies: Iterable[Mapping[str, Any]]) -> list[Rule]:
    rules: list[Rule] = []
    for body in bodies:
        try:
            rules.append(Rule.model_validate(body))
        except ValidationError:  # of a time when rules looked otherwise: it says no number that could be told
            continue
    return rules
