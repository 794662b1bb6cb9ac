"""The law of an unmerge: each of the parts stands, and has counted, as somebody who only ever did, said and was what is his."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import audience as a
from schemas.attributes import merge as merge_attributes
from schemas.attributes import stamp
from schemas.facts import PROFILE_CHANGED, PROFILE_SPLIT, Fact
from services.segmenter.domain import parting
from services.segmenter.domain.gathering import NOT_IN_THE_LAKE
from services.segmenter.domain.live import decide, fire, folded, merge, upgrade
from services.segmenter.domain.plan import Plan, compile_plan
from services.segmenter.domain.series import Series
from services.segmenter.domain.state import State, decode, encode
from services.warehouse.domain.names import PRIVATE
from tests.segmenter.unit import language
from tests.segmenter.unit.test_live_law import definition_sets, facts, happenings_of, law

STAYS, LEAVES = "p", "n"
KINDS = {STAYS: ("user_id:p",), LEAVES: ("email:n",)}


def made(number: int, op: dict[str, Any], clock: int) -> Fact:
    received = clock - op["held_up"]
    return Fact(
        id=f"f{number}", type="page" if op["event"] == "page" else "track", event="" if op["event"] == "page" else op["event"],
        brand="b", source="s", occurred_at=received - op["late"], received_at=received, properties=op["properties"],
        attributes=op["attributes"],
    )  # fmt: skip


def hello(*names: tuple[str, ...], **more: Any) -> Fact:
    """What makes somebody known: identifiers."""
    said = tuple(name for some in names for name in some)
    return Fact(id="h", type="identify", brand="b", source="s", occurred_at=1, received_at=1, identifiers=said, **more)


def told(kind: str, who: str, history: list[tuple[str, Fact]], at: int, **more: Any) -> Fact:
    """What profile says of one of them when they are parted."""
    said: Any = {}
    for whose, fact in history:
        if whose == who:
            said, _ = merge_attributes(said, stamp(fact.attributes, max(0, min(fact.occurred_at, fact.received_at))))
    properties = {"act": "act", "of": STAYS}
    return Fact(
        id=kind, type=kind, brand="b", source="s", occurred_at=at, received_at=at, profile=who, identifiers=KINDS[who],
        attributes={name: list(entry) for name, entry in said.items()}, properties=properties, bucketing_id=f"b{who}", bucketed_at=3, **more,
    )  # fmt: skip


class Run:
    """Two who were one: each fact has its owner. What is told of whom is kept as the segmenter's handler would."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self.plan: Plan = compile_plan(definitions, 1)
        self.history: list[tuple[str, Fact]] = []
        self.clock = 10
        self.states = {STAYS: decide(State(), hello(*KINDS.values()), self.clock, self.plan).state, LEAVES: State()}

    def take(self, who: str, decision: Any) -> list[Any]:
        if decision.state.apart:
            decision = parting.held(self.states[who].members, decision, self.plan)
        self.states[who] = decode(encode(decision.state))
        return list(decision.changes)

    def fact(self, whose: str, told_of: str, op: dict[str, Any]) -> list[Any]:
        self.clock += op["advance"]
        fact = made(len(self.history), op, self.clock)
        self.history.append((whose, fact))
        return self.take(told_of, decide(self.states[told_of], fact, self.clock, self.plan))

    def split(self) -> list[Any]:
        """Whose he was: he who stays goes on quietly. Returns what is told of him who leaves."""
        split = told(PROFILE_SPLIT, STAYS, self.history, self.clock, lost=("email:n",))
        one = fire(self.states[STAYS], self.clock, self.plan).state
        his = self.take(LEAVES, parting.leaves(self.states[LEAVES], one, split, [LEAVES], self.plan))
        quiet = self.take(STAYS, parting.stays(one, split, [], self.plan, himself=True))
        assert all(change.kind == "merge" and change.carried == change.entered for change in quiet)
        return his

    def news(self) -> list[Any]:
        """Who he is that leaves."""
        return self.take(
            LEAVES, parting.heard(self.states[LEAVES], told(PROFILE_CHANGED, LEAVES, self.history, self.clock), self.plan)
        )

    def recount(self, who: str, before: int) -> None:
        """What the lake has of him until the cut: no attributes, no identifiers."""
        found = [msgspec.structs.replace(f, attributes={}) for whose, f in self.history[:before] if whose == who]
        found.sort(key=lambda f: f.received_at)
        changes = self.take(
            who, parting.counted(self.states[who], parting.replay(found, self.clock, self.plan), "act", self.clock, self.plan)
        )
        assert all(change.kind == "backfill" for change in changes)

    def alone(self, who: str) -> State:
        """Somebody who only ever did this."""
        state = decide(State(), hello(KINDS[who], bucketing_id=f"b{who}", bucketed_at=3), self.clock, self.plan).state
        for whose, fact in self.history:
            if whose == who:
                state = decide(state, fact, self.clock, self.plan).state
        return upgrade(fire(state, self.clock, self.plan).state, self.clock, self.plan).state

    def compare(self, who: str) -> None:
        state = fire(self.states[who], self.clock, self.plan).state
        expected = self.alone(who)
        assert state.members.keys() == expected.members.keys()
        assert dict(state.attributes) == dict(expected.attributes)
        assert (set(state.kinds), state.bucketing) == (set(expected.kinds), expected.bucketing)
        assert folded({}, state.series, self.plan, self.clock) == folded({}, expected.series, self.plan, self.clock)
        assert (state.owed, state.since, state.apart) == (0, {}, ())
        ahead = [(change.segment, change.at, change.entered) for change in fire(state, self.clock + 13, self.plan).changes]
        assert ahead == [(c.segment, c.at, c.entered) for c in fire(expected, self.clock + 13, self.plan).changes]


