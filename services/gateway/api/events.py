"""/api/events/{key}: registrations, check-in, selection and figures of an event beside its document (docs/events.md)."""

import csv
import io
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from schemas.events import Event
from services.gateway.api import wire
from services.gateway.api.desk import Desk, Ready
from services.gateway.api.members import seen
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain import guests, selecting
from services.gateway.domain.problems import Fault, Problem
from services.gateway.domain.selecting import Selection
from services.gateway.handler import registering
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.keys import validated
from services.gateway.handler.registering import CheckIn, People, Person

Status = Literal["requested", "confirmed", "waitlisted", "declined", "cancelled", "moved_online", "attended", "no_show"]
PAGE = 1000
PEOPLE = 2000  # asked of profile at once


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    """Before the documents' routes."""
    router = APIRouter(tags=["events"])
    pages = _Pages(desk, neighbours)
    router.get("/api/events/{key}/registrations")(pages.listed)
    router.post("/api/events/{key}/registrations", status_code=202, openapi_extra=_body(Person, People))(pages.register)
    router.post("/api/events/{key}/check-in", status_code=202, openapi_extra=_body(CheckIn))(pages.check_in)
    router.post("/api/events/{key}/select", status_code=202, openapi_extra=_body(Selection))(pages.select)
    router.get("/api/events/{key}/stats")(pages.stats)
    return router


def _body(*models: type[BaseModel]) -> dict[str, Any]:
    schema = {"anyOf": [model.model_json_schema() for model in models]}
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


