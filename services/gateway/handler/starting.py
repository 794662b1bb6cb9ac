"""Starting a journey by a call: facts of a type of their own, which go the way of all facts."""

import secrets
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runtime import own
from schemas.facts import IDENTIFIER_KINDS, Fact, encode
from schemas.identifiers import is_kind, normalise
from schemas.ids import derive
from schemas.journeys import Journey
from schemas.nesting import MAX_DEPTH, too_deep
from schemas.topics import FACTS_RAW
from schemas.triggers import JOURNEY_START, OF_START, ApiTrigger
from services.gateway.domain.kinds import kept
from services.gateway.domain.problems import Fault, Problem
from services.gateway.domain.reading import faults_of
from services.gateway.handler.call import Answer, Call
from services.gateway.store import documents

SERVICE, LANE = "gateway", "starts"
SOURCE = "api"
MOST = 1000
MAX_DATA = 64_000  # bytes of one person's data, as JSON


class Start(BaseModel):
    """Whom: `profile`, or an `identifier` such as `email:ann@example.org`, which makes somebody new of whom nobody has. data: what the run has
    as `event`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: UUID | None = None
    identifier: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class Starts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    people: tuple[Start, ...] = Field(min_length=1, max_length=MOST)


async def start(call: Call, key: str, body: Any, idempotency: str | None) -> Answer:
    """One person, or `people`. Raises Problem: no such journey, not in force, not started by the API, or faults of the request."""
    journey = await _startable(call, key)
    many = isinstance(body, dict) and "people" in body
    people = _read(body, many=many)
    _, now, _ = await own.lock(call.connection, LANE)
    once = idempotency or secrets.token_hex(16)
    facts = [
        _fact(journey, person, derive("start", call.key.id, journey.key, once, place), now) for place, person in enumerate(people)
    ]
    emits = [own.unplaced(FACTS_RAW.name, f"{SOURCE}|{_who(fact)}", encode(fact), fact.type) for fact in facts]
    await own.publish_in(call.connection, call.settings, SERVICE, LANE, emits)
    ids = [fact.id for fact in facts]
    return Answer({"ids": ids} if many else {"id": ids[0]}, 202)


async def _startable(call: Call, key: str) -> Journey:
    draft = await documents.get(call.connection, "journey", key)
    if draft is None or not call.key.sees(draft.brand):
        raise Problem("document_not_found", kind="journey", key=key)
    body = await documents.published(call.connection, "journey", key)
    journey = kept("journey", body) if body is not None else None
    if not isinstance(journey, Journey):  # one with parameters is not in force by itself
        raise Problem("not_in_force", kind="journey", key=key)
    call.key.needs_brand(journey.brand)
    if not isinstance(journey.trigger, ApiTrigger):
        raise Problem("no_api_trigger", key=key)
    return journey


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
    if (person.profile is None) == (person.identifier is None):
        yield Fault(f"{place}profile", "one_person")
    if person.identifier is not None and _normal(person.identifier) is None:
        yield Fault(f"{place}identifier", "identifier", params={"kinds": ", ".join(IDENTIFIER_KINDS)})
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


def _fact(journey: Journey, person: Start, id_: str, now: int) -> Fact:
    about = str(person.profile) if person.profile is not None else None
    names = (_normal(person.identifier) or "",) if person.identifier is not None else ()
    return Fact(
        id=id_,
        type=JOURNEY_START,
        brand=journey.brand,
        source=SOURCE,
        occurred_at=now,
        received_at=now,
        identifiers=names,
        about=about,
        properties={**person.data, OF_START: journey.key},
    )


def _normal(identifier: str) -> str | None:
    kind, _, value = identifier.partition(":")
    clean = normalise(kind, value) if is_kind(kind) else None
    return f"{kind}:{clean}" if clean is not None else None


def _who(fact: Fact) -> str:
    return fact.about or fact.identifiers[0]
