"""Conditions of a small domain, for tests: few names and numbers, so that two that are drawn often differ in one thing alone."""

import itertools
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from schemas import audience as a
from schemas.audience_reading import parse

DAY = 86_400_000
OPS = ("eq", "ne", "gt", "ge", "lt", "le")
SPANS = (1, 1000, 1001, DAY, 36 * 3_600_000, 21 * DAY, 90 * DAY)
RUB = {"path": "total.currency", "op": "eq", "value": "RUB"}
WHERES: tuple[list[dict[str, Any]], ...] = (
    [],
    [{"path": "total.minor", "op": "ge", "value": 500_000}],
    [{"path": "total.minor", "op": "ge", "value": 500_000}, RUB],
    [{"path": "total.minor", "op": "exists"}, RUB],
    [{"path": "total.minor", "op": "in", "value": [5, 100]}, RUB],
    [{"path": "total.minor", "op": "gt", "value": 0.5}, RUB],
    [{"path": "total.minor", "op": "lt", "value": 5}, {"path": "total.minor", "op": "lt", "value": 6}],
    [{"path": "total", "op": "ge", "value": 500_000}],
    [{"path": "total", "op": "eq", "value": "RUB"}],
    [RUB],
    [RUB, {**RUB, "value": "USD"}],
    [{**RUB, "path": "price.currency"}, RUB, {"path": "total.minor", "op": "ge", "value": 500_000}],
    [{**RUB, "path": "price.currency"}, {"path": "total.minor", "op": "ge", "value": 500_000}],
    [{**RUB, "op": "ne"}, {"path": "total.minor", "op": "ge", "value": 500_000}],
    [{"path": "n", "op": "eq", "value": 1}, {"path": "s", "op": "eq", "value": "1"}],
)
LINES: tuple[dict[str, Any] | None, ...] = (
    None,
    {"path": "products"},
    {"path": "products", "where": [{"path": "sku", "op": "eq", "value": "a"}]},
    {"path": "products", "where": [RUB]},
)
WINDOWS: tuple[dict[str, Any], ...] = (
    {},
    *({"within": span} for span in SPANS),
    *(
        {"window": {"kind": "calendar", "unit": unit, "back": back}}
        for unit in ("day", "week", "month", "quarter", "year")
        for back in (0, 1, 2, 5)
    ),
    {"window": {"kind": "calendar", "unit": "day", "zone": "Europe/Moscow"}},
    {"window": {"kind": "between", "since": "2026-03-01"}},
    {"window": {"kind": "between", "since": "2026-03-01T10:00:01.002"}},
    {"window": {"kind": "between", "until": "2026-03-01"}},
    {"window": {"kind": "between", "since": "2026-03-01", "until": 2**53 - 1}},
    *(
        {"window": {"kind": "around", "name": "x", **bounds}}
        for bounds in ({"after": 0}, {"until": 0}, {"after": -DAY, "until": DAY}, {"after": DAY, "until": 2 * DAY}, {"after": -DAY})
    ),
    {"window": {"kind": "around", "name": "x", "path": "y", "after": 0}},
)
VALUES: tuple[dict[str, Any], ...] = (
    {"op": "exists"},
    {"op": "missing"},
    *({"op": op, "value": value} for op in OPS for value in (1, 1.5, -1, 1_000_000)),
    *({"op": op, "value": value} for op in ("eq", "ne", "contains", "starts_with") for value in ("1", "da", "true", 'a" и "b')),
    *({"op": op, "value": value} for op in ("eq", "ne") for value in (True, False)),
    *({"op": "in", "value": value} for value in ([1], ["1"], [True], [1, 2], ["1", "2"], ['1", "2'])),
    *({"op": op, "type": "date", "value": value} for op in OPS for value in ("2026-03-31", "2026-03-31T10:00", 5, 2**53 - 1)),
    {"op": "in", "type": "date", "value": ["2026-03-31", "2026-04-01"]},
)
HAPPENINGS = (
    {"event": "Order Completed"},
    {"event": "X"},
    {"event": "page", "where": WHERES[2]},
    {"event": "X", "lines": LINES[2]},
)


def _facts(each: Any) -> Iterator[dict[str, Any]]:
    for event in ("Order Completed", "Order Paid", "X"):
        yield {**each, "event": event}
    for where, lines in itertools.product(WHERES, LINES):
        yield {**each, "event": "X", "where": where, **({"lines": lines} if lines else {})}


