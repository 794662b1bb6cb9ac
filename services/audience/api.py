"""What the gateway asks of this service, under /internal/audience: questions about conditions, each a POST with a JSON body."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.neighbours import Neighbour, Unreachable
from runtime.process import Context
from schemas.audience import Condition
from schemas.audience_reading import AudienceError, Fault, parse
from services.audience.domain.unanswerable import personal_names
from services.audience.domain.world import World
from services.audience.handler import analysing, answering, reporting
from services.audience.handler.answering import Refused, UnknownProfile
from services.audience.handler.following import Follower
from services.audience.handler.in_force import InForce
from services.audience.handler.opening import WANTED
from services.audience.handler.personal import Personal
from services.audience.settings import AudienceSettings
from services.audience.store.answers import Answers
from services.audience.store.personal import TooMany

log = logging.getLogger(__name__)

NOBODY = {"kind": "not", "of": {"kind": "all", "of": []}}
Ask = Callable[[dict[str, Any], World, int], Awaitable[dict[str, Any]]]


class Questions:
    """Answers from the index that follows the lake while `life` lasts."""

    def __init__(self, settings: AudienceSettings) -> None:
        self._settings = settings
        self._room = asyncio.Semaphore(settings.at_once)
        self._follower: Follower | None = None
        self._answers: Answers | None = None
        self._personal: Personal | None = None

    @asynccontextmanager
    async def life(self, context: Context) -> AsyncIterator[None]:
        self._follower = Follower(context, self._settings)
        self._answers = Answers(self._follower.index)
        async with self._follower.life(), Neighbour(context, "profile") as profile:
            self._personal = Personal(context, profile, self._follower.index, self._settings)
            yield

    def api(self, context: Context) -> Sequence[BaseRoute]:
        """`{condition, brands?, as_of?}`, `{key, condition, ...}`, `{sets: {name: {condition} | {key}}, ...}`, `{key | condition, profile}`.

        404 names what there is not; 422 lists faults; 503: the lake was not read to its end yet, or profile, whom a question about a
        personal attribute needs, does not answer.
        """
        asks: dict[str, Ask] = {"preview": self._preview, "diff": self._diff, "overlap": self._overlap, "explain": self._explain}
        asks |= {"outcomes": partial(self._report, reporting.counted), "people": partial(self._report, reporting.behind)}
        asks |= {"experiment": partial(self._report, reporting.exposed)}
        asks |= {f"reports/{name}": partial(self._analysis, name) for name in analysing.REPORTS}
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
            except Unreachable as error:
                log.warning("a question about a personal attribute cannot be answered", extra={"why": str(error)})
                return JSONResponse({"code": "profile_unreachable"}, 503)

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
        world = await self._with_told(world, {"condition": condition})
        return await self._run(answering.preview, world, condition, _brands(body), now)

    async def _diff(self, body: dict[str, Any], world: World, now: int) -> dict[str, Any]:
        before = world.segments.get(body["key"]) or parse(NOBODY)
        pair = before, _parsed(body["condition"], "condition")
        world = await self._with_told(world, {"before": before, "condition": pair[1]})
        return await self._run(answering.difference, world, pair, _brands(body), now)

    async def _overlap(self, body: dict[str, Any], world: World, now: int) -> dict[str, Any]:
        sets = {name: _one(one, world, f"sets.{name}") for name, one in body["sets"].items()}
        world = await self._with_told(world, sets)
        return await self._run(answering.overlap, world, sets, _brands(body), now)

    async def _explain(self, body: dict[str, Any], world: World, now: int) -> dict[str, Any]:
        condition = _one(body, world, "")
        world = await self._with_told(world, {"condition": condition})
        return await self._run(answering.explanation, world, condition, str(UUID(body["profile"])), now)

    async def _analysis(self, name: str, body: dict[str, Any], world: World, now: int) -> dict[str, Any]:
        asked = analysing.read(name, body)
        world = await self._with_told(world, analysing.conditions(asked))
        wanted = {key: body.get(key) for key in WANTED}
        return await self._run(analysing.report, world, name, asked, wanted, now)

    async def _report(self, work: Callable[..., dict[str, Any]], body: dict[str, Any], world: World, now: int) -> dict[str, Any]:
        """`{asked, condition? | key?}`: a report, of the people of a condition or segment."""
        who = _one(body, world, "") if "condition" in body or "key" in body else None
        if who is not None:
            world = await self._with_told(world, {"condition": who})
        return await self._run(work, world, body, who, now)

    async def _with_told(self, world: World, asked: Mapping[str, Condition]) -> World:
        """With what profile tells of the personal attributes that are asked about. Raises Unreachable, or Refused where it is too much."""
        names = {condition: personal_names(asked[condition], world.segments) for condition in asked}
        if self._personal is None or not any(names.values()):
            return world
        try:
            return world._replace(told=await self._personal.bring(frozenset().union(*names.values())))
        except TooMany as error:
            places = [path for path, found in names.items() if found]
            raise Refused([Fault(path=path, code="too_many_values", message=str(error)) for path in places]) from error

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
