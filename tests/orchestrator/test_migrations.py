"""Publishing while people are inside: each finishes on his version, moves to a step of the new one, or leaves, as was chosen."""

from typing import Any

import pytest

from schemas.unnamed import condition_key
from tests.orchestrator.controlled import Controlled
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, journey, send, wait

OLD = journey("j", wait("first", "1d"), send("a"), wait("second", "2d"), send("b"))
NEW = journey("j", wait("pause", "5d"), send("new"), wait("tail", "1d"), send("b"))


def entered(world: Controlled, *who: str) -> None:
    for name in who:
        world.person(name)
        world.fact(name, "Registered")


def test_who_is_not_named_finishes_on_his_version_and_who_comes_enters_the_new_one():
    world = Controlled(OLD, prompt=True)
    entered(world, "ann")
    world.later(HOUR)
    world.publish(NEW)
    world.walk()
    entered(world, "bob")
    world.later(5 * DAY)
    assert [(i.profile, i.template, i.version) for i in world.intents] == [
        ("ann", "a", 1), ("ann", "b", 1), ("bob", "new", 2),
    ]  # fmt: skip


def test_who_leaves_is_told_so_and_sent_nothing_more():
    world = Controlled(OLD, prompt=True)
    entered(world, "ann")
    world.publish(NEW, first="leave")
    world.walk()
    world.later(9 * DAY)
    assert world.intents == [] and world.told("left") == [("left", "first", "migration")]


def test_of_a_wait_that_leads_to_a_wait_the_rest_is_kept():
    world = Controlled(OLD, prompt=True)
    entered(world, "ann")
    world.later(HOUR)
    world.publish(NEW, first="pause")
    world.walk()
    assert world.run_of("ann").due_at == T0 + DAY
    world.later(9 * DAY)
    assert world.sent() == [("new", T0 + DAY), ("b", T0 + 2 * DAY)]
    assert world.told("moved") == [("moved", "pause", "migration")]


def test_a_wait_that_leads_to_a_letter_sends_it_at_once():
    world = Controlled(OLD, prompt=True)
    entered(world, "ann")
    world.later(HOUR)
    world.publish(NEW, first="new")
    world.walk()
    assert world.sent() == [("new", T0 + HOUR)]


def test_a_timer_that_was_due_before_the_order_fires_before_it():
    world = Controlled(OLD, prompt=True)
    entered(world, "ann")
    world.now = T0 + DAY + MINUTE  # nobody was there to fire it
    world.publish(NEW, first="leave", second="tail")
    world.walk()
    assert world.sent() == [("a", T0 + DAY)] and world.run_of("ann").step == "tail"
    assert world.run_of("ann").due_at == T0 + 3 * DAY, "of the wait"


def test_who_finishes_on_his_version_is_not_moved_by_that_order_when_he_comes_to_a_step_that_it_names():
    world = Controlled(OLD, prompt=True)
    entered(world, "ann")
    world.publish(NEW, second="leave")
    world.walk()
    world.later(9 * DAY)
    assert [i.template for i in world.intents] == ["a", "b"]


def test_a_later_order_finds_those_who_finish_on_an_old_version():
    world = Controlled(OLD, prompt=True)
    entered(world, "ann")
    world.publish(NEW)
    world.walk()
    world.later(DAY)
    world.move(second="tail")
    world.walk()
    assert (world.run_of("ann").version, world.run_of("ann").step) == (2, "tail")


def test_an_order_is_carried_out_once_whoever_comes_first():
    world = Controlled(OLD, prompt=True)
    entered(world, "ann", "bob")
    world.publish(NEW, first="new")
    world.fact("ann", "Anything")
    world.walk()
    world.walk()
    assert sorted(i.profile for i in world.intents) == ["ann", "bob"]
    assert len(world.told("moved")) == 2


def test_who_is_led_on_by_one_order_is_found_by_the_next_in_the_same_decision():
    """Timers that were due between the two fire between them."""
    world = Controlled(journey("j", wait("first", "9d"), send("a")))
    entered(world, "ann")
    world.publish(journey("j", wait("pause", "9d"), send("new"), wait("tail", "9d"), send("b")), first="new")
    world.now += HOUR
    world.publish(journey("j", send("last")), tail="last")
    world.now += HOUR
    world.walk()
    assert world.sent() == [("new", T0), ("last", T0 + HOUR)] and world.run_of("ann") is None


def test_a_letter_that_went_goes_no_second_time_in_another_version():
    world = Controlled(OLD, prompt=True)
    entered(world, "ann")
    world.later(DAY)
    world.publish(journey("j", send("a"), wait("tail", "1h"), send("c")), second="a")
    world.walk()
    world.later(DAY)
    assert [i.template for i in world.intents] == ["a", "c"]


def test_re_entry_and_goals_hold_through_a_migration():
    goal = {"goal": {"event": "Order Completed"}}
    world = Controlled({**OLD, **goal}, prompt=True)
    entered(world, "ann", "bob")
    world.publish({**NEW, **goal}, first="pause")
    world.walk()
    world.fact("ann", "Registered")
    world.fact("bob", "Order Completed")
    assert world.told("skipped") == [("skipped", "", "reentry")] and world.run_of("bob") is None
    assert len(world.people["ann"].runs) == 1


