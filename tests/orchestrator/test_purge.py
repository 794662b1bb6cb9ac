"""The step that asks profile to erase somebody, and `outside`: whenever he is not inside."""

import pytest

from schemas.facts import Fact
from schemas.journeys import Journey, dump
from schemas.unnamed import conditions
from services.orchestrator.handler.desk import emit
from tests.orchestrator.world import DAY, HOUR, World, journey, published, send, wait

PAYMENTS = ["Order Completed", "Order Paid", "Charge", "Charges Rolled Up"]
ASKED = {"event": "Consent Granted", "where": [{"path": "double_opt_in", "op": "exists"}]}


def opt_in(**more) -> dict:
    steps = (send("ask", **{"class": "service"}), wait("week", "7d"), {"id": "out", "purge": "person"})
    return journey("doi", *steps, on=ASKED, goal={"event": "Consent Confirmed"}, **more)


def world(**more) -> World:
    return World(published("journey", opt_in(**more)))


def asks(world: World, who: str) -> None:
    world.fact(who, "Consent Granted", properties={"double_opt_in": True})


def erasures(world: World) -> list[Fact]:
    return [e for e in world.log if isinstance(e, Fact)]


def test_who_does_not_confirm_is_purged_to_the_instant_and_it_is_said():
    one = world()
    asks(one, one.person("ann"))
    one.later(7 * DAY - 1)
    assert erasures(one) == []
    one.later(1)
    (erase,) = erasures(one)
    assert (erase.type, erase.about, erase.identifiers, erase.received_at) == ("erase", "ann", (), one.now)
    assert erase.properties == {"reason": "journey:doi.1.out"}
    assert one.told("purged", "kept") == [("purged", "out", "purge:person")]


def test_who_confirms_is_not_purged():
    one = world()
    asks(one, one.person("ann"))
    one.later(DAY)
    one.fact("ann", "Consent Confirmed")
    one.later(30 * DAY)
    assert erasures(one) == [] and one.told("purged", "kept") == []


@pytest.mark.parametrize("event", PAYMENTS)
@pytest.mark.parametrize("lane", ["live", "bulk"])
def test_who_has_bought_is_kept_also_where_the_segmenter_is_behind(event, lane):
    one = world()
    asks(one, one.person("ann"))
    one.later(7 * DAY - 1)
    one.fact("ann", event, brand="sister", lane=lane)
    one.later(1)
    assert erasures(one) == []
    assert one.told("purged", "kept") == [("kept", "out", "bought")]


@pytest.mark.parametrize("properties", [{"channel": "email"}, {"double_opt_in": False}])
def test_of_who_has_agreed_to_something_else_only_addresses_of_a_channel_are_taken(properties):
    one = world(steps=[{"id": "mail", "purge": "email"}, {"id": "out", "purge": "person"}])
    one.fact(one.person("ann"), "Consent Granted", properties=properties)
    one.later(DAY)
    asks(one, "ann")
    assert one.told("purged", "kept")[-2:] == [("purged", "mail", "purge:email"), ("kept", "out", "agreed")]


def test_an_imported_yes_without_evidence_keeps_nobody():
    one = world()
    asks(one, one.person("ann"))
    one.fact("ann", "Consent Granted", lane="bulk")
    one.later(7 * DAY)
    assert one.told("purged", "kept") == [("purged", "out", "purge:person")]


def test_who_meets_the_condition_is_kept_and_a_purchase_of_either_side_keeps_both():
    one = world(steps=[{"id": "out", "purge": "person", "keep": {"kind": "segment", "key": "vip"}}])
    one.answers["vip"] = ["~journey.doi.1.out"]
    one.person("ann")
    one.membership("ann", "vip")
    asks(one, "ann")
    assert one.told("purged", "kept") == [("kept", "out", "keep")]
    other = world()
    asks(other, other.person("ann"))
    other.person("bob")
    other.fact("bob", "Order Completed")
    other.merge("ann", "bob")
    other.later(8 * DAY)
    assert other.told("purged", "kept") == [("kept", "out", "bought")]


@pytest.mark.parametrize(("channel", "kind"), [("email", "email"), ("sms", "phone"), ("telegram", "telegram_id"), ("vk", "vk_id")])
def test_only_the_addresses_of_a_channel(channel, kind):
    one = world(steps=[{"id": "out", "purge": channel}])
    asks(one, one.person("ann"))
    (erase,) = erasures(one)
    assert erase.properties["only"] == [kind]
    assert one.told("purged") == [("purged", "out", f"purge:{channel}")]


def test_it_waits_for_the_answer_about_the_fact_that_it_reacts_to():
    one = world(steps=[{"id": "out", "purge": "person"}])
    one.fact(one.person("ann"), "Consent Granted", properties={"double_opt_in": True}, place=("facts", 0, 7))
    assert one.told("purged", "kept") == []
    one.mark(8)
    assert one.told("purged", "kept") == [("purged", "out", "purge:person")]


def test_its_condition_is_published_with_the_journey_and_it_goes_to_the_persons_partition():
    document = Journey.model_validate(opt_in())
    asked = conditions(document, 3)["~journey.doi.3.out"]
    assert [part.event for part in asked.of] == PAYMENTS
    assert Journey.model_validate(dump(document)) == document
    one = world()
    asks(one, one.person("ann"))
    one.later(7 * DAY)
    told = emit(erasures(one)[0], None)
    assert (told.topic, told.key) == ("facts.raw", "orchestrator|ann")


def test_outside_is_whenever_he_is_not_inside_however_often_he_asks():
    one = world(reentry={"mode": "outside"})
    one.person("ann")
    for _ in range(3):  # a form with three topics
        asks(one, "ann")
    assert one.told("entered", "skipped") == [("entered", "", ""), ("skipped", "", "reentry"), ("skipped", "", "reentry")]
    one.later(HOUR)
    one.fact("ann", "Consent Confirmed")
    one.later(HOUR)
    asks(one, "ann")
    assert len(one.intents) == 2 and one.told("entered")[1:] == [("entered", "", "")]
    one.later(7 * DAY)
    assert one.told("purged", "kept") == [("kept", "out", "agreed")]


def test_of_several_that_wait_for_his_name_the_first_goes_in():
    one = world(reentry={"mode": "outside"})
    for _ in range(3):
        asks(one, "ann")
    assert one.told("entered", "skipped") == []
    one.person("ann")
    entered = [d.verdict for d in one.decisions if d.verdict in ("entered", "skipped")]
    assert entered == ["entered", "skipped", "skipped"]


def test_of_two_who_were_inside_and_become_one_one_run_goes_on():
    one = world(reentry={"mode": "outside"})
    for who in ("ann", "bob"):
        asks(one, one.person(who))
        one.later(HOUR)
    one.merge("ann", "bob")
    one.later(8 * DAY)
    assert [e.about for e in erasures(one)] == ["ann"]
