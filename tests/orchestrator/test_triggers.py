"""What starts journeys beside facts and segments: a day of his, a schedule, the API, a deal, a survey; and what a journey says of consent."""

from typing import Any

import pytest

from schemas.facts import Fact
from schemas.journeys import Journey
from schemas.triggers import JOURNEY_START
from schemas.unnamed import audience_key, condition_key, date_key
from services.orchestrator.domain import schedules
from services.orchestrator.domain.decide import on_timer
from tests.orchestrator.controlled import Controlled
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, brand, journey, published, send, wait

SEGMENT = {"kind": "segment", "key": "customers"}
MOSCOW = 3 * HOUR


def dated(**date: Any) -> dict[str, Any]:
    return journey("day", send("cake"), on={"date": {"attribute": "birthday", **date}})


def day_of(body: dict[str, Any]) -> str:
    found = Journey.model_validate(body)
    return date_key(found.key, found.trigger)


def scheduled(key: str = "plan", **schedule: Any) -> dict[str, Any]:
    return journey(key, send("news"), on={"schedule": {"at": "10:00", **schedule}}, audience=SEGMENT)


def audience_of(body: dict[str, Any], version: int = 1) -> str:
    return audience_key(Journey.model_validate(body), version)


# ---- a day of his


def test_on_his_day_it_begins_at_that_time_of_it_and_again_the_next_year():
    body = dated(at="10:00", every="year", zone="UTC")
    world = World(body, brand("UTC"), prompt=True)
    world.person("p", zone="Asia/Tokyo")
    midnight = T0 + 5 * DAY - 9 * HOUR
    for year in (0, 365 * DAY):
        world.run(midnight + year)
        world.membership("p", day_of(body), why="time")
        world.run(midnight + year + DAY)
        world.membership("p", day_of(body), "left", why="time")
        world.later(DAY)
    assert world.sent() == [("cake", midnight + 10 * HOUR + year) for year in (0, 365 * DAY)]


def test_who_is_known_too_late_or_stood_there_before_is_not_started_and_that_is_told():
    body = dated(at="10:00", every="year", zone="UTC")
    world = World(body, prompt=True)
    for who in ("late", "early", "before"):
        world.person(who)
    world.later(9 * HOUR)
    world.membership("before", day_of(body), why="backfill")
    world.membership("early", day_of(body), why="fact")
    world.later(2 * HOUR)
    world.membership("late", day_of(body), why="fact")
    world.later(DAY)
    assert [(i.profile, i.received_at) for i in world.intents] == [("early", T0 + 10 * HOUR)]
    assert [d.profile for d in world.decisions if d.rule == "missed"] == ["late"]


def test_whose_day_becomes_another_before_its_time_is_not_written_to():
    body = dated(at="10:00", every="year", zone="UTC")
    world = World(body, prompt=True)
    world.person("p")
    world.membership("p", day_of(body), why="time")
    world.later(HOUR)
    world.membership("p", day_of(body), "left", why="fact")
    world.later(DAY)
    assert world.told() == [("skipped", "", "date_changed")] and not world.people["p"].runs


def waits_in_an_earlier_version(second: dict[str, Any]) -> Controlled:
    body = dated(at="10:00", every="year", zone="UTC")
    world = Controlled(body, prompt=True)
    world.person("p")
    world.membership("p", day_of(body), why="time")
    world.publish(second)
    return world


def test_who_waits_in_an_earlier_version_is_told_that_his_day_became_another():
    body = dated(at="10:00", every="year", zone="UTC")
    world = waits_in_an_earlier_version(body)
    world.membership("p", day_of(body), "left", why="fact")
    world.later(DAY)
    assert world.told() == [("skipped", "", "date_changed")] and not world.people["p"].runs


def test_the_day_of_another_version_is_none_of_his():
    body = dated(at="10:00", every="year", zone="UTC", offset="1d")
    world = waits_in_an_earlier_version(body)
    world.membership("p", day_of(body), "left", why="fact")
    world.later(DAY)
    assert [i.version for i in world.intents] == [1]


