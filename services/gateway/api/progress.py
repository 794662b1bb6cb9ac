"""/api/segments/{key}/progress: how far what was published has come."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from services.gateway.api.desk import Desk
from services.gateway.api.in_force import in_force
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain.kinds import KINDS
from services.gateway.domain.problems import Problem

SEGMENT = KINDS["segment"]


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["segments"])

    @router.get("/api/segments/{key}/progress")
    async def progress(request: Request, key: str) -> Response:
        """Whether everybody stands where the version in force says: `complete`, or `people`, `history` and `attributes` say how far it has come.

        `version` is the one that the answer is about: just after a publication it may be the one before, or 0.
        """
        async with desk.calling(request, "read") as call:
            await in_force(call, SEGMENT, key)
        status, found = await neighbours.ask("segmenter", f"/segments/{key}/progress")
        if status == 404:  # it has not come there yet
            return JSONResponse(
                {"segment": key, "version": 0, "complete": False, "people": None, "history": None, "attributes": None}
            )
        if status != 200:
            raise Problem("service_unavailable", service="segmenter")
        return JSONResponse(found)

    return router
