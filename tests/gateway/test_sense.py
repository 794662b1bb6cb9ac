"""Warnings of conditions that nobody or everybody meets: told where it is certain, and never of a condition that is neither."""

from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import audience as a
from schemas.audience_reading import parse
from schemas.audience_walk import nodes
from services.gateway.domain.sense import senseless
from services.gateway.domain.sense.values import excluded
from services.segmenter.domain.values import value_test
from tests.schemas.conditions import DAY
from tests.segmenter.unit.conftest import Oracle, Person

BOUGHT = {"kind": "did", "event": "Order Completed"}
AROUND = {"kind": "around", "name": "x", "after": 0}


def attribute(op: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"kind": "attribute", "name": "x", "op": op, **({} if value is None else {"value": value}), **more}


def both(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "all", "of": list(parts)}


def negated(part: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "not", "of": part}


def told(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(fault.path, fault.code) for fault in senseless(parse(document))]


@pytest.mark.parametrize(
    "parts",
    [
        (attribute("gt", 5), attribute("lt", 3)),
        (attribute("gt", 5), attribute("le", 5)),
        (attribute("eq", "a"), attribute("eq", "b")),
        (attribute("in", ["a", "b"]), attribute("starts_with", "c")),
        (attribute("starts_with", "ab"), attribute("starts_with", "b")),
        (attribute("eq", 1), attribute("eq", "1")),
        (attribute("missing"), attribute("ne", 1)),
        (attribute("exists"), attribute("missing")),
        (attribute("ge", "2026-03-01", type="date"), attribute("lt", "2026-03-01T00:00", type="date")),
        (attribute("eq", 1), negated(attribute("eq", 1))),
        (attribute("missing"), {"kind": "date", "name": "x", "after": 0}),
        ({"kind": "date", "name": "x", "after": 0}, {"kind": "date", "name": "x", "until": 0}),
        ({**BOUGHT, "value": 3}, {**BOUGHT, "op": "lt", "value": 3}),
        ({**BOUGHT, "within": DAY}, negated({**BOUGHT, "within": 2 * DAY})),
        ({**BOUGHT, "window": {"kind": "calendar", "unit": "day"}}, negated(BOUGHT)),
        ({"kind": "age", "event": "X", "op": "newer", "age": DAY}, {"kind": "age", "event": "X", "op": "older", "age": DAY}),
        ({"kind": "age", "event": "X", "op": "older", "age": DAY}, {"kind": "did", "event": "X", "op": "eq", "value": 0}),
        ({"kind": "since", "event": "X", "without": {"event": "Y"}}, negated({"kind": "did", "event": "X"})),
        ({"kind": "total", "event": "X", "sum": "n", "op": "gt", "value": 5}, {"kind": "total", "event": "X", "sum": "n", "op": "lt", "value": 5}),
        ({"kind": "bucket", "salt": "s", "end": 500}, {"kind": "bucket", "salt": "s", "start": 500, "end": 900}),
        ({"kind": "consent", "channel": "sms"}, {"kind": "consent", "channel": "sms", "state": "denied"}),
        ({"kind": "any", "of": [BOUGHT, attribute("eq", 1)]}, negated({"kind": "any", "of": [BOUGHT, attribute("eq", 1)]})),
    ],
)  # fmt: skip
def test_parts_that_exclude_each_other_are_told_with_their_places(parts):
    assert told(both(*parts)) == [("", "never_true")]
    (fault,) = senseless(parse(both({"kind": "reachable", "channel": "sms"}, *parts)))
    assert "`of.1" in fault.params["parts"] and "`of.2" in fault.params["parts"]
    wrapped = {"kind": "any", "of": [{"kind": "reachable", "channel": "sms"}, both(both(parts[1]), parts[0])]}
    assert told(wrapped) == [("of.1", "never_true")], "groups of one kind within each other are one"
    assert told(negated(both(*parts))) == [("of", "never_true")]
    opposite = {"kind": "any", "of": [negated(part) for part in parts]}
    assert told(opposite) == [("", "always_true")]


@pytest.mark.parametrize(
    "document",
    [
        both(attribute("gt", 5), attribute("lt", 6)),
        both(attribute("eq", "2026-03-01"), attribute("ge", "2026-03-01", type="date")),
        both(attribute("ne", 1), negated(attribute("gt", 5))),
        both({**BOUGHT, "within": 2 * DAY}, negated({**BOUGHT, "within": DAY})),
        both({**BOUGHT, "value": 3}, {**BOUGHT, "op": "lt", "value": 3, "where": [{"path": "n", "op": "eq", "value": 1}]}),
        both(negated({**BOUGHT, "window": AROUND}), negated({**BOUGHT, "op": "le", "value": 3, "window": AROUND})),
        both({"kind": "any", "of": [BOUGHT, attribute("eq", 1)]}, negated(BOUGHT)),
        {"kind": "any", "of": [negated(attribute("gt", 5)), negated(attribute("lt", 6))]},
        {"kind": "all", "of": []},
    ],
)
def test_what_somebody_can_meet_is_not_told(document):
    assert told(document) == []


