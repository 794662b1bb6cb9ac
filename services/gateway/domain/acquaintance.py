"""What this installation has seen of the names and types that a condition, or a report, mentions. Pure.

A name that was never seen is likely a slip; a comparison of another type than the values have is never true. Both are warnings: the first fact
may come tomorrow. Personal names never enter the lake, so of them nothing is known and nothing is said.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from pydantic import BaseModel

from schemas.attribution import Step
from schemas.audience import (
    Anniversary,
    Around,
    Attribute,
    Average,
    Comparing,
    Condition,
    DateAttribute,
    Distinct,
    Happening,
    Total,
    Windowed,
)
from schemas.audience_walk import happenings, nodes, under
from schemas.facts import IDENTIFIER_KINDS, PERSONAL
from schemas.paths import escaped
from schemas.reports import Target
from services.gateway.domain.problems import Fault

MOST_NEAR, MOST_COMPARED = 10, 2_000  # so many slips are compared with known names, if there are no more of these: it is slow
MOST_PROPERTIES = 200  # of an event have columns: names beyond these are not in the catalogue
_TYPES: Mapping[str, frozenset[str]] = {
    "number": frozenset({"int", "float", "big"}),
    "string": frozenset({"string"}),
    "bool": frozenset({"bool"}),
    "date": frozenset({"string", "int"}),
    "whole": frozenset({"int"}),
}
_UNTYPED = frozenset({"null", "object", "list"})
_PRIVATE = PERSONAL | frozenset(IDENTIFIER_KINDS)


@dataclass(frozen=True, slots=True)
class Value:
    """What stood at a path. kind: the registered type, learnt at first sight; others: kind -> how often another one came."""

    kind: str
    others: Mapping[str, int] = field(default_factory=dict)


Noticed = tuple[Fault, Collection[str]]  # and the known names, where one is not among them
Values = Mapping[str, Value]  # by path: steps joined by dots, a dot within a step written as backslash and dot


@dataclass(frozen=True, slots=True)
class Seen:
    """The catalogue of the lake. events: all names; properties: of those that were asked for."""

    events: frozenset[str] = frozenset()
    properties: Mapping[str, Values] = field(default_factory=dict)
    attributes: Values = field(default_factory=dict)


def events_of(condition: Condition) -> frozenset[str]:
    """The events that a condition mentions."""
    return frozenset(what.event for _, leaf in nodes(condition) for _, what in happenings(leaf))


def unfamiliar(condition: Condition, seen: Seen) -> list[Fault]:
    """A warning for each name that was never seen and each type that does not fit; paths within the condition. Before the first fact: none."""
    if not seen.events:
        return []
    return _with_near(one for path, leaf in nodes(condition) for one in _of_node(path, leaf, seen))


def deeds_of(asked: BaseModel, path: str = "") -> Iterator[tuple[str, Target | Step]]:
    """The target actions and steps that a question or a document is about, and where each stands. Conditions have none."""
    for name in type(asked).model_fields:
        value = getattr(asked, name)
        for place, one in enumerate(value) if isinstance(value, tuple) else (("", value),):
            where = ".".join(str(part) for part in (path, name, place) if part != "")
            if isinstance(one, Target | Step):
                yield where, one
            elif isinstance(one, BaseModel):
                yield from deeds_of(one, where)


def unfamiliar_in(asked: BaseModel, seen: Seen) -> list[Fault]:
    """The same of these: a report about what nobody ever did has zeros, and a revenue of what no fact has."""
    return _with_near(one for path, deed in deeds_of(asked) for one in _of_deed(path, deed, seen)) if seen.events else []


def _of_deed(path: str, deed: Target | Step, seen: Seen) -> Iterator[Noticed]:
    yield from _of_facts(path, Happening(event=deed.event, where=deed.where), seen)
    if isinstance(deed, Target) and deed.value is not None and deed.event in seen.events:
        yield from _of_property(path, "value", deed.value, "whole", seen.properties.get(deed.event, {}))


def _with_near(found: Iterable[Noticed]) -> list[Fault]:
    told, left = [], MOST_NEAR
    for fault, known in found:
        near = _near(str(fault.params["name"]), known) if known and left else ""
        left -= bool(known and left)
        told.append(replace(fault, params={**fault.params, "near": near}))
    return told


def _of_node(path: str, node: Condition, seen: Seen) -> Iterator[Noticed]:
    for place, what in happenings(node):
        yield from _of_facts(under(path, place), what, seen)
    if isinstance(node, Attribute):
        yield from _of_attribute(path, node.name, node.path, seen, _asked(node))
    elif isinstance(node, DateAttribute | Anniversary):
        yield from _of_attribute(path, node.name, node.path, seen, "date")
    elif isinstance(node, Windowed) and isinstance(node.window, Around):
        yield from _of_attribute(under(path, "window"), node.window.name, node.window.path, seen, "date")


def _of_facts(path: str, what: Happening, seen: Seen) -> Iterator[Noticed]:
    if what.event not in seen.events:
        yield _unknown("unknown_event", under(path, "event"), what.event, seen.events)
        return
    known = seen.properties.get(what.event, {})
    for place, test in enumerate(what.where):
        yield from _of_property(under(path, f"where.{place}"), "path", test.path, _asked(test), known)
    if what.lines is not None:
        yield from _of_property(under(path, "lines"), "path", what.lines.path, "", known)
    elif isinstance(what, Total):
        yield from _of_property(path, "sum", what.sum, "whole", known)
    elif isinstance(what, Average):
        yield from _of_property(path, "of", what.of, "whole", known)
    elif isinstance(what, Distinct):
        yield from _of_property(path, "of", what.of, "", known)


def _of_attribute(path: str, name: str, within: str, seen: Seen, asked: str) -> Iterator[Noticed]:
    at = ".".join(part for part in (escaped(name), within) if part)
    if not _PRIVATE.isdisjoint((name, *within.split("."))):
        return
    if _there(at, seen.attributes):
        yield from _typed(under(path, "name"), at, asked, seen.attributes)
    else:
        yield _unknown("unknown_attribute", under(path, "name"), at, seen.attributes)


def _of_property(path: str, name: str, at: str, asked: str, known: Values) -> Iterator[Noticed]:
    if not _PRIVATE.isdisjoint(at.split(".")):
        return
    if _there(at, known):
        yield from _typed(under(path, name), at, asked, known)
    elif len(known) < MOST_PROPERTIES:
        yield _unknown("unknown_property", under(path, name), at, known)


def _there(at: str, known: Values) -> bool:
    return at in known or any(path.startswith(f"{at}.") for path in known)


def _typed(path: str, at: str, asked: str, known: Values) -> Iterator[Noticed]:
    found = known.get(at)
    if found is None or found.kind in _UNTYPED or not asked or found.kind in _TYPES[asked]:
        return
    yield Fault(path, "other_type", params={"name": at, "type": found.kind, "asked": asked}), ()


def _asked(test: Comparing) -> str:
    return test.value_type or ""


def _unknown(code: str, path: str, name: str, known: Collection[str]) -> Noticed:
    return Fault(path, code, params={"name": name}), known


def _near(name: str, known: Collection[str]) -> str:
    """What may be meant, as the end of a sentence in any language."""
    found = get_close_matches(name, sorted(known), n=3, cutoff=0.6) if len(known) <= MOST_COMPARED else []
    return f": {', '.join(f'`{one}`' for one in found)}?" if found else ""
