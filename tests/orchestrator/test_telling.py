"""Steps that tell others about a person: a customer's system, a manager (J5, G7, R7)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.journeys import Journey
from schemas.unnamed import condition_key
from tests.orchestrator.world import DAY, HOUR, World, journey, rule, send, wait

LARGE = condition_key("rule", "rules", 1, "manager_only")
CALL = {"id": "call", "webhook": "crm", "type": "trial.ended"}
HAND = {"id": "hand", "hand": {"webhook": "crm"}}
MAIL = {"id": "mail", "hand": {"template": "lead", "to": {"attribute": "manager_email", "address": "sales@shop.example"}}}
STRICT = {
    "manager_only": {"kind": "segment", "key": "x"},
    "global_control": {"share": 5_000, "salt": "all"},
    "quiet_hours": {"from": "00:00", "to": "23:59"},
    "caps": [{"name": "none", "class": "triggered", "most": 1, "per": "day"}],
}


def test_a_manager_is_told_whatever_holds_marketing_back():
    world = World(journey("j", send("m"), CALL, HAND, MAIL), rule(**STRICT), prompt=True)
    world.person("large")
    world.membership("large", LARGE)
    world.fact("large", "Registered")
    assert [(i.step, i.channel, i.template, i.to, i.message_class) for i in world.intents] == [
        ("call", "webhook", "crm", "", "service"),
        ("hand", "webhook", "crm", "manager", "service"),
        ("mail", "email", "lead", "manager", "service"),
    ]
    assert ("skipped", "m", "manager_only") in world.told()
    assert [one for one in world.told("sent") if one[2]] == [("sent", "hand", "handoff"), ("sent", "mail", "handoff")]
    assert world.people["large"].reservations == [], "it counts in no cap"


def test_a_person_without_an_address_can_be_told_of():
    world = World(journey("j", send("m"), CALL, MAIL))
    world.person("p", kinds="user_id", contact=False)
    world.fact("p", "Registered")
    world.later(HOUR)
    assert [i.step for i in world.intents] == ["call", "mail"], world.told()


@pytest.mark.parametrize(("verdict", "way"), [("accepted", "yes"), ("failed", "no"), ("in_doubt", "no"), (None, "no")])
def test_the_answer_of_a_system_can_be_waited_for(verdict: str | None, way: str):
    until = {"id": "u", "until": {"letter": {"step": "call", "became": "accepted"}}, "at_most": "2d", "then": "yes", "else": "no"}
    world = World(journey("j", CALL, until, send("yes", next="end"), send("no"), {"id": "end", "end": True}))
    world.person("p")
    world.fact("p", "Registered")
    if verdict is not None:
        world.later(HOUR)
        world.verdict(world.intents[0], verdict)
    world.later(3 * DAY)
    assert [i.template for i in world.intents] == ["crm", way]
    assert world.intents[1].received_at == world.intents[0].received_at + (HOUR if verdict == "accepted" else 2 * DAY)


def test_a_failed_call_leads_elsewhere_at_once():
    until = {"id": "u", "until": {"letter": {"step": "call", "became": "failed"}}, "at_most": "2d", "then": "no", "else": "end"}
    world = World(journey("j", CALL, until, send("no"), {"id": "end", "end": True}))
    world.person("p")
    world.fact("p", "Registered")
    world.later(HOUR)
    world.verdict(world.intents[0], "failed")
    assert [i.template for i in world.intents] == ["crm", "no"]


@given(st.sampled_from(["triggered", "mass"]), st.sampled_from([None, "1h", "2d"]))
def test_a_call_that_is_marketing_stands_under_the_rules(cls: str, expires: str | None):
    call = {**CALL, "class": cls, **({"expires": expires} if expires else {})}
    cap = {"name": "one", "class": cls, "most": 1, "per": "day"}
    world = World(journey("j", send("m", **{"class": cls}), call), rule(caps=[cap]), prompt=True)
    world.person("p")
    world.fact("p", "Registered")
    assert [i.step for i in world.intents] == ["m"]
    world.later(2 * DAY)
    assert [i.step for i in world.intents] == (["m"] if expires == "1h" else ["m", "call"])


def test_a_call_that_nobody_could_make_for_a_day_is_skipped_and_the_run_goes_on():
    world = World(journey("j", CALL, wait("w", "3d"), send("m")))
    world.person("p")
    world.fact("p", "Registered")
    world.later(DAY + HOUR)
    world.verdict(world.intents[0], "late")
    assert ("skipped", "call", "expired") in world.told()
    world.later(3 * DAY)
    assert [i.step for i in world.intents] == ["call", "m"]


@pytest.mark.parametrize("step", [CALL, HAND, MAIL])
@pytest.mark.parametrize(("expires", "until"), [("2h", 2 * HOUR), ("1d", DAY), ("3d", DAY)])
def test_what_is_told_goes_no_later_than_it_expires_also_when_it_came_back(step: dict[str, Any], expires: str, until: int):
    world = World(journey("j", {**step, "expires": expires}))
    world.person("p")
    world.fact("p", "Registered")
    (first,) = world.intents
    assert first.not_after - first.received_at == until
    world.later(HOUR)
    world.verdict(first, "late")
    again = world.intents[-1]
    limit = first.received_at + (3 * DAY if expires == "3d" else until)
    assert (again.attempt, again.not_after) == (1, min(again.received_at + DAY, limit))


BAD: list[tuple[dict[str, Any], str]] = [
    ({"until": {"letter": {"step": "call", "became": "opened"}}, "at_most": "1d"}, "accepted, failed, skipped, not opened"),
    ({"if_letter": {"step": "nobody", "became": "failed"}}, "no letter of this journey"),
    ({"webhook": "crm", "body": 7}, "a text, an object or a list"),
    ({"webhook": "crm", "body": {"a": "x" * 100_001}}, "at most 100000 characters"),
    ({"webhook": "crm", "body": {"a": ["{{ a }}"] * 201}}, "at most 200 texts"),
    ({"webhook": "crm", "type": "no spaces"}, "pattern"),
    ({"hand": {"template": "t"}}, "to"),
    ({"hand": {"template": "t", "to": {}}}, "data, attribute or address"),
    ({"hand": {"template": "t", "to": {"address": "nobody"}}}, "pattern"),
]


@pytest.mark.parametrize(("step", "told"), BAD)
def test_what_makes_no_sense_is_refused_with_its_place(step: dict[str, Any], told: str):
    steps = [CALL, {"id": "bad", **step}]
    with pytest.raises(ValueError, match=told):
        Journey.model_validate({"key": "j", "brand": "shop", "trigger": {"event": "X"}, "steps": steps})
