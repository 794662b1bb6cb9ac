"""Counts, sums, dates and shares whose bounds leave nothing between them: "at least 3 times" and "less than twice"."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from schemas.attributes import canonical
from schemas.audience import (
    Age,
    Around,
    Consent,
    DateAttribute,
    Did,
    Distinct,
    Happening,
    RandomBucket,
    Since,
    Total,
    Windowed,
    dump,
)
from schemas.audience import Sequence as Followed
from services.gateway.domain.sense.literals import Literal

EVER = math.inf
_OPPOSITE = {"eq": "ne", "ne": "eq", "gt": "le", "ge": "lt", "lt": "ge", "le": "gt"}


class Bound(NamedTuple):
    """low <= what <= high. span: of a count, the window in ms, or the name of another kind of window; other bounds share one."""

    what: Hashable
    low: float
    high: float
    path: str
    span: float | str = EVER


def clash(literals: Sequence[Literal]) -> list[str]:
    """The paths of two parts whose bounds exclude each other, or of one that excludes everything; [] if there are none."""
    found: dict[Hashable, list[Bound]] = defaultdict(list)
    for one in literals:
        for bound in _bounds(one):
            found[bound.what].append(bound)
    for bounds in found.values():
        for inner in bounds:
            for outer in bounds:
                if inner.low > outer.high and _within(inner.span, outer.span):
                    return sorted({inner.path, outer.path})
    return []


def _within(inner: float | str, outer: float | str) -> bool:
    """Whether what happened in one window happened in the other as well."""
    if isinstance(inner, str) or isinstance(outer, str):
        return outer in (inner, EVER)
    return inner <= outer


def _bounds(one: Literal) -> Iterator[Bound]:
    match one.node:
        case Did() | Total() | Distinct():
            yield from _measured(one.node, one.path, one.positive)
        case Age() | Since() | Followed() if one.positive:
            yield from _happened(one.node, one.path)
        case DateAttribute() if one.positive:
            name = ("date", one.node.name, one.node.path)
            after, until = one.node.after, one.node.until
            yield Bound(name, -math.inf if after is None else after + 1, math.inf if until is None else until, one.path)
        case RandomBucket() if one.positive:
            yield Bound(("bucket", one.node.salt), one.node.start, one.node.end - 1, one.path)
        case Consent() if one.positive:
            place = ("granted", "denied", "unproven", "none").index(one.node.state)
            yield Bound(("consent", canonical(dump(one.node.model_copy(update={"state": "none"})))), place, place, one.path)


def _measured(leaf: Did | Total | Distinct, path: str, positive: bool) -> Iterator[Bound]:
    if not positive and isinstance(leaf.window, Around):
        return  # without the date that it is around, the leaf and its opposite bound nothing
    op = leaf.op if positive else _OPPOSITE[leaf.op]
    low = {"eq": leaf.value, "gt": leaf.value + 1, "ge": leaf.value}.get(op, -math.inf)
    high = {"eq": leaf.value, "lt": leaf.value - 1, "le": leaf.value}.get(op, math.inf)
    if isinstance(leaf, Did):
        yield Bound(_facts(leaf), max(low, 0), high, path, _span(leaf))
    elif isinstance(leaf, Distinct):
        yield Bound(("distinct", leaf.of, _span(leaf), _facts(leaf)), max(low, 0), high, path)
    else:
        yield Bound(("total", leaf.sum, _span(leaf), _facts(leaf)), low, high, path)


def _happened(leaf: Age | Since | Followed, path: str) -> Iterator[Bound]:
    """What these say of how often something happened."""
    if isinstance(leaf, Followed):
        for what in (leaf.first, leaf.then):
            yield Bound(_facts(what), 1, math.inf, path)
    elif isinstance(leaf, Since):
        yield Bound(_facts(leaf), 1, math.inf, path, leaf.within or EVER)
    else:
        yield Bound(_facts(leaf), 1, math.inf, path, leaf.age if leaf.op == "newer" else EVER)
        if (leaf.op, leaf.which) == ("older", "last"):
            yield Bound(_facts(leaf), 0, 0, path, leaf.age)


def _facts(what: Happening) -> bytes:
    """One name for the same facts, in whatever order their tests stand."""
    tests = sorted(canonical(test.model_dump(mode="json")) for test in what.where)
    lines = None if what.lines is None else what.lines.model_dump(mode="json")
    return canonical([what.event, [test.decode() for test in tests], lines])


def _span(leaf: Windowed) -> float | str:
    if leaf.window is not None:
        return canonical(leaf.window.model_dump(mode="json")).decode()
    return leaf.within or EVER
