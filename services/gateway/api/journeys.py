"""/api/journeys/{key}/...: who stands where, what differs between versions, what came of it; pause, resume, archive, end."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from schemas.controls import GateState, gate_of
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import brands_of
from services.gateway.api.stands import stands
from services.gateway.domain.diff import diff
from services.gateway.domain.kinds import KINDS, read, reread, text_of
from services.gateway.domain.patterns import is_pattern
from services.gateway.domain.problems import Fault, Problem
from services.gateway.domain.standing import table
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.finding import seen
from services.gateway.handler.lifecycle import gate_in_force, set_gate, told
from services.gateway.handler.making import whole
from services.gateway.handler.titles import titles
from services.gateway.store import documents
from services.gateway.store.documents import Draft

JOURNEY = KINDS["journey"]
DOES: dict[str, GateState] = {"pause": "paused", "resume": "open", "archive": "archived", "end": "ended"}


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["journeys"])

    @router.get("/api/journeys/{key}/standing")
    async def standing(request: Request, key: str) -> Response:
        """How many stand on each step of the versions in use, by one snapshot: ask before a new version is published.

        `entering`: who is to be asked first whether he may; `held`: whom a pause holds back; `waiting`: letters that are under way or
        deferred; `settled`: nobody is still to be moved or taken up after what was ordered last.
        """
        async with desk.calling(request, "read") as call:
            draft = await seen(call, JOURNEY, key)
            gate = await gate_in_force(call, key)
            bodies = await documents.bodies(call.connection, JOURNEY.name, key)
        found = await stands(neighbours, key)
        versions = table(bodies, draft.published_version, found.pop("versions"))
        people = sum(version["people"] for version in versions)
        return JSONResponse({"key": key, **told(gate), "people": people, **found, "versions": versions})

    @router.get("/api/journeys/{key}/diff")
    async def differs(request: Request, key: str, start: Annotated[str, Query(alias="from")] = "", to: str = "draft") -> Response:
        """What differs between two versions (a number, or `draft`): steps added, removed and changed, and `text` in words.

        from: left out, the version in force.
        """
        async with desk.calling(request, "read") as call:
            draft = await seen(call, JOURNEY, key)
            first = await _body(call, draft, key, start or str(draft.published_version or "draft"), "from")
            second = await _body(call, draft, key, to, "to")
            named = await titles(call, call.language)
        return JSONResponse({"key": key, **diff(first, second).told(call.language, named)})

    @router.get("/api/journeys/{key}/stats")
    async def stats(request: Request, key: str) -> Response:
        """How many entered, how they ended, and what became of each step's letters, since the beginning; who stands where now."""
        async with desk.calling(request, "read") as call:
            await seen(call, JOURNEY, key)
        counts = await neighbours.require("warehouse", "/document-stats", document=gate_of(key), **brands_of(call.key))
        found = await stands(neighbours, key)
        steps: dict[str, int] = {}
        for version in found["versions"].values():
            for step, people in version.items():
                steps[step] = steps.get(step, 0) + people
        for step, people in steps.items():
            counts["steps"].setdefault(step, {})["standing"] = people
        return JSONResponse({"key": key, **counts, "standing": sum(steps.values()), "entering": found["entering"]})

    for name, state in DOES.items():
        _act(router, desk, name, state)
    return router


def _act(router: APIRouter, desk: Desk, name: str, state: GateState) -> None:
    @router.post(f"/api/journeys/{{key}}/{name}", name=f"{name} journey")
    async def act(request: Request, key: str) -> Response:
        """pause: nobody enters (`{"entrants": "wait"}`: they enter afterwards), no step is taken, what the sender has is held; no timer is
        lost. resume: what came due goes on, in its order. archive: nobody enters, people finish. end: everybody leaves.
        """

        async def work(call: Call, body: Any) -> Answer:
            return await set_gate(call, key, state, body)

        return await desk.act(request, "publish", work)


async def _body(call: Call, draft: Draft, key: str, wanted: str, field: str) -> dict[str, Any]:
    """As it is in force, or was, or would be: what a draft is made of is told of it, and not of the values alone."""
    if wanted == "draft":
        world = await documents.world(call.connection)
        return text_of(await whole(call, key, read(JOURNEY, key, draft.body), world))
    if not wanted.isdecimal() or len(wanted) > 9:
        raise Problem("invalid", [Fault(field, "literal_error", params={"expected": "a version's number or 'draft'"})])
    found = await documents.version(call.connection, JOURNEY.name, key, int(wanted))
    if found is None or not call.key.sees(found["brand"]):
        raise Problem("document_not_found", kind=JOURNEY.name, key=f"{key}@{wanted}")
    if is_pattern(found["body"]):
        raise Problem("invalid", [Fault(field, "is_pattern", params={"key": key})])
    return text_of(reread(JOURNEY, key, found["body"]))
