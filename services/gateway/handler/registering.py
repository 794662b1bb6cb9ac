"""What is said of people at an event by the management API: facts, which go the way of all facts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.events import ATTENDED, EVENT, REGISTERED, SELECTED, UNREGISTERED, Attend, Choice, Event
from services.gateway.domain.kinds import KINDS
from services.gateway.domain.problems import Fault, Problem
from services.gateway.handler.call import Answer, Call
from services.gateway.handler.finding import ruling
from services.gateway.handler.saying import Addressed, Said, Whom, say

EVENTS = KINDS["event"]
MOST = 1000


class Person(Addressed):
    """status: `cancelled` takes his registration back. answers: to the questions of the event."""

    attend: Attend | None = None
    status: Literal["registered", "cancelled"] = "registered"
    answers: dict[str, Annotated[str, Field(max_length=500)]] = Field(default_factory=dict)


class People(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    people: tuple[Person, ...] = Field(min_length=1, max_length=MOST)


class CheckIn(Addressed):
    """Or the `code` of his registration."""

    code: Annotated[str, Field(min_length=1, max_length=64)] | None = None


async def event_of(call: Call, key: str) -> Event:
    """As it is in force. Raises Problem."""
    event = await ruling(call, EVENTS, key)
    assert isinstance(event, Event)
    return event


async def register(call: Call, event: Event, people: Sequence[Person], idempotency: str | None, *, many: bool) -> Answer:
    """202 with the facts' ids, in the order of the people. many: they came as `people`. Raises Problem with every fault of every person."""
    faults = [fault for place, one in enumerate(people) for fault in _faults(f"people.{place}." if many else "", one, event)]
    if faults:
        raise Problem("invalid", faults)
    said = [
        Said(
            one.whom,
            {**one.answers, **({"attend": one.attend} if one.attend else {}), EVENT: event.key},
            REGISTERED if one.status == "registered" else UNREGISTERED,
        )
        for one in people
    ]
    return Answer({"ids": await _say(call, event, said, idempotency)}, 202)


async def check_in(call: Call, event: Event, asked: CheckIn, profile: str | None, idempotency: str | None) -> Answer:
    """profile: whose the code is, None without one."""
    if asked.code is not None and asked.whom != Whom(None, None):
        raise Problem("invalid", [Fault("profile", "one_person")])
    whom = asked.whom if profile is None else Whom(UUID(profile), None)
    if faults := list(whom.faults("")):
        raise Problem("invalid", faults)
    ids = await _say(call, event, [Said(whom, {EVENT: event.key}, ATTENDED)], idempotency)
    return Answer({"id": ids[0]}, 202)


async def choose(call: Call, event: Event, choices: Mapping[str, tuple[Choice, int | None]], idempotency: str | None) -> None:
    """choices: profile -> what becomes of his registration, and his rank, the smallest first."""
    said = [
        Said(
            Whom(UUID(profile), None),
            {"choice": choice, **({} if rank is None else {"rank": rank}), EVENT: event.key},
            type=SELECTED,
        )
        for profile, (choice, rank) in choices.items()
    ]
    await _say(call, event, said, idempotency)


async def _say(call: Call, event: Event, said: Sequence[Said], idempotency: str | None) -> list[str]:
    return await say(call, event.brand, ("event", event.key), said, idempotency)


def _faults(place: str, one: Person, event: Event) -> Iterator[Fault]:
    yield from one.whom.faults(place)
    names = [question.name for question in event.questions]
    for name in one.answers:
        if name not in names:
            yield Fault(f"{place}answers.{name}", "no_question", params={"known": ", ".join(names) or "-"})
    for question in event.questions if one.status == "registered" else ():
        if question.required and not one.answers.get(question.name):
            yield Fault(f"{place}answers.{question.name}", "missing")
