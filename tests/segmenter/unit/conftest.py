"""A slow and separate reading of docs/audience-semantics.md: evaluates a condition over the plain list of all that happened."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest

from schemas import audience as a
from schemas.ids import bucket
from tests.segmenter.unit.tiny_days import LENGTHS, bounds, tiny_days

__all__ = ["tiny_days"]

CHANNELS = {"email": "email", "sms": "phone", "telegram": "telegram_id", "vk": "vk_id"}
ORDER = {
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
}


@dataclass
class Person:
    """events: (occurred_at, name, properties); said: (at, name, value)."""

    events: list[tuple[int, str, dict]] = field(default_factory=list)
    said: list[tuple[int, str, Any]] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    buckets: list[tuple[int, str]] = field(default_factory=list)

    def absorb(self, other: "Person") -> None:
        self.events += other.events
        self.said += other.said
        self.kinds |= other.kinds
        self.buckets += other.buckets

    def attribute(self, name: str) -> Any:
        latest = max((at for at, key, _ in self.said if key == name), default=None)
        values = [value for at, key, value in self.said if key == name and at == latest]
        return max(values, key=_text) if values else None


def _text(value: Any) -> str:
    # The values of these tests are scalars, so this is their JSON text.
    return (
        {None: "null", True: "true", False: "false"}[value]
        if value is None or isinstance(value, bool)
        else (f'"{value}"' if isinstance(value, str) else str(value))
    )


class Oracle:
    """Who stands where at an instant, from first principles."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self.definitions = definitions

    def members(self, person: Person, now: int) -> frozenset[str]:
        return frozenset(key for key, condition in self.definitions.items() if self.true(condition, person, now))

    def true(self, c: Any, person: Person, now: int) -> bool:
        if isinstance(c, a.All):
            return all(self.true(part, person, now) for part in c.of)
        if isinstance(c, a.AnyOf):
            return any(self.true(part, person, now) for part in c.of)
        if isinstance(c, a.Not):
            return not self.true(c.of, person, now)
        if isinstance(c, a.Attribute):
            return passes(c, at_path(person.attribute(c.name), c.path))
        if isinstance(c, a.DateAttribute):
            when = instant_of(at_path(person.attribute(c.name), c.path))
            if when is None:
                return False
            return (c.after is None or when > now + c.after) and (c.until is None or when <= now + c.until)
        if isinstance(c, a.Identifier):
            return c.has in person.kinds
        if isinstance(c, a.Reachable):
            return CHANNELS[c.channel] in person.kinds
        if isinstance(c, a.InSegment):
            return self.true(self.definitions[c.key], person, now)
        if isinstance(c, a.RandomBucket):
            return bool(person.buckets) and c.start <= bucket(c.salt, min(person.buckets)[1]) < c.end
        return self.happened(c, person, now)

    def happened(self, c: Any, person: Person, now: int) -> bool:
        if isinstance(c, a.Sequence):
            return followed(c, person, now)
        matching = of(c, person)
        if isinstance(c, a.Since):
            undone = [at for at, _ in of(c.without, person)]
            return any(
                at <= now - c.after and (c.within is None or at > now - c.within) and not any(later > at for later in undone)
                for at, _ in matching
            )
        if isinstance(c, a.Age):
            if not matching:
                return False
            at = (min if c.which == "first" else max)(at for at, _ in matching)
            return (now - at >= c.age) if c.op == "older" else (now - at < c.age)
        if isinstance(c.window, a.Around) and instant_of(at_path(person.attribute(c.window.name), c.window.path)) is None:
            return False
        matching = [(at, places) for at, places in matching if self.in_window(c, person, at, now)]
        if isinstance(c, a.Did):
            return ORDER[c.op](len(matching), c.value)
        found = [at_path(place, c.sum if isinstance(c, a.Total) else c.of) for _, places in matching for place in places]
        if isinstance(c, a.Distinct):
            scalars = {("n" if type(x) in (int, float) else type(x), x) for x in found if isinstance(x, bool | int | float | str)}
            return ORDER[c.op](len(scalars), c.value)
        whole = [x for x in found if type(x) is int]
        if isinstance(c, a.Total):
            return ORDER[c.op](sum(whole), c.value)
        return bool(whole) and ORDER[c.op](Fraction(sum(whole), len(whole)), c.value)

    def in_window(self, c: Any, person: Person, at: int, now: int) -> bool:
        if c.within is not None:
            return now - c.within < at <= now
        w = c.window
        if isinstance(w, a.Calendar):
            named = [text for key in ("time_zone", "timezone") if (text := person.attribute(key)) in LENGTHS]
            begins, ends = bounds(max(named, default=w.zone), w.unit, w.back, now)
            return begins <= at < ends
        if isinstance(w, a.Between):
            return (w.since is None or at >= w.since) and (w.until is None or at < w.until)
        if isinstance(w, a.Around):
            value = instant_of(at_path(person.attribute(w.name), w.path))
            return (w.after is None or at > value + w.after) and (w.until is None or at <= value + w.until)
        return True


def of(c: Any, person: Person) -> list[tuple[int, list[Any]]]:
    """The matching facts: when, and where their summed property is looked for."""
    matching = [
        (at, properties)
        for at, name, properties in person.events
        if name == c.event and all(passes(test, at_path(properties, test.path)) for test in c.where)
    ]
    if c.lines is None:
        return [(at, [properties]) for at, properties in matching]
    found = []
    for at, properties in matching:
        held = at_path(properties, c.lines.path)
        lines = [
            line
            for line in (held if isinstance(held, list) else [])
            if all(passes(test, at_path(line, test.path)) for test in c.lines.where)
        ]
        found += [(at, lines)] if lines else []
    return found


def followed(c: Any, person: Person, now: int) -> bool:
    without = [at for at, _ in of(c.without, person)] if c.without else []
    return any(
        at < then <= at + c.within
        and (c.last is None or then > now - c.last)
        and not any(at < between < then for between in without)
        for at, _ in of(c.first, person)
        for then, _ in of(c.then, person)
    )


def at_path(value: Any, path: str) -> Any:
    for step in path.split(".") if path else ():
        value = value.get(step) if isinstance(value, dict) else None
    return value


def instant_of(value: Any) -> int | None:
    if isinstance(value, str):
        try:
            moment = datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            return None
        return int(moment.timestamp()) * 1000
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def passes(test: Any, value: Any) -> bool:
    if test.op in {"exists", "missing"}:
        return (value is None) == (test.op == "missing")
    if value is None:
        return False
    wanted = list(test.value) if test.op == "in" else [test.value]
    if test.type == "date":
        value, wanted = instant_of(value), [instant_of(each) for each in wanted]
    elif isinstance(wanted[0], bool):
        value = value if isinstance(value, bool) else None
    elif isinstance(wanted[0], str):
        value = value if isinstance(value, str | list) else None
    else:
        value = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if value is None:
        return False
    if test.op == "in":
        return value in wanted
    if test.op == "contains":
        return wanted[0] in value
    if test.op == "starts_with":
        return isinstance(value, str) and value.startswith(wanted[0])
    return ORDER[test.op](value, wanted[0])


@pytest.fixture(scope="session")
def oracle() -> type[Oracle]:
    return Oracle


@pytest.fixture(scope="session")
def person() -> type[Person]:
    return Person
