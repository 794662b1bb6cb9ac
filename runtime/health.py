"""/livez, /readyz and /metrics of a process, and /internal for its neighbours."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from runtime import internal
from runtime.metrics import REGISTRY

if TYPE_CHECKING:
    from runtime.process import Context


def app(contexts: Sequence["Context"], secret: str) -> Starlette:
    """What a process serves on its admin port. secret: of the installation, for /internal."""
    return Starlette(routes=[*probes(contexts), Mount("/internal", internal.app(contexts, secret))])


def probes(contexts: Sequence["Context"]) -> list[BaseRoute]:
    """readyz: every service has its connections and, where it reads topics, its partitions."""

    async def live(_request: Request) -> Response:
        return JSONResponse({"ok": True})

    async def ready(_request: Request) -> Response:
        states = {context.service.name: await _ready(context) for context in contexts}
        ok = all(all(checks.values()) for checks in states.values())
        return JSONResponse({"ok": ok, "services": states}, status_code=200 if ok else 503)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(REGISTRY), media_type="text/plain; version=0.0.4")

    return [Route("/livez", live), Route("/readyz", ready), Route("/metrics", metrics)]


async def _ready(context: "Context") -> dict[str, bool]:
    checks = {"started": context.ready.is_set()}
    if context.loop:
        for lane in context.loop.lanes:
            checks[f"{lane.name} lane joined"] = lane.reader.has_joined()
    for name, check in context.service.checks.items():
        checks[name] = await check()
    return checks
