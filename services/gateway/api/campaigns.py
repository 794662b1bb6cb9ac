"""/api/campaigns/{key}: launches and what became of them; the documents themselves are as all others (documents.py)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.preflight import checked, gathered
from services.gateway.domain.kinds import KINDS
from services.gateway.domain.problems import Problem
from services.gateway.handler import campaigns as handler
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.finding import seen
from services.gateway.store import launches

CAMPAIGN = KINDS["campaign"]
Number = Annotated[int | None, Query(ge=1, le=2**31 - 1)]


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["campaigns"])

    @router.post("/api/campaigns/{key}/publish", name="publish campaign")
    async def publish(request: Request, key: str) -> Response:
        """Put the draft in force and launch it. `{"again": true}`: once more to everybody."""
        return await _launch(desk, request, key, pilot=False)

    @router.post("/api/campaigns/{key}/pilot", name="pilot of a campaign")
    async def pilot(request: Request, key: str) -> Response:
        """`{"size": 500}`: launch it to so many people of its audience, by chance; `rollout` goes to the rest."""
        return await _launch(desk, request, key, pilot=True)

    for verb in ("rollout", "pause", "resume", "stop"):
        _changing(router, desk, verb)

    @router.post("/api/campaigns/{key}/preflight", name="check of a campaign before its launch")
    async def preflight(request: Request, key: str) -> Response:
        """Everything that is wrong with the draft, at once, tried on some of its people; nothing is sent."""
        async with desk.calling(request, "read") as call:
            known = await gathered(call, key)
        return JSONResponse(await checked(known, neighbours))

    @router.get("/api/campaigns/{key}/report", name="report of a campaign")
    async def report(request: Request, key: str, launch: Number = None) -> Response:
        """The people of its newest launch (or of `launch`, a number) by verdict and rule, which add up to the audience, and by variant.
        `outcomes`: where it stands what they did then, with the name of a target action behind it (docs/reports.md).
        """
        async with desk.calling(request, "read") as call:
            await seen(call, CAMPAIGN, key)
            stood = await launches.last(call.connection, key, launch)
        if stood is None:
            raise Problem("not_launched")
        found = await neighbours.require("orchestrator", f"/launches/{stood.launch.key}")
        outcomes = f"/api/reports/outcomes?campaign={key}&launch={stood.launch.key}&by=variant&event="
        return JSONResponse({"campaign": key, "launch": handler.shown(stood.launch), **found, "outcomes": outcomes})

    return router


async def _launch(desk: Desk, request: Request, key: str, *, pilot: bool) -> Response:
    async def work(call: Call, body: Any) -> Answer:
        return await handler.launch(call, key, request.headers.get("if-match"), body, pilot=pilot)

    return await desk.act(request, CAMPAIGN.needs, work)


def _changing(router: APIRouter, desk: Desk, verb: str) -> None:
    @router.post(f"/api/campaigns/{{key}}/{verb}", name=f"{verb} of a campaign")
    async def changed(request: Request, key: str) -> Response:
        async def work(call: Call, _body: Any) -> Answer:
            return await handler.change(call, key, verb)

        return await desk.act(request, CAMPAIGN.needs, work)
