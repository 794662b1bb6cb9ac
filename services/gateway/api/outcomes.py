"""/api/reports/outcomes and /api/reports/people: what became of messages, and who stands behind each figure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from schemas.reports import Outcomes
from schemas.zones import Zone, names, zone
from services.gateway.api.counting import RefusedError, counted
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.domain import outcomes as domain
from services.gateway.domain.outcomes import NAMES, OF_PEOPLE, Reading
from services.gateway.domain.problems import Fault
from services.gateway.handler.call import Call
from services.gateway.handler.noticing import Told, warned_of, with_warnings
from services.gateway.store import documents

PEOPLE = "/api/reports/people"
PARAMETERS = {
    "campaign": "keys, parted by commas", "journey": "keys, parted by commas", "document": "whole names, such as journey:welcome",
    "step": "of a journey", "template": "key", "variant": "arm", "channel": "", "class": "service, triggered, mass", "launch": "id", "version": "number",
    "brand": "key", "segment": "key: people who stand in it", "condition": "JSON: people of whom it is true",
    "from": "messages from then on: a date of the zone, ISO, or UTC ms", "to": "and before then", "compare": "previous or year: the period beside",
    "by": "up to eight of document, step, template, variant, channel, class, launch, version, brand, day, week, month", "zone": "IANA name; the brand's without it",
    "target": 'the target action: an event name, or JSON {"event", "where", "value", "currency", "window"}', "event": "of the target action",
    "where": "JSON: filters of the target action", "value": "property with its worth, such as total", "currency": "the one that is summed",
    "window": "how long after a message it counts: 30m, 12h, 7d (which it is without), 2w", "as_of": "UTC ms: nothing later counts", "format": "json or csv",
}  # fmt: skip
PEOPLE_PARAMETERS = {"figure": "as `people` of an answer names them", "row": "JSON list: what the row is of, in the order of `by`",
                     "limit": "at most 1000", "next": "as the last page gave it"}  # fmt: skip


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router, reports = APIRouter(tags=["reports"]), Reports(desk, neighbours)
    router.get("/api/reports/outcomes", openapi_extra=described(PARAMETERS))(reports.outcomes)
    router.get(PEOPLE, openapi_extra=described({**PARAMETERS, **PEOPLE_PARAMETERS}))(reports.people)
    return router


def described(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of a query for the API's description: their names, and what each is."""
    described = [{"name": name, "in": "query", "schema": {"type": "string"}, "description": of} for name, of in parameters.items()]
    return {"parameters": described}


