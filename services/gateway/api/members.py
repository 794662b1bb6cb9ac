"""/api/segments/{key}/members and what else the history of memberships tells: flows, overlaps, one person's comings and goings, lists."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response, StreamingResponse

from schemas.attributes import date_ms
from schemas.ids import derive
from services.gateway.api.desk import Desk
from services.gateway.api.exporting import Export
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import Limit, brands_of, path_of
from services.gateway.domain.access import Key
from services.gateway.domain.formats import MEDIA, Format
from services.gateway.domain.kinds import KINDS
from services.gateway.domain.problems import Fault, Problem
from services.gateway.handler import documents as handler
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.keys import validated
from services.gateway.store import documents

SEGMENT = KINDS["segment"]
LATEST = 253_402_300_799_999  # ms, the end of the year 9999
MOST_KEYS = {"flows": 50, "overlap": 6}
Instant = Annotated[str, Query(description="UTC ms or ISO: 2026-03-01 is its midnight in UTC")]


class Freezing(BaseModel):
    """as: key of the list, a segment that is not there yet; name: its name; as_of: of whose members (UTC ms or ISO), now without it."""

    model_config = ConfigDict(extra="forbid")

    as_: str = Field(alias="as", min_length=1, max_length=63)
    name: str = Field(default="", max_length=200)
    as_of: int | str | None = None


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    """Before the documents' routes: `flows` and `overlap` are no keys of segments."""
    router = APIRouter(tags=["segments"])
    pages = _Pages(desk, neighbours)
    router.get("/api/segments/flows")(pages.flows)
    router.get("/api/segments/overlap")(pages.overlap)
    router.get("/api/segments/{key}/members")(pages.members)
    router.get("/api/segments/{key}/history")(pages.history)
    router.get("/api/segments/{key}/freeze")(pages.progress)
    body = {"requestBody": {"content": {"application/json": {"schema": Freezing.model_json_schema()}}}}
    router.post("/api/segments/{key}/freeze", status_code=202, openapi_extra=body)(pages.freeze)
    return router