def test_an_instant_that_an_attribute_tells_begins_it_at_once():
    body = journey("ends", send("mail"), on={"date": {"attribute": "ends", "offset": "-2h"}})
    world = World(body, prompt=True)
    world.person("p")
    world.later(MINUTE)
    world.membership("p", day_of(body), why="time")
    assert world.sent() == [("mail", T0 + MINUTE)]


# ---- a schedule


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        ({"every": "day"}, range(15)),
        ({"every": "week", "on": ["mon", "thu"]}, [0, 3, 7, 10, 14]),  # T0 is a Monday, the 22nd of November
        ({"every": "month", "day": 31}, [8]),
        ({"every": "month", "day": 1}, [9]),
        ({"date": "2010-11-25"}, [3]),
        ({"date": "2010-11-21"}, []),
    ],
)
@pytest.mark.parametrize("clock", ["person", "brand"])
def test_those_who_stand_there_then_get_it_at_that_time_of_the_day(schedule, days, clock):
    body = scheduled(**schedule, clock=clock)
    world = World(body, brand("UTC"), prompt=True)
    world.person("p", zone="Europe/Moscow")
    world.membership("p", "customers", why="backfill")
    world.later(14 * DAY + 12 * HOUR)
    hour = 10 * HOUR - (MOSCOW if clock == "person" else 0)
    assert world.sent() == [("news", T0 + day * DAY + hour) for day in days]


def test_nobody_who_has_left_or_came_after_it_gets_it_and_nobody_else_has_a_timer():
    world = World(scheduled(every="week", on=["mon"]), prompt=True)
    for who in ("stays", "leaves", "comes", "never"):
        world.person(who)
    world.membership("stays", "customers")
    world.membership("leaves", "customers")
    world.later(9 * HOUR)
    world.membership("leaves", "customers", "left")
    world.later(HOUR)
    world.membership("comes", "customers")
    world.later(DAY)
    assert [i.profile for i in world.intents] == ["stays"]
    assert {who for who, person in world.people.items() if person.due_at() is not None} == {"stays", "comes"}
    world.later(7 * DAY)
    assert sorted(i.profile for i in world.intents) == ["comes", "stays", "stays"]


def test_what_came_due_many_times_while_nothing_ran_comes_once_for_the_last_time():
    world = World(scheduled(every="day"), prompt=True)
    world.person("p")
    world.membership("p", "customers")
    down = T0 + 9 * DAY + 11 * HOUR
    world.now = down
    world._take("p", lambda who, state: on_timer(world.book, who, state, down))
    assert world.sent() == [("news", T0 + 9 * DAY + 10 * HOUR)]
    world.later(DAY)
    assert len(world.sent()) == 2


def test_a_new_version_takes_over_between_two_times_and_asks_before_it_sends():
    old, new = scheduled(every="day"), scheduled(every="day")
    new["audience"] = {"kind": "segment", "key": "others"}
    world = World(old, prompt=True)
    for who in ("both", "old"):
        world.person(who)
        world.membership(who, audience_of(old))
    again = World(published("journey", old, pointer=False), published("journey", new, 2), prompt=True)
    asked = audience_of(new, 2)
    place = (asked, 0, 0)
    world.book = world.book.__class__(
        **{**{f: getattr(again.book, f) for f in again.book.__dataclass_fields__}, "silent": {asked: place}}
    )
    world.later(10 * HOUR)
    assert not world.intents and all(person.runs for person in world.people.values()), "nobody was asked about the new audience yet"
    world.book = again.book
    world.membership("both", asked, why="backfill")
    world.mark(1, asked)
    assert [i.profile for i in world.intents] == ["both"]
    world.later(2 * DAY)
    assert [i.profile for i in world.intents] == ["both"] * 3
    assert [d.rule for d in world.decisions if d.profile == "old"] == ["audience"], "told once"


