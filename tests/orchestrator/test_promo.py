"""Promo codes of a pool: one a run and step, or one a person; what happens when there is none, and when the letter never went."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.facts import Fact
from schemas.messages import Intent
from services.orchestrator.domain.loans import numbers
from services.orchestrator.domain.state import Person, decode, encode
from tests.orchestrator.pools import Pools, give, pool
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, journey, rule, send, wait

END = {"id": "end", "end": True}


def gift(**more) -> dict:
    """Two letters with one code, a day apart."""
    return journey(
        "j", give("gift", "p", **more), send("one"), wait("w", "1d"), send("two"), END, on="Born", reentry={"mode": "always"}
    )


def facts(world: World, event: str) -> list[dict]:
    return [e.properties for e in world.log if isinstance(e, Fact) and e.event == event]


def test_the_code_is_in_the_runs_letters_and_told_by_its_number_only():
    world = Pools(pool("p", text="10 %", expires="2031-01-31T23:59:59+03:00"), gift(), codes={"p": 3}, prompt=True)
    for who in "ab":
        world.fact(world.person(who), "Born")
    world.later(2 * DAY)
    codes = {(i.profile, i.template): i.data["promo"]["gift"]["code"] for i in world.intents}
    assert codes == {("a", "one"): "P-0", ("a", "two"): "P-0", ("b", "one"): "P-1", ("b", "two"): "P-1"}
    told = world.intents[0].data["promo"]["gift"]
    assert (told["text"], told["expires"]) == ("10 %", "2031-01-31T23:59:59+03:00")
    assert [d.detail for d in world.decisions if d.verdict == "given"] == [{"pool": "p", "code": n} for n in (1, 2)]
    assert facts(world, "Promo Code Given") == [{"pool": "p", "code_number": n, "journey": "j", "step": "gift"} for n in (1, 2)]
    assert "P-0" not in repr([e for e in world.log if not isinstance(e, Intent)])


@pytest.mark.parametrize(
    ("body", "rule"),
    [({}, "promo_pool_empty"), ({"expires": "2010-11-22T00:00:00+00:00"}, "promo_pool_expired"), (None, "promo_pool_closed")],
)
def test_without_a_code_the_run_goes_the_way_that_was_stated(body, rule):
    plain = journey("j", give("gift", "p", "plain"), send("one"), END, send("plain"), on="Born")
    documents = [pool("p", **body)] if body is not None else []
    world = Pools(*documents, plain, codes={"p": 1}, prompt=True)
    world.rows[1].given_to = "somebody" if rule == "promo_pool_empty" else ""
    world.fact(world.person("a"), "Born")
    assert [i.template for i in world.intents] == ["plain"]
    assert ("skipped", "gift", rule) in world.told()


def test_a_code_for_a_person_is_the_same_whatever_asks():
    other = journey("k", give("mine", "p", per="person"), send("k"), END, on="Came")
    world = Pools(pool("p"), gift(per="person"), other, codes={"p": 3}, prompt=True)
    who = world.person("a")
    for event in ("Born", "Came", "Born"):
        world.fact(who, event)
    world.later(2 * DAY)
    assert {code for i in world.intents for code in world.codes_of(i).values()} == {"P-0"}
    assert [d.detail.get("again") for d in world.decisions if d.verdict == "given"] == [None, True, True]
    assert len(facts(world, "Promo Code Given")) == 1


def test_two_who_have_each_his_own_keep_them_when_they_become_one():
    world = Pools(pool("p"), gift(per="person"), codes={"p": 3}, prompt=True)
    for who in "ab":
        world.fact(world.person(who), "Born")
    world.merge("a", "b")
    world.later(2 * DAY)
    second = {(i.occurrence, *world.codes_of(i).values()) for i in world.intents if i.template == "two"}
    first = {(i.occurrence, *world.codes_of(i).values()) for i in world.intents if i.template == "one"}
    assert second == first and len(first) == 2
    world.fact("a", "Born")
    assert list(world.codes_of(world.intents[-1]).values()) == ["P-0"], "from here on the earlier is his"
    assert {row.given_to for row in world.rows.values() if not row.free} == {"a"}


@pytest.mark.parametrize("verdict", ["accepted", "in_doubt", "unknown", "failed", "late", "held"])
def test_a_code_that_may_have_been_read_never_comes_back(verdict):
    once = journey("j", give("gift", "p", **{"return": True}), send("one"), END, on="Born")
    world = Pools(pool("p"), once, codes={"p": 1})
    world.fact(world.person("a"), "Born")
    world.verdict(world.intents[0], verdict)
    assert world.returned == []
    if verdict in ("accepted", "in_doubt", "unknown", "failed"):
        world.verdict(world.intents[0], "skipped")
        assert world.returned == []


def test_a_code_of_a_letter_that_went_to_nobody_comes_back_and_is_told():
    once = journey("j", give("gift", "p", **{"return": True}), send("one"), END, on="Born")
    world = Pools(pool("p"), once, codes={"p": 1})
    world.fact(world.person("a"), "Born")
    world.verdict(world.intents[0], "skipped")
    assert world.returned == [1] and world.rows[1].free
    assert ("returned", "gift", "promo_never_sent") in world.told()
    assert [one["code_number"] for one in facts(world, "Promo Code Returned")] == [1]
    world.fact(world.person("b"), "Born")
    assert [g.profile for g in world.given] == ["a", "b"]


def test_it_waits_for_the_last_letter_and_for_the_run():
    world = Pools(pool("p"), gift(**{"return": True}), codes={"p": 1})
    world.fact(world.person("a"), "Born")
    world.verdict(world.intents[0], "skipped")
    assert world.returned == [], "the second letter is to have it"
    world.later(DAY)
    assert len(world.intents) == 2 and world.returned == []
    world.verdict(world.intents[1], "skipped")
    assert world.returned == [1]


def test_what_is_decided_anew_is_under_way_again_and_a_word_of_before_says_nothing_of_it():
    once = journey("j", give("gift", "p", **{"return": True}), send("one", expires="1h"), END, on="Born")
    world = Pools(pool("p"), once, codes={"p": 1})
    world.fact(world.person("a"), "Born")
    world.verdict(world.intents[0], "late")
    world.verdict(world.intents[0], "skipped", attempt=0)
    assert len(world.intents) == 2 and world.returned == []
    world.now += 2 * HOUR
    world.verdict(world.intents[1], "late")
    assert ("skipped", "one", "expired") in world.told() and world.returned == [1]


def test_what_one_of_two_was_given_is_the_others_when_they_become_one():
    long = [{"id": n, "set": {"x": 1}} for n in ("x1", "x2", "x3")]
    fork = {"id": "f", "if_data": [{"path": "event.long", "op": "exists"}], "then": "x1", "else": "gift"}
    wait_on = [wait("w", "1d", next="gift"), give("gift", "p", per="person"), send("one"), wait("v", "9d"), END]
    world = Pools(pool("p"), journey("j", fork, *long, *wait_on, on="Born"), gift_of_his(), codes={"p": 5}, prompt=True)
    world.fact(world.person("a"), "Born", properties={"long": True})
    world.fact(world.person("b"), "Born")
    world.merge("a", "b")
    world.later(2 * DAY)
    world.fact("a", "Came")
    assert [g.number for g in world.given] == [1], "the run that goes on has what the other was given, and so has he"
    assert [d.detail.get("again") for d in world.decisions if d.verdict == "given"] == [None, True]


def gift_of_his() -> dict:
    return journey("k", give("mine", "p", per="person"), send("k"), END, on="Came")


def test_who_were_parted_have_each_his_own_codes():
    world = Pools(pool("p"), gift(per="person"), gift_of_his(), codes={"p": 5}, prompt=True)
    world.person("a")
    world.fact("a", "Born", home="h")
    world.split("a", "c", "h")
    world.introduce("c", "a")
    world.later(2 * DAY)
    went = [(i.profile, i.template, *world.codes_of(i).values()) for i in world.intents]
    assert went == [("a", "one", "P-0"), ("c", "two", "P-0")]
    world.fact("c", "Came")
    world.fact("a", "Came")
    assert [(i.profile, *world.codes_of(i).values()) for i in world.intents[2:]] == [("c", "P-0"), ("a", "P-1")]


def test_two_whose_timers_are_due_when_they_become_one_get_two_codes():
    later = journey("j", wait("w", "1h"), give("gift", "p"), send("one"), END, on="Born", reentry={"mode": "always"})
    world = Pools(pool("p"), later, codes={"p": 5})
    for who in "ab":
        world.fact(world.person(who), "Born")
    world.now += 2 * HOUR
    world.merge("a", "b")
    assert sorted(g.number for g in world.given) == [1, 2]


def test_a_code_of_a_cascade_comes_back_when_one_channel_gave_up_and_the_next_was_skipped():
    channels = [{"channel": "sms", "template": "text", "delivered_within": "10m"}, {"channel": "email", "template": "mail"}]
    chain = journey("j", give("gift", "p", **{"return": True}), {"id": "c", "cascade": channels}, END, on="Born")
    world = Pools(pool("p"), chain, codes={"p": 1})
    world.fact(world.person("a", kinds="email phone"), "Born")
    world.later(HOUR)
    world.verdict(world.intents[0], "late")
    assert world.returned == []
    world.verdict(world.intents[1], "skipped")
    assert world.returned == [1]


def test_without_return_it_stays_given():
    once = journey("j", give("gift", "p"), send("one"), END, on="Born")
    world = Pools(pool("p"), once, codes={"p": 1})
    world.fact(world.person("a"), "Born")
    world.verdict(world.intents[0], "skipped")
    assert world.returned == [] and not world.rows[1].free


def test_a_letter_that_was_displaced_goes_later_with_its_code():
    night = rule(quiet_hours={"from": "00:00", "to": "08:00"})
    world = Pools(pool("p"), gift(), night, codes={"p": 2}, prompt=True)
    world.fact(world.person("a"), "Born")
    assert world.intents == [] and len(world.given) == 1
    world.later(8 * HOUR)
    assert [world.codes_of(i) for i in world.intents] == [{"gift": "P-0"}]


def test_a_step_that_is_come_to_again_gives_nothing_anew_and_another_journeys_does():
    again = journey("j", give("gift", "p", "one"), send("one"), wait("w", "1d", next="gift"), on="Born")
    world = Pools(pool("p"), again, codes={"p": 5}, prompt=True)
    world.fact(world.person("a"), "Born")
    world.later(3 * DAY)
    assert len(world.given) == 1
    first = journey("j", give("gift", "p"), {"id": "go", "jump": "k"}, END, on="Born")
    second = journey("k", give("gift", "p"), send("k"), END, on="Never")
    world = Pools(pool("p"), first, second, codes={"p": 5}, prompt=True)
    world.fact(world.person("a"), "Born")
    assert len(world.given) == 2 and world.codes_of(world.intents[0]) == {"gift": "P-1"}


def test_a_code_that_a_step_says_to_the_profile_is_out():
    says = {"id": "say", "set": {"code": {"data": "promo.gift.code"}}}
    world = Pools(pool("p"), journey("j", give("gift", "p", **{"return": True}), says, END, on="Born"), codes={"p": 1})
    world.fact(world.person("a"), "Born")
    assert world.returned == []
    (said,) = [e.attributes for e in world.log if isinstance(e, Fact) and e.attributes]
    assert said == {"code": "P-0"}


def order(world: Pools, who: str, coupon: str, number: str = "o1") -> dict:
    world.fact(who, "Order Completed", properties={"coupon": coupon, "order_id": number})
    return facts(world, "Promo Code Used")[-1]


def test_an_order_uses_the_code_whoever_it_was_given_to_and_it_is_told():
    world = Pools(pool("p"), gift(), codes={"p": 3}, prompt=True)
    for who in "ab":
        world.person(who)
    world.fact("a", "Born")
    mine = order(world, "a", " p-0 ")
    assert mine == {"pool": "p", "code_number": 1, "order_id": "o1", "owner": "self", "again": False}
    order(world, "a", "P-0")
    assert len(facts(world, "Promo Code Used")) == 1, "the same order, told anew"
    stranger = order(world, "b", "P-0", "o2")
    assert (stranger["owner"], stranger["again"]) == ("other", True)
    assert order(world, "b", "P-1", "o3")["owner"] == "nobody"
    world.fact("b", "Born")
    assert world.given[-1].number == 3, "one that was used is given to nobody"
    count = len(facts(world, "Promo Code Used"))
    for said in ("P-9", "", None, ["P-0"], 7):
        world.fact("a", "Order Completed", properties={"coupon": said})
    world.fact("a", "Order Paid", properties={"coupon": "P-2"})
    assert len(facts(world, "Promo Code Used")) == count


def test_a_code_that_its_owner_has_used_does_not_go_back_when_its_letter_is_skipped():
    once = journey("j", give("gift", "p", **{"return": True}), send("one"), END, on="Born")
    world = Pools(pool("p"), once, codes={"p": 1})
    world.fact(world.person("a"), "Born")
    assert order(world, "a", "P-0")["owner"] == "self"
    world.verdict(world.intents[0], "skipped")
    assert world.returned == [] and facts(world, "Promo Code Returned") == []


# ---- whatever happens

PEOPLE = "abcd"
JOURNEYS = (
    journey("one", give("g", "p", "x", **{"return": True}), send("o1"), wait("w", "5h"), send("o2"), send("x"), on="One", reentry={"mode": "always"}),
    journey("two", give("g", "p", per="person", **{"return": True}), send("t1"), give("h", "q"), send("t2"), END, on="Two", goal={"event": "Goal"}),
    journey("three", wait("w", "2h"), give("g", "p", per="person"), {"id": "go", "jump": "four"}, END, on="Three", reentry={"mode": "always"}),
    journey("four", send("f1", expires="1h"), give("g", "q", **{"return": True}), send("f2"), END, on="Four"),
)  # fmt: skip
CAPS = rule(caps=[{"name": "d", "class": "triggered", "most": 2, "per": "day"}])
who = st.sampled_from(PEOPLE)
moves = st.one_of(
    st.tuples(st.just("fact"), who, st.sampled_from(["One", "Two", "Three", "Four", "Goal"])),
    st.tuples(st.just("order"), who, st.integers(1, 9)),
    st.tuples(st.just("merge"), who, who),
    st.tuples(st.just("pass"), st.sampled_from([MINUTE, HOUR, 5 * HOUR, DAY])),
    st.tuples(st.just("outage"), st.sampled_from([HOUR, DAY])),
    st.tuples(
        st.just("verdict"), st.integers(0, 9), st.sampled_from(["accepted", "failed", "skipped", "in_doubt", "held", "late"])
    ),
)


class Sender:
    """Takes each attempt once and tells what became of it. out: numbers that somebody may have read."""

    def __init__(self, world: Pools) -> None:
        self.world, self._seen = world, 0
        self.open: dict[str, Intent] = {}
        self.out: set[int] = set()

    def look(self) -> None:
        for emission in self.world.log[self._seen :]:
            if isinstance(emission, Intent):
                self.open[emission.id] = emission
        self._seen = len(self.world.log)
        for number in self.out | {n for intent in self.open.values() for n in numbers(intent.data)}:
            assert not self.world.rows[number].free, "it is on its way, or somebody has it"

    def answer(self, place: int, verdict: str) -> None:
        if not self.open:
            return
        intent = list(self.open.values())[place % len(self.open)]
        if verdict != "held":
            del self.open[intent.id]
        if verdict in ("accepted", "failed", "in_doubt"):
            self.out |= numbers(intent.data)
        self.world.verdict(intent, verdict)


@settings(max_examples=200, deadline=None)
@given(st.lists(moves, max_size=50))
def test_no_code_is_two_peoples_and_none_that_may_have_been_read_comes_back(script):
    world = Pools(pool("p"), pool("q"), *JOURNEYS, CAPS, codes={"p": 6, "q": 3}, at=T0)
    for n, name in enumerate(PEOPLE):
        world.person(name, at=n)
    sender = Sender(world)
    for kind, *move in script:
        if kind == "fact":
            world.fact(*move)
        elif kind == "order":
            world.fact(move[0], "Order Completed", properties={"coupon": world.rows[move[1]].text, "order_id": str(len(world.log))})
        elif kind == "merge":
            world.merge(*move)
        elif kind == "pass":
            world.later(move[0])
        elif kind == "outage":  # what is due fires before the next thing that is heard
            world.now += move[0]
        else:
            sender.answer(*move)
        sender.look()
    for person in world.people.values():
        alive = {n for run in person.runs for n in numbers(run.data)}
        for one in person.codes:
            assert not one.lent or one.letters or one.number in alive, "nothing keeps it, and it has not come back"
    kept = {(g.journey, g.step, g.occurrence) for g in world.given}
    assert len(kept) + len(world.returned) >= len(world.given), "a step of a run gave twice"


def test_a_state_of_before_is_read():
    old = msgspec.msgpack.encode(msgspec.msgpack.decode(encode(Person(zone=(1, "UTC"))))[:-1])
    assert decode(old) == Person(zone=(1, "UTC"))
