"""Statistics of experiments, of counts that are sent along: nothing is kept (docs/experiments.md)."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from schemas.experiments import Evaluated, Evaluation, Planned, PlannedOf, Planning
from services.gateway.api import wire
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain.problems import Problem
from services.gateway.handler.keys import validated

SERVICE = "experiments"
MODELS: tuple[type[BaseModel], ...] = (Evaluation, Evaluated, Planning, Planned, PlannedOf)


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["experiments"])

    async def told(request: Request, model: type[BaseModel], question: str) -> Response:
        await desk.admit(request, "read")  # before a stranger's body is read
        body = wire.json_of(await wire.body_of(request))
        validated(model, body)
        status, answer = await neighbours.tell(SERVICE, f"/experiments/{question}", body)
        if status != 200:
            raise Problem("service_unavailable", service=SERVICE)
        return JSONResponse(answer)

    @router.post("/api/experiments/evaluate", openapi_extra=described(Evaluation, Evaluated))
    async def evaluate(request: Request) -> Response:
        """What an experiment shows, of counts and sums of its arms: intervals and p-values under the plan's rule of looking, a verdict for
        each comparison, and sentences in both languages. A split that is not as configured blocks every verdict.
        """
        return await told(request, Evaluation, "evaluate")

    @router.post("/api/experiments/plan", openapi_extra=described(Planning, Planned))
    async def plan(request: Request) -> Response:
        """How many people an effect takes and how long that is (`refused` above eight weeks), the smallest effect that so many people show,
        and what a global control group shows.
        """
        return await told(request, Planning, "plan")

    return router


def described(asked: type[BaseModel], answer: type[BaseModel]) -> dict[str, Any]:
    """For OpenAPI; the models stand among its components."""
    took, told = (
        {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{one.__name__}"}}}} for one in (asked, answer)
    )
    return {"requestBody": took, "responses": {"200": {"description": "What was found", **told}}}