def test_an_audience_that_is_heard_of_before_its_journey_is_looked_at_again():
    body = scheduled(every="day")
    world = World(brand(), prompt=True)
    for who in ("p", "gone"):
        world.person(who)
    world.later(9 * HOUR)
    for who in ("p", "gone"):
        world.membership(who, audience_of(body), why="backfill")
    world.later(5 * MINUTE)
    world.book = World(body).book
    world.membership("gone", audience_of(body), "left")
    world.later(DAY)
    assert [(i.profile, i.received_at) for i in world.intents] == [("p", T0 + 10 * HOUR)]
    world.book = World(brand()).book
    world.later(9 * DAY)
    assert all(person.due_at() is None for person in world.people.values()), "a journey that never comes is not looked for for ever"


def test_a_zone_that_becomes_another_moves_the_time_and_not_the_day():
    world = World(scheduled(every="week", on=["mon"]), brand("UTC"), prompt=True)
    world.person("p")
    world.membership("p", "customers")
    world.fact("p", "", type="profile.changed", attributes={"time_zone": [1, "Europe/Moscow"]})
    assert world.people["p"].due_at() == T0 + 10 * HOUR - MOSCOW
    world.later(8 * HOUR)
    world.fact("p", "", type="profile.changed", attributes={"time_zone": [2, "America/New_York"]})
    world.later(DAY)
    assert world.sent() == [("news", T0 + 7 * HOUR)], "that Monday was his already"


def test_two_who_are_one_get_it_once():
    world = World(scheduled(every="week", on=["mon"], clock="person"), brand("UTC"), prompt=True)
    world.person("p", zone="Europe/Moscow", at=1)
    world.person("q", zone="America/New_York")
    for who in ("p", "q"):
        world.membership(who, "customers")
    world.later(8 * HOUR)
    assert world.sent() == [("news", T0 + 7 * HOUR)]
    world.merge("q", "p")
    world.later(6 * DAY)
    assert len(world.sent()) == 1
    world.later(DAY)
    assert len(world.sent()) == 2


def test_two_who_are_one_do_not_go_the_same_way_side_by_side():
    body = journey(
        "plan",
        wait("w", "2d"),
        send("news"),
        on={"schedule": {"at": "10:00", "every": "day"}},
        audience=SEGMENT,
        reentry={"mode": "always"},
    )
    world = World(body, prompt=True)
    for number, who in enumerate("pq"):
        world.person(who, at=number)
        world.membership(who, "customers")
    world.later(10 * HOUR)
    world.merge("p", "q")
    assert [(r.journey, r.step) for r in world.people["p"].runs] == [("plan", "w")]


def test_the_last_of_all_moves_is_the_one_in_the_row():
    kept = schedules.fold(
        {"a": schedules.Appointment(5, 1, 0)}, {"a": schedules.Appointment(9, 2, 1), "b": schedules.Appointment(None, -1, 4)}
    )
    assert kept == {"a": schedules.Appointment(9, 2, 1), "b": schedules.Appointment(None, -1, 4)}


# ---- facts by other names


@pytest.mark.parametrize(
    ("trigger", "event", "fits", "other"),
    [
        ({"deal_stage": {"pipeline": "sales", "stage": "offer"}}, "Deal Stage Changed", {"pipeline": "sales", "stage": "offer"}, {"pipeline": "rent", "stage": "offer"}),
        ({"deal_stage": {"lost_reason": ["too expensive", "bank refused"]}}, "Deal Lost", {"reason_lost": "bank refused"}, {"reason_lost": "moved"}),
        ({"deal_stage": {"status": "won", "pipeline": "sales"}}, "Deal Won", {"pipeline": "sales"}, {"pipeline": "rent"}),
        ({"survey": {"key": "nps", "question": "score", "at_most": 6}}, "Survey Answered", {"survey": "nps", "question": "score", "answer": 6}, {"survey": "nps", "question": "score", "answer": 7}),
        ({"survey": {"key": "nps", "question": "why", "has": "price"}}, "Survey Answered", {"survey": "nps", "question": "why", "answer": ["price", "speed"]}, {"survey": "nps", "question": "why", "answer": ["speed"]}),
        ({"survey": {"key": "quiz", "question": "legal", "answer": True}}, "Survey Answered", {"survey": "quiz", "question": "legal", "answer": True}, {"survey": "quiz", "question": "legal", "answer": 1}),
        ({"survey": {"key": "quiz", "result": "fan"}}, "Survey Completed", {"survey": "quiz", "result": "fan"}, {"survey": "quiz", "result": "critic"}),
    ],
)  # fmt: skip
def test_a_deal_and_an_answer_start_it_by_the_facts_that_tell_of_them(trigger, event, fits, other):
    world = World(journey("it", send("mail"), on=trigger), prompt=True)
    world.person("p")
    world.fact("p", event, properties=other)
    assert not world.decisions
    world.fact("p", event, properties=fits)
    assert world.sent() == [("mail", T0)]


