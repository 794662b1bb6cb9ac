"""Who is who: what other rules of identity would do before they are published, and a wrong merge taken back."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from services.gateway.api import wire
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import for_all_brands, path_of
from services.gateway.domain.kinds import KINDS, read, text_of
from services.gateway.domain.problems import Fault, Problem
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.keys import validated

IDENTITY = KINDS["identity"]
Name = Annotated[str, Field(min_length=3, max_length=500)]


class Unmerging(BaseModel):
    """apart: identifiers of the person, such as `email:ann@example.org`, that are never one person with his others. reason: for the act;
    it must not name the person. rehearse: only answer who would come of it.
    """

    model_config = ConfigDict(extra="forbid")

    apart: tuple[Name, ...] = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=500)
    rehearse: bool = False


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["profiles"])
    body = {
        "requestBody": {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{IDENTITY.model.__name__}"}}}}
    }

    @router.post("/api/identity/rules/rehearse", openapi_extra=body)
    async def rehearse(request: Request) -> Response:
        """Which people would become one under these rules, of those whom a contradiction keeps apart now: how many, by which kinds of
        identifiers, and a sample of pairs. Nothing is changed. Published rules judge a contradiction when the next fact brings it.
        """
        for_all_brands(await desk.admit(request, "read"))
        document = read(IDENTITY, "rules", wire.json_of(await wire.body_of(request)))
        status, found = await neighbours.tell("profile", "/identity/rehearse", text_of(document))
        return JSONResponse(found, status)

    given = {"requestBody": {"content": {"application/json": {"schema": Unmerging.model_json_schema()}}}}

    @router.post("/api/profiles/{profile}/unmerge", status_code=202, openapi_extra=given)
    async def unmerge(request: Request, profile: str) -> Response:
        """Part somebody who was made one of several by mistake: the facts that linked him are replayed with the link cut, and no later fact
        makes them one again. With `rehearse` it answers who would come of it. What becomes of segments, journeys, caps and consents:
        docs/identity.md.
        """

        async def work(call: Call, body: Any) -> Answer:
            for_all_brands(call.key)
            asked = validated(Unmerging, body if body is not None else {})
            status, told = await neighbours.tell("profile", f"{path_of(profile)}/unmerge", asked.model_dump())
            if status == 422:
                raise Problem("invalid", [Fault(f"apart.{place}", "not_his") for place in told["places"]])
            if status in (404, 409):
                raise Problem("profile_not_found" if status == 404 else "nothing_to_part")
            if not asked.rehearse:
                await call.audit("unmerge", f"profile {told['profile']}", act=told["act"], reason=asked.reason)
            return Answer(told, 200 if asked.rehearse else 202)

        return await desk.act(request, "admin", work)

    return router
