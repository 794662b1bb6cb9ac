"""The law: after every step, and at every instant until the next, live membership is what the naive oracle says.

The time domain is tiny so that instants collide: most planted bugs are caught by ties, edges and lateness, not by volume.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas import audience as a
from schemas.facts import Fact
from services.segmenter.domain import normal, series
from services.segmenter.domain.live import decide, fire, idle, merge
from services.segmenter.domain.plan import Plan, compile_plan, touches
from services.segmenter.domain.state import State, decode, encode, glance

MUTATED = os.environ.get("OTKLIK_MUTATED") == "1"  # only whether it fails matters then: see mutants.py
LONG = os.environ.get("OTKLIK_LONG") == "1"
EXAMPLES = 5_000 if LONG else 250
LOOK_AHEAD = 13
pytestmark = pytest.mark.timeout(3600 if LONG else 180)
KEYS = ("m", "b", "z", "a", "k")

spans = st.sampled_from([1, 2, 3, 5, 8])
comparisons = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
names = st.sampled_from(["did", "did", "did", "page"])
did = st.just("did")
DAY_ONE = "1970-01-01"

filters = st.one_of(
    st.builds(a.Filter, path=st.just("x.y"), op=st.sampled_from(["eq", "ne"]), value=st.sampled_from(["p", "q"])),
    st.builds(a.Filter, path=st.just("n"), op=comparisons, value=st.integers(0, 2)),
    st.builds(a.Filter, path=st.sampled_from(["n", "x", "x.y"]), op=st.sampled_from(["exists", "missing"])),
)
where = st.lists(filters, max_size=1).map(tuple)
within = st.none() | spans | spans


def happenings_of(event: Any) -> Any:
    return st.one_of(
        st.builds(a.Did, event=event, where=where, op=comparisons, value=st.integers(0, 3), within=within),
        st.builds(a.Did, event=event, value=st.integers(1, 3), within=spans),
        st.builds(a.Total, event=event, where=where, sum=st.just("n"), op=comparisons, value=st.integers(-2, 6), within=within),
        st.builds(
            a.Age,
            event=event,
            where=where,
            which=st.sampled_from(["first", "last"]),
            op=st.sampled_from(["older", "newer"]),
            age=spans,
        ),
    )


happenings = happenings_of(names)
ages = st.builds(a.Age, event=did, which=st.sampled_from(["first", "last"]), op=st.sampled_from(["older", "newer"]), age=spans)
windowed = st.one_of(
    st.builds(a.Did, event=did, op=comparisons, value=st.integers(1, 3), within=spans),
    st.builds(a.Total, event=did, sum=st.just("n"), op=comparisons, value=st.integers(-1, 5), within=spans),
)
traits = st.one_of(
    st.builds(
        a.Attribute,
        name=st.just("plan"),
        op=st.sampled_from(["eq", "ne", "contains", "starts_with"]),
        value=st.sampled_from(["u", "uv"]),
    ),
    st.builds(
        a.Attribute, name=st.sampled_from(["plan", "age"]), op=st.just("in"), value=st.sampled_from([("u", "w"), (1, 2), (True,)])
    ),
    st.builds(a.Attribute, name=st.just("age"), op=comparisons, value=st.integers(0, 3)),
    st.builds(a.Attribute, name=st.just("age"), op=comparisons, type=st.just("date"), value=st.sampled_from([3, DAY_ONE])),
    st.builds(a.Attribute, name=st.sampled_from(["plan", "age"]), op=st.sampled_from(["exists", "missing"])),
)
dates = st.one_of(
    st.builds(a.DateAttribute, name=st.just("age"), after=st.none() | st.integers(-6, 0), until=st.integers(1, 6)),
    st.builds(a.DateAttribute, name=st.just("age"), after=st.integers(-6, 6)),
)
marks = st.one_of(
    st.builds(a.Identifier, has=st.sampled_from(["email", "user_id", "anonymous_id"])),
    st.builds(a.Reachable, channel=st.sampled_from(["email", "sms"])),
    st.builds(
        a.RandomBucket,
        salt=st.sampled_from(["x", "y", "z"]),
        start=st.sampled_from([0, 1000, 3000]),
        end=st.sampled_from([3300, 5000]),
    ),
)


@st.composite
def conditions(draw: Any, known: tuple[str, ...], budget: int = 6, leaf: Any = None) -> Any:
    shape = draw(st.sampled_from(["leaf", "leaf", "not", "all", "any"])) if budget > 1 else "leaf"
    if shape == "leaf":
        if known and draw(st.integers(0, 3)) == 0:
            return a.InSegment(key=draw(st.sampled_from(known)))
        return draw(st.one_of(happenings, happenings, traits, dates, marks) if leaf is None else leaf)
    if shape == "not":
        return a.Not(of=draw(conditions(known, budget - 1, leaf)))
    parts = draw(st.integers(2, 3))
    return (a.All if shape == "all" else a.AnyOf)(of=tuple(draw(conditions(known, budget // parts, leaf)) for _ in range(parts)))


@st.composite
def definition_sets(draw: Any, leaf: Any = None) -> dict[str, Any]:
    """leaf: a strategy, of all kinds of this module if none is given."""
    definitions: dict[str, Any] = {}
    for key in KEYS[: draw(st.integers(1, 5))]:
        definitions[key] = draw(conditions(tuple(definitions), leaf=leaf))
    return definitions


properties = st.fixed_dictionaries(
    {},
    optional={"n": st.sampled_from([-1, 0, 1, 2, 3, 3, True, "1"]), "x": st.sampled_from([{"y": "p"}, {"y": "q"}, {}, "y", None])},
)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "plan": st.sampled_from(["u", "uv", "w", None]),
        "age": st.sampled_from([0, 1, 2, 9, 11, 13, 15, 17, True, None, DAY_ONE]),
    },
)
people = st.sampled_from([0, 0, 1])
steps = st.sampled_from([0, 0, 1, 2, 3])
lateness = st.sampled_from([0, 0, 0, 1, 2, 3, 5, 8, -2])
facts = st.fixed_dictionaries(
    {
        "who": people,
        "event": names,
        "advance": steps,
        "late": lateness,
        "held_up": st.sampled_from([0, 0, 0, 1, 2]),
        "properties": properties,
        "attributes": st.just({}) | attributes,
        "identifiers": st.sampled_from([(), (), ("anonymous_id:1",), ("email:e", "user_id:u"), ("phone:1",)]),
        "bucket": st.sampled_from([None, None, (1, "b1"), (2, "a2")]),
    }
)
REST = {"held_up": st.just(0), "identifiers": st.just(()), "bucket": st.none()}
dense_facts = st.fixed_dictionaries(
    {
        "who": people,
        "event": did,
        "advance": steps,
        "late": lateness,
        "properties": st.fixed_dictionaries({"n": st.sampled_from([-1, 1, 2, 3, True])}),
        "attributes": st.just({}),
        **REST,
    }
)
dense_words = st.fixed_dictionaries(
    {
        "who": people,
        "event": did,
        "advance": st.sampled_from([0, 0, 1]),
        "late": st.sampled_from([0, 0, 1, 2]),
        "held_up": st.just(0),
        "properties": st.just({}),
        "attributes": attributes,
        "identifiers": st.sampled_from([(), (), ("anonymous_id:1",), ("email:e", "user_id:u"), ("phone:1",)]),
        "bucket": st.sampled_from([None, (1, "b1"), (2, "a2")]),
    }
)
dense_dates = st.fixed_dictionaries(
    {
        "who": people,
        "event": did,
        "advance": st.sampled_from([0, 1]),
        "late": st.sampled_from([0, 1]),
        "properties": st.just({}),
        "attributes": st.fixed_dictionaries({"age": st.sampled_from([9, 10, 12, 14, 15, None, "soon"])}),
        **REST,
    }
)
dense_marks = st.fixed_dictionaries(
    {
        "who": people,
        "event": did,
        "advance": st.just(0),
        "late": st.just(0),
        "held_up": st.just(0),
        "properties": st.just({}),
        "attributes": st.just({}),
        "identifiers": st.sampled_from([(), ("anonymous_id:1",), ("email:e", "user_id:u"), ("phone:1",)]),
        "bucket": st.sampled_from([None, (1, "b1"), (2, "a2"), (2, "b1"), (3, "a2")]),
    }
)
ticks = st.integers(1, 4)


def histories_of(each: Any, least: int) -> Any:
    return st.lists(each | each | each | ticks | st.just("merge"), min_size=least, max_size=14)


class Run:
    """Drives two people through a history, live and in the oracle, and compares at every instant."""

    def __init__(self, definitions: dict[str, Any], oracle: Any, person: Any) -> None:
        self.plan: Plan = compile_plan(definitions, 1)
        self.oracle = oracle(definitions)
        self.people = [person(), person()]
        self.states = [State(), State()]
        self.merged = False
        self.clock = 10

    def step(self, number: int, op: Any) -> None:
        if op == "merge":
            self.merge(number)
        elif isinstance(op, int):
            self.clock += op
            for who in (0, 1):
                self.tick(who)
        else:
            self.fact(number, op)

    def fact(self, number: int, op: dict) -> None:
        self.clock += op["advance"]
        who = 0 if self.merged else op["who"]
        received = self.clock - op["held_up"]
        at, id_ = op["bucket"] or (None, None)
        fact = Fact(
            id=f"f{number}", type="page" if op["event"] == "page" else "track", brand="b", source="s",
            event="" if op["event"] == "page" else op["event"], occurred_at=received - op["late"], received_at=received,
            properties=op["properties"], attributes=op["attributes"], identifiers=op["identifiers"],
            bucketing_id=id_, bucketed_at=at,
        )  # fmt: skip
        person, before = self.people[who], self.states[who]
        row = encode(before)
        decision = decide(before, fact, self.clock, self.plan)
        assert encode(before) == row, "a state is a value"
        if idle(glance(row), fact, self.plan):
            assert not decision.changed
        instant = max(before.clock, received)
        self.told(before, decision, lambda t: self.oracle.members(person, t), instant, fact.id)
        if before.revision and before.due > instant and not touches(fact, self.plan):
            assert not decision.changed
        occurred = min(fact.occurred_at, received)
        person.events.append((occurred, op["event"], op["properties"]))
        person.said += [(occurred, name, value) for name, value in op["attributes"].items()]
        person.kinds |= {text.split(":")[0] for text in op["identifiers"]}
        person.buckets += [op["bucket"]] if op["bucket"] else []
        self.keep(who, decision, instant)

    def told(self, before: State, decision: Any, members_before: Any, instant: int, cause: str) -> None:
        """The flips that were due fired first, each at its instant; the fact's own changes stand at its instant."""
        standing = set(before.members)
        for change in decision.changes:
            assert change.entered != (change.segment in standing)
            standing ^= {change.segment}
            if change.kind == "time":
                assert before.clock < change.at <= instant and change.cause is None
            else:
                assert (change.at, change.cause) == (instant, cause)
        assert standing == set(decision.state.members)
        assert not decision.changed or decision.state.due > instant
        told = {(change.at, change.segment) for change in decision.changes if change.kind == "time"}
        silent = range(before.clock + 1, instant + 1) if before.revision else ()
        assert told == {(t, key) for t in silent for key in members_before(t) ^ members_before(t - 1)}
        assert list(decision.changes) == sorted(decision.changes, key=lambda change: change.at)

    def tick(self, who: int) -> None:
        if self.states[who].revision:
            self.keep(who, fire(self.states[who], self.clock, self.plan), max(self.clock, self.states[who].clock))

    def merge(self, number: int) -> None:
        if self.merged:
            return
        at = max(self.clock, *(state.clock for state in self.states))
        loser = fire(self.states[1], at, self.plan).state
        before = self.states[0]
        decision = merge(before, self.states[1], self.clock, self.plan, f"m{number}")
        person = self.people[0]
        self.told(before, decision, lambda t: self.oracle.members(person, t), at, f"m{number}")
        for change in decision.changes:
            assert change.carried == (change.kind == "merge" and change.entered and change.segment in loser.members)
        self.people[0].absorb(self.people[1])
        self.merged = True
        self.states[1] = State()
        self.keep(0, decision, at)

    def keep(self, who: int, decision: Any, instant: int) -> None:
        """Store, read back, and look at every instant from here on: members, and the flips one long silence would tell."""
        state = decode(encode(decision.state))
        assert state == decision.state
        assert decision.due_at == (min(state.horizons.values()) if state.horizons else None)
        self.states[who] = state
        person = self.people[who]
        expected = [self.oracle.members(person, t) for t in range(instant, instant + LOOK_AHEAD)]
        for ahead, members in enumerate(expected):
            assert fire(state, instant + ahead, self.plan).state.members.keys() == members
        flips = {(instant + i + 1, key) for i in range(LOOK_AHEAD - 1) for key in expected[i] ^ expected[i + 1]}
        start = fire(state, instant, self.plan).state
        silence = fire(start, instant + LOOK_AHEAD - 1, self.plan)
        assert {(change.at, change.segment) for change in silence.changes} == flips
        assert len(silence.changes) == len(flips)


