"""A run of somebody who cannot be written to yet: what names him may lie in another partition, and be heard a moment later."""

import pytest

from services.orchestrator.domain.runs import NAMELESS_MS
from tests.orchestrator.world import T0, World, journey, send, wait

GOLD = {"kind": "segment", "key": "gold"}
WELCOME = journey("j", send("hello"), wait("w", "1d"), send("more"), goal={"event": "Paid"})
FORK = journey(
    "j", {"id": "b", "if": GOLD, "then": "rich", "else": "plain"}, send("rich", next="end"), send("plain"), wait("end", "0s")
)
NEWS = {"type": "profile.changed", "identifiers": ("email:x",), "bucketing_id": "p", "bucketed_at": T0}


def stranger(*documents, place=None) -> World:
    world = World(*documents)
    world.fact("p", "Registered", place=place)
    return world


def test_the_letter_goes_when_he_is_named():
    world = stranger(WELCOME)
    world.later(NAMELESS_MS - 1)
    assert world.log == []
    world.fact("p", "", **NEWS)
    assert world.sent() == [("hello", T0 + NAMELESS_MS - 1)]
    assert world.told() == [("entered", "", ""), ("sent", "hello", "")]


@pytest.mark.parametrize(("winner", "loser"), [("p", "q"), ("q", "p")])
def test_the_letter_goes_when_he_turns_out_to_be_somebody_known(winner, loser):
    world = stranger(WELCOME)
    world.person("q")
    world.merge(winner, loser)
    assert world.sent() == [("hello", T0)] and world.intents[0].profile == winner


def test_a_fact_that_brings_its_own_address_waits_for_nothing():
    world = World(WELCOME)
    world.fact("p", "Registered", identifiers=("email:x",), bucketing_id="p", bucketed_at=T0)
    assert world.sent() == [("hello", T0)]


def test_who_is_never_named_is_told_of_once():
    world = stranger(WELCOME)
    world.later(NAMELESS_MS)
    assert world.told() == [("entered", "", ""), ("skipped", "hello", "no_address")]
    world.fact("p", "", **NEWS)
    assert world.sent() == [], "he is on the next step"


def test_what_writes_to_nobody_waits_for_no_name():
    assert stranger(journey("j", wait("w", "1d"))).told() == [("entered", "", "")]


def test_his_goal_ends_what_had_not_begun():
    world = stranger(WELCOME)
    world.fact("p", "Paid", **NEWS | {"type": "track"})
    assert world.told() == [("entered", "", ""), ("sent", "hello", ""), ("goal", "w", "goal")], "the name comes first, in one fact"
    world = stranger(WELCOME)
    world.fact("p", "Paid")
    world.later(NAMELESS_MS)
    assert world.told() == [("skipped", "", "goal")]


@pytest.mark.parametrize("audience", [False, True])
def test_answers_are_those_of_after_the_fact_that_named_him(audience):
    """What names him says more of him: the segmenter's answer of before is not his."""
    world = stranger({**WELCOME, "audience": GOLD} if audience else FORK, place=("facts", 0, 5))
    world.fact("p", "", place=("facts", 0, 9), **NEWS)
    world.mark(6)
    assert world.intents == []
    world.membership("p", "gold")
    world.mark(10)
    assert world.sent() == [("hello" if audience else "rich", T0)]


def test_a_segmenter_that_is_late_is_waited_for_longer_than_a_name():
    world = stranger(FORK, place=("facts", 0, 5))
    world.later(10 * NAMELESS_MS)
    assert world.told() == [("entered", "", "")]
    world.fact("p", "", **NEWS)
    world.membership("p", "gold")
    world.mark(6)
    assert [template for template, _ in world.sent()] == ["rich"]


def test_a_name_is_waited_for_longer_than_the_segmenter():
    world = stranger({**WELCOME, "audience": GOLD}, place=("facts", 0, 5))
    world.membership("p", "gold")
    world.mark(6)
    assert world.log == []
    world.later(NAMELESS_MS)
    assert world.told() == [("entered", "", ""), ("skipped", "hello", "no_address")]


@pytest.mark.parametrize(("winner", "loser"), [("p", "q"), ("q", "p")])
def test_a_merge_that_names_him_is_passed_before_anything_is_asked_about_him(winner, loser):
    world = stranger(FORK, place=("facts", 0, 5))
    world.person("q")
    world.merge(winner, loser, place=("facts", 1, 7))
    world.mark(6)
    assert world.intents == []
    world.membership(winner, "gold")
    world.mark(8, partition=1)
    assert [template for template, _ in world.sent()] == ["rich"]


def test_two_strangers_who_are_one_begin_once():
    world = stranger(WELCOME)
    world.fact("q", "Registered")
    world.merge("p", "q")
    world.fact("p", "", **NEWS)
    assert [template for template, _ in world.sent()] == ["hello"]
