"""Conditions in bulk: how many, who would enter and leave, how segments overlap, and why somebody is in or out."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from schemas.audience_reading import AudienceError, parse
from services.gateway.api import wire
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import brands_of, path_of
from services.gateway.domain.access import Key
from services.gateway.domain.kinds import KINDS
from services.gateway.domain.problems import Fault, Problem
from services.gateway.domain.reading import without_echoes
from services.gateway.handler.keys import validated
from services.gateway.store import documents

SEGMENT = KINDS["segment"].name
MAX_SETS = 6
Instant = Annotated[int, Field(strict=True, ge=0, le=2**53)]
Name = Annotated[str, Field(min_length=1, max_length=400)]


class Asking(BaseModel):
    """brand: only of people who were seen in it. as_of: the instant (UTC ms) that the answer is for; left out: now."""

    model_config = ConfigDict(extra="forbid")

    brand: str | None = Field(default=None, min_length=1, max_length=63)
    as_of: Instant | None = None


class Preview(Asking):
    condition: Any


class Difference(Asking):
    """condition: what would be published; left out: the draft."""

    condition: Any = None


class Set(BaseModel):
    """A segment in force, or a condition under a name."""

    model_config = ConfigDict(extra="forbid")

    key: Name | None = None
    name: Name | None = None
    condition: Any = None


class Overlap(Asking):
    sets: tuple[Set, ...] = Field(min_length=1, max_length=MAX_SETS)


class Explanation(Asking):
    """condition: another one than the segment's, such as a draft's."""

    profile: str = Field(min_length=1, max_length=100)
    condition: Any = None


class Counter:
    """Takes a question to the audience service."""

    def __init__(self, desk: Desk, neighbours: Neighbours) -> None:
        self._desk, self._neighbours = desk, neighbours

    async def asked(self, request: Request, model: type[BaseModel]) -> tuple[Key, Any]:
        """Who asks, and what."""
        key = await self._desk.admit(request, "read")
        asked = validated(model, wire.json_of(await wire.body_of(request)))
        if asked.brand is not None:  # type: ignore[attr-defined]
            key.needs_brand(asked.brand)  # type: ignore[attr-defined]
        return key, asked

    async def seen(self, key: Key, segment: str) -> documents.Draft:
        """The document, if the key may see it."""
        async with self._desk.context.db.connection() as connection:
            draft = await documents.get(connection, SEGMENT, segment)
        if draft is None or not key.sees(draft.brand):
            raise Problem("document_not_found", kind=SEGMENT, key=segment)
        return draft

    async def person(self, key: Key, profile: str) -> str:
        """His id by now, if the key may see him."""
        status, found = await self._neighbours.ask("profile", path_of(profile), **brands_of(key))
        if status != 200:
            raise Problem("profile_not_found")
        return str(found["id"])

    async def told(self, by: Key, asked: Asking, question: str, **body: Any) -> Response:
        brands = [asked.brand] if asked.brand else list(by.brands)
        given = {"brands": brands, "as_of": asked.as_of, **body}
        status, told = await self._neighbours.tell("audience", f"/audience/{question}", given)
        if status == 404:
            raise Problem("profile_not_found")
        if status == 422:
            raise Problem("invalid", [Fault(one["path"], one["code"], one["message"]) for one in told["errors"]])
        return JSONResponse(told, status)


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router, counter = APIRouter(tags=["segments"]), Counter(desk, neighbours)

    @router.post("/api/segments/preview", openapi_extra=_body(Preview))
    async def preview(request: Request) -> Response:
        """How many people a condition is true of, and up to 20 of them. `as_of`: the instant (ms) that the answer is exact for;
        `complete_up_to`: when the newest fact was received that is in it, and `offsets` which ones are, by topic and partition.
        """
        key, asked = await counter.asked(request, Preview)
        return await counter.told(key, asked, "preview", condition=_condition(asked.condition))

    @router.post("/api/segments/overlap", openapi_extra=_body(Overlap))
    async def overlap(request: Request) -> Response:
        """Of up to six segments or conditions: how many people stand in each, in all of each combination (`count`), and in that
        combination alone (`only`).
        """
        key, asked = await counter.asked(request, Overlap)
        for one in asked.sets:
            if one.key is not None:
                await counter.seen(key, one.key)
        return await counter.told(key, asked, "overlap", sets=_sets(asked.sets))

    @router.post("/api/segments/{segment}/diff", openapi_extra=_body(Difference))
    async def difference(request: Request, segment: str) -> Response:
        """Who would enter and who would leave, if the draft (or the condition that is given) were published in place of what is in force."""
        key, asked = await counter.asked(request, Difference)
        draft = await counter.seen(key, segment)
        condition = draft.body["condition"] if asked.condition is None else _condition(asked.condition)
        return await counter.told(key, asked, "diff", key=segment, condition=condition)

    @router.post("/api/segments/{segment}/explain", openapi_extra=_body(Explanation))
    async def explain(request: Request, segment: str) -> Response:
        """Why a person is in or out: the tree of what is in force (or is given) with the truth of each node about him, and what speaks
        for it. `truth` null: the lake does not know (`code`).
        """
        key, asked = await counter.asked(request, Explanation)
        await counter.seen(key, segment)
        what = {"key": segment} if asked.condition is None else {"condition": _condition(asked.condition)}
        return await counter.told(key, asked, "explain", profile=await counter.person(key, asked.profile), **what)

    return router


def _sets(asked: Sequence[Set]) -> dict[str, Any]:
    """Name -> a segment in force or a condition."""
    found: dict[str, Any] = {}
    for place, one in enumerate(asked):
        name = one.name or one.key or str(place + 1)
        if name in found:
            raise Problem("invalid", [Fault(f"sets.{place}.name", "twice", f"{name!r} stands here twice: give each a name")])
        found[name] = (
            {"key": one.key} if one.key is not None else {"condition": _condition(one.condition, f"sets.{place}.condition")}
        )
    return found


def _condition(document: Any, path: str = "condition") -> Any:
    """The condition as it was given, once it is one. Raises Problem `invalid` with every fault."""
    try:
        parse(document)
    except AudienceError as error:
        found = [Fault(f"{path}.{fault.path}".rstrip("."), fault.code, fault.message) for fault in error.faults]
        raise Problem("invalid", without_echoes(found)) from error
    return document


def _body(model: type[BaseModel]) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": model.model_json_schema(ref_template="#/$defs/{model}")}}}}
