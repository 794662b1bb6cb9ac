"""The law of new conditions: published late, and filled from what the lake has, they answer as if they had been published first."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import audience as a
from schemas.facts import Fact
from services.segmenter.domain import filling, parting
from services.segmenter.domain import plan as plans
from services.segmenter.domain.draft import awaited
from services.segmenter.domain.live import decide, fills, fire, folded, merge, unlike, upgrade
from services.segmenter.domain.plan import NOTHING_TO_FILL, Plan, compile_plan
from services.segmenter.domain.series import Series
from services.segmenter.domain.state import State, decode, encode
from services.segmenter.domain.succession import difference, standing, untouched
from tests.segmenter.unit.test_live_law import ages, dense_facts, did, facts, happenings_of, law, windowed

WHO = (0, 1, 2)


class Run:
    """Some people under one plan after another. What is asked of the lake, and when it comes, is kept as the segmenter's handler would."""

    def __init__(self, plans: list[dict[str, Any]]) -> None:
        """plans: the first rules from the start, each that is published is the next."""
        self._later = plans[1:]
        self.plan: Plan = compile_plan(plans[0], 1)
        self.plans = {1: self.plan}
        self.history: list[tuple[int, Fact]] = []
        self.clock = 10
        self.states = dict.fromkeys(WHO, State())
        self.means = {who: who for who in WHO}
        self.settled: dict[int, int] = {}  # under which plan each was asked last
        self.cut = 0
        self.owed: dict[int, tuple[set[int], int]] = {}  # of whom what stands below this place is to be counted anew

    def step(self, number: int, op: Any) -> None:
        match op:
            case "publish":
                self.publish()
            case ("merge", int(one), int(other)):
                self.merge(self.means[one], self.means[other], f"m{number}")
            case ("sweep" | "fill" | "recount", int(one)):
                getattr(self, op[0])(self.means[one])
            case _:
                self.fact(number, op)

    def publish(self) -> None:
        if not self._later:
            return
        old, number = self.plan, self.plan.revision + 1
        plan = compile_plan(self._later.pop(0), number)
        begun = filling.begun(filling.depths(old), old.filling, plan)
        self.plan = self.plans[number] = replace(plan, filling=begun)
        if begun.number == number:
            self.cut = len(self.history)

    def sweep(self, who: int) -> None:
        """He is asked under the plan; where it leaves him as he is, his row stays."""
        held = self.under(who)
        if 0 < held.revision < self.plan.revision and not self.untouched(held):
            self.bring(who)
        self.settled[who] = self.plan.revision

    def under(self, who: int) -> State:
        held = self.states[who]
        return standing(held, self.settled.get(who, 0), self.plan) if held.revision else held

    def untouched(self, held: State) -> bool:
        return untouched(held, self.clock, difference(self.plans[held.revision], self.plan), self.plan)

    def bring(self, who: int) -> None:
        """He is read, to be changed."""
        held = self.states[who] = self.under(who)
        if 0 < held.revision < self.plan.revision:
            decision = upgrade(fire(held, self.clock, self.plans[held.revision]).state, self.clock, self.plan)
            if self.untouched(held):
                self.states[who] = standing(held, self.plan.revision, self.plan)
                self.same(self.states[who], decision)
                return
            if held.owed and fills(held, self.plan):
                self.anew(who)
            self.keep(who, decision)

    def same(self, left: State, decision: Any) -> None:
        """What an upgrade would have brought, but for instants that no longer count."""
        brought = decision.state
        assert not decision.changes
        assert (left.members, left.horizons, left.due) == (brought.members, brought.horizons, brought.due)
        assert awaited(left, self.plan) == awaited(brought, self.plan)
        assert {id_: one.count for id_, one in left.series.items()} == {id_: one.count for id_, one in brought.series.items()}

    def fact(self, number: int, op: dict[str, Any]) -> None:
        self.clock += op["advance"]
        who, received = self.means[op["who"]], self.clock - op["held_up"]
        named = {"type": "page", "event": ""} if op["event"] == "page" else {"type": "track", "event": op["event"]}
        fact = Fact(
            id=f"f{number}", brand="b", source="s", occurred_at=received - op["late"], received_at=received,
            properties=op["properties"], **named,
        )  # fmt: skip
        asked = (fact.event or fact.type) in self.plan.by_event  # else not even his row is looked at
        if asked:
            self.bring(who)
        self.history.append((op["who"], fact))
        if asked:
            self.keep(who, decide(self.states[who], fact, self.clock, self.plan))

    def merge(self, one: int, other: int, id_: str) -> None:
        if one == other:
            return
        for who in (one, other):
            self.bring(who)
        if unlike(self.states[one], self.states[other], self.plan):
            self.anew(one, other)
        decision = merge(self.states[one], self.states[other], self.clock, self.plan, id_)
        self.means = {who: one if by == other else by for who, by in self.means.items()}
        self.states[other] = State()
        self.keep(one, decision)

    def anew(self, *people: int) -> None:
        for who in people:
            self.owed.pop(who, None)
        self.owed[people[0]] = {who for who in WHO if self.means[who] in people}, len(self.history)

    def fill(self, who: int) -> None:
        self.bring(who)
        state = self.states[who]
        if awaited(state, self.plan) and (found := self.lake({one for one in WHO if self.means[one] == who}, self.cut)):
            self.keep(who, filling.filled(state, found, self.clock, self.plan))

    def recount(self, who: int) -> None:
        self.bring(who)
        for person in [one for one in self.owed if self.means[one] == who]:
            ids, upto = self.owed.pop(person)
            self.keep(who, parting.counted(self.states[who], self.lake(ids, upto), "act", self.clock, self.plan))

    def lake(self, ids: set[int], upto: int) -> dict[int, Series]:
        plan = replace(self.plan, filling=NOTHING_TO_FILL)
        return parting.replay((fact for who, fact in self.history[:upto] if who in ids), self.clock, plan)

    def keep(self, who: int, decision: Any) -> None:
        assert all(c.kind != "fact" or c.cause for c in decision.changes)
        self.states[who] = decode(encode(decision.state))

    def finish(self) -> None:
        """The lake comes so far for everybody, and the filling is over."""
        for who in sorted(set(self.means.values())):
            self.fill(who)
            self.recount(who)
        self.plan = replace(self.plan, filling=NOTHING_TO_FILL)