def test_leaves_and_tests_that_make_no_sense_by_themselves():
    document = both(
        {**BOUGHT, "op": "ge", "value": 0},
        {**BOUGHT, "op": "lt", "value": 0},
        {"kind": "since", "event": "X", "where": [{"path": "n", "op": "gt", "value": 5}, {"path": "n", "op": "lt", "value": 5}],
         "without": {"event": "Y", "lines": {"path": "l", "where": [{"path": "n", "op": "eq", "value": 5}, {"path": "n", "op": "eq", "value": 6}]}}},
    )  # fmt: skip
    assert told(document) == [
        ("of.0", "always_true"),
        ("of.1", "never_true"),
        ("of.2.where", "no_fact"),
        ("of.2.without.lines.where", "no_fact"),
    ]
    (fault,) = senseless(parse({**BOUGHT, "op": "lt", "value": 0}))
    assert fault.told("en")["message"] == "nobody can meet this: it excludes itself"


RAW: list[Any] = [None, True, False, 0, 1, 2, 3, 0.5, 1.5, 2.5, 10, -5, "", "a", "ab", "b", "ba", "1970-01-01", ["a"], {"a": 1}]
NUMBERS = [{"op": op, "value": value} for op, value in product(("eq", "ne", "gt", "ge", "lt", "le"), (1, 2))]
TEXTS = [{"op": op, "value": value} for op, value in product(("eq", "ne", "starts_with", "contains"), ("a", "ab", "b"))]
OTHERS = [
    {"op": "exists"}, {"op": "missing"}, {"op": "eq", "value": True}, {"op": "ne", "value": True}, {"op": "in", "value": [1, 3]},
    {"op": "in", "value": ["a", "b"]}, {"op": "le", "type": "date", "value": 1}, {"op": "gt", "type": "date", "value": "1970-01-01"},
]  # fmt: skip
TESTS = [a.Comparing(**one) for one in (*NUMBERS, *TEXTS, *OTHERS)]


def test_tests_that_are_said_to_exclude_each_other_do():
    found = 0
    for chosen in product(TESTS, TESTS, [None, *TESTS]):
        tests = [test for test in chosen if test is not None]
        passing = [value for value in RAW if all(value_test(test)(value) for test in tests)]
        if excluded(tests):
            assert not passing, tests
            found += 1
        elif {test.value_type for test in tests} == {"number"} and not any(test.op == "ne" for test in tests):
            assert passing, tests
    assert found > 500


NOW = 10
SPANS = (None, 1, 2, 4)
LEAVES: list[Any] = [
    *(a.Did(event="did", op=op, value=n, within=w) for op, n, w in product(("eq", "ne", "ge", "lt"), (0, 1, 2), SPANS)),
    *(a.Total(event="did", sum="n", op=op, value=n, within=w) for op, n, w in product(("eq", "gt", "lt"), (0, 1), SPANS)),
    *(a.Age(event="did", which=w, op=op, age=age) for w, op, age in product(("first", "last"), ("older", "newer"), (1, 2, 4))),
    *(a.Attribute(name="x", op=op, value=n, type=t) for op, n, t in product(("eq", "ne", "gt", "le"), (1, 9, 10), (None, "date"))),
    *(a.Attribute(name="x", op=op) for op in ("exists", "missing")),
    *(a.DateAttribute(name="x", after=after, until=until) for after, until in product((None, -2, -1, 0, 1), (2, 3))),
    *(a.DateAttribute(name="x", after=after) for after in (-1, 0, 1, 2)),
]
TIMES = (5, 7, 8, 9, 10)
EVENTS: list[list[Any]] = [
    [],
    *([(at, "did", {"n": 1})] for at in TIMES),
    *([(5, "did", {"n": 1}), (at, "did", {"n": 1})] for at in TIMES),
]
SAID = (None, 0, 1, 2, 8, 9, 10, 11, 12, 13, 14, True, "a")
CROWD = [Person(events=events, said=[] if said is None else [(1, "x", said)]) for events, said in product(EVENTS, SAID)]


def whom(condition: Any) -> frozenset[int]:
    """The people of the crowd who meet it."""
    return frozenset(place for place, person in enumerate(CROWD) if Oracle({}).true(condition, person, NOW))


def test_no_warning_of_two_parts_lies():
    literals = [(node, whom(node)) for leaf in LEAVES for node in (leaf, a.Not(of=leaf))]
    found = 0
    for (one, first), (other, second) in combinations(literals, 2):
        group = a.All(of=(one, other))
        if any(fault.path == "" for fault in senseless(group)):
            found += 1
            assert first.isdisjoint(second), group
    assert found > 500


trees = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.builds(a.Not, of=inner),
        st.builds(a.All, of=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(a.AnyOf, of=st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(trees)
def test_a_warning_never_lies(condition):
    by_path = dict(nodes(condition))
    for fault in senseless(condition):
        meeting = whom(by_path[fault.path])
        assert len(meeting) == (len(CROWD) if fault.code == "always_true" else 0), by_path[fault.path]