def test_an_awaited_fact_counts_from_when_the_first_of_the_two_waits_was_reached():
    until = {"id": "until", "until": {"fact": {"event": "Paid"}}, "at_most": "7d", "then": "thanks", "else": "end"}
    rest = [send("thanks"), {"id": "end", "end": True}]
    world = Controlled(OLD, prompt=True)
    entered(world, "ann")
    world.later(HOUR)
    world.publish(journey("j", until, *rest), first="until")
    world.walk()
    assert world.run_of("ann").due_at == T0 + DAY, "what is left of the old wait, not the seven days of the new one"
    world.fact("ann", "Paid")
    assert world.sent() == [("thanks", T0 + HOUR)]


CONDITION = {"condition": {"kind": "segment", "key": "x"}}
LETTER = {"letter": {"step": "a", "became": "clicked"}}
ASKS = {"id": "opened", "if_letter": {"step": "a", "became": "opened"}, "then": "b"}
LED_ON = journey("j", send("a"), wait("second", "1d"), ASKS, send("b"))


def led_to(until: dict[str, Any]) -> Controlled:
    """Two who wait for a day, and by the next version for something, at the most for a week."""
    world = Controlled(LED_ON)
    entered(world, "ann", "bob")
    world.later(HOUR)
    steps = [
        send("a"),
        {"id": "until", "until": until, "at_most": "7d", "then": "b", "else": "end"},
        send("b"),
        {"id": "end", "end": True},
    ]
    world.publish(journey("j", *steps), second="until")
    world.walk()
    return world


def test_of_a_wait_that_leads_to_a_letters_fate_the_rest_is_kept_whatever_becomes_of_the_letter():
    world = led_to(LETTER)
    world.verdict(world.intents[0], "accepted")
    assert world.run_of("ann").due_at == T0 + DAY
    world.later(DAY)
    assert world.told("left")[0] == ("left", "end", "end")


def test_of_a_wait_that_leads_to_a_condition_the_rest_is_kept_also_while_it_is_not_known():
    world = led_to(CONDITION)
    world.merge("ann", "bob", place=("facts", 0, 5))
    asked = condition_key("journey", "j", 2, "until")
    world.membership("ann", asked)
    world.membership("ann", asked, "left")
    assert world.run_of("ann").waits == ("facts", 0, 5)
    world.mark(6)
    assert world.run_of("ann").due_at == T0 + DAY


def test_of_a_condition_that_is_not_known_yet_the_rest_is_kept_when_it_leads_to_another_wait():
    world = led_to(CONDITION)
    world.merge("ann", "bob", place=("facts", 0, 5))
    world.membership("ann", condition_key("journey", "j", 2, "until"))
    world.publish(journey("j", send("a"), wait("third", "9d"), send("b")), until="third")
    world.walk()
    assert (world.run_of("ann").step, world.run_of("ann").due_at, world.run_of("ann").waits) == ("third", T0 + DAY, None)


def test_what_is_asked_in_the_new_version_waits_for_what_was_waited_for_in_the_old_one():
    branch = {"id": "asks", "if": {"kind": "segment", "key": "x"}, "then": "a", "else": "b"}
    document = journey("j", branch, send("a"), send("b"))
    world = Controlled(document)
    world.person("ann")
    world.fact("ann", "Registered", place=("facts", 0, 5))
    world.publish(document, asks="asks")
    world.walk()
    assert world.run_of("ann").waits == ("facts", 0, 5) and world.intents == []
    world.membership("ann", condition_key("journey", "j", 2, "asks"))
    world.mark(6)
    assert world.sent() == [("a", T0), ("b", T0)]


def test_two_who_become_one_are_moved_once_each_before_they_are_folded():
    world = Controlled({**OLD, "reentry": {"mode": "always"}}, prompt=True)
    entered(world, "ann", "bob")
    world.publish({**NEW, "reentry": {"mode": "always"}}, first="pause")
    world.fire("ann")
    world.merge("ann", "bob")
    assert [(r.version, r.step) for r in world.people["ann"].runs] == [(2, "pause"), (2, "pause")]


def test_a_version_that_is_not_known_yet_is_waited_for():
    world = Controlled(OLD, prompt=True)
    entered(world, "ann")
    world.publish(NEW, first="pause")
    known = world.book
    del world.versions[1]
    world.known()
    world.walk()
    assert world.run_of("ann").version == 1
    world.book = known
    world.walk()
    assert world.run_of("ann").version == 2


@pytest.mark.parametrize("paused", [False, True])
def test_who_is_ended_leaves_wherever_he_stands_and_nobody_enters(paused):
    world = Controlled(OLD, prompt=True)
    entered(world, "ann")
    if paused:
        world.gate("paused")
        world.later(3 * DAY)
    world.end()
    world.walk()
    entered(world, "bob")
    assert world.told("left") == [("left", "first", "ended")]
    assert world.told("skipped") == [("skipped", "", "ended")]
    assert not world.people["ann"].runs and not world.people["bob"].runs
