"""What everybody had said of a personal attribute before a condition asked for it: the same as if the condition had always been there."""

from typing import Any, NamedTuple

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import attributes
from schemas.audience import All, Anniversary, Attribute, Did, InSegment
from schemas.facts import PROFILE_CHANGED, PROFILE_MERGED, Fact
from services.profile.domain import Profile, fold, settle, unsay
from services.segmenter.domain import live
from services.segmenter.domain.hearing import Hearing, begun, heard, incomplete, wanted
from services.segmenter.domain.plan import compile_plan
from services.segmenter.domain.state import State

NOW = 1_800_000_000_000
BEFORE = compile_plan({"city": Attribute(name="city", op="exists")}, 1)
AFTER = compile_plan({"city": Attribute(name="city", op="exists"), "born": Attribute(name="birthday", op="eq", value="x")}, 2)
WHO = st.sampled_from(["ann", "bob"])


class Happens(NamedTuple):
    """say: he says his birthday, at a moment; forget: it is taken back; merge: bob is ann; publish, hear: of the segmenter. late: how many
    of profile's words the segmenter has not heard when that comes.
    """

    what: str
    who: str = "ann"
    value: str = "x"
    at: int = 0
    late: int = 0


happenings = st.lists(
    st.one_of(
        st.builds(Happens, st.just("say"), WHO, st.sampled_from(["x", "y"]), st.integers(0, 5), st.integers(0, 3)),
        st.builds(Happens, st.just("forget"), WHO, st.just(""), st.integers(0, 5), st.integers(0, 3)),
        st.builds(Happens, st.just("hear"), WHO, st.just(""), st.just(0), st.integers(0, 3)),
        st.builds(Happens, st.sampled_from(["merge", "publish"]), late=st.integers(0, 3)),
    ),
    max_size=14,
)


class Both:
    """Profile, and the segmenter some words behind."""

    def __init__(self) -> None:
        self.profiles = {"ann": Profile(0), "bob": Profile(0)}
        self.log: list[tuple[str, Fact]] = []
        self.states: dict[str, State] = {"ann": State(), "bob": State()}
        self.means = {"ann": "ann", "bob": "bob"}
        self.plan, self.done = BEFORE, 0
        self.told: set[str] = set()

    def tell(self, kind: str, who: str, said: dict[str, Any], **more: Any) -> None:
        number = len(self.log)
        common = {"id": f"{number}", "type": kind, "brand": "b", "source": "s", "received_at": NOW + number, "profile": who}
        self.log.append((who, Fact(**common, occurred_at=more.pop("at", NOW), attributes=said, **more)))

    def happens(self, one: Happens) -> None:
        who = "ann" if "bob" not in self.profiles else one.who
        if one.what == "say":
            said = {"birthday": one.value, "city": "Omsk"}
            self.tell("identify", who, said, at=NOW - 9 + one.at)
            settle(self.profiles[who], dict(attributes.stamp(said, NOW - 9 + one.at)), who)
        if one.what == "forget" and "birthday" in self.profiles[who].attributes:
            taken = unsay(self.profiles[who], ["birthday"], NOW - 9 + one.at)
            self.tell(PROFILE_CHANGED, who, dict(taken), lost=("email:x@e.org",))
        if one.what == "merge" and "bob" in self.profiles:
            fold(self.profiles["ann"], self.profiles.pop("bob"), NOW)
            self.tell(PROFILE_MERGED, "ann", dict(self.profiles["ann"].attributes))
        self.catch_up(len(self.log) - one.late)
        if one.what == "publish" and self.plan is BEFORE:
            self.plan = AFTER
        if one.what == "hear" and self.plan is AFTER:
            self.hear(one.who)

    def hear(self, who: str) -> None:
        """As the handler does: under his row's lock, of whom the row is, what profile has of this very id."""
        self.told.add(who)
        if who in self.profiles and self.means[who] == who:
            said = {name: entry for name, entry in self.profiles[who].attributes.items() if name == "birthday"}
            self.states[who] = heard(self.under(who), said, NOW, AFTER).state

    def under(self, who: str) -> State:
        held = self.states[who]
        if held.revision in (0, self.plan.revision):
            return held
        return live.upgrade(held, NOW, self.plan).state

    def catch_up(self, until: int) -> None:
        for who, fact in self.log[self.done : max(self.done, until)]:
            self.done += 1
            if fact.type == PROFILE_MERGED:
                both = live.merge(self.under("ann"), self.under("bob"), NOW, self.plan, "m", live.news(fact, self.plan))
                self.states["ann"], self.means["bob"] = both.state, "ann"
                continue
            if fact.type == PROFILE_CHANGED:
                fact = msgspec.structs.replace(fact, attributes=live.news(fact, self.plan))
            person = self.means[who]
            self.states[person] = live.decide(self.under(person), fact, NOW + 99, self.plan).state


