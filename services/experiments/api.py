"""What the gateway asks of this service, under /internal/experiments: each a POST with a JSON body that the gateway has read already."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from runtime.process import Context
from schemas.experiments import Evaluation, Model, Planning, as_json
from services.experiments.domain.evaluating import evaluate
from services.experiments.domain.planning import plan
from services.experiments.settings import ExperimentsSettings


class Statistics:
    """Works questions out on a thread: others of the process go on meanwhile."""

    def __init__(self, settings: ExperimentsSettings) -> None:
        self._room = asyncio.Semaphore(settings.at_once)

    def api(self, _context: Context) -> Sequence[BaseRoute]:
        """`evaluate` takes an Evaluation, `plan` a Planning (schemas/experiments.py). 422: it is none."""
        return [
            Route("/experiments/evaluate", self._endpoint(Evaluation, evaluate), methods=["POST"]),
            Route("/experiments/plan", self._endpoint(Planning, plan), methods=["POST"]),
        ]

    def _endpoint(self, model: type[BaseModel], work: Callable[[Any], Model]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                asked = model.model_validate(msgspec.json.decode(await request.body()))
            except (ValidationError, msgspec.DecodeError):
                return JSONResponse({"code": "invalid"}, 422)
            async with self._room:
                return JSONResponse(as_json(await asyncio.to_thread(work, asked)))

        return endpoint
