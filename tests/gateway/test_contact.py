"""Rules over what is sent: what makes no sense is told with its place, and what is in force in words."""

from typing import Any

import pytest

from schemas.audience_text import Titles
from schemas.journeys import Journey
from schemas.rules import Rule
from services.gateway.domain.contact import shut_by_others
from services.gateway.domain.contact_text import of_journey, of_rule
from services.gateway.domain.kinds import KINDS, read
from services.gateway.domain.problems import Problem

SEGMENT = {"kind": "segment", "key": "cold"}


def cap(name: str, most: int = 1, **more: Any) -> dict[str, Any]:
    return {"name": name, "class": "mass", "most": most, **more}


def faults(kind: str, body: dict[str, Any], expected: list[Any]) -> list[tuple[str, str]]:
    document = {"key": "k", **body}
    if not expected:
        read(KINDS[kind], "k", document)
        return []
    with pytest.raises(Problem) as raised:
        read(KINDS[kind], "k", document)
    assert all(fault.told(language)["message"] for fault in raised.value.faults for language in ("en", "ru"))
    return [(fault.path, fault.code) for fault in raised.value.faults]


MORNING, NOON = {"from": "09:00", "to": "12:00"}, {"from": "11:00", "to": "13:00"}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"windows": [MORNING, NOON]}, [("windows.1", "window_overlaps")]),
        ({"windows": [MORNING, {**NOON, "class": "mass"}]}, []),
        ({"windows": [{**MORNING, "days": ["mon"]}, {**NOON, "days": ["tue"]}]}, []),
        ({"windows": [{"from": "22:00", "to": "02:00", "days": ["sun"]}, {"from": "01:00", "to": "03:00"}]}, [("windows.1", "window_overlaps")]),
        ({"windows": [MORNING], "quiet_hours": {"from": "21:00", "to": "12:00"}}, [("windows.0", "window_quiet")]),
        ({"windows": [MORNING], "quiet_hours": {"from": "21:00", "to": "11:59"}}, []),
        ({"quiet_hours": {"from": "21:00", "to": "21:00"}}, [("quiet_hours.to", "quiet_never")]),
        ({"exclusive_day": ["mass"]}, [("exclusive_day", "one_class")]),
        ({"caps": [cap("a", 3, per="day"), cap("b", 2, per="week")]}, [("caps.0", "cap_idle")]),
        ({"caps": [cap("a", 3, per="week"), cap("b", 3, per="week")]}, [("caps.1", "cap_idle")]),
        ({"caps": [cap("a", 3, per="week"), cap("b", 4, per="month")]}, []),
        ({"caps": [cap("a", 2, per="day"), cap("b", 2, within="2d")]}, [("caps.0", "cap_idle")]),
        ({"caps": [cap("a", 2, per="day"), cap("b", 2, within="1d")]}, []),
        ({"caps": [cap("a", 3, per="week"), cap("b", 1, per="week", who=SEGMENT)]}, []),
        ({"caps": [cap("a", 3, per="week", who=SEGMENT), cap("b", 3, per="week")]}, [("caps.0", "cap_idle")]),
        ({"caps": [cap("a", 3, per="week"), cap("b", 2, per="week", brand="one")]}, []),
        ({"caps": [cap("a", 3, per="week"), cap("a", 1, per="day")]}, [("caps.1.name", "twice")]),
        ({"compete": {"within": "8d"}}, [("compete.within", "value")]),
        ({"windows": [{"from": "09:00", "to": "09:00"}]}, [("windows.0.to", "value")]),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_told_with_its_place(body: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert faults("rule", body, found) == found


@pytest.mark.parametrize(
    ("step", "own", "found"),
    [
        ({}, {"windows": [MORNING, NOON]}, [("windows.1", "window_overlaps")]),
        ({"windows": [MORNING, NOON]}, {}, [("steps.0.windows.1", "window_overlaps")]),
        ({"class": "service", "priority": "high"}, {}, [("steps.0.priority", "service_waits_not")]),
        (
            {"class": "service"},
            {"control": {"share": 500}, "priority": 3},
            [("priority", "no_marketing"), ("control", "no_marketing")],
        ),
        ({}, {"priority": "urgent"}, [("priority", "literal_error")]),
        ({"priority": 101}, {}, [("steps.0.priority", "less_than_equal")]),
        ({"priority": 1.5}, {}, [("steps.0.priority", "int_type")]),
        ({}, {"priority": "high", "windows": [MORNING], "control": {"share": 500}}, []),
    ],
)
def test_a_journey_s_own_too(step: dict[str, Any], own: dict[str, Any], found: list[tuple[str, str]]) -> None:
    told = faults(
        "journey", {"brand": "b", "trigger": {"event": "E"}, "steps": [{"id": "a", "template": "t", **step}], **own}, found
    )
    assert told == found


CASCADE = [{"channel": "telegram", "template": "a", "read_within": "1h"}, {"channel": "email", "template": "b"}]


def test_a_cascade_is_marketing_like_any_message() -> None:
    own = {"priority": "high", "windows": [MORNING], "control": {"share": 500}}
    chain = {"brand": "b", "trigger": {"event": "E"}}
    assert faults("journey", {**chain, "steps": [{"id": "a", "cascade": CASCADE}], **own}, []) == []
    step = {"id": "a", "cascade": CASCADE, "class": "service", "priority": "high"}
    assert faults("journey", {**chain, "steps": [step]}, [1]) == [("steps.0.priority", "service_waits_not")]
    told = of_journey(Journey.model_validate({**chain, "key": "k", "steps": [{**step, "class": "mass"}]}), "en")
    assert [path for path, _ in told] == ["steps.0.priority"]


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ({"priority": "high", "windows": [MORNING]}, []),
        ({"windows": [MORNING, NOON]}, [("windows.1", "window_overlaps")]),
        ({"class": "service", "priority": 3}, [("priority", "service_waits_not")]),
        ({"channel": "webhook"}, [("channel", "literal_error")]),
    ],
)
def test_a_campaign_s_own_too(own: dict[str, Any], found: list[tuple[str, str]]) -> None:
    body = {"brand": "b", "audience": {"kind": "all", "of": []}, "template": "t", **own}
    assert faults("campaign", body, found) == found


