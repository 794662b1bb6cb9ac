"""What the gateway asks of this service, under /internal/audience: questions about conditions, each a POST with a JSON body."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.process import Context
from schemas.audience import Condition
from schemas.audience_reading import AudienceError, Fault, parse
from services.audience.domain.world import World
from services.audience.handler import answering
from services.audience.handler.answering import Refused, UnknownProfile
from services.audience.handler.following import Follower
from services.audience.handler.in_force import InForce
from services.audience.settings import AudienceSettings
from services.audience.store.answers import Answers

NOBODY = {"kind": "not", "of": {"kind": "all", "of": []}}
Ask = Callable[[dict[str, Any], World, int], Awaitable[dict[str, Any]]]


class Questions:
    """Answers from the index that follows the lake while `life` lasts."""

    def __init__(self, settings: AudienceSettings) -> None:
        self._settings = settings
        self._room = asyncio.Semaphore(settings.at_once)
        self._follower: Follower | None = None
        self._answers: Answers | None = None

    @asynccontextmanager
    async def life(self, context: Context) -> AsyncIterator[None]:
        self._follower = Follower(context, self._settings)
        self._answers = Answers(self._follower.index)
        async with self._follower.life():
            yield

    def api(self, context: Context) -> Sequence[BaseRoute]:
        """`{condition, brands?, as_of?}`, `{key, condition, ...}`, `{sets: {name: {condition} | {key}}, ...}`, `{key | condition, profile}`.

        404 names what there is not; 422 lists faults; 503: the lake was not read to its end yet.
        """
        asks = {"preview": self._preview, "diff": self._diff, "overlap": self._overlap, "explain": self._explain}
        in_force = InForce(context.db)
        return [Route(f"/audience/{name}", self._endpoint(context, in_force, ask), methods=["POST"]) for name, ask in asks.items()]

    def _endpoint(self, context: Context, in_force: InForce, ask: Ask) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            body = msgspec.json.decode(await request.body())
            now, driven = await context.clock.now()
            if not await self._ready(driven=driven):
                return JSONResponse({"code": "not_ready"}, 503)
            given = body.get("as_of")
            as_of = (now if driven else answering.instant_of(now)) if given is None else given
            try:
                return JSONResponse(await ask(body, await in_force.now(), as_of))
            except Refused as error:
                return _refused(error.faults)
            except UnknownProfile:
                return JSONResponse({"code": "profile_not_found"}, 404)

        return endpoint

    async def _ready(self, *, driven: bool) -> bool:
        """Whether the lake was read to its end. Under the driven clock it is now: everything that is known at this instant is in it."""
        if self._follower is None:
            return False
        await self._follower.asked()
        while driven and await self._follower.look():
            continue
        return self._follower.built

    async def _preview(self, body: dict[str, Any], world: World, now: int) -> dict[str, Any]:
        condition = _parsed(body["condition"], "condition")
        return await self._run(answering.preview, world, condition, _brands(body), now)

    async def _diff(self, body: dict[str, Any], world: World, now: int) -> dict[str, Any]:
        before = world.segments.get(body["key"]) or parse(NOBODY)
        pair = before, _parsed(body["condition"], "condition")
        return await self._run(answering.difference, world, pair, _brands(body), now)

    async def _overlap(self, body: dict[str, Any], world: World, now: int) -> dict[str, Any]:
        sets = {name: _one(one, world, f"sets.{name}") for name, one in body["sets"].items()}
        return await self._run(answering.overlap, world, sets, _brands(body), now)

    async def _explain(self, body: dict[str, Any], world: World, now: int) -> dict[str, Any]:
        return await self._run(answering.explanation, world, _one(body, world, ""), str(UUID(body["profile"])), now)

    async def _run(self, work: Callable[..., dict[str, Any]], world: World, *given: Any) -> dict[str, Any]:
        async with self._room:
            return await asyncio.to_thread(partial(work, self._answers, world, *given))


def _one(asked: Mapping[str, Any], world: World, path: str) -> Condition:
    """A condition that is given, or that of a segment in force."""
    if "condition" in asked:
        return _parsed(asked["condition"], f"{path}.condition".lstrip("."))
    if asked["key"] not in world.segments:
        raise Refused(
            [Fault(path=f"{path}.key".lstrip("."), code="unknown_segment", message=f"segment {asked['key']!r} is not in force")]
        )
    return world.segments[asked["key"]]


def _parsed(document: Any, path: str) -> Condition:
    """A condition; faults begin at its place in the request."""
    try:
        return parse(document)
    except AudienceError as error:
        moved = [fault.model_copy(update={"path": f"{path}.{fault.path}".rstrip(".")}) for fault in error.faults]
        raise Refused(moved) from error


def _brands(body: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(body.get("brands") or ())


def _refused(faults: Sequence[Fault]) -> Response:
    return JSONResponse({"code": "invalid", "errors": [fault.model_dump() for fault in faults]}, 422)
