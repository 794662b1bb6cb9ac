"""Rules that are for some people, channels or topics: managers' people, caps that differ (R7, R8), months."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.unnamed import condition_key
from services.orchestrator.domain.zones import zone
from tests.orchestrator.world import DAY, HOUR, T0, World, journey, rule, send

COLD, LARGE = condition_key("rule", "rules", 1, "cap_0"), condition_key("rule", "rules", 1, "manager_only")
SEGMENT = {"kind": "segment", "key": "x"}


def chain(*classes: str, **more: Any) -> dict[str, Any]:
    return journey("j", *(send(f"m{n}", **{"class": name, **more}) for n, name in enumerate(classes)), reentry={"mode": "always"})


def test_who_is_a_managers_gets_service_messages_alone_once_it_is_known_that_he_is() -> None:
    world = World(chain("triggered", "service"), rule(manager_only=SEGMENT), prompt=True)
    for who in ("large", "small"):
        world.person(who)
    for number, who in enumerate(("large", "small")):
        world.fact(who, "Registered", place=("facts", 0, number))
    assert world.intents == [], "the segmenter has not said who they are"
    world.membership("large", LARGE)
    world.mark(2)
    assert [(i.profile, i.template) for i in world.intents] == [("large", "m1"), ("small", "m0"), ("small", "m1")]
    assert ("skipped", "m0", "manager_only") in world.told()


@pytest.mark.parametrize("step", ["send", "until"])
def test_what_is_due_while_a_merge_is_not_heard_of_waits_for_it(step: str) -> None:
    """And does not come due for ever: a timer that has fired is gone."""
    until = {"id": "u", "until": {"condition": SEGMENT}, "at_most": "6h"}
    last = until if step == "until" else send("m")
    world = World(journey("j", last), rule(manager_only=SEGMENT, quiet_hours={"from": "00:00", "to": "06:00"}))
    world.person("p"), world.person("q")
    world.fact("p", "Registered")
    world.merge("p", "q", place=("facts", 0, 5))
    world.later(7 * HOUR)
    assert world.intents == [] and [run.due_at for run in world.people["p"].runs] == [None]
    world.mark(6)
    assert world.people["p"].runs == [] and len(world.intents) == (step == "send")


def test_a_cap_for_some_counts_for_them_alone() -> None:
    cap = {"name": "rarely", "class": "mass", "most": 1, "within": "30d", "who": SEGMENT}
    world = World(chain("mass", "mass", expires="1h"), rule(caps=[cap]), prompt=True)
    for who in ("cold", "warm"):
        world.person(who)
    world.membership("cold", COLD)
    for who in ("cold", "warm"):
        world.fact(who, "Registered")
    world.later(2 * HOUR)
    assert [(i.profile, i.template) for i in world.intents] == [("cold", "m0"), ("warm", "m0"), ("warm", "m1")]
    assert ("skipped", "m1", "expired") in world.told()


@pytest.mark.parametrize("only", [{"channel": "sms"}, {"topic": "sale"}])
def test_a_cap_of_a_channel_or_topic_counts_its_messages_alone(only: dict[str, str]) -> None:
    counted = {"channel": "sms"} if "channel" in only else {"topic": "sale"}
    steps = (send("a", **{"class": "mass"}, **counted), send("b", **{"class": "mass"}), send("c", **{"class": "mass"}, **counted))
    cap = {"name": "one", "class": "mass", "most": 1, "per": "day", **only}
    world = World(journey("j", *steps), rule(caps=[cap]), prompt=True)
    world.person("p")
    world.fact("p", "Registered")
    assert [i.template for i in world.intents] == ["a", "b"]
    world.later(DAY)
    assert world.sent()[-1] == ("c", T0 + DAY)


@given(st.integers(0, 400), st.sampled_from(["UTC", "Europe/Moscow", "America/Sao_Paulo"]), st.integers(1, 3))
def test_a_month_is_his_own(days: int, name: str, most: int) -> None:
    world = World(
        chain(*["mass"] * (most + 1), expires="40d"),
        rule(caps=[{"name": "m", "class": "mass", "most": most, "per": "month"}]),
        at=T0 + days * DAY + 7 * HOUR,
        prompt=True,
    )
    world.person("p", zone=name)
    world.fact("p", "Registered")
    assert len(world.intents) == most
    world.later(40 * DAY)
    first, last = world.intents[0].received_at, world.intents[-1].received_at
    clock = zone(name)
    assert len(world.intents) == most + 1 and last == clock.start("month", clock.period("month", first) + 1)