RULE = {
    "key": "house",
    "caps": [
        {"name": "a", "class": "mass", "most": 3, "per": "week"},
        {"name": "b", "class": "triggered", "most": 1, "within": "1d12h", "brand": "shop", "channel": "sms", "who": SEGMENT},
    ],
    "exclusive_day": ["triggered", "mass"],
    "quiet_hours": {"from": "21:00", "to": "09:00"},
    "windows": [
        {"class": "mass", "days": ["mon", "tue"], "from": "10:00", "to": "19:00"},
        {"brand": "other", "from": "10:00", "to": "24:00"},
    ],
    "global_control": {"share": 550, "salt": "gcg"},
    "manager_only": SEGMENT,
    "compete": {"within": "2h"},
}


def test_the_rules_are_said_in_english_and_without_those_of_other_brands() -> None:
    lines = list(of_rule(Rule.model_validate(RULE), "en", Titles(segments={"cold": "Cold leads"}), "shop"))
    assert dict(lines) == {
        "caps.0": "At most 3 mass messages to a person in a week of his.",
        "caps.1": "At most 1 triggered message to a person in any 1 day and 12 hours, of the brand shop, by SMS; "
        "only for people of whom this is true: is in the segment “Cold leads”.",
        "exclusive_day": "A triggered and a mass message never reach a person on one day of his.",
        "quiet_hours": "From 21:00 to 09:00 of a person's own clock nothing but service messages is sent.",
        "windows.0": "Mass messages: only Mon, Tue 10:00-19:00, by a person's own clock.",
        "global_control": "5.5% of all people get no marketing at all: the control group gcg.",
        "manager_only": "Nobody gets marketing of whom this is true, a manager speaks to them: is in the segment “Cold leads”.",
        "compete.within": "Of marketing messages that come within 2 hours the most important goes first; the others go later, one in 2 hours.",
    }  # fmt: skip


def test_and_in_russian() -> None:
    lines = dict(of_rule(Rule.model_validate(RULE), "ru", Titles()))
    assert lines["caps.0"] == "Не больше 3 массовых сообщений человеку за его календарную неделю."
    assert lines["caps.1"].startswith("Не больше 1 триггерного сообщения человеку за любой отрезок длиной в 1 день и 12 часов")
    assert lines["windows.1"] == "Маркетинг, бренда other: только ежедневно 10:00-24:00, по часам человека."
    assert lines["global_control"].startswith("5,5 % людей")


def test_what_a_journey_says_of_its_own() -> None:
    steps = [{"id": "a", "template": "t", "priority": 90}, {"id": "b", "template": "t", "windows": [MORNING]}]
    body = {"key": "j", "brand": "b", "trigger": {"event": "E"}, "steps": steps, "priority": "low", "control": {"share": 1000}}
    assert dict(of_journey(Journey.model_validate(body), "en")) == {
        "priority": "Importance of its marketing, 0 to 100: 25.",
        "steps.0.priority": "Importance of its marketing, 0 to 100: 90.",
        "steps.1.windows": "Marketing: only daily 09:00-12:00, by a person's own clock.",
        "control": "10% of its people get no marketing of it: the control group j.",
    }


def test_windows_that_the_nights_of_other_rules_leave_nothing_of() -> None:
    nights = [
        {"key": "a", "quiet_hours": {"from": "21:00", "to": "10:00"}},
        {"key": "b", "quiet_hours": {"from": "10:00", "to": "12:00"}},
    ]
    rules = [Rule.model_validate(body) for body in (*nights, {"key": "c", "windows": [MORNING, {"from": "12:00", "to": "13:00"}]})]
    steps = [{"id": "a", "template": "t"}, {"id": "b", "template": "t", "windows": [NOON]}]
    body = {"key": "j", "brand": "b", "trigger": {"event": "E"}, "steps": steps, "windows": [MORNING]}
    found = shut_by_others(rules, [Journey.model_validate(body)])
    assert [fault.path for fault in found] == ["rules.c.windows.0", "journeys.j.windows"]
