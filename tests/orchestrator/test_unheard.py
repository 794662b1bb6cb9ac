"""A timer comes due while the segmenter has not told yet what a merge means: the run waits for that, and for no timer that is over."""

from typing import Any

from tests.orchestrator.world import DAY, HOUR, T0, World, journey, rule, send

SEGMENT = {"kind": "segment", "key": "x"}


def merged(*documents: Any) -> World:
    """Somebody has begun, and become one with another; the segmenter has not passed that."""
    world = World(*documents, prompt=True)
    world.person("p")
    world.person("q", at=1)
    world.fact("p", "Registered")
    world.merge("p", "q", place=("facts", 0, 5))
    return world


def test_a_message_whose_time_comes_is_decided_when_the_rules_can_be_asked_about_him():
    world = merged(journey("j", send("a")), rule(manager_only=SEGMENT, quiet_hours={"from": "00:00", "to": "09:00"}))
    world.later(10 * HOUR)
    assert world.sent() == []
    world.mark(6)
    assert world.sent() == [("a", T0 + 10 * HOUR)]


def test_a_wait_for_a_condition_that_is_over_goes_on_when_the_condition_can_be_asked():
    until = {"id": "u", "until": {"condition": SEGMENT}, "at_most": "1h", "then": "a", "else": "b"}
    world = merged(journey("j", until, send("a"), send("b")))
    world.later(DAY)
    assert world.sent() == []
    world.mark(6)
    assert world.sent() == [("b", T0 + DAY)]