def agree(definitions: dict[str, Any], history: list[Any], oracle: Any, person: Any) -> None:
    run = Run(definitions, oracle, person)
    for number, op in enumerate(history):
        run.step(number, op)


law = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink][: 2 if MUTATED else 3],
)


@law
@given(definitions=definition_sets(), history=histories_of(facts, 1))
def test_live_is_the_oracle(definitions: Any, history: Any, oracle: Any, person: Any) -> None:
    agree(definitions, history, oracle, person)


def pair(leaf: Any) -> dict[str, Any]:
    return {"only": leaf, "not": a.Not(of=leaf)}


@law
@given(leaf=happenings_of(did), history=histories_of(dense_facts, 6))
def test_one_leaf_about_many_events(leaf: Any, history: Any, oracle: Any, person: Any) -> None:
    agree(pair(leaf), history, oracle, person)


@law
@given(
    leaf=windowed | ages,
    before=st.lists(dense_facts, min_size=4, max_size=10),
    after=st.lists(dense_facts | ticks, max_size=3),
)
def test_one_leaf_across_a_merge(leaf: Any, before: Any, after: Any, oracle: Any, person: Any) -> None:
    agree(pair(leaf), [*before, "merge", *after], oracle, person)


@law
@given(
    leaf=traits,
    before=st.lists(dense_words | ticks, min_size=2, max_size=8),
    after=st.lists(dense_words | ticks, max_size=3),
)
def test_one_leaf_about_what_was_said(leaf: Any, before: Any, after: Any, oracle: Any, person: Any) -> None:
    agree(pair(leaf), [*before, "merge", *after], oracle, person)


@law
@given(leaf=dates, history=st.lists(dense_dates | ticks, min_size=1, max_size=5))
def test_one_leaf_about_a_date(leaf: Any, history: Any, oracle: Any, person: Any) -> None:
    agree(pair(leaf), history, oracle, person)


@law
@given(leaf=marks, before=st.lists(dense_marks, min_size=3, max_size=6), after=st.lists(dense_marks, max_size=2))
def test_one_leaf_about_who_he_is(leaf: Any, before: Any, after: Any, oracle: Any, person: Any) -> None:
    agree(pair(leaf), [*before, "merge", *after], oracle, person)


@pytest.fixture
def ranks_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normal, "EXACT_RANK", 1)


@law
@given(leaf=windowed, history=histories_of(dense_facts, 6))
def test_counts_gathered_as_sums(leaf: Any, history: Any, oracle: Any, person: Any, ranks_of_one: None) -> None:
    agree(pair(leaf), history, oracle, person)


def test_the_grain_of_the_tests_is_the_grain_of_the_store() -> None:
    assert series.EXACT_PARTS > 14, "the histories above must stay below the size at which parts are gathered to minutes"
