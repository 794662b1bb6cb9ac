"""The app: all routes, problems in place of errors, and its description."""

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer
from pydantic.json_schema import models_json_schema

from runtime import health
from services.gateway.api import (
    analyses,
    audiences,
    belongings,
    bots,
    campaigns,
    clock,
    connectors,
    dashboards,
    documents,
    effective,
    events,
    experiment_plans,
    experiment_results,
    experiments,
    identity,
    imports,
    journeys,
    keys,
    language,
    law,
    mechanics,
    members,
    operation,
    outcomes,
    people,
    problems,
    progress,
    promo_pools,
    rehearsals,
    starts,
    traffic,
    webhooks,
    why,
)
from services.gateway.api.dashboards import Dashboards
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.proxy import Proxy
from services.gateway.domain.kinds import KINDS

_TEMPLATE = "#/components/schemas/{model}"


def build(desk: Desk, neighbours: Neighbours, proxy: Proxy, board: Dashboards) -> FastAPI:
    """The ASGI application of the gateway."""
    context = desk.context
    app = FastAPI(title="Otklik", version="1", openapi_url="/api/openapi.json", docs_url=None, redoc_url=None)
    described = [Depends(HTTPBearer(auto_error=False, description="An API key"))]  # Desk checks; this tells the description
    for router in (
        language.routes(desk),  # before `/api/segments/{key}`
        audiences.routes(desk, neighbours),
        members.routes(desk, neighbours),
        progress.routes(desk, neighbours),
        effective.routes(desk),
        starts.routes(desk),
        rehearsals.routes(desk, neighbours),
        campaigns.routes(desk, neighbours),
        promo_pools.routes(desk, neighbours),  # before `/api/promo-pools/{key}`
        events.routes(desk, neighbours),
        experiments.routes(desk, neighbours),
        experiment_results.routes(desk, neighbours),
        experiment_plans.routes(desk, neighbours),
        documents.routes(desk, neighbours),
        journeys.routes(desk, neighbours),
        keys.routes(desk),
        people.routes(desk, neighbours),
        why.routes(desk, neighbours),
        belongings.routes(desk, neighbours),
        law.routes(desk, neighbours),
        identity.routes(desk, neighbours),
        connectors.routes(desk, neighbours),
        mechanics.routes(desk),
        bots.routes(desk, neighbours),
        webhooks.routes(desk, neighbours),
        operation.routes(desk, neighbours),
        imports.routes(desk, neighbours),
        outcomes.routes(desk, neighbours),
        analyses.routes(desk, neighbours),
        traffic.routes(desk),
        dashboards.routes(desk, board),
        clock.routes(desk, neighbours),
    ):
        app.include_router(router, dependencies=described)
    app.router.routes.extend([*health.probes([context]), *proxy.routes()])
    problems.install(app)
    app.openapi = lambda: _description(app)  # type: ignore[method-assign]
    return app


def _description(app: FastAPI) -> dict[str, Any]:
    """OpenAPI with the models of the documents."""
    if app.openapi_schema is None:
        description = get_openapi(title=app.title, version=app.version, routes=app.routes)
        described = (*(model for kind in KINDS.values() for model in kind.models), *experiments.MODELS)
        models = [(model, "validation") for model in described]
        _, schema = models_json_schema(models, ref_template=_TEMPLATE)  # type: ignore[arg-type]
        description.setdefault("components", {}).setdefault("schemas", {}).update(schema["$defs"])
        app.openapi_schema = description
    return app.openapi_schema
