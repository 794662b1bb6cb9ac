"""/api/segments, /api/journeys and so on for each kind of document (domain/kinds.py), and their import."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import JSONResponse, Response

from services.gateway.api import wire
from services.gateway.api.desk import Desk, Ready
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.stands import stands
from services.gateway.domain.kinds import KINDS, Kind
from services.gateway.domain.problems import Problem
from services.gateway.handler import documents as handler
from services.gateway.handler.call import Call
from services.gateway.handler.finding import seen
from services.gateway.handler.in_use import Stands, mentioning, refuse_used
from services.gateway.store import documents as store

Limit = Annotated[int, Query(ge=1, le=1000)]
NO_VERSION = 2**31 - 1
Before = Annotated[int, Query(ge=0, le=NO_VERSION)]
Version = Annotated[int, Path(ge=1, le=NO_VERSION)]


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["documents"])

    @router.post("/api/documents/import")
    async def import_documents(request: Request) -> Response:
        """`{"documents": [{"kind", "body"}]}`: save and publish all of them, each after what it mentions, or none."""
        return await desk.act(request, "publish", handler.import_all, wire.MAX_IMPORT)

    for kind in KINDS.values():
        _of_kind(router, desk, kind, partial(stands, neighbours))
    return router


def _of_kind(router: APIRouter, desk: Desk, kind: Kind, standing: Stands) -> None:
    base = f"/api/{kind.plural}"
    models = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in kind.models]
    body = {"requestBody": {"content": {"application/json": {"schema": models[0] if len(models) == 1 else {"anyOf": models}}}}}

    @router.get(base, name=f"list {kind.plural}")
    async def list_all(request: Request, limit: Limit = 100, next: str = "") -> Response:  # noqa: A002
        """By key, without bodies. `next` of an answer goes on where it ended."""
        async with desk.calling(request, "read") as call:
            items = await store.listed(call.connection, kind.name, next, limit + 1, call.key.brands)
        return page(items, limit, "key")

    @router.get(f"{base}/{{key}}", name=f"get {kind.name}")
    async def get(request: Request, key: str) -> Response:
        """The draft. `_meta` says its revision (also the ETag) and which version is published."""
        async with desk.calling(request, "read") as call:
            return wire.answered(await handler.get(call, kind, key))

    @router.put(f"{base}/{{key}}", name=f"put {kind.name}", openapi_extra=body)
    async def put(request: Request, key: str) -> Response:
        """Save a draft. `If-Match`: only the revision that was seen; `If-None-Match: *`: only a new one."""
        match, only_new = request.headers.get("if-match"), request.headers.get("if-none-match") == "*"

        async def work(call: Call, document: Any) -> Any:
            return await handler.put(call, kind, key, document, match, only_new=only_new)

        return await desk.act(request, "write", work)

    @router.delete(f"{base}/{{key}}", name=f"delete {kind.name}", status_code=204)
    async def delete(request: Request, key: str) -> Response:
        """Delete it and take it out of force, unless another document in force mentions it."""

        async def ask(_body: Any) -> Ready:
            async with desk.calling(request, "write") as call:
                await seen(call, kind, key)
                versions = await mentioning(call, kind.name, key)
            await refuse_used(versions, standing)
            return lambda call: handler.delete(call, kind, key, request.headers.get("if-match"), versions)

        return await desk.act_on(request, "write", ask)

    _versions(router, desk, kind)
    if kind.name == "campaign":  # to publish one is to launch it: campaigns.py
        return

    @router.post(f"{base}/{{key}}/publish", name=f"publish {kind.name}")
    async def publish(request: Request, key: str) -> Response:
        """Put the draft in force as a new version. A draft that is in force already changes nothing.

        `{"version": 2}`: that version anew, in place of the draft. Of journeys, `{"move": {old step: new step | "leave" | "finish"}}`: where
        those go who stand in earlier versions; who stands on a step that is not named finishes on his version.
        """

        async def work(call: Call, body: Any) -> Any:
            return await handler.publish(call, kind, key, request.headers.get("if-match"), body)

        return await desk.act(request, "publish", work)


def _versions(router: APIRouter, desk: Desk, kind: Kind) -> None:
    base = f"/api/{kind.plural}/{{key}}/versions"

    @router.get(base, name=f"versions of {kind.name}")
    async def versions(request: Request, key: str, limit: Limit = 100, next: Before = NO_VERSION) -> Response:  # noqa: A002
        """What was published, newest first."""
        async with desk.calling(request, "read") as call:
            items = await store.versions(call.connection, kind.name, key, next, limit + 1)
        return page(items, limit, "version", lambda item: call.key.sees(item["brand"]))

    @router.get(f"{base}/{{version}}", name=f"version of {kind.name}")
    async def version(request: Request, key: str, version: Version) -> Response:
        async with desk.calling(request, "read") as call:
            found = await store.version(call.connection, kind.name, key, version)
            if found is None or not call.key.sees(found["brand"]):
                raise Problem("document_not_found", kind=kind.name, key=f"{key}@{version}")
        return JSONResponse(found)


def _all(_item: dict[str, Any]) -> bool:
    return True


def page(items: list[dict[str, Any]], limit: int, cursor: str, shows: Callable[[dict[str, Any]], bool] = _all) -> Response:
    """`{"items", "next"}`; items: one more than `limit` where there are more."""
    more = items[limit - 1][cursor] if len(items) > limit else None
    return JSONResponse({"items": list(filter(shows, items[:limit])), "next": more})