owned = st.tuples(st.sampled_from([STAYS, LEAVES]), facts)


@law
@given(
    definitions=definition_sets() | happenings_of(st.just("did")).map(lambda leaf: {"only": leaf, "not": a.Not(of=leaf)}),
    before=st.lists(owned, max_size=8),
    early=st.lists(facts, max_size=2),
    after=st.lists(owned, max_size=4),
    split_first=st.booleans(),
    late=st.integers(0, 4),
)
def test_each_is_as_if_the_link_had_never_been(
    definitions: Any, before: Any, early: Any, after: Any, split_first: bool, late: int
) -> None:
    each_alone(definitions, before, early, after, split_first, late)


@law
@given(
    definitions=definition_sets(leaf=language.leaves),
    before=st.lists(st.tuples(st.sampled_from([STAYS, LEAVES]), language.facts), min_size=2, max_size=8),
    early=st.lists(language.facts, max_size=2),
    after=st.lists(st.tuples(st.sampled_from([STAYS, LEAVES]), language.facts), max_size=4),
    split_first=st.booleans(),
    late=st.integers(0, 4),
)
def test_it_is_so_in_all_windows_and_of_values_lines_and_sequences(
    definitions: Any, before: Any, early: Any, after: Any, split_first: bool, late: int, tiny_days: None
) -> None:
    each_alone(definitions, before, early, after, split_first, late)


def each_alone(definitions: Any, before: Any, early: Any, after: Any, split_first: bool, late: int) -> None:
    """early: what he who leaves does between the two halves; late: after how many facts more the lake has come so far."""
    run = Run(definitions)
    for whose, op in before:
        run.fact(whose, STAYS, op)
    cut = len(run.history)
    silent = run.split() if split_first else run.news()
    for op in early:
        silent += run.fact(LEAVES, LEAVES, op)
    assert silent == [] and not run.states[LEAVES].members, "nothing is told of him before both are heard"
    cut = cut if split_first else len(run.history)
    entered = run.news() if split_first else run.split()
    assert {change.segment for change in entered} == run.states[LEAVES].members.keys()
    assert all((c.kind, c.entered, c.carried, c.cause) == ("merge", True, True, "act") for c in entered)
    for whose, op in after[:late]:
        run.fact(whose, whose, op)
    for who in (STAYS, LEAVES):
        run.recount(who, cut)
    for whose, op in after[late:]:
        run.fact(whose, whose, op)
    for who in (STAYS, LEAVES):
        run.compare(who)