class Reports:
    """Reads what is asked, asks the audience service, and shapes what it tells."""

    def __init__(self, desk: Desk, neighbours: Neighbours) -> None:
        self._desk, self._neighbours = desk, neighbours

    async def outcomes(self, request: Request) -> Response:
        """Messages of any campaign, journey, letter, segment, brand and period: accepted, delivered, opened, clicked; people who then did the
        target action, what it was worth, and the same of the control groups. Rows by up to eight things; each figure opens its people.
        """
        reading = Reading(request.query_params)
        form = reading.form()
        asked, body, unseen = await self._body(request, reading)
        told = await self._told("/audience/outcomes", body)
        shown = with_warnings(_linked(request.query_params, asked, told), unseen)
        if form == "csv":
            from services.gateway.domain.outcome_table import csv_of  # Arrow is large, and only tables need it

            headers = {"Content-Disposition": 'attachment; filename="outcomes.csv"'}
            return Response(csv_of(shown, asked["by"]), media_type="text/csv; charset=utf-8", headers=headers)
        return JSONResponse(shown)

    async def people(self, request: Request) -> Response:
        """The profiles behind a figure of a report: its own parameters, and which figure of which row."""
        reading = Reading(request.query_params, NAMES | OF_PEOPLE)
        page = reading.page()
        _, body, _ = await self._body(request, reading)
        told = await self._told("/audience/people", {**body, **page._asdict()})
        return JSONResponse({**told, "next": None if told["next"] is None else str(told["next"])})

    async def _body(self, request: Request, reading: Reading) -> tuple[dict[str, Any], dict[str, Any], list[Told]]:
        """What is asked, the body of the question, and warnings of it."""
        async with self._desk.calling(request, "read") as call:
            brands = reading.listed("brand") or list(call.key.brands)
            for brand in brands:
                call.key.needs_brand(brand)
            found = await _bodies(call, reading)
            await _segment(call, request.query_params.get("segment"), reading)
            clock = await clock_of(
                call, request.query_params.get("zone"), reading, brands or [one.brand for one in found.values() if one.brand]
            )
            kept = {name: one.bodies for name, one in found.items()}
            reading.faults += domain.unknown(kept, reading.listed("step"), reading.listed("variant"))
            who, as_of = reading.who(), reading.instant("as_of", clock)
            asked = reading.asked(clock, brands)
            unseen = await warned_of(call, Outcomes.model_validate(asked), reading.named)
        return asked, {"asked": asked, **who, "as_of": as_of}, unseen

    async def _told(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await counted(self._neighbours, path, body)
        except RefusedError as error:
            raise error.problem(_place) from error


class _Document:
    """Of which brand a document is, and every version of it that there was, the draft as 0."""

    def __init__(self, brand: str | None, bodies: dict[int, dict[str, Any]]) -> None:
        self.brand, self.bodies = brand, bodies


async def _bodies(call: Call, reading: Reading) -> dict[str, _Document]:
    """The documents that are named by their keys. A fault for each that there is not, or that the key may not see."""
    found: dict[str, _Document] = {}
    for kind in ("campaign", "journey"):
        for key in reading.listed(kind):
            draft = await documents.get(call.connection, kind, key)
            versions = await documents.bodies(call.connection, kind, key)
            brand = draft.brand if draft else next((body.get("brand") for body in versions.values()), None)
            if (draft is None and not versions) or not call.key.sees(brand):
                reading.faults.append(Fault(kind, "unknown_document", params={"kind": kind, "key": key}))
                continue
            found[f"{kind}:{key}"] = _Document(brand, {**versions, **({0: draft.body} if draft else {})})
    return found


async def _segment(call: Call, key: str | None, reading: Reading) -> None:
    draft = await documents.get(call.connection, "segment", key) if key else None
    if key and (draft is None or not call.key.sees(draft.brand)):
        reading.faults.append(Fault("segment", "unknown_document", params={"kind": "segment", "key": key}))


async def clock_of(call: Call, given: str | None, reading: Reading, brands: Sequence[str]) -> Zone:
    """The zone that was asked for, else that of the one brand that it is about."""
    if given is not None:
        if given in names():
            return zone(given)
        reading.faults.append(Fault("zone", "time_zone"))
        return zone("UTC")
    return await documents.clock_of(call.connection, brands[0] if len(set(brands)) == 1 else None)


def _place(path: str) -> str:
    """What a field of the question is called by who asked."""
    return {"key": "segment", "target.currency": "currency"}.get(path, path)


def _linked(query: Mapping[str, str], asked: Mapping[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """The answer, with where the people of each row are: `{figure}` in it is the name of a figure."""
    kept = {name: value for name, value in query.items() if name not in ("format", "compare")}
    kept |= {"as_of": str(told["as_of"]), "zone": asked["zone"]}
    told = _opened(kept, asked["by"], told)
    if "before" in told:
        since, until = asked["compared"]
        told["before"] = {
            "from": since,
            "to": until,
            **_opened({**kept, "from": str(since), "to": str(until)}, asked["by"], told["before"]),
        }
    return {**told, "zone": asked["zone"]}


def _opened(kept: Mapping[str, str], by: Sequence[str], told: dict[str, Any]) -> dict[str, Any]:
    whole = f"{PEOPLE}?{urlencode(kept)}"
    rows = [{**row, "people": f"{whole}&{_row(row, by)}&figure={{figure}}"} for row in told["rows"]]
    return {**told, "rows": rows, "total": {**told["total"], "people": f"{whole}&figure={{figure}}"}}


def _row(row: Mapping[str, Any], by: Sequence[str]) -> str:
    return urlencode({"row": json.dumps([row[name] for name in by], ensure_ascii=False)})
