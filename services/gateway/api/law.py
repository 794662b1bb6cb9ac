"""What the law gives a person: a copy of all that is kept of him, and to be forgotten, with a proof of it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, JSONResponse, Response

from runtime.clock import wall_ms
from runtime.settings import Settings
from schemas.identity import KindName
from schemas.topics import ADDRESS_KIND, FACTS
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import for_all_brands, path_of
from services.gateway.domain import copy
from services.gateway.domain.problems import Problem, language_of
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.keys import validated

KEEPERS = ("segmenter", "orchestrator", "sender")
DAY_MS = 86_400_000
# What holds copies until they expire, for how long after the erasure (ms); docs/law.md says it in words. The log: as it is set.
EXPIRING: Mapping[str, int] = {
    "webhook_payloads": 3 * DAY_MS,
    "refused_rows_of_imports": 30 * DAY_MS,
    "dead_letters": 30 * DAY_MS,
}
Format = Annotated[Literal["json", "html"], Query()]


class Forgetting(BaseModel):
    """reason: why, for the act; it must not name the person. only: just his identifiers of these kinds, not the whole person."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500)
    only: tuple[KindName, ...] = ()


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["law"])
    body = {"requestBody": {"content": {"application/json": {"schema": Forgetting.model_json_schema()}}}}

    @router.get("/api/profiles/{profile}/export")
    async def export(request: Request, profile: str, format: Format = "json") -> Response:  # noqa: A002
        """All that is kept of the person, as JSON or as a page to print (`format=html`, in the caller's language)."""
        for_all_brands(await desk.admit(request, "admin"))
        told = await _copy(neighbours, profile)
        async with desk.calling(request, "admin") as call:
            await call.audit("export", f"profile {told['profile']['id']}")
        name = f'attachment; filename="{told["profile"]["id"]}.{format}"'
        if format == "html":
            page = copy.page(told, language_of(request.headers.get("accept-language", "")))
            return HTMLResponse(page, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"})
        return JSONResponse(told, headers={"Content-Disposition": name})

    @router.delete("/api/profiles/{profile}", status_code=202, openapi_extra=body)
    async def forget(request: Request, profile: str) -> Response:
        """Erase a person, or with `only` his identifiers of some kinds. Answers the act, whose progress `/api/erasures/{act}` tells."""

        async def work(call: Call, given: Any) -> Answer:
            for_all_brands(call.key)
            asked = validated(Forgetting, given if given is not None else {})
            status, told = await neighbours.tell("profile", f"{path_of(profile)}/erase", asked.model_dump())
            if status == 404:
                raise Problem("profile_not_found")
            await call.audit("erase", f"profile {told['profile']}", act=told["act"], reason=asked.reason, only=list(asked.only))
            return Answer(told, 202)

        return await desk.act(request, "admin", work)

    @router.get("/api/erasures/{act}")
    async def act(request: Request, act: str) -> Response:
        """The proof of an erasure: what each store has done and when, and until when copies that expire by themselves may hold
        something. `done` when nothing is left to do but to wait for these.
        """
        for_all_brands(await desk.admit(request, "read"))
        status, found = await neighbours.ask("profile", f"/erasures/{_act(act)}")
        if status == 404:
            raise Problem("erasure_not_found")
        return JSONResponse(await _proof(neighbours, found, desk.context.settings))

    return router


def _act(given: str) -> str:
    try:
        return str(UUID(given))
    except ValueError as error:
        raise Problem("erasure_not_found") from error


async def _proof(neighbours: Neighbours, act: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    steps: dict[str, Any] = {"profile": {"emptied": act["done_at"]}}
    done, expiring = True, {}
    if act["profile"] is not None:
        kept = {"log": settings.retention_ms or FACTS.retention_ms, **EXPIRING}
        expiring = {name: act["done_at"] + ms for name, ms in kept.items()}
        if act["kinds"] is None:
            names = (*KEEPERS, "warehouse")
            told = await asyncio.gather(*(neighbours.require(name, "/erased", profiles=act["profile"]) for name in names))
            steps |= zip(names, told, strict=True)
        else:
            done = await _without_addresses(neighbours, act)
    done = done and all(at is not None for told in steps.values() for at in told.values())
    return {**act, "steps": steps, "done": done, "expiring": expiring}


async def _without_addresses(neighbours: Neighbours, act: Mapping[str, Any]) -> bool:
    """Does the sender hold no address of the kinds that were to go, but one that he has given since, which profile knows?"""
    kinds = [kind for kind in act["kinds"] if kind in ADDRESS_KIND.values()]
    if not kinds:
        return True
    status, person = await neighbours.ask("profile", path_of(act["profile"]))
    if status not in (200, 404):
        raise Problem("service_unavailable", service="profile")
    people, known = (act["profile"], *act["others"]), frozenset[str]()
    if status == 200:
        people, known = (person["id"], *person["merged"]), frozenset(person["identifiers"])
    held = (await neighbours.require("sender", "/held", profiles=",".join(people)))["addresses"]
    return all(kind not in held or f"{kind}:{held[kind]}" in known for kind in kinds)


async def _copy(neighbours: Neighbours, profile: str) -> dict[str, Any]:
    """Everything of everybody who became one with him. Consents and facts are told page by page."""
    status, person = await neighbours.ask("profile", path_of(profile))
    if status == 404:
        raise Problem("profile_not_found")
    ids = ",".join((person["id"], *person["merged"]))
    consents, *held = await asyncio.gather(
        _pages(neighbours, "profile", f"{path_of(person['id'])}/consents"),
        *(neighbours.require(name, "/held", profiles=ids) for name in KEEPERS),
    )
    return {
        "made_at": wall_ms(),
        "profile": person,
        "consents": consents,
        **dict(zip(KEEPERS, held, strict=True)),
        "timeline": await _pages(neighbours, "warehouse", "/timeline", profiles=ids, whole=1),
        "decisions": await _pages(neighbours, "warehouse", "/decisions", profiles=ids),
    }


async def _pages(neighbours: Neighbours, service: str, path: str, **params: Any) -> Sequence[Mapping[str, Any]]:
    """All that a list holds."""
    items: list[Mapping[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await neighbours.require(service, path, limit=1000, **params, **({"next": cursor} if cursor else {}))
        items += page["items"]
        cursor = page["next"]
    return items
