"""/api/experiments/{key}/plan: how large a test of a document is to be, and how long that takes by the traffic that there really is."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from runtime import own
from schemas.experiment_documents import Experiment
from schemas.experiments import Flow, PlannedOf, Planning
from schemas.reports import DAY_MS
from services.gateway.api import wire
from services.gateway.api.counting import counted
from services.gateway.api.desk import Desk
from services.gateway.api.experiment_results import asked_of
from services.gateway.api.experiments import described
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain import experiment_plans as plans
from services.gateway.domain import experiments as domain
from services.gateway.domain.experiments import Run
from services.gateway.domain.problems import Problem
from services.gateway.handler import experiments as handler
from services.gateway.handler.finding import seen
from services.gateway.handler.keys import validated
from services.gateway.store import documents


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["experiments"])

    @router.post("/api/experiments/{key}/plan", name="plan of an experiment", openapi_extra=described(Planning, PlannedOf))
    async def plan(request: Request, key: str) -> Response:
        """How many people the test of this draft takes, and how long that is by those who came to its arms for the first time on each of the
        last 28 days (`flow`). Shares, alpha, power and effect are the draft's where the body says none.
        """
        await desk.admit(request, "read")  # before a stranger's body is read
        body = wire.json_of(await wire.body_of(request))
        async with desk.calling(request, "read") as call:
            draft = await seen(call, handler.EXPERIMENT, key)
            document = Experiment.model_validate(draft.body).model_copy(update={"start": None, "ends": None, "days": None})
            bodies = await handler.compared_of(call, document)
            clock = await documents.clock_of(call.connection, document.brand)
            now = await own.now(call.connection)
        found = bodies[max(bodies)] if bodies else None
        if faults := list(domain.faults(document, found)):
            raise Problem("invalid", faults)
        assert found is not None

        def planning(flow: Flow | None) -> Planning:
            return validated(Planning, plans.planning(document, found.weights, flow, body) if isinstance(body, dict) else body)

        planning(None)  # before the question that takes long
        flow = None
        if plans.flows(document):
            run = Run(0, max(0, now - plans.FLOW_DAYS * DAY_MS), draft.body, None)
            shares, of = domain.periods(bodies)
            asked = {**asked_of(document, run, bodies, shares, of, clock.name), "until": None, "measures": [], "marks": []}
            flow = await _flow(neighbours, asked, str(clock.date(now)))
        planned = planning(flow).model_dump(mode="json", exclude_none=True)
        status, answer = await neighbours.tell("experiments", "/experiments/plan", planned)
        if status != 200:
            raise Problem("service_unavailable", service="experiments")
        return JSONResponse({**answer, "flow": None if flow is None else flow.model_dump()})

    return router


async def _flow(neighbours: Neighbours, asked: dict[str, Any], today: str) -> Flow | None:
    """Of the exposures there were, whatever was compared then."""
    told = await counted(neighbours, "/audience/experiment", {"asked": asked, "as_of": None})
    return plans.flow((day for period in told["periods"] for day in period["days"]), today)