def test_the_api_starts_the_journey_that_it_names_each_time_and_no_tracking_call_can():
    world = World(*(journey(key, send(key), on={"api": True}) for key in ("one", "two")), prompt=True)
    world.person("p")
    world.fact("p", JOURNEY_START, properties={"journey": "one"})
    assert not world.intents, "an event of that name is no call of the API's"
    for order in ("a", "b"):
        world.fact("p", "", type=JOURNEY_START, source="api", properties={"journey": "one", "order": order})
    assert [(i.template, i.data["event"]["order"]) for i in world.intents] == [("one", "a"), ("one", "b")]


def test_a_word_of_consent_is_told_with_its_basis_and_the_run_proves_it():
    yes = {"topic": "news", "channel": "sms", "basis": "contract", "text_id": "t1", "expires_in": "1d"}
    body = journey("says", {"id": "yes", "subscribe": yes}, {"id": "no", "subscribe": {"state": "revoked"}})
    world = World(body)
    world.person("p")
    occurrence = world.fact("p", "Registered")
    yes_, no = (one for one in world.log if isinstance(one, Fact))
    proof = {"journey": "says", "version": 1, "occurrence": occurrence}
    assert (yes_.event, yes_.source, yes_.about) == ("Consent Granted", "journeys", "p")
    assert yes_.properties == {
        "channel": "sms", "topic": "news", "purpose": "marketing", "basis": "contract", "text_id": "t1", "expires_at": T0 + DAY,
        "actor": "journey:says", "evidence": {**proof, "step": "yes"},
    }  # fmt: skip
    assert (no.event, no.properties["topic"], no.properties["evidence"]["step"]) == ("Consent Withdrawn", "*", "no")
    assert yes_.id != no.id


def test_parameters_are_data_of_the_run_and_those_of_the_other_journey_stay_there():
    asks = {"id": "is", "if_data": [{"path": "param.course", "op": "eq", "value": "python"}], "then": "mail"}
    one = journey("one", asks, send("mail"), {"id": "on", "jump": "two"}, of="warm", param={"course": "python", "days": [1, 2]})
    two = journey("two", send("other"), on="Nothing")
    world = World(one, two, prompt=True)
    world.person("p")
    world.fact("p", "Registered", properties={"x": 1})
    told = [(i.template, i.data["event"], i.data.get("param")) for i in world.intents]
    assert told == [("mail", {"x": 1}, {"course": "python", "days": [1, 2]}), ("other", {"x": 1}, None)]


def test_keys_of_segments_without_a_name_do_not_meet():
    body = dated(at="10:00", every="year")
    assert day_of(body) != day_of(dated(at="11:00", every="year"))
    assert audience_of(scheduled(every="day")) != condition_key("journey", "plan", 1, "schedule")


def test_who_moves_after_a_schedule_became_another_that_is_over_has_no_time():
    world = World(scheduled(date="2010-11-30"), brand("UTC"), prompt=True)
    world.person("p")
    world.membership("p", "customers")
    world.book = World(published("journey", scheduled(date="2010-11-23"), 2), brand("UTC")).book
    world.fact("p", "", type="profile.changed", attributes={"time_zone": [1, "Europe/Moscow"]})
    assert world.people["p"].due_at() is None
