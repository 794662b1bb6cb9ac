"""Starting a journey by a call: facts of a type of their own, which go the way of all facts."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.journeys import Journey
from schemas.nesting import MAX_DEPTH, too_deep
from schemas.triggers import JOURNEY_START, OF_START, ApiTrigger
from services.gateway.domain.kinds import KINDS
from services.gateway.domain.problems import Fault, Problem
from services.gateway.domain.reading import faults_of
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.finding import ruling
from services.gateway.handler.saying import Addressed, Said, say

JOURNEY = KINDS["journey"]
MOST = 1000
MAX_DATA = 64_000  # bytes of one person's data, as JSON


class Start(Addressed):
    """data: what the run has as `event`."""

    data: dict[str, Any] = Field(default_factory=dict)


class Starts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    people: tuple[Start, ...] = Field(min_length=1, max_length=MOST)


async def start(call: Call, key: str, body: Any, idempotency: str | None) -> Answer:
    """One person, or `people`. Raises Problem: no such journey, not in force, not started by the API, or faults of the request."""
    journey = await ruling(call, JOURNEY, key)
    assert isinstance(journey, Journey)
    if not isinstance(journey.trigger, ApiTrigger):
        raise Problem("no_api_trigger", key=key)
    many = isinstance(body, dict) and "people" in body
    people = _read(body, many=many)
    said = [Said(one.whom, {**one.data, OF_START: journey.key}, type=JOURNEY_START) for one in people]
    ids = await say(call, journey.brand, ("start", journey.key), said, idempotency)
    return Answer({"ids": ids} if many else {"id": ids[0]}, 202)


def _read(body: Any, *, many: bool) -> list[Start]:
    if not isinstance(body, dict):
        raise Problem("invalid", [Fault("", "object")])
    try:
        people = list(Starts.model_validate(body).people) if many else [Start.model_validate(body)]
    except ValidationError as error:
        raise Problem("invalid", faults_of(body, error)) from error
    places = (f"people.{place}." if many else "" for place in range(len(people)))
    faults = [fault for place, person in zip(places, people, strict=True) for fault in _faults(place, person)]
    if faults:
        raise Problem("invalid", faults)
    return people


def _faults(place: str, person: Start) -> Iterator[Fault]:
    yield from person.whom.faults(place)
    if OF_START in person.data:
        yield Fault(f"{place}data.{OF_START}", "reserved_property", params={"name": OF_START})
    yield from _data_faults(f"{place}data", person.data)


def _data_faults(place: str, data: Mapping[str, Any]) -> Iterator[Fault]:
    """What no fact can hold."""
    try:
        size = len(msgspec.msgpack.encode(data))
    except OverflowError:
        yield Fault(place, "number_too_long")
        return
    if size > MAX_DATA:
        yield Fault(place, "data_size", params={"limit": MAX_DATA})
    elif too_deep(msgspec.json.encode({"properties": data})) is not None:
        yield Fault(place, "data_depth", params={"limit": MAX_DEPTH})
