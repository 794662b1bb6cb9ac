"""Whom a selection of an event confirms, and the rates of an event. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.events import ATTENDED, EVENT, REGISTERED, Choice, Event

MOST_CHOSEN = 100_000
Choices = dict[str, tuple[Choice, int | None]]


class Top(BaseModel):
    """The `n` with the greatest values of an attribute (a number), or with `least` the smallest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int = Field(ge=1, le=MOST_CHOSEN)
    by: str = Field(min_length=1, max_length=200)
    least: bool = False


class Selection(BaseModel):
    """Who is confirmed: these `profiles` (the first ones first), the members of a `segment`, or the `top` of an attribute. rest: what
    becomes of the others who asked for a place and have no answer yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profiles: tuple[UUID, ...] | None = Field(default=None, max_length=MOST_CHOSEN)
    segment: str | None = None
    top: Top | None = None
    rest: Literal["keep", "waitlist", "decline"] = "keep"


def chosen(candidates: Sequence[Mapping[str, Any]], asked: Selection, known: Mapping[str, Any]) -> Choices:
    """Profile -> what becomes of his registration, and his rank. candidates: registrations in the order in which they came; known: of these
    the value of the attribute, or anything of members of the segment. Raises ValueError where not one way to select is given.
    """
    if len([one for one in (asked.profiles, asked.segment, asked.top) if one is not None]) != 1:
        raise ValueError("one way to select")
    asking = [str(one["profile"]) for one in candidates]
    there = frozenset(asking)
    if asked.profiles is not None:
        order: Iterable[str] = (one for one in map(str, asked.profiles) if one in there)
    elif asked.top is not None:
        order = _top(asking, known, asked.top.n, least=asked.top.least)
    else:
        order = (one for one in asking if one in known)
    found: Choices = {profile: ("confirm", rank) for rank, profile in enumerate(dict.fromkeys(order))}
    if asked.rest != "keep":
        rest = (one["profile"] for one in candidates if one["status"] == "requested" and one["profile"] not in found)
        found |= dict.fromkeys(rest, (asked.rest, None))
    return found


def _top(asking: Sequence[str], known: Mapping[str, Any], count: int, *, least: bool) -> list[str]:
    """Of equal values he who came first."""
    values = {who: known[who] for who in asking if isinstance(known.get(who), int | float) and not isinstance(known[who], bool)}
    return sorted(values, key=lambda who: values[who] if least else -values[who])[:count]


def funnel(event: Event) -> dict[str, Any]:
    """Name -> the condition of those who came so far."""
    steps = {"registered": [_did(REGISTERED, event)]}
    steps["attended"] = [*steps["registered"], _did(ATTENDED, event)]
    if event.funnel.paid is not None:
        steps["paid"] = [*steps["attended"], _trigger(event.funnel.paid)]
    if event.funnel.seen is not None:
        steps["seen"] = [_trigger(event.funnel.seen)]
        steps["seen_registered"] = [*steps["seen"], *steps["registered"]]
    return {name: {"kind": "all", "of": of} for name, of in steps.items()}


def rates(people: Mapping[str, int]) -> dict[str, float | None]:
    """Shares from 0 to 1; None: of nobody, or nothing says who saw it, or what is paid."""
    return {
        "registration": _share(people.get("seen_registered"), people.get("seen")),
        "attendance": _share(people["attended"], people["registered"]),
        "payment": _share(people.get("paid"), people["attended"]),
    }


def _share(part: int | None, whole: int | None) -> float | None:
    return round(part / whole, 4) if part is not None and whole else None


def _did(name: str, event: Event) -> dict[str, Any]:
    return {"kind": "did", "event": name, "where": [{"path": EVENT, "op": "eq", "value": event.key}]}


def _trigger(trigger: Any) -> dict[str, Any]:
    return {"kind": "did", **trigger.model_dump(mode="json", exclude_defaults=True)}
