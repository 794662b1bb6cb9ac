"""Waiting for what happens, ways by the run's data, its letters and chance, and what a run says and where it jumps."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.facts import Fact
from schemas.ids import bucket
from schemas.journeys import Journey
from schemas.unnamed import condition_key
from services.orchestrator.domain.zones import zone
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, journey, send, wait

BASKET = journey(
    "basket",
    {"id": "bought", "until": {"fact": {"event": "Ordered", "same": "cart"}}, "at_most": "1h", "else": "letter"},
    send("letter"),
    on="Added",
    reentry={"mode": "always"},
)


def until(step: str, at_most: str = "2d", **awaited: Any) -> dict[str, Any]:
    return {"id": step, "until": awaited, "at_most": at_most}


@pytest.mark.parametrize("order", ["added first", "ordered first"])
@pytest.mark.parametrize(("gap", "cart", "letters"), [(-1, "a", 1), (0, "a", 0), (9, "a", 0), (9, "b", 1)])
def test_an_abandoned_basket_is_three_steps_in_whatever_order_facts_come(order: str, gap: int, cart: str, letters: int) -> None:
    world = World(BASKET, prompt=True)
    world.person("p")
    world.later(MINUTE)
    at = world.now
    moves = [
        lambda: world.fact("p", "Added", occurred=at, properties={"cart": "a"}),
        lambda: world.fact("p", "Ordered", occurred=at + gap, properties={"cart": cart}),
    ]
    for move in moves if order == "added first" else moves[::-1]:
        move()
    world.later(DAY)
    assert world.sent() == [("letter", at + HOUR)] * letters
    assert not world.people["p"].runs


def test_what_came_before_is_known_for_a_week_and_survives_a_merge() -> None:
    world = World(BASKET, prompt=True)
    world.person("p"), world.person("q")
    ordered = world.now
    world.fact("q", "Ordered", properties={"cart": "a"})
    world.merge("p", "q")
    world.fact("p", "Added", occurred=ordered, properties={"cart": "a"})
    assert not world.people["p"].runs
    world.later(8 * DAY)
    world.fact("p", "Ordered", properties={"cart": "z"})
    assert list(world.people["p"].heard) == ["basket.1.bought|'z'"]


def test_a_condition_is_waited_for_until_it_is_true_or_the_time_is_over() -> None:
    chain = journey(
        "trial",
        {**until("paid", condition={"kind": "segment", "key": "payers"}), "then": "thanks", "else": "ask"},
        send("thanks"),
        {"id": "end", "end": True},
        send("ask"),
    )
    world = World(chain, prompt=True)
    answer = condition_key("journey", "trial", 1, "paid")
    for who in ("early", "later", "never"):
        world.person(who)
    world.membership("early", answer)
    for number, who in enumerate(("early", "later", "never")):
        world.fact(who, "Registered", place=("facts", 0, number))
    assert world.intents == [], "the segmenter has not passed the fact"
    world.mark(9)
    assert [(i.profile, i.template) for i in world.intents] == [("early", "thanks")]
    world.later(DAY)
    world.membership("later", answer)
    world.later(5 * DAY)
    assert [(i.profile, i.template, i.received_at - T0) for i in world.intents] == [
        ("early", "thanks", 0), ("later", "thanks", DAY), ("never", "ask", 2 * DAY),
    ]  # fmt: skip


def test_time_of_day_weekday_and_an_instant_of_the_data_are_of_his_own_clock() -> None:
    day = journey("day", {"id": "w", "wait": {"at": "10:00"}}, send("day"))
    week = journey("week", {"id": "w", "wait": {"at": "10:00", "on": ["wed"]}}, send("week"))
    dated = {"id": "w", "wait": {"data": "event.starts_at", "offset": "-1d", "at": "12:00"}, "missed": "late"}
    event = journey("event", dated, send("before"), {"id": "e", "end": True}, send("late"))
    world = World(day, week, event, prompt=True)
    world.person("p", zone="Europe/Moscow")
    world.fact("p", "Registered", properties={"starts_at": "2010-11-30T15:00:00Z"})
    world.later(20 * DAY)
    hour = 10 * HOUR - 3 * HOUR
    assert sorted(world.sent(), key=lambda s: s[1]) == [
        ("day", T0 + hour),
        ("week", T0 + 2 * DAY + hour),
        ("before", T0 + 7 * DAY + 9 * HOUR),
    ]
    world.fact(
        "q",
        "Registered",
        properties={"starts_at": "2010-11-30T15:00:00Z"},
        identifiers=("email:q",),
        bucketing_id="q",
        bucketed_at=0,
    )
    world.fact("r", "Registered", properties={}, identifiers=("email:r",), bucketing_id="r", bucketed_at=0)
    assert [(i.profile, i.template) for i in world.intents[3:]] == [("q", "late"), ("r", "late")]


@given(
    st.sampled_from(["Europe/Moscow", "Europe/London", "America/Sao_Paulo", "Australia/Lord_Howe"]),
    st.integers(0, 24 * 60 - 1),
    st.integers(0, 600 * 24),
    st.sets(st.integers(0, 6), min_size=1),
)
def test_the_next_time_of_day_is_the_first_there_is(name: str, minute: int, after: int, weekdays: set[int]) -> None:
    clock, time, at = zone(name), minute * MINUTE, 1_262_304_000_000 + after * HOUR
    found = clock.next_clock(at, time, weekdays)
    assert found >= at and (clock.day(found) + 3) % 7 in weekdays
    assert found - clock.midnight(clock.day(found)) <= 25 * HOUR and found == clock.clock(clock.day(found), time)
    for day in range(clock.day(at), clock.day(found)):
        assert (day + 3) % 7 not in weekdays or clock.clock(day, time) < at


def test_ways_by_the_data_and_by_what_became_of_a_letter() -> None:
    legal = {"id": "kind", "if_data": [{"path": "event.kind", "op": "eq", "value": "legal"}], "then": "firm", "else": "private"}
    opened = {
        "id": "opened",
        "until": {"letter": {"step": "private", "became": "opened"}},
        "at_most": "1d",
        "then": "more",
        "else": "again",
    }
    bought = {"id": "came", "if_letter": {"step": "again", "became": "bounced"}, "then": "firm", "else": "more"}
    world = World(
        journey(
            "w",
            legal,
            send("firm"),
            {"id": "e", "end": True},
            send("private"),
            opened,
            send("again"),
            wait("p", "1h"),
            bought,
            send("more"),
        ),
        prompt=True,
    )
    for who in ("firm", "reads", "bounces"):
        world.person(who)
        world.fact(who, "Registered", properties={"kind": "legal" if who == "firm" else "natural"})
    first = next(i for i in world.intents if i.profile == "reads")
    world.later(HOUR)
    world.fact("reads", "Email Link Clicked", properties={"intent": first.id})
    world.later(HOUR)
    assert [i.template for i in world.intents if i.profile == "reads"] == ["private", "more"], "who clicked has opened"
    world.later(22 * HOUR)
    second = next(i for i in world.intents if i.template == "again")
    world.fact("bounces", "Email Bounced", properties={"intent": second.id})
    world.later(DAY)
    assert [i.template for i in world.intents if i.profile == "bounces"] == ["private", "again", "firm"]
    assert [i.template for i in world.intents if i.profile == "firm"] == ["firm"]


def test_a_letter_that_did_not_go_has_become_skipped() -> None:
    steps = (
        send("text", channel="sms"),
        {"id": "b", "if_letter": {"step": "text", "became": "skipped"}, "then": "mail"},
        send("mail"),
    )
    world = World(journey("w", *steps), prompt=True)
    world.person("p", kinds="email")
    world.person("q")
    world.fact("p", "Registered"), world.fact("q", "Registered")
    assert [(i.profile, i.template) for i in world.intents] == [("p", "mail"), ("q", "text")]


def test_a_split_is_by_who_he_is_and_a_control_arm_sends_nothing_but_service() -> None:
    arms = [{"name": "held", "share": 50, "control": True}, {"name": "sent", "share": 50}]
    world = World(journey("w", {"id": "s", "split": arms, "salt": "x"}, send("a"), send("b", **{"class": "service"})), prompt=True)
    people = [f"p{n}" for n in range(40)]
    for who in people:
        world.person(who)
        world.fact(who, "Registered")
    control = {who for who in people if bucket("x", who) < 5000}
    assert 5 < len(control) < 35
    assert {i.profile for i in world.intents if i.template == "a"} == set(people) - control
    assert {i.profile for i in world.intents if i.template == "b"} == set(people), "a receipt is no marketing"
    told = [(d.profile, d.rule, d.detail["control"]) for d in world.decisions if d.verdict == "exposed"]
    assert sorted(told) == sorted((who, "arm:held" if who in control else "arm:sent", who in control) for who in people)
    would = [(d.profile, d.rule) for d in world.decisions if d.verdict == "would_have_sent"]
    assert sorted(would) == sorted((who, "local_control") for who in control)


def test_a_run_says_attributes_and_jumps_with_its_data() -> None:
    say = {"id": "say", "set": {"stage": "asked", "plan": {"data": "event.plan"}, "none": {"data": "event.none"}}}
    one = journey("one", say, {"id": "j", "jump": "two"})
    two = journey("two", send("b"), on="Never", reentry={"mode": "never"})
    world = World(one, two, prompt=True)
    world.person("p")
    world.fact("p", "Registered", properties={"plan": "pro"})
    (fact,) = [e for e in world.log if isinstance(e, Fact)]
    assert (fact.type, fact.about, fact.attributes) == ("identify", "p", {"stage": "asked", "plan": "pro"})
    (letter,) = world.intents
    assert (letter.document, letter.data["event"]) == ("journey:two", {"plan": "pro"})
    assert ("left", "j", "jump:two") in world.told()


def test_who_jumps_to_where_the_same_fact_has_led_him_already_goes_on_there() -> None:
    one = journey("z", {"id": "j", "jump": "two"})
    two = journey("two", send("a"), wait("w", "1d"), send("b"), reentry={"mode": "always"})
    world = World(one, two, prompt=True)
    world.person("p")
    world.fact("p", "Registered")
    world.later(2 * DAY)
    assert [i.template for i in world.intents] == ["a", "b"]
    assert ("skipped", "", "reentry") in world.told()


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ({"id": "a", "split": [{"name": "x", "share": 50}, {"name": "y", "share": 40}]}, "add up to 90"),
        ({"id": "a", "split": [{"name": "x", "share": 50}, {"name": "x", "share": 50}]}, "name of its own"),
        ({"id": "a", "if_data": [{"path": "n", "op": "exists"}], "if_letter": {"step": "a", "became": "opened"}}, "give one of them"),
        ({"id": "a", "until": {}, "at_most": "1d"}, "give one of them"),
        ({"id": "a", "until": {"fact": {"event": "X"}}, "at_most": "1d", "then": "nowhere"}, "there is no step 'nowhere'"),
        ({"id": "a", "wait": "1d", "missed": "a"}, "only an instant"),
        ({"id": "a", "if_letter": {"step": "b", "became": "opened"}}, "'b' is no letter"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(step: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Journey.model_validate(journey("w", step))


def test_a_circle_with_a_wait_goes_round() -> None:
    daily = journey("w", {"id": "w", "wait": {"at": "10:00"}}, send("a", next="w"))
    world = World(daily, prompt=True)
    world.person("p")
    world.fact("p", "Registered")
    world.later(3 * DAY)
    assert world.told("skipped") == [("skipped", "a", "already_sent")] * 2, "a key is one message for ever"
