"""Two people in one cascade turn out to be one, or one in the middle of it to be two."""

import pytest

from tests.orchestrator.cascades import EMAIL, KINDS, TELEGRAM, cascade, fell, stands, tells
from tests.orchestrator.world import DAY, HOUR, MINUTE, World, brand, journey, rule, wait

BOTH = pytest.mark.parametrize(("winner", "loser"), [("a", "b"), ("b", "a")])
NIGHT = rule(quiet_hours={"from": "00:00", "to": "08:00"})


def two(*attempts, b: str = KINDS, **more) -> World:
    """Both have come to the cascade, a minute after one another."""
    world = World(journey("j", cascade("c", *attempts, **more), wait("after", "30d")), NIGHT, brand())
    world.later(9 * HOUR)
    world.person("a", at=1, kinds=KINDS)
    world.person("b", at=2, kinds=b)
    world.fact("a", "Registered")
    world.later(MINUTE)
    world.fact("b", "Registered")
    return world


@BOTH
def test_what_both_have_had_is_enough(winner: str, loser: str) -> None:
    world = two(b="phone email")
    for intent in world.intents:
        world.verdict(intent, "accepted")
    assert [i.channel for i in world.intents] == ["telegram", "sms"]
    world.merge(winner, loser)
    assert stands(world, winner) == "after"
    world.later(2 * DAY)
    assert len(world.intents) == 2


@BOTH
def test_the_one_that_was_taken_goes_on_and_waits_until_the_other_is_heard_of(winner: str, loser: str) -> None:
    world = two(b="phone email")
    telegram, text = world.intents
    world.verdict(telegram, "accepted")
    world.merge(winner, loser)
    world.later(3 * HOUR)
    assert len(world.intents) == 2 and stands(world, winner) == "c", "it was not read, but the text may still go"
    world.verdict(text, "failed")
    assert [i.channel for i in world.intents] == ["telegram", "sms", "email"], "no second text"
    assert fell(world) == [("telegram", "not_read", "sms", [1, 3])]


@BOTH
def test_the_other_one_ends_it_when_it_is_taken(winner: str, loser: str) -> None:
    world = two(b="phone email")
    world.verdict(world.intents[0], "accepted")
    world.merge(winner, loser)
    world.verdict(world.intents[1], "accepted")
    assert stands(world, winner) == "after" and len(world.intents) == 2


@BOTH
def test_of_two_that_wait_for_their_slot_one_goes_again(winner: str, loser: str) -> None:
    world = two({"channel": "telegram", "template": "tg"}, EMAIL)
    world.later(16 * HOUR)
    for intent in list(world.intents):
        world.verdict(intent, "late")
    world.merge(winner, loser)
    world.later(10 * HOUR)
    assert [i.attempt for i in world.intents] == [0, 0, 1]
    world.verdict(world.intents[2], "failed")
    assert world.intents[3].channel == "email"


@BOTH
def test_who_is_through_with_it_ends_that_of_the_other(winner: str, loser: str) -> None:
    world = two(TELEGRAM, EMAIL)
    world.verdict(world.intents[0], "accepted")
    tells(world, world.intents[0], "Link Clicked")
    assert stands(world, "a") == "after"
    world.merge(winner, loser)
    world.later(15 * HOUR)
    world.verdict(world.intents[1], "late")
    world.later(2 * DAY)
    assert len(world.intents) == 2 and world.people[winner].pending == {}


def test_after_an_unmerge_it_goes_on_with_its_run_alone() -> None:
    world = World(journey("j", cascade(), wait("after", "30d")))
    for at, who in enumerate("ab"):
        world.person(who, at=at, kinds=KINDS)
    world.fact("a", "Registered")
    world.merge("b", "a")
    world.verdict(world.intents[0], "accepted")
    world.split("b", "new", "a", others=("a",))
    world.introduce("new", "b", kinds=KINDS)
    assert stands(world, "new") == "c" and world.people["b"].runs == []
    world.later(2 * HOUR)
    assert [(i.channel, i.profile) for i in world.intents[1:]] == [("sms", "new")]