pairs = st.tuples(st.sampled_from(WHO), st.sampled_from(WHO))
acts = st.one_of(
    pairs.map(lambda pair: ("merge", *pair)),
    st.tuples(st.sampled_from(["sweep", "fill", "fill", "recount"]), st.sampled_from(WHO)),
)
did_it = st.tuples(dense_facts | dense_facts | facts, st.sampled_from(WHO)).map(lambda pair: {**pair[0], "who": pair[1]})
# Leaves that share accumulators, each of which asks for more or less of them.
shared = st.one_of(
    windowed,
    ages,
    st.builds(a.Did, event=did, op=st.sampled_from(["ge", "eq"]), value=st.integers(1, 3)),
    st.builds(a.Distinct, event=did, of=st.just("n"), op=st.just("ge"), value=st.integers(1, 3), within=st.sampled_from([2, 8])),
)


def plans_of(leaf: Any) -> Any:
    """Each is published after the one before."""
    return st.lists(
        st.lists(leaf, max_size=2).map(lambda some: {f"s{n}": one for n, one in enumerate(some)}), min_size=3, max_size=3
    )


@law
@given(
    plans=plans_of(shared) | plans_of(shared | happenings_of(st.sampled_from(["did", "page"]))),
    before=st.lists(did_it, min_size=1, max_size=6),
    between=st.lists(did_it | acts, max_size=6),
    after=st.lists(did_it | acts, max_size=6),
)
def test_published_late_is_published_first(plans: Any, before: Any, between: Any, after: Any) -> None:
    run, first = Run(plans), Run([plans[-1]])
    for number, op in enumerate([*before, "publish", *between, "publish", *after]):
        run.step(number, op)
        if isinstance(op, dict) or op[0] == "merge":
            first.step(number, op)
    run.finish()
    for who in set(run.means.values()):
        state, expected = (fire(one.states[who], run.clock, one.plan).state for one in (run, first))
        if not (state.revision and expected.revision):
            assert not expected.series, "who did nothing that counts is met with what he does next"
            continue
        assert counted(state, run) == counted(expected, first)
        assert state.members.keys() == expected.members.keys()
        assert (state.owed, run.owed, state.clock >= expected.clock) == (0, {}, True)
        ahead = [(change.segment, change.at, change.entered) for change in fire(state, run.clock + 13, run.plan).changes]
        assert ahead == [(c.segment, c.at, c.entered) for c in fire(expected, run.clock + 13, first.plan).changes]
        assert not decide(state, seen(run.clock), run.clock, run.plan).state.since, (
            "what was gathered apart is gone with the next fact"
        )


def counted(state: State, run: Run) -> dict[int, Any]:
    """As it counts at the end; of one instant, in whatever order it was heard."""
    held = folded({}, state.series, run.plan, run.clock)
    return {
        id_: (one.count, one.total, one.first, one.last, one.times, sorted(zip(one.times, one.amounts, strict=False)))
        for id_, one in held.items()
    }


