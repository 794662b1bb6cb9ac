"""Drafts of journeys, rules and campaigns played over the days that were, and one person led through a journey."""

from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from schemas.documents import FARTHEST_MS, checked_duration
from services.gateway.api import wire
from services.gateway.api.desk import Desk
from services.gateway.api.neighbours import Neighbours
from services.gateway.api.people import brands_of, for_all_brands, path_of
from services.gateway.domain.access import Key
from services.gateway.domain.kinds import KINDS, Kind, read, text_of
from services.gateway.domain.problems import Fault, Problem, language_of
from services.gateway.domain.references import check
from services.gateway.domain.rehearsals import with_words
from services.gateway.domain.why import named_zone
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.finding import seen
from services.gateway.handler.keys import validated
from services.gateway.handler.making import whole
from services.gateway.store import documents

DAY_MS = 86_400_000
MOST_DAYS, MOST_PEOPLE, MOST_CHOICES = 400, 200_000, 500
Share = Annotated[int, Field(strict=True, ge=0, le=100)]
Instant = Annotated[int, Field(strict=True, ge=0, le=FARTHEST_MS)]
Word = Annotated[str, Field(min_length=1, max_length=400)]


class Assumed(BaseModel):
    """Of a hundred messages that go, how many are delivered, opened and clicked; all are accepted."""

    model_config = ConfigDict(extra="forbid")

    delivered: Share = 0
    opened: Share = 0
    clicked: Share = 0


class Rehearsing(BaseModel):
    """days: how many, up to now; until: up to that instant (UTC ms) in its place. most: of more people a sample is played. alone: without the
    other journeys, of a journey or a campaign; compare: with what is in force (of a rule and a campaign: yes, unless it says no). at: of a
    campaign, when it is launched (UTC ms); without it on the first of the days.
    """

    model_config = ConfigDict(extra="forbid")

    days: int = Field(default=90, strict=True, ge=1, le=MOST_DAYS)
    until: Instant | None = None
    most: int = Field(default=20_000, strict=True, ge=1, le=MOST_PEOPLE)
    alone: bool = False
    compare: bool | None = None
    assume: Assumed = Assumed()
    at: Instant | None = None


class Choice(BaseModel):
    """One of those that an answer offered under `may`; after: so long after now (`1h`)."""

    model_config = ConfigDict(extra="forbid")

    do: Word
    is_so: bool | None = None
    arm: Word | None = None
    step: Word | None = None
    became: Word | None = None
    after: Annotated[str, Field(max_length=40), AfterValidator(checked_duration)] | None = None
    leads: str | None = None


class Walking(BaseModel):
    """profile: somebody whose time zone, language, addresses and control groups are taken; what else is given goes before them. at: when it
    begins (UTC ms); data: the properties of the fact that starts the run; choices: those made so far.
    """

    model_config = ConfigDict(extra="forbid")

    profile: Word | None = None
    at: Instant | None = None
    time_zone: Word | None = None
    language: Word | None = None
    reach: tuple[Word, ...] | None = Field(default=None, max_length=20)
    data: dict[str, Any] = {}
    choices: tuple[Choice, ...] = Field(default=(), max_length=MOST_CHOICES)


def routes(desk: Desk, neighbours: Neighbours) -> APIRouter:
    router = APIRouter(tags=["journeys"])
    for kind in (KINDS["journey"], KINDS["rule"], KINDS["campaign"]):
        _rehearse(router, desk, neighbours, kind)

    @router.get("/api/rehearsals/{rehearsal}")
    async def rehearsal(request: Request, rehearsal: str) -> Response:
        """How a rehearsal stands: `state` waiting, running, done, stopped or failed; `done` of `total` people, `eta_ms`; and the `report`.

        It is forgotten after a week.
        """
        key = await desk.admit(request, "read")
        return _told(request, key, *await neighbours.ask("orchestrator", f"/rehearsals/{_id(rehearsal)}"))

    @router.post("/api/rehearsals/{rehearsal}/stop")
    async def stop(request: Request, rehearsal: str) -> Response:
        """End it where it is; the report is of those who were played by then."""
        key = await desk.admit(request, "write")
        path = f"/rehearsals/{_id(rehearsal)}"
        _told(request, key, *await neighbours.ask("orchestrator", path))
        return _told(request, key, *await neighbours.tell("orchestrator", f"{path}/stop", None))

    @router.post("/api/journeys/{journey}/walk", openapi_extra=_body(Walking))
    async def walk(request: Request, journey: str) -> Response:
        """Lead one person through the draft: `path` is what was decided so far, `stands` where he is, and `may` what can be chosen next. Send
        the same again with one more of `choices`. Nothing is kept.
        """
        key = await desk.admit(request, "read")
        asked = validated(Walking, wire.json_of(await wire.body_of(request)))
        async with desk.calling(request, "read") as call:
            _, body = await _draft(call, KINDS["journey"], journey)
        now, _ = await desk.context.clock.now()
        made = {"at": asked.at if asked.at is not None else now, **await _person(neighbours, key, asked), "data": asked.data}
        choices = [choice.model_dump(exclude_none=True, exclude={"leads"}) for choice in asked.choices]
        status, told = await neighbours.tell(
            "orchestrator", "/walk", {"key": journey, "body": body, "made": made, "choices": choices}
        )
        if status == 422:
            raise Problem("invalid", [Fault(f"choices.{told['place']}", "choice", params={"may": _ways(told["may"])})])
        return JSONResponse(told, status)

    return router