def _counted() -> Iterator[dict[str, Any]]:
    for op, value in itertools.product(OPS, (0, 1, 2, 5, 1000)):
        yield {"kind": "did", "event": "X", "op": op, "value": value}
    for window in WINDOWS:
        yield {"kind": "did", "event": "X", **window}
        yield {"kind": "did", "event": "X", "op": "eq", "value": 0, **window}
    yield from _facts({"kind": "did", "value": 2})
    for kind, path in (("total", "sum"), ("average", "of"), ("distinct", "of")):
        for op, value, name in itertools.product(OPS, (0, 1, 1000), ("total", "total.minor", "s")):
            yield {"kind": kind, "event": "X", path: name, "op": op, "value": value}
        yield from _facts({"kind": kind, path: "total.minor", "op": "ge", "value": 500})
        for window in WINDOWS:
            yield {"kind": kind, "event": "X", path: "n", "op": "ge", "value": 5, **window}


def _ordered() -> Iterator[dict[str, Any]]:
    for which, op, age in itertools.product(("first", "last"), ("older", "newer"), SPANS):
        yield {"kind": "age", "event": "X", "which": which, "op": op, "age": age}
    yield from _facts({"kind": "age", "op": "older", "age": DAY})
    for first, then, without, last in itertools.product(HAPPENINGS, HAPPENINGS, (None, *HAPPENINGS), (None, DAY)):
        more = {**({"without": without} if without else {}), **({"last": last} if last else {})}
        yield {"kind": "sequence", "first": first, "then": then, "within": 2 * DAY, **more}
    for what, without, after, within in itertools.product(HAPPENINGS, HAPPENINGS, (0, 3_600_000), (None, DAY, 2 * DAY)):
        yield {"kind": "since", **what, "without": without, "after": after, **({"within": within} if within else {})}


def _said_of_him() -> Iterator[dict[str, Any]]:
    for value, (name, path) in itertools.product(VALUES, (("x", ""), ("x", "y"), ("x.y", ""), ("x", "minor"))):
        yield {"kind": "attribute", "name": name, "path": path, **value}
    shifts = (None, -2 * DAY, -DAY, -1, 0, 1, DAY, 2 * DAY)
    for after, until in itertools.product(shifts, shifts):
        if (after is not None or until is not None) and (after is None or until is None or after < until):
            bounds = {"after": after, "until": until}
            yield {"kind": "date", "name": "x", **{name: ms for name, ms in bounds.items() if ms is not None}}
    for before, days, year in itertools.product((-366, -1, 0, 1, 3, 366), (1, 2, 21), (None, "own")):
        yield {"kind": "anniversary", "name": "x", "before": before, "days": days, **({"year": year} if year else {})}
    yield {"kind": "anniversary", "name": "x", "zone": "Europe/Moscow"}
    for kind in ("user_id", "email", "phone", "telegram_id", "vk_id", "anonymous_id", "id.card"):
        yield {"kind": "identifier", "has": kind}
    for channel in ("email", "sms", "telegram", "vk"):
        yield {"kind": "reachable", "channel": channel}
    states = ("granted", "denied", "unproven", "none")
    for channel, topic, state, brand in itertools.product(("email", "vk", "push"), ("*", "news"), states, (None, "shop")):
        yield {"kind": "consent", "channel": channel, "topic": topic, "state": state, **({"brand": brand} if brand else {})}
    for key in ("vip", "x"):
        yield {"kind": "segment", "key": key}
    for salt, start, end in itertools.product(("x", "y"), (0, 5, 1000), (3333, 10_000)):
        yield {"kind": "bucket", "salt": salt, "start": start, "end": end}


def leaves() -> list[dict[str, Any]]:
    """Documents of leaves, of every kind: each differs in meaning from each other (but for `same`)."""
    return [*_counted(), *_ordered(), *_said_of_him()]


LEAVES: list[a.Leaf] = [parse(document) for document in leaves()]  # type: ignore[misc]
KINDS = {kind: [leaf for leaf in LEAVES if leaf.kind == kind] for kind in {leaf.kind for leaf in LEAVES}}
some_leaf = st.one_of([st.sampled_from(found) for _, found in sorted(KINDS.items())])
conditions = st.recursive(
    some_leaf,
    lambda inner: st.one_of(
        st.builds(a.Not, of=inner),
        st.builds(a.All, of=st.lists(inner, max_size=3).map(tuple)),
        st.builds(a.AnyOf, of=st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