@law
@given(
    definitions=definition_sets(),
    mine=st.lists(facts, max_size=4),
    both=st.lists(owned, max_size=6),
    after=st.lists(facts, max_size=3),
    winner=st.booleans(),
)
def test_who_becomes_one_with_another_meanwhile_has_all_of_both(
    definitions: Any, mine: Any, both: Any, after: Any, winner: bool
) -> None:
    """He who leaves is merged before the lake has come so far: the other's facts were right, his own are counted as they are read."""
    run = Run(definitions)
    run.states["x"] = State()
    for op in mine:
        run.fact(LEAVES, "x", op)
    x = list(run.history)
    for whose, op in both:
        run.fact(whose, STAYS, op)
    his = [one for one in run.history[len(x) :] if one[0] == LEAVES]
    run.history = run.history[len(x) :]
    run.split()
    run.news()
    one, other = (run.states["x"], run.states[LEAVES]) if winner else (run.states[LEAVES], run.states["x"])
    run.states[LEAVES] = merge(one, other, run.clock, run.plan, "m").state
    for op in after:
        run.fact(LEAVES, LEAVES, op)
    later = run.history[len(both) :]
    run.history = his
    run.recount(LEAVES, len(his))
    run.history = sorted([*x, *his, *later], key=lambda one: one[1].received_at)
    expected, state = run.alone(LEAVES), run.states[LEAVES]
    assert folded({}, state.series, run.plan, run.clock) == folded({}, expected.series, run.plan, run.clock)
    assert (state.owed, state.since, state.apart) == (0, {}, ())


def test_conditions_on_what_the_lake_does_not_have_begin_anew() -> None:
    asks = {
        "whole": a.Did(event="did"),
        "partly": a.Did(event="did", where=(a.Filter(path="form.email", op="missing"),)),
        "sum": a.Total(event="did", sum="phone", op="gt", value=0),
    }
    plan = compile_plan(asks, 1)
    assert NOT_IN_THE_LAKE == PRIVATE
    fact = Fact(id="f", type="track", event="did", brand="b", source="s", occurred_at=5, received_at=5)
    assert [plan.accumulators[id_].personal for id_ in parting.replay([fact], 9, plan)] == [False]


def test_who_became_one_with_another_keeps_what_that_one_said() -> None:
    plan = compile_plan({"kazan": a.Attribute(name="city", op="eq", value="Kazan")}, 1)
    split = told(PROFILE_SPLIT, STAYS, [], 20)
    state = State(1, 10, kinds=("email",), attributes={"city": (1, "Kazan")}, members={"kazan": 1})
    assert parting.stays(state, split, [], plan, himself=False).state.members
    alone = parting.stays(state, split, [], plan, himself=True).state
    assert (alone.members, dict(alone.attributes), alone.kinds) == ({}, {}, ("email",))


def test_rows_of_before_are_read() -> None:
    old = msgspec.msgpack.encode([1, 2, 3, ["email"], None, {"vip": 1}, {}, {7: Series(1)}, {}])
    state = decode(old)
    assert (state.members, state.apart, state.owed, state.since) == ({"vip": 1}, (), 0, {})


def test_an_integer_that_a_state_cannot_hold_is_left_out() -> None:
    plan = compile_plan({"kazan": a.Attribute(name="city", op="eq", value="Kazan")}, 1)
    split = msgspec.structs.replace(
        told(PROFILE_SPLIT, STAYS, [], 20), attributes={"n": [1, 2**70], "city": [1, "Kazan"], "email": [1, "x"]}
    )
    assert dict(parting.stays(State(), split, [], plan, himself=True).state.attributes) == {"city": (1, "Kazan")}
