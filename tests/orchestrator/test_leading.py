"""One person led through a journey by choices: what is offered can be chosen and leads where it says, and what is decided is what live decides."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.domain.book import build
from services.orchestrator.domain.leading import Choice, Made, Refused, walk
from tests.orchestrator.world import DAY, HOUR, T0, brand, journey, published, rule, send, wait

BOUGHT = {"kind": "did", "event": "Order Completed"}
STEPS = (
    send("hello"), wait("pause", "2d"), {"id": "bought", "if": BOUGHT, "then": "bye", "else": "half"},
    {"id": "half", "split": [{"name": "a", "share": 50, "then": "visit"}, {"name": "b", "share": 50, "control": True, "then": "yes"}]},
    {"id": "yes", "until": {"condition": BOUGHT}, "at_most": "1d", "then": "bye", "else": "read"},
    {"id": "read", "until": {"letter": {"step": "hello", "became": "clicked"}}, "at_most": "1d", "then": "visit", "else": "visit"},
    {"id": "visit", "until": {"fact": {"event": "Visited", "same": "order"}}, "at_most": "3d", "then": "opened", "else": "pause"},
    {"id": "opened", "if_letter": {"step": "hello", "became": "opened"}, "then": "bye"},
    send("bye"), {"id": "say", "set": {"walked": {"data": "event.order"}}},
)  # fmt: skip
DOCUMENT = journey("walked", *STEPS, audience=BOUGHT, goal={"event": "Order Completed"}, exit_segment="vip")
BOOK = build([published("journey", DOCUMENT), brand("Europe/Moscow"), rule(quiet_hours={"from": "21:00", "to": "09:00"})])
MADE = Made(at=T0, data={"order": "o1"})


def led(*choices: Choice, book=BOOK, made: Made = MADE, key: str = "walked"):
    return walk(book, book.current[key], made, choices)


def option(one) -> Choice:
    return Choice(**{name: value for name, value in one.items() if name != "leads"})


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=25))
def test_whatever_is_offered_can_be_chosen_and_leads_where_it_says(picks):
    chosen: list[Choice] = []
    told = led()
    for pick in picks:
        if told["over"]:
            break
        offered = told["may"][pick % len(told["may"])]
        chosen.append(option(offered))
        before, told = told, led(*chosen)
        assert told["path"][: len(before["path"])] == before["path"], "what was decided before stays as it was"
        assert told["at"] >= before["at"]
        if offered.get("leads", "") is None:
            assert told["over"]
        elif "leads" in offered and offered["leads"] not in ("hello", "bye"):  # the run goes on behind a letter that goes at once
            assert told["stands"]["step"] == offered["leads"]
    assert told["over"] == (not told["may"])


def test_each_step_is_told_as_live_tells_it():
    told = led(Choice("answer", is_so=True), Choice("time"), Choice("time"), Choice("answer", is_so=False), Choice("arm", arm="a"))
    nine = T0 + 6 * HOUR  # in Moscow
    assert [(one["at"], one["step"], one["verdict"], one.get("rule")) for one in told["path"] if "step" in one] == [
        (T0, "hello", "deferred", "quiet_hours"),
        (nine, "hello", "sent", None),
        (nine + 2 * DAY, "half", "exposed", "arm:a"),
    ]
    assert told["stands"] == {"step": "visit", "since": nine + 2 * DAY, "until": nine + 5 * DAY}
    assert told["may"] == [
        {"do": "fact", "leads": "opened"},
        {"do": "time", "leads": "pause"},
        {"do": "goal", "leads": None},
        {"do": "exit", "leads": None},
    ]


def test_who_may_not_enter_is_refused_and_the_walk_is_over():
    told = led(Choice("answer", is_so=False))
    assert (told["over"], told["path"][-1]["verdict"], told["path"][-1]["rule"]) == (True, "skipped", "audience")


def test_a_control_arm_is_written_to_no_more():
    way = (Choice("answer", is_so=True), Choice("time"), Choice("time"), Choice("answer", is_so=False), Choice("arm", arm="b"))
    told = led(*way, Choice("answer", is_so=False), Choice("answer", is_so=True))
    assert [(one["verdict"], one["rule"]) for one in told["path"] if one.get("step") == "bye"] == [
        ("would_have_sent", "local_control")
    ]
    assert told["path"][-2]["says"] == {"walked": "o1"}
    assert told["over"]


def test_a_choice_happens_so_long_after_and_never_when_the_time_is_over():
    way = (Choice("answer", is_so=True), Choice("time"), Choice("time"), Choice("answer", is_so=False), Choice("arm", arm="a"))
    at = led(*way)["at"]
    assert led(*way, Choice("fact", after="5h"))["at"] == at + 5 * HOUR
    with pytest.raises(Refused):
        led(*way, Choice("fact", after="4d"))


def test_what_cannot_be_chosen_is_refused_with_what_can():
    with pytest.raises(Refused) as told:
        led(Choice("answer", is_so=True), Choice("arm", arm="a"))
    assert told.value.place == 1
    assert {"do": "time"} in told.value.may


def test_a_stranger_waits_for_a_name_and_is_not_written_to():
    told = led(made=Made(at=T0, bucketing=None, reach=()))
    assert told["stands"]["until"] == T0 + 10_000
    told = led(Choice("time"), Choice("answer", is_so=True), made=Made(at=T0, bucketing=None, reach=()))
    assert [(one["verdict"], one.get("rule")) for one in told["path"] if one.get("step") == "hello"] == [("skipped", "no_address")]


def test_by_date_it_begins_in_the_zone_that_the_trigger_names_where_his_own_is_unknown():
    body = journey("day", wait("w", "1h"), on={"date": {"attribute": "x", "at": "10:00", "every": "year", "zone": "Asia/Tokyo"}})
    told = led(book=build([published("journey", body), brand("UTC")]), key="day")
    assert (told["stands"]["until"], told["path"]) == (T0 + HOUR, [])