@settings(max_examples=600)
@given(happenings)
@example([Happens("say", "bob"), Happens("publish"), Happens("hear"), Happens("merge")])
@example([Happens("say", at=1), Happens("publish"), Happens("say", value="y", at=5, late=1), Happens("hear", late=1)])
@example([Happens("say"), Happens("publish"), Happens("hear"), Happens("forget")])
@example([Happens("publish"), Happens("hear"), Happens("say", late=2), Happens("merge", late=2), Happens("hear", "bob")])
def test_whatever_comes_meanwhile_segments_know_what_profile_has(story: list[Happens]) -> None:
    both = Both()
    for one in story:
        both.happens(one)
    both.happens(Happens("publish"))
    for who in ("ann", "bob"):
        if who not in both.told:
            both.hear(who)
    both.catch_up(len(both.log))
    for who, profile in both.profiles.items():
        held = {name: entry for name, entry in both.under(who).attributes.items() if name == "birthday"}
        assert {name: value for name, (_, value) in held.items() if value is not None} == {
            name: value for name, (_, value) in profile.attributes.items() if name == "birthday" and value is not None
        }
        assert ("born" in both.under(who).members) is (held.get("birthday", (0, None))[1] == "x")


def test_what_was_said_before_starts_nothing_and_what_is_said_later_does() -> None:
    said = Fact(id="1", type="identify", brand="b", source="s", occurred_at=NOW, received_at=NOW, attributes={"birthday": "x"})
    old = live.decide(State(), said, NOW, BEFORE).state
    assert dict(old.attributes) == {}
    under = live.upgrade(old, NOW, AFTER).state
    decision = heard(under, {"birthday": (NOW, "x")}, NOW + 5, AFTER)
    assert [(c.segment, c.entered, c.at, c.kind) for c in decision.changes] == [("born", True, NOW + 5, "backfill")]
    assert not heard(decision.state, {"birthday": (NOW, "x")}, NOW + 9, AFTER).changed
    assert not heard(State(), {"birthday": (NOW, "x")}, NOW, AFTER).changed  # his first fact is on its way, and is news


def test_what_nobody_asks_for_any_more_is_not_kept() -> None:
    under = heard(live.upgrade(State(revision=1), NOW, AFTER).state, {"birthday": (NOW, "x")}, NOW, AFTER).state
    assert dict(live.upgrade(under, NOW, compile_plan({}, 3)).state.attributes) == {}


def test_a_telling_begins_where_something_new_is_asked_for_and_goes_on_where_nothing_is() -> None:
    name = compile_plan({"a": All(of=(Attribute(name="name", op="exists"), Did(event="x"))), "b": InSegment(key="a")}, 3)
    both = compile_plan({"a": Anniversary(name="birthday"), "b": Attribute(name="name", op="exists")}, 4)
    assert wanted(both) == {"birthday", "name"}
    first = begun(frozenset(), Hearing(), AFTER)
    assert first == Hearing(1, frozenset({"birthday"})) and incomplete(AFTER, first) == {"born"}
    assert begun({"birthday"}, first, AFTER) == first
    assert begun({"birthday"}, first, both) == Hearing(2, frozenset({"birthday", "name"}))
    assert begun({"birthday"}, Hearing(1), both) == Hearing(2, frozenset({"name"}))
    assert begun({"birthday"}, first, BEFORE) == Hearing(1)
    assert begun({"birthday"}, first, name) == Hearing(2, frozenset({"name"}))
    assert incomplete(name, Hearing(2, frozenset({"name"}))) == {"a", "b"}
