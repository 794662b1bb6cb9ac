"""A journey that is paused: nobody enters, nothing goes, no timer is lost; what came due meanwhile goes on afterwards, in its order."""

import pytest

from schemas.unnamed import condition_key
from tests.orchestrator.cascades import KINDS, cascade
from tests.orchestrator.controlled import Controlled
from tests.orchestrator.world import DAY, HOUR, T0, journey, rule, send, wait

TWO = journey("j", wait("w", "1d"), send("a"), wait("x", "1d"), send("b"))


def entered(world: Controlled, *who: str) -> None:
    for name in who:
        world.person(name)
        world.fact(name, "Registered")


def test_timers_stand_and_what_came_due_fires_at_its_own_instant_afterwards():
    world = Controlled(TWO, prompt=True)
    entered(world, "ann")
    world.gate("paused")
    world.later(DAY + HOUR)
    assert world.intents == [] and world.people["ann"].due_at() is None
    world.gate("open")
    world.walk()
    assert world.sent() == [("a", T0 + DAY)]
    world.later(2 * DAY)
    assert world.sent() == [("a", T0 + DAY), ("b", T0 + 2 * DAY)]


def test_a_timer_that_is_not_due_yet_is_not_moved_by_a_pause():
    world = Controlled(TWO, prompt=True)
    entered(world, "ann")
    world.gate("paused")
    world.later(HOUR)
    world.gate("open")
    world.walk()
    world.later(DAY)
    assert world.sent() == [("a", T0 + DAY)]


def test_a_letter_that_expired_meanwhile_is_told_and_the_next_one_goes():
    world = Controlled(journey("j", wait("w", "1h"), send("a", expires="1d"), wait("x", "4d"), send("b")))
    entered(world, "ann")
    world.gate("paused")
    world.later(3 * DAY)
    world.gate("open")
    world.walk()
    assert world.sent() == [("a", T0 + HOUR)]
    world.verdict(world.intents[0], "late")  # its slot was over long ago
    assert ("skipped", "a", "expired") in world.told()
    world.later(2 * DAY)
    assert [template for template, _ in world.sent()] == ["a", "b"]


def test_nobody_enters_and_who_comes_is_told_so():
    world = Controlled(TWO, prompt=True)
    world.gate("paused")
    entered(world, "ann")
    assert world.told() == [("skipped", "", "paused")]
    world.gate("archived")
    entered(world, "bob")
    assert world.told()[1:] == [("skipped", "", "archived")]


def test_entrants_may_wait_and_enter_the_version_in_force_when_it_is_over():
    world = Controlled(TWO, prompt=True)
    world.gate("paused", entrants="wait")
    entered(world, "ann")
    world.publish(journey("j", send("new")))
    world.later(HOUR)
    assert world.told() == []
    world.gate("open")
    world.walk()
    assert world.sent() == [("new", T0)] and world.intents[0].version == 2


def test_an_awaited_fact_is_not_lost_and_goes_on_from_its_own_instant():
    until = {"id": "u", "until": {"fact": {"event": "Paid"}}, "at_most": "2d", "then": "thanks", "else": "late"}
    world = Controlled(journey("j", until, send("late"), {"id": "end", "end": True}, send("thanks")), prompt=True)
    entered(world, "ann", "bob")
    world.gate("paused")
    world.later(DAY)
    world.fact("ann", "Paid")
    world.later(2 * DAY)
    world.fact("bob", "Paid")
    assert world.intents == []
    world.gate("open")
    world.walk()
    assert sorted((i.profile, i.template, i.received_at) for i in world.intents) == [
        ("ann", "thanks", T0 + DAY), ("bob", "late", T0 + 2 * DAY),
    ]  # fmt: skip


