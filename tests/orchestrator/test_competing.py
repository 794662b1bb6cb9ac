"""Priority: of several messages that come within a short time the most important goes, the others later, up to what they are worth."""

from typing import Any

import pytest

from tests.orchestrator.controlled import Controlled
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, journey, rule, send, wait

COMPETE = rule(compete={"within": "2h"})


def mail(key: str, priority: Any = None, **more: Any) -> dict[str, Any]:
    own = {} if priority is None else {"priority": priority}
    return journey(key, send(key, **more), on=key.capitalize(), reentry={"mode": "always"}, **own)


def held(world: World, step: str) -> list[tuple[str, int]]:
    return [(d.rule, d.until) for d in world.decisions if d.verdict == "deferred" and d.step == step]


def test_the_most_important_goes_first_and_the_others_later_one_at_a_time() -> None:
    world = World(mail("low", "low"), mail("mid"), mail("high", 90), COMPETE, prompt=True)
    world.person("p")
    for event in ("Low", "Mid", "High"):
        world.fact("p", event)
        world.later(10 * MINUTE)
    world.later(DAY)
    high = T0 + 20 * MINUTE
    assert world.sent() == [("high", high), ("mid", high + 2 * HOUR), ("low", high + 4 * HOUR)]
    assert {rule for step in ("low", "mid") for rule, _ in held(world, step)} == {"priority"}
    assert held(world, "low")[0] == ("priority", T0 + 2 * HOUR)


def test_what_nothing_outdoes_goes_at_once_and_keeps_others_off() -> None:
    world = World(mail("a"), mail("b"), mail("s", **{"class": "service"}), COMPETE, prompt=True)
    world.person("p")
    for event in ("A", "B", "S"):
        world.fact("p", event)
    world.later(DAY)
    assert world.sent() == [("a", T0), ("s", T0), ("b", T0 + 2 * HOUR)]


def test_without_the_rule_nothing_waits() -> None:
    world = World(mail("low", "low"), mail("high", "high"))
    world.person("p")
    world.fact("p", "Low")
    world.fact("p", "High")
    assert world.sent() == [("low", T0), ("high", T0)]


def test_who_cannot_be_outdone_any_more_does_not_wait() -> None:
    once = journey("once", send("once"), on="Once", priority="high")
    world = World(once, mail("low", "low"), COMPETE, prompt=True)
    world.person("p")
    world.fact("p", "Once")
    world.later(3 * HOUR)
    world.fact("p", "Low")
    assert world.sent() == [("once", T0), ("low", T0 + 3 * HOUR)]


def test_a_step_says_more_than_its_journey() -> None:
    chain = journey("j", send("a", priority="highest"), on="J", priority="lowest", reentry={"mode": "always"})
    world = World(chain, mail("mid"), COMPETE, prompt=True)
    world.person("p")
    world.fact("p", "Mid")
    world.fact("p", "J")
    assert [template for template, _ in world.sent()] == ["a"]


def test_what_is_known_to_come_soon_is_let_go_first_and_what_comes_later_is_not() -> None:
    """A cap holds the more important one back until midnight."""
    caps = [{"name": "c", "class": "mass", "most": 1, "per": "day"}]
    documents = [mail("m", "high", **{"class": "mass"}), mail("low", "low"), rule(compete={"within": "2h"}, caps=caps)]
    world = World(*documents, prompt=True)
    world.person("p")
    world.later(16 * HOUR)
    world.fact("p", "M")
    world.later(HOUR)
    world.fact("p", "M")
    world.later(2 * HOUR)  # 19:00
    world.fact("p", "Low")  # waits for what may come until 21:00; at midnight is the next known one, too far
    world.later(2 * HOUR)
    assert world.sent()[1:] == [("low", T0 + 21 * HOUR)]
    world.later(HOUR)
    world.fact("p", "Low")  # at 22:00: ready when the last one is two hours ago, and by then the one of midnight
    world.later(DAY)
    assert world.sent()[2:] == [("m", T0 + DAY), ("low", T0 + DAY + 2 * HOUR)]


def test_waiting_for_what_may_come_costs_no_message_its_life() -> None:
    night = {"from": "21:00", "to": "09:00"}
    world = World(mail("low", "low", expires="3h"), mail("high", "high"), rule(compete={"within": "2h"}, quiet_hours=night))
    world.person("p")
    world.later(20 * HOUR)
    world.fact("p", "Low")
    assert world.sent() == [("low", T0 + 20 * HOUR)], "after two hours the night would have begun"
    other = World(mail("low", "low", expires="1h"), mail("high", "high"), COMPETE)
    other.person("p")
    other.fact("p", "Low")
    assert other.sent() == [("low", T0)]


@pytest.mark.parametrize(("state", "inside", "waits"), [
    ("open", False, True), ("paused", True, False), ("archived", False, False), ("archived", True, True), ("ended", False, False),
])  # fmt: skip
def test_only_of_a_journey_that_can_send_it_a_more_important_message_may_come(state: str, inside: bool, waits: bool) -> None:
    world = Controlled(journey("high", wait("w", "9d"), send("high"), on="High", priority="high"), mail("low", "low"), COMPETE)
    world.person("p")
    if inside:
        world.fact("p", "High")
    world.gate(state)
    world.fact("p", "Low")
    assert world.sent() == ([] if waits else [("low", T0)])


def test_who_is_outdone_for_ever_is_skipped_by_name_when_it_is_worth_nothing_any_more() -> None:
    world = World(mail("low", "low", expires="5h"), mail("high", "high"), COMPETE, prompt=True)
    world.person("p")
    world.fact("p", "Low")
    for _ in range(8):
        world.fact("p", "High")
        world.later(HOUR)
    world.later(DAY)
    assert "low" not in [template for template, _ in world.sent()]
    (skipped,) = [d for d in world.decisions if d.verdict == "skipped"]
    assert (skipped.step, skipped.rule, skipped.detail) == ("low", "expired", {"of": "priority"})


def test_at_one_instant_the_more_important_goes_whichever_is_asked_first() -> None:
    quiet = rule(compete={"within": "2h"}, quiet_hours={"from": "00:00", "to": "09:00"})
    world = World(mail("a", "low"), mail("b", "high"), quiet, prompt=True)
    world.person("p")
    world.fact("p", "A")
    world.fact("p", "B")
    world.later(DAY)
    nine = T0 + 9 * HOUR
    assert world.sent() == [("b", nine), ("a", nine + 2 * HOUR)]


@pytest.mark.parametrize("gap", ["1h", "5h"])
def test_letters_of_one_chain_keep_their_distance_too(gap: str) -> None:
    chain = journey("j", send("a"), wait("w", gap), send("b"))
    world = World(chain, COMPETE, prompt=True)
    world.person("p")
    world.fact("p", "Registered")
    world.later(DAY)
    assert world.sent() == [("a", T0), ("b", T0 + {"1h": 2, "5h": 5}[gap] * HOUR)]