class _Pages:
    def __init__(self, desk: Desk, neighbours: Neighbours) -> None:
        self._desk, self._neighbours = desk, neighbours

    async def members(
        self,
        request: Request,
        key: str,
        as_of: Instant = "",
        format: Format | None = None,  # noqa: A002
        limit: Limit = 100,
        next: str = "",  # noqa: A002
        facts: bool = False,
    ) -> Response:
        """Who is in the segment, or was at an instant: since when, why and by which fact (`cause`; `facts=true` adds what it was, which
        reads more). `count` stands on the first page. With `format` everybody, with all that is known of him, as one file.
        """
        at = _instant("as_of", as_of) if as_of else None
        async with self._desk.calling(request, "read") as call:
            await seen(call, key)
            if format is not None:
                await call.audit("export", f"segment {key}", format=format, as_of=at)
        if format is not None:
            return await self._file(Export(self._neighbours, call.key, key, at, format), key, format)
        asked = {"segment": key, "limit": limit, "after": next, "facts": int(facts), **({} if at is None else {"as_of": at})}
        found = _read(*await self._neighbours.ask("warehouse", "/memberships/members", **asked), "next", "cursor")
        if call.key.brands:
            found["items"] = await self._theirs(call.key, found["items"])
        return JSONResponse(found)

    async def _file(self, export: Export, key: str, form: Format) -> Response:
        kinds = await export.kinds()
        headers = {"Content-Disposition": f'attachment; filename="{key}.{form}"'}
        return StreamingResponse(export.parts(kinds), media_type=MEDIA[form], headers=headers)

    async def _theirs(self, key: Key, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Of members those who were seen in a brand of the key."""
        ids = [item["profile"] for item in items]
        status, found = await self._neighbours.tell("profile", "/profiles/there", ids, **brands_of(key))
        if status != 200:
            raise Problem("service_unavailable", service="profile")
        there = frozenset(found)
        return [item for item in items if item["profile"] in there]

    async def flows(
        self,
        request: Request,
        keys: str,
        since: Annotated[str, Query(alias="from")],
        until: Annotated[str, Query(alias="to")] = "",
    ) -> Response:
        """How people moved between these segments (parted by commas) from one instant to another, now without `to`: a matrix. Its rows and
        columns, which add up, are each of the segments alone, several of them, and none (docs/segments.md).
        """
        begin, end = _instant("from", since), _instant("to", until) if until else LATEST
        if begin > end:
            raise Problem("invalid", [Fault("to", "order")])
        chosen = await self._all_seen(request, keys, MOST_KEYS["flows"])
        asked = {"segments": ",".join(chosen), "from": begin, "to": end}
        return JSONResponse(await self._neighbours.require("warehouse", "/memberships/flows", **asked))

    async def overlap(self, request: Request, keys: str, as_of: Instant = "") -> Response:
        """How many stood in exactly these of up to six segments at an instant, now without `as_of`: for each combination that there is."""
        at = _instant("as_of", as_of) if as_of else LATEST
        chosen = await self._all_seen(request, keys, MOST_KEYS["overlap"])
        return JSONResponse(
            await self._neighbours.require("warehouse", "/memberships/overlap", segments=",".join(chosen), as_of=at)
        )

    async def _all_seen(self, request: Request, keys: str, most: int) -> list[str]:
        chosen = list(dict.fromkeys(filter(None, keys.split(","))))
        if not chosen:
            raise Problem("invalid", [Fault("keys", "too_short", params={"min_length": 1})])
        if len(chosen) > most:
            raise Problem("invalid", [Fault("keys", "too_long", params={"max_length": most})])
        async with self._desk.calling(request, "read") as call:
            for one in chosen:
                await seen(call, one)
        return chosen

    async def history(self, request: Request, key: str, profile: str, limit: Limit = 100, next: str = "") -> Response:  # noqa: A002
        """When a person came into the segment and left it, newest first, why and by which fact. What was told of him by an id of before he
        became one with another belongs to it.
        """
        async with self._desk.calling(request, "read") as call:
            await seen(call, key)
        status, person = await self._neighbours.ask("profile", path_of(profile), **brands_of(call.key))
        if status == 404:
            raise Problem("profile_not_found")
        asked = {"segment": key, "profiles": ",".join((person["id"], *person["merged"])), "limit": limit, "next": next}
        return JSONResponse(_read(*await self._neighbours.ask("warehouse", "/memberships/history", **asked), "next", "cursor"))

    async def freeze(self, request: Request, key: str) -> Response:
        """Make a list of those who are in the segment, or were at an instant: a segment of its own whose members do not change by
        themselves. Everybody on it has the attribute `list.<key>`. `GET .../{list}/freeze` says how far it has come.
        """

        async def work(call: Call, body: Any) -> Answer:
            asked = validated(Freezing, body if body is not None else {})
            brand = await seen(call, key)
            at = None if asked.as_of is None else _instant("as_of", asked.as_of)
            await self._publish_list(call, asked, brand)
            once = request.headers.get("idempotency-key") or str(call.now)
            given = {"id": derive("freeze", call.key.id, key, asked.as_, once), "segment": key, "list": asked.as_}
            status, told = await self._neighbours.tell(
                "warehouse", "/memberships/freezes", {**given, "brand": brand or "*", "as_of": at}
            )
            if status != 202:
                raise Problem("service_unavailable", service="warehouse")
            await call.audit("freeze", f"segment {key}", list=asked.as_, as_of=told["as_of"])
            return Answer(told, 202)

        return await self._desk.act(request, "publish", work)

    async def _publish_list(self, call: Call, asked: Freezing, brand: str | None) -> None:
        condition = {"kind": "attribute", "name": f"list.{asked.as_}", "op": "eq", "value": True}
        body = {"key": asked.as_, "name": asked.name or asked.as_, "brand": brand, "condition": condition}
        if await documents.get(call.connection, SEGMENT.name, asked.as_) is not None:
            raise Problem("list_exists", key=asked.as_)
        await handler.put(call, SEGMENT, asked.as_, body, None, only_new=True)
        await handler.publish(call, SEGMENT, asked.as_, None)

    async def progress(self, request: Request, key: str) -> Response:
        """How far the making of this list has come: `members` (null until they are noted), `told` of them so far, `done_at`."""
        async with self._desk.calling(request, "read") as call:
            await seen(call, key)
        status, found = await self._neighbours.ask("warehouse", "/memberships/freezes", list=key)
        if status == 404:
            raise Problem("not_frozen", key=key)
        return JSONResponse(found)


async def seen(call: Call, key: str) -> str | None:
    """The brand of a segment that the caller's key may look into; None: of all brands. One that is no more has its history still."""
    draft = await documents.get(call.connection, SEGMENT.name, key)
    brand = draft.brand if draft else None
    if draft is None:
        versions = await documents.versions(call.connection, SEGMENT.name, key, 2**31 - 1, 1)
        if not versions:
            raise Problem("document_not_found", kind=SEGMENT.name, key=key)
        brand = versions[0]["brand"]
    call.key.needs_brand(brand)
    return brand


def _instant(name: str, given: int | str) -> int:
    """UTC ms. Raises Problem with the field."""
    digits = isinstance(given, str) and given.isascii() and given.isdecimal()
    found = int(given) if digits else date_ms(given)
    if found is None or not 0 <= found <= LATEST:
        raise Problem("invalid", [Fault(name, "time")])
    return found


def _read(status: int, found: Any, name: str, code: str) -> dict[str, Any]:
    if status == 422:
        raise Problem("invalid", [Fault(name, code)])
    if status != 200:
        raise Problem("service_unavailable", service="warehouse")
    page: dict[str, Any] = found
    return page
