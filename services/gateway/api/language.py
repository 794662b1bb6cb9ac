"""/api/segments/language and /api/segments/describe: what a form needs to build a condition, and conditions in words."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from schemas.audience_form import form_schema
from schemas.audience_reading import MAX_DEPTH, MAX_LEAVES, AudienceError, parse
from schemas.audience_text import sentences
from schemas.paths import steps_of
from services.gateway.api import wire
from services.gateway.api.desk import Desk
from services.gateway.domain.acquaintance import Seen, Value, Values
from services.gateway.domain.cost import MOST_OF_ALL, MOST_OF_ONE, TESTS, WEIGHTS, cost
from services.gateway.domain.kinds import faults_at
from services.gateway.domain.problems import Problem
from services.gateway.handler.keys import validated
from services.gateway.handler.noticing import warned
from services.gateway.handler.titles import titles
from services.gateway.store.catalogue import seen

VERSION = 1
TYPES: Mapping[str, str] = {"int": "number", "float": "number", "big": "number", "null": "unknown"}
LIMITS = {"conditions": MAX_LEAVES, "levels": MAX_DEPTH, "cost": MOST_OF_ONE, "cost_of_all": MOST_OF_ALL}


class Describing(BaseModel):
    """condition: as in a segment. lang: left out, the language that the caller likes best by Accept-Language."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    condition: Any
    lang: Literal["en", "ru"] | None = None


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["segments"])

    @router.get("/api/segments/language")
    async def language(request: Request) -> Response:
        """What conditions are made of: `schema` is their JSON Schema with titles and widgets in both languages; `events` with their
        properties and `attributes` are those that this installation has seen, with their types. Personal ones are never among them.
        """
        async with desk.calling(request, "read") as call:
            known = await seen(call.connection)
        costs = {"weights": WEIGHTS, "tests": TESTS}
        told = {"version": VERSION, "limits": LIMITS, "costs": costs, **_told(known), "schema": form_schema()}
        return JSONResponse(told)

    given = {"requestBody": {"content": {"application/json": {"schema": Describing.model_json_schema()}}}}

    @router.post("/api/segments/describe", openapi_extra=given)
    async def describe(request: Request) -> Response:
        """A condition in words: `sentence`, and one for each node by its path; `warnings` of what makes no sense or was never seen; `cost`.
        Nothing is saved.
        """
        await desk.admit(request, "read")  # before a stranger's body is read
        asked = validated(Describing, wire.json_of(await wire.body_of(request)))
        try:
            condition = parse(asked.condition)
        except AudienceError as error:
            raise Problem("invalid", faults_at("condition", error)) from error
        async with desk.calling(request, "read", language=asked.lang) as call:
            named = await titles(call, call.language)
            told = await warned(call, [[("condition", condition)]])
        said = [{"path": one.path, "text": one.text} for one in sentences(condition, call.language, named)]
        spent = {"cost": cost(asked.condition), "limit": MOST_OF_ONE}
        return JSONResponse({"lang": call.language, "sentence": said[0]["text"], "nodes": said, "warnings": told[0], **spent})

    return router


def _told(known: Seen) -> dict[str, Any]:
    """The catalogue, by the names that conditions use: a path reaches no key with a dot in it, the name of an attribute may have one."""
    attributes = [
        {"name": way[0], "path": ".".join(way[1:]), **_typed(value)} for way, value in _ways(known.attributes) if _plain(way[1:])
    ]
    events = [
        {
            "name": event,
            "properties": [
                {"path": ".".join(way), **_typed(one)} for way, one in _ways(known.properties.get(event, {})) if _plain(way)
            ],
        }
        for event in sorted(known.events)
    ]
    return {"events": events, "attributes": attributes}


def _ways(values: Values) -> list[tuple[Sequence[str], Value]]:
    """The keys that lead to each value, by path."""
    return [(steps_of(path), values[path]) for path in sorted(values)]


def _plain(way: Sequence[str]) -> bool:
    return not any("." in step for step in way)


def _typed(value: Value) -> dict[str, Any]:
    """type: of the language, or list, object, unknown. whole: whether sums take it. others: how many values of another type there were."""
    others: dict[str, int] = {}
    for kind, count in value.others.items():
        others[_type(kind)] = others.get(_type(kind), 0) + count
    others = {kind: count for kind, count in others.items() if count}
    return {"type": _type(value.kind), "whole": value.kind == "int", **({"others": others} if others else {})}


def _type(kind: str) -> str:
    return TYPES.get(kind, kind)