def _rehearse(router: APIRouter, desk: Desk, neighbours: Neighbours, kind: Kind) -> None:
    @router.post(
        f"/api/{kind.plural}/{{key}}/rehearse", name=f"rehearse {kind.name}", status_code=202, openapi_extra=_body(Rehearsing)
    )
    async def rehearse(request: Request, key: str) -> Response:
        """Play the draft over the last days of the lake, with the sending off (docs/rehearsal.md). `id`: for `GET /api/rehearsals/{id}`."""

        async def work(call: Call, given: Any) -> Answer:
            asked = validated(Rehearsing, given or {})
            now, _ = await desk.context.clock.now()
            if faults := list(_refused(asked, kind, now)):
                raise Problem("invalid", faults)
            draft, body = await _draft(call, kind, key)
            if draft.brand is None:
                for_all_brands(call.key)
            job = {
                "kind": kind.name, "key": key, "body": body, "days": asked.days, "until": asked.until, "most": asked.most,
                "alone": asked.alone, "compare": kind.name != "journey" if asked.compare is None else asked.compare, "at": asked.at,
                **asked.assume.model_dump(),
            }  # fmt: skip
            status, told = await neighbours.tell("orchestrator", "/rehearsals", {"asked": job, "brand": draft.brand})
            if status == 429:
                raise Problem("rehearsals_open", most=told["most"])
            return Answer(with_words(told, call.language), 202, {"Location": f"/api/rehearsals/{told['id']}"})

        return await desk.act(request, "write", work)


async def _draft(call: Call, kind: Kind, key: str) -> tuple[documents.Draft, dict[str, Any]]:
    """A draft that could be published, and what it would be in force. Raises Problem with every fault."""
    draft = await seen(call, kind, key)
    document = read(kind, key, draft.body)
    world = await documents.world(call.connection)
    if faults := check(kind.name, key, document, world):
        raise Problem("invalid", faults)
    return draft, text_of(await whole(call, key, document, world))


async def _person(neighbours: Neighbours, key: Key, asked: Walking) -> dict[str, Any]:
    """Of whom is asked; what is given counts more."""
    made: dict[str, Any] = {}
    if asked.profile is not None:
        status, found = await neighbours.ask("profile", path_of(asked.profile), **brands_of(key))
        if status != 200:
            raise Problem("profile_not_found")
        said = found["attributes"]
        made = {
            "reach": sorted({identifier.partition(":")[0] for identifier in found["identifiers"]}),
            "bucketing": found["bucketing_id"],
            "time_zone": named_zone(said),
            "language": _text(said.get("language", said.get("locale"))),
        }
    given = {"time_zone": asked.time_zone, "language": asked.language, "reach": asked.reach}
    return {**made, **{name: value for name, value in given.items() if value is not None}}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _told(request: Request, key: Key, status: int, found: Any) -> Response:
    if status == 404 or not key.sees(found["brand"]) or (found["brand"] is None and key.brands):
        raise Problem("rehearsal_not_found")
    return JSONResponse(with_words(found, language_of(request.headers.get("accept-language", ""))), status)


def _refused(asked: Rehearsing, kind: Kind, now: int) -> Iterator[Fault]:
    """A rule alone, without any journey, would have nothing to do; days to come have no facts yet; and a launch is in the days that are played."""
    if asked.alone and kind.name == "rule":
        yield Fault("alone", "rule_alone")
    if asked.until is not None and asked.until > now:
        yield Fault("until", "less_than_equal", params={"le": now})
    if asked.at is not None and kind.name != "campaign":
        yield Fault("at", "only_campaigns")
    until = min(asked.until or now, now)
    if asked.at is not None and not until - asked.days * DAY_MS <= asked.at < until:
        yield Fault("at", "not_of_these_days", params={"since": until - asked.days * DAY_MS, "until": until})


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Problem("rehearsal_not_found") from error


def _ways(may: list[dict[str, Any]]) -> str:
    return "; ".join(" ".join(f"{name}={value}" for name, value in one.items() if name != "leads") for one in may) or "-"


def _body(model: type[BaseModel]) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": model.model_json_schema(ref_template="#/$defs/{model}")}}}}