class _Pages:
    def __init__(self, desk: Desk, neighbours: Neighbours) -> None:
        self._desk, self._neighbours = desk, neighbours

    async def listed(
        self,
        request: Request,
        key: str,
        format: Literal["json", "csv"] = "json",  # noqa: A002
        status: Annotated[list[Status] | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
        next: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,  # noqa: A002
        names: bool = False,
    ) -> Response:
        """Who registered, in the order in which they came: what a check-in bot reads. `next` of an answer (of a CSV the header `X-Next`) goes
        on where it ended. `names`: each with his name, as profile knows it; that it was asked for is in the audit.
        """
        async with self._desk.calling(request, "read") as call:
            event = await registering.event_of(call, key)
            if format != "json" or names:
                more = {"names": True} if names else {}
                await call.audit("export", f"event {key}", format=format, status=status, next=next, **more)
        found = await self._page(key, next, limit, status=",".join(status or ()))
        if names:
            said = await self._said([item["profile"] for item in found["items"]], guests.ASKED)
            found["items"] = [{**item, "name": guests.called(said.get(item["profile"], {}))} for item in found["items"]]
        if format == "json":
            return JSONResponse(found)
        headers = {"X-Next": str(found["next"])} if found["next"] is not None else {}
        return Response(_csv(event, found["items"], names=names), media_type="text/csv; charset=utf-8", headers=headers)

    async def register(self, request: Request, key: str) -> Response:
        """A person, or `people`, up to 1,000: registered, or with the status `cancelled` no longer. What becomes of it is told by facts."""

        async def work(call: Call, body: Any) -> Answer:
            event = await registering.event_of(call, key)
            many = isinstance(body, dict) and "people" in body
            people = validated(People, body).people if many else (validated(Person, body if body is not None else {}),)
            return await registering.register(call, event, people, request.headers.get("idempotency-key"), many=many)

        return await self._desk.act(request, "write", work, wire.MAX_IMPORT)

    async def check_in(self, request: Request, key: str) -> Response:
        """He is here: by `profile`, `identifier` or the `code` of his registration. Twice is once."""

        async def ask(body: Any) -> Ready:
            asked = validated(CheckIn, body if body is not None else {})
            async with self._desk.calling(request, "write") as call:
                await registering.event_of(call, key)
            profile = await self._owner(key, asked.code) if asked.code is not None else None

            async def work(call: Call) -> Answer:
                event = await registering.event_of(call, key)
                return await registering.check_in(call, event, asked, profile, request.headers.get("idempotency-key"))

            return work

        return await self._desk.act_on(request, "write", ask)

    async def select(self, request: Request, key: str) -> Response:
        """Confirm those who asked for a place, as far as seats go (the others of them wait): `{selected, rest}`, how many these are."""

        async def ask(body: Any) -> Ready:
            asked = validated(Selection, body if body is not None else {})
            async with self._desk.calling(request, "write") as call:
                await registering.event_of(call, key)
                if asked.segment is not None:
                    await seen(call, asked.segment)
            candidates = [one async for one in self._all(key, "requested,waitlisted,declined")]
            try:
                chosen = selecting.chosen(candidates, asked, await self._known(candidates, asked))
            except ValueError as error:
                raise Problem("invalid", [Fault("profiles", "one_selection")]) from error

            async def work(call: Call) -> Answer:
                event = await registering.event_of(call, key)
                await registering.choose(call, event, chosen, request.headers.get("idempotency-key"))
                selected = sum(choice == "confirm" for choice, _ in chosen.values())
                await call.audit("select", f"event {key}", selected=selected)
                return Answer({"selected": selected, "rest": len(chosen) - selected}, 202)

            return work

        return await self._desk.act_on(request, "write", ask, wire.MAX_IMPORT)

    async def stats(self, request: Request, key: str) -> Response:
        """How many by status, and the three rates: of those who saw it who registered, of these who came, of these who paid."""
        async with self._desk.calling(request, "read") as call:
            event = await registering.event_of(call, key)
        counts = await self._neighbours.require("orchestrator", f"/events/{key}")
        people = {}
        for name, condition in selecting.funnel(event).items():
            body = {"brands": [event.brand], "as_of": None, "condition": condition}
            status, told = await self._neighbours.tell("audience", "/audience/preview", body)
            if status != 200:
                raise Problem("service_unavailable", service="audience")
            people[name] = told["count"]
        return JSONResponse({**counts, "seats": event.seats, "funnel": people, "rates": selecting.rates(people)})

    async def _page(self, key: str, after: int, limit: int, **narrow: str) -> dict[str, Any]:
        path = f"/events/{key}/registrations"
        found: dict[str, Any] = await self._neighbours.require("orchestrator", path, after=after, limit=limit, **narrow)
        return found

    async def _all(self, key: str, status: str) -> AsyncIterator[dict[str, Any]]:
        after: int | None = 0
        while after is not None:
            found = await self._page(key, after, PAGE, status=status)
            for item in found["items"]:
                yield item
            after = found["next"]

    async def _owner(self, key: str, code: str) -> str:
        found = await self._page(key, 0, 1, code=code.strip().lower())
        if not found["items"]:
            raise Problem("invalid", [Fault("code", "no_registration")])
        profile: str = found["items"][0]["profile"]
        return profile

    async def _known(self, candidates: list[dict[str, Any]], asked: Selection) -> dict[str, Any]:
        """Of candidates what the selection asks about: the attribute's value, or anything of members of the segment."""
        ids = [one["profile"] for one in candidates]
        if asked.segment is not None:
            return dict.fromkeys([one async for one in self._members(asked.segment, sorted(ids))], True)
        said = await self._said(ids, (asked.top.by,)) if asked.top is not None else {}
        return {profile: value for profile, values in said.items() for _, value in values.values()}

    async def _said(self, ids: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
        """Attributes of people, as profile knows them: {id: {name: [at, value]}} of whom has said any."""
        found: dict[str, Any] = {}
        for start in range(0, len(ids), PEOPLE):
            body = {"ids": ids[start : start + PEOPLE], "names": names}
            status, said = await self._neighbours.tell("profile", "/profiles/said", body)
            if status != 200:
                raise Problem("service_unavailable", service="profile")
            found |= said
        return found

    async def _members(self, segment: str, among: list[str]) -> AsyncIterator[str]:
        """Members of a segment, all that there are `among` these ids, which are in order: pages begin at the next of them, so a large
        segment is not read as a whole for a few.
        """
        place = 0
        while place < len(among):
            asked = {"segment": segment, "limit": PAGE, "after": _before(among[place]), "facts": 0}
            found = await self._neighbours.require("warehouse", "/memberships/members", **asked)
            for item in found["items"]:
                yield item["profile"]
            if found["next"] is None:
                return
            place = bisect_right(among, found["next"])


def _before(profile: str) -> str:
    """The id after which a page begins with this one."""
    return str(UUID(int=max(0, UUID(profile).int - 1)))


def _csv(event: Event, items: list[dict[str, Any]], *, names: bool) -> str:
    out = io.StringIO()
    questions = [question.name for question in event.questions]
    writer = csv.writer(out)
    called = ["name"] if names else []
    writer.writerow(["profile", *called, "status", "attend", "coming", "code", *questions])
    for item in items:
        attend = "online" if item["online"] else "offline"
        said = [item["answers"].get(name, "") for name in questions]
        who = [item["profile"], *(_plain(item[name] or "") for name in called)]
        writer.writerow([*who, item["status"], attend, int(item["coming"]), item["code"], *map(_plain, said)])
    return out.getvalue()


def _plain(text: str) -> str:
    """What a spreadsheet would take for a formula is text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
