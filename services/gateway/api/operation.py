"""/api/dead-letters and /api/in-doubt, gathered from the services."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import Limit, for_all_brands
from services.gateway.domain.problems import Problem
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.keys import validated


class Replay(BaseModel):
    """ids: as listed, "profile:17"."""

    model_config = ConfigDict(extra="forbid")

    ids: tuple[Annotated[str, Field(pattern=r"^[a-z]+:[0-9]{1,18}$")], ...] = Field(min_length=1, max_length=1000)


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["operation"])

    @router.get("/api/dead-letters")
    async def dead_letters(request: Request, limit: Limit = 100, next: str = "", service: str = "") -> Response:  # noqa: A002
        """What could not be understood, service by service, oldest first; the records themselves stay sealed."""
        for_all_brands(await desk.admit(request, "read"))
        return JSONResponse(await _gathered(neighbours, limit, next, service))

    @router.post("/api/dead-letters/replay")
    async def replay(request: Request) -> Response:
        """`{"ids": ["profile:17"]}`: publish these again for the service that could not take them."""

        async def work(call: Call, body: Any) -> Answer:
            for_all_brands(call.key)
            asked = validated(Replay, body)
            told = await _replayed(neighbours, asked.ids)
            await call.audit("replay", ", ".join(told["replayed"][:20]), count=len(told["replayed"]))
            return Answer(told)

        return await desk.act(request, "admin", work)

    @router.get("/api/in-doubt")
    async def in_doubt(request: Request, limit: Limit = 100, next: str = "") -> Response:  # noqa: A002
        """Messages of which nobody knows whether the provider took them."""
        for_all_brands(await desk.admit(request, "read"))
        status, found = await neighbours.ask("sender", "/in-doubt", limit=limit, **({"next": next} if next else {}))
        if status != 200:
            raise Problem("service_unavailable", service="sender")
        return JSONResponse(found)

    return router


async def _gathered(neighbours: Neighbours, limit: int, start: str, only: str) -> dict[str, Any]:
    """One page, in the order of the services' names. start: "service:id" of the last one seen."""
    seen, _, number = start.partition(":")
    items: list[dict[str, Any]] = []
    for service in [only] if only else neighbours.names:
        if service < seen:
            continue
        after = min(int(number), 2**63 - 1) if service == seen and number.isdecimal() else 0
        status, found = await neighbours.ask(service, "/dead-letters", after=after, limit=min(1000, limit - len(items) + 1))
        if status != 200:
            continue  # a service without records of its own
        items += [{**item, "id": f"{service}:{item['id']}", "service": service} for item in found["items"]]
        if len(items) > limit:
            return {"items": items[:limit], "next": items[limit - 1]["id"]}
    return {"items": items, "next": None}


async def _replayed(neighbours: Neighbours, ids: tuple[str, ...]) -> dict[str, Any]:
    by_service: dict[str, list[int]] = {}
    for name in dict.fromkeys(ids):
        service, _, number = name.partition(":")
        by_service.setdefault(service, []).append(int(number))
    replayed: list[str] = []
    refused: list[dict[str, str]] = []
    for service, numbers in sorted(by_service.items()):
        status, told = await neighbours.tell(service, "/dead-letters/replay", {"ids": numbers})
        if status != 200:
            raise Problem("service_unavailable", service=service)
        replayed += [f"{service}:{number}" for number in told["replayed"]]
        refused += [{"id": f"{service}:{one['id']}", "code": one["code"]} for one in told["refused"]]
    return {"replayed": replayed, "refused": refused}