@pytest.mark.parametrize("resumed", ["before the mark", "after it", "in another version"])
def test_a_fact_that_comes_in_a_pause_is_answered_about_by_what_the_segmenter_says_of_it(resumed):
    """However short the pause: until it has passed the fact, it has said nothing."""
    until = {"id": "u", "until": {"fact": {"event": "Opened"}}, "at_most": "9d", "then": "asks", "else": "a"}
    branch = {"id": "asks", "if": {"kind": "segment", "key": "x"}, "then": "b", "else": "a"}
    document, version = journey("j", until, branch, send("a", next="end"), send("b"), {"id": "end", "end": True}), 1
    world = Controlled(document)
    entered(world, "ann")
    world.gate("paused")
    world.fact("ann", "Opened", place=("facts", 0, 5))
    if resumed == "in another version":
        world.publish(document, asks="asks")
        world.walk()
        version = 2
    elif resumed == "after it":
        world.membership("ann", condition_key("journey", "j", 1, "asks"))
        world.mark(6)
    world.gate("open")
    world.walk()
    if resumed != "after it":
        assert world.intents == [] and world.run_of("ann").waits == ("facts", 0, 5)
        world.membership("ann", condition_key("journey", "j", version, "asks"))
        world.mark(6)
    assert world.sent() == [("b", T0)]


def test_a_goal_and_an_exit_end_a_run_that_is_paused():
    world = Controlled({**TWO, "goal": {"event": "Paid"}}, prompt=True)
    entered(world, "ann")
    world.gate("paused")
    world.later(2 * DAY)
    world.fact("ann", "Paid")
    assert world.told("goal") == [("goal", "w", "goal")] and not world.people["ann"].runs


def test_an_intent_that_was_held_at_the_gate_goes_again_under_its_key():
    world = Controlled(journey("j", send("a"), wait("w", "1h"), send("b")))
    entered(world, "ann")
    world.gate("paused")
    world.held(world.intents[0])
    world.later(2 * HOUR)
    world.gate("open")
    world.walk()
    first, again = world.intents
    assert (first.id, first.attempt, again.id, again.attempt) == (again.id, 0, first.id, 1)
    assert again.received_at == T0 + 2 * HOUR
    world.verdict(again, "accepted")
    assert [i.template for i in world.intents] == ["a", "a", "b"], "the one behind it kept its order"


def test_the_senders_gate_may_be_known_before_ours_and_longer_than_ours():
    world = Controlled(journey("j", send("a")))
    entered(world, "ann", "bob")
    world.gate("paused", known=False)
    world.held(world.intents[0])
    world.walk()
    assert len(world.intents) == 2, "not sent against a gate of which the sender knows more"
    world.known()
    world.walk()
    world.gate("open")
    world.walk()
    assert [i.attempt for i in world.intents] == [0, 0, 1]
    world.gates.append({**world.gates[0], "at": world.now})  # a verdict about the first pause that comes only now
    world.gates.pop()
    late = world.intents[1]
    world.gates, kept = world.gates[:1], world.gates
    world.held(late)
    world.gates = kept
    world.walk()
    assert [i.attempt for i in world.intents if i.profile == "bob"] == [0, 1]


@pytest.mark.parametrize("merged_at", range(3))
@pytest.mark.parametrize("step", [send("a"), cascade()], ids=["letter", "cascade"])
def test_two_that_became_one_and_were_both_held_go_once(step, merged_at):
    world = Controlled(journey("j", step, wait("w", "9d")))
    for name in ("ann", "bob"):
        world.person(name, kinds=KINDS)
        world.fact(name, "Registered")
    world.gate("paused")
    ann, bob = world.intents
    moves = [lambda: world.held(ann), lambda: world.held(bob)]
    moves.insert(merged_at, lambda: world.merge("ann", "bob"))
    for move in moves:
        move()
    world.gate("open")
    world.walk()
    assert [i.attempt for i in world.intents] == [0, 0, 1]
    assert len(world.people["ann"].pending) == 1


def test_one_who_is_paused_twice_is_let_go_by_the_last_gate():
    world = Controlled(TWO, prompt=True)
    entered(world, "ann")
    world.gate("paused")
    world.later(2 * DAY)
    world.gate("open")
    world.gate("paused")
    world.walk()
    assert world.intents == []
    world.gate("open")
    world.walk()
    assert world.sent() == [("a", T0 + DAY), ("b", T0 + 2 * DAY)]


def test_what_is_deferred_when_a_pause_begins_is_decided_anew_when_it_ends():
    quiet = rule(quiet_hours={"from": "21:00", "to": "09:00"})
    world = Controlled(journey("j", send("a")), quiet, prompt=True)
    entered(world, "ann")
    assert world.told("deferred") == [("deferred", "a", "quiet_hours")]
    world.gate("paused")
    world.later(DAY)
    assert world.intents == []
    world.gate("open")
    world.walk()
    assert world.sent() == [("a", T0 + 9 * HOUR)]
