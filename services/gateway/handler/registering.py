"""What is said of people at an event by the management API: facts, which go the way of all facts."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from runtime import own
from schemas.events import ATTENDED, EVENT, REGISTERED, SELECTED, UNREGISTERED, Attend, Choice, Event
from schemas.facts import IDENTIFIER_KINDS, Fact, encode
from schemas.identifiers import is_kind, normalise
from schemas.ids import derive
from schemas.topics import FACTS_RAW
from services.gateway.domain.kinds import kept
from services.gateway.domain.problems import Fault, Problem
from services.gateway.handler.call import Answer, Call
from services.gateway.store import documents

SERVICE, LANE, SOURCE = "gateway", "starts", "api"
MOST = 1000


class Person(BaseModel):
    """Whom: `profile`, or an `identifier` such as `email:ann@example.org`. status: `cancelled` takes his registration back. answers: to the
    questions of the event.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: UUID | None = None
    identifier: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    attend: Attend | None = None
    status: Literal["registered", "cancelled"] = "registered"
    answers: dict[str, Annotated[str, Field(max_length=500)]] = Field(default_factory=dict)


class People(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    people: tuple[Person, ...] = Field(min_length=1, max_length=MOST)


class CheckIn(BaseModel):
    """Whom: `profile`, `identifier`, or the `code` of his registration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: UUID | None = None
    identifier: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    code: Annotated[str, Field(min_length=1, max_length=64)] | None = None


async def event_of(call: Call, key: str) -> Event:
    """As it is in force. Raises Problem."""
    draft = await documents.get(call.connection, "event", key)
    if draft is None or not call.key.sees(draft.brand):
        raise Problem("document_not_found", kind="event", key=key)
    body = await documents.published(call.connection, "event", key)
    event = kept("event", body) if body is not None else None
    if not isinstance(event, Event):
        raise Problem("not_in_force", kind="event", key=key)
    call.key.needs_brand(event.brand)
    return event


async def register(call: Call, event: Event, asked: People, idempotency: str | None) -> Answer:
    """202 with the facts' ids, in the order of the people. Raises Problem with every fault of every person."""
    faults = [fault for place, one in enumerate(asked.people) for fault in _faults(f"people.{place}.", one, event)]
    if faults:
        raise Problem("invalid", faults)
    said = [
        (
            (one.profile, one.identifier),
            {"event": REGISTERED if one.status == "registered" else UNREGISTERED},
            {**one.answers, **({"attend": one.attend} if one.attend else {})},
        )
        for one in asked.people
    ]
    return Answer({"ids": await _publish(call, event, said, idempotency)}, 202)


async def check_in(call: Call, event: Event, asked: CheckIn, profile: str | None, idempotency: str | None) -> Answer:
    """profile: whose the code is, None without one."""
    if len([one for one in (asked.profile, asked.identifier, asked.code) if one is not None]) != 1:
        raise Problem("invalid", [Fault("profile", "one_person")])
    if asked.identifier is not None:
        _checked("identifier", asked.identifier)
    whom = (UUID(profile) if profile is not None else asked.profile, asked.identifier)
    ids = await _publish(call, event, [(whom, {"event": ATTENDED}, {})], idempotency)
    return Answer({"id": ids[0]}, 202)


async def choose(call: Call, event: Event, choices: Mapping[str, tuple[Choice, int | None]], idempotency: str | None) -> None:
    """choices: profile -> what becomes of his registration, and his rank, the smallest first."""
    said = [
        ((UUID(profile), None), {"type": SELECTED}, {"choice": choice, **({} if rank is None else {"rank": rank})})
        for profile, (choice, rank) in choices.items()
    ]
    await _publish(call, event, said, idempotency)


async def _publish(
    call: Call,
    event: Event,
    said: Sequence[tuple[tuple[UUID | None, str | None], Mapping[str, str], Mapping[str, Any]]],
    idempotency: str | None,
) -> list[str]:
    """said: (whom, what kind of fact, properties)."""
    _, now, _ = await own.lock(call.connection, LANE)
    once = idempotency or secrets.token_hex(16)
    facts = [
        Fact(
            id=derive("event", call.key.id, event.key, once, place),
            type=kind.get("type", "track"),
            event=kind.get("event", ""),
            brand=event.brand,
            source=SOURCE,
            occurred_at=now,
            received_at=now,
            identifiers=(_normal(identifier) or "",) if identifier is not None else (),
            about=str(profile) if profile is not None else None,
            properties={**more, EVENT: event.key},
        )
        for place, ((profile, identifier), kind, more) in enumerate(said)
    ]
    emits = [
        own.unplaced(FACTS_RAW.name, f"{SOURCE}|{one.about or one.identifiers[0]}", encode(one), one.event or one.type)
        for one in facts
    ]
    await own.publish_in(call.connection, call.settings, SERVICE, LANE, emits)
    return [one.id for one in facts]


def _faults(place: str, one: Person, event: Event) -> Iterator[Fault]:
    if (one.profile is None) == (one.identifier is None):
        yield Fault(f"{place}profile", "one_person")
    if one.identifier is not None and _normal(one.identifier) is None:
        yield Fault(f"{place}identifier", "identifier", params={"kinds": ", ".join(IDENTIFIER_KINDS)})
    names = [question.name for question in event.questions]
    for name in one.answers:
        if name not in names:
            yield Fault(f"{place}answers.{name}", "no_question", params={"known": ", ".join(names) or "-"})
    for question in event.questions if one.status == "registered" else ():
        if question.required and not one.answers.get(question.name):
            yield Fault(f"{place}answers.{question.name}", "missing")


def _checked(path: str, identifier: str) -> None:
    if _normal(identifier) is None:
        raise Problem("invalid", [Fault(path, "identifier", params={"kinds": ", ".join(IDENTIFIER_KINDS)})])


def _normal(identifier: str) -> str | None:
    kind, _, value = identifier.partition(":")
    clean = normalise(kind, value) if is_kind(kind) else None
    return f"{kind}:{clean}" if clean is not None else None
