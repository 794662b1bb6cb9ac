"""/api/clock and /api/quiet: the driven clock of tests, demo and simulation (law 5)."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from runtime import presence
from runtime.clock import wall_ms
from runtime.drive import Backwards, Conductor, NotDriven, Stuck, set_clock
from runtime.process import Context
from schemas.attributes import date_ms
from services.gateway.api import wire
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain.problems import Fault, Problem

LATEST = 253_402_300_800_000  # the year 10000
SILENT: tuple[int, Any] = (503, {"busy": ["a process does not answer"]})
LOOKS = 2
PATIENCE_S = 60.0  # for one turn of one service


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["clock"])
    context = desk.context
    conducting = asyncio.Lock()

    @router.get("/api/clock")
    async def read(request: Request) -> Response:
        await desk.admit(request, "read")
        return JSONResponse(await _told(context))

    @router.put("/api/clock")
    async def drive(request: Request) -> Response:
        """`{"now": ms or ISO time}` drives the clock to that instant, `{"now": null}` gives it back to real time."""
        await desk.admit(request, "clock")
        at = _instant(wire.json_of(await wire.body_of(request)))
        async with desk.calling(request, "clock") as call:
            await call.audit("clock", "real time" if at is None else str(at))
        try:
            async with conducting:
                await set_clock(context.db, at)
        except Backwards as error:
            raise Problem("clock_backwards", why=str(error)) from error
        return JSONResponse(await _told(context))

    @router.get("/api/quiet")
    async def quiet(request: Request) -> Response:
        """Driven: gives turns until nothing moves any more. Live: whether nothing moves, looked at twice."""
        await desk.admit(request, "clock")
        if not (await context.clock.read()).driven:
            return JSONResponse({**await _still(context, neighbours), "now": (await _told(context))["now"]})
        try:
            async with conducting:
                rounds = await _settle(context)
        except (Stuck, NotDriven) as error:
            raise Problem("stuck", why=str(error)) from error
        return JSONResponse({"quiet": True, "rounds": rounds, "now": (await _told(context))["now"]})

    return router


def _instant(body: Any) -> int | None:
    if not isinstance(body, dict) or "now" not in body:
        raise Problem("invalid", [Fault("now", "missing")])
    if body["now"] is None:
        return None
    at = date_ms(body["now"])
    if at is None or not 0 <= at < LATEST:
        raise Problem("invalid", [Fault("now", "time")])
    return at


async def _told(context: Context) -> dict[str, Any]:
    state = await context.clock.read()
    return {"driven": state.driven, "now": state.at if state.driven else wall_ms()}


async def _settle(context: Context) -> int:
    """First what we have published ourselves, then turns: the gateway has none."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await context.relay.flush()
    except TimeoutError:
        raise Stuck("the gateway's own documents do not reach the log") from None
    conductor = await Conductor(context.db, PATIENCE_S).open()
    try:
        return await conductor.settle(unheard=1)
    finally:
        await conductor.close()


async def _still(context: Context, neighbours: Neighbours) -> dict[str, Any]:
    """Quiet twice with the same log ends, in every process of every service: each knows its own calls alone."""
    busy: dict[str, list[str]] = {}
    looks = []
    for _ in range(LOOKS):
        ends: dict[str, list[Any]] = {}
        live = await presence.live(context.db)
        if not await context.relay.drained():
            busy.setdefault("gateway", []).append("outbox")
        for service in neighbours.names:
            answers = await neighbours.ask_all(service, "/quiet", live.get(service, ()))
            if not any(answers):
                raise Problem("service_unavailable", service=service)
            for status, state in (answer or SILENT for answer in answers):
                if status != 200 or not state["quiet"]:
                    busy.setdefault(service, []).extend(state.get("busy", ["unknown"]))
            ends[service] = [answer[1].get("ends") for answer in answers if answer]
        looks.append(ends)
    moved = any(look != looks[0] for look in looks)
    if not busy and not moved:
        return {"quiet": True, "rounds": LOOKS}
    return {"quiet": False, "rounds": LOOKS, "busy": {name: sorted(set(why)) for name, why in busy.items()}}