def seen(at: int) -> Fact:
    return Fact(id="x", type="track", event="did", brand="b", source="s", occurred_at=at, received_at=at)


def test_what_is_unfinished_is_answered_from_what_is_kept_while_it_begins_again() -> None:
    paid, viewed = a.Did(event="Paid"), a.Did(event="Seen")
    empty, one, two = (compile_plan(some, n) for n, some in enumerate(({}, {"p": paid}, {"p": paid, "s": viewed}), 1))
    first = filling.begun(filling.depths(empty), NOTHING_TO_FILL, one)
    assert first == (2, one.accumulators.keys(), frozenset())
    again = filling.begun(filling.depths(one), first, two)
    assert again == (3, two.accumulators.keys(), one.accumulators.keys())
    assert filling.begun(filling.depths(two), again, replace(one, revision=4)) == (
        3,
        one.accumulators.keys(),
        one.accumulators.keys(),
    )
    assert filling.begun(filling.depths(two), again, replace(empty, revision=4)) == NOTHING_TO_FILL


def bought(who: int, late: int = 0) -> dict[str, Any]:
    return {"who": who, "event": "did", "advance": 1, "late": late, "held_up": 0, "properties": {}}


ONCE, OFTEN = {"s": a.Did(event="did", value=1, within=50)}, {"s": a.Did(event="did", value=4, within=50)}


def test_what_each_did_since_comes_on_top_of_what_both_did_before() -> None:
    run = Run([ONCE, OFTEN])
    for number, op in enumerate([bought(0), bought(1), "publish", bought(0), bought(1), ("merge", 0, 1), ("fill", 0)]):
        run.step(number, op)
    assert (list(run.states[0].members), run.states[0].since, run.owed) == (["s"], {}, {})


def test_who_is_owed_a_count_has_it_under_the_newer_plan_and_is_not_filled() -> None:
    run = Run([ONCE, OFTEN, {**OFTEN, "t": a.Did(event="did", where=(a.Filter(path="n", op="missing"),), value=4)}])
    history = [bought(0), bought(1), bought(0), bought(1), "publish", ("fill", 0), ("merge", 0, 1)]
    for number, op in enumerate(history):
        run.step(number, op)
    assert (run.states[0].owed, run.states[0].awaits, run.owed) == (1, 0, {0: ({0, 1}, 4)})
    run.step(10, "publish")
    run.step(11, bought(0))
    assert (run.states[0].owed, run.states[0].awaits, run.owed) == (1, 0, {0: ({0, 1}, 4)})
    assert [one.count for one in run.states[0].since.values()] == [1, 1]
    run.step(12, ("recount", 0))
    assert (set(run.states[0].members), [one.count for one in run.states[0].series.values()]) == ({"s", "t"}, [5, 5])


def test_who_is_parted_is_counted_anew_and_not_filled() -> None:
    run = Run([ONCE, OFTEN])
    for number, op in enumerate([bought(0), "publish", bought(0)]):
        run.step(number, op)
    assert run.states[0].awaits and run.states[0].since
    split = Fact(
        id="x", type="profile.split", brand="b", source="s", occurred_at=20, received_at=20, properties={"act": "act", "parts": []}
    )
    for decision in (
        parting.stays(run.states[0], split, [], run.plan, himself=False),
        parting.leaves(State(), run.states[0], split, [], run.plan),
    ):
        assert (decision.state.owed, decision.state.awaits, decision.state.since) == (1, 0, {})


def test_of_two_keys_with_one_mark_one_takes_another_and_everybody_is_asked_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A horizon that is stored under a mark must never be another segment's: he who has one is moved by the plan that gives it away."""
    monkeypatch.setattr(plans, "crc32", lambda data, mark=0: mark + 1 if mark else 7)
    recent = a.Did(event="did", within=5)
    first, second = plans.compile_plan({"z": recent}, 1), plans.compile_plan({"a": recent, "z": recent}, 2)
    assert first.marks == (7,) and {key: second.marks[place] for key, place in second.place.items()} == {"a": 7, "z": 8}
    state = decide(State(), seen(10), 10, first).state
    assert list(state.horizons) == [7]
    changes = difference(first, second)
    assert changes.unmarked == {7} and second.place["z"] in changes.changed
    assert not untouched(state, 10, changes, second)
    moved = fire(upgrade(state, 10, second).state, 15, second)
    assert sorted(change.segment for change in moved.changes) == ["a", "z"]
