"""What is under way, and of which nothing was heard yet, counts where it may still go; and takes no other message's last chance."""

from typing import Any

from schemas.facts import PROFILE_CHANGED
from tests.orchestrator.cascades import EMAIL, KINDS, SMS
from tests.orchestrator.world import DAY, HOUR, T0, World, brand, journey, rule, send


def mail(key: str, cls: str = "mass", **more: Any) -> dict[str, Any]:
    return journey(key, send(key, **{"class": cls}, **more), on=key.upper(), reentry={"mode": "always"})


def moves(world: World, who: str, zone: str) -> None:
    world.fact(who, "", type=PROFILE_CHANGED, attributes={"time_zone": [world.now, zone]})


def deferred(world: World) -> list[tuple[str, str, int | None]]:
    return [(d.step, d.rule, d.until) for d in world.decisions if d.verdict == "deferred"]


def test_after_a_move_what_is_under_way_counts_on_both_days_that_its_slot_has_now() -> None:
    """Given in New York until midnight there, which is two in the afternoon of the next day in Tokyo."""
    caps = [{"name": "c", "class": "mass", "most": 1, "per": "day"}]
    world = World(
        mail("a"),
        mail("b"),
        mail("c", "triggered"),
        rule(exclusive_day=["triggered", "mass"], caps=caps),
        brand("America/New_York"),
    )
    world.person("p")
    world.later(14 * HOUR)
    world.fact("p", "A")
    moves(world, "p", "Asia/Tokyo")
    world.later(2 * HOUR)  # one in the morning in Tokyo
    world.fact("p", "C")
    world.fact("p", "B")
    midnight = T0 + DAY + 15 * HOUR
    assert deferred(world) == [("c", "same_day", midnight), ("b", "cap:mass:day", midnight)]
    world.verdict(world.intents[0], "accepted")
    world.later(HOUR)
    world.fact("p", "C")
    assert len(world.intents) == 1, "it went this morning"


def test_what_may_be_free_at_any_moment_is_asked_about_once_more_before_it_is_worth_nothing() -> None:
    caps = [{"name": "c", "class": "mass", "most": 1, "within": "6h"}]
    world = World(mail("a"), mail("b", expires="8h"), rule(caps=caps))
    world.person("p")
    world.fact("p", "A")
    world.later(6 * HOUR)
    world.fact("p", "B")
    assert deferred(world) == [("b", "cap:mass:6h", T0 + 14 * HOUR)], "nobody said yet that the first one went, which may be now"
    world.verdict(world.intents[0], "accepted")
    world.later(8 * HOUR)
    assert world.sent() == [("a", T0), ("b", T0 + 12 * HOUR)], "six hours after it was heard that it went"


def test_and_is_skipped_then_if_nothing_was_heard() -> None:
    caps = [{"name": "c", "class": "mass", "most": 1, "within": "6h"}]
    world = World(mail("a"), mail("b", expires="8h"), rule(caps=caps))
    world.person("p")
    world.fact("p", "A")
    world.later(6 * HOUR)
    world.fact("p", "B")
    world.later(DAY)
    assert [d.rule for d in world.decisions if d.verdict == "skipped"] == ["expired"]


def test_what_waits_for_a_place_goes_as_soon_as_it_is_known_to_be_free() -> None:
    caps = [{"name": "c", "class": "mass", "most": 1, "within": "6h"}]
    world = World(mail("a"), mail("b"), rule(caps=caps))
    world.person("p")
    world.fact("p", "A")
    world.later(HOUR)
    world.fact("p", "B")
    world.later(6 * HOUR)  # nothing was heard when its time came: the slot of the first ends with the day
    assert deferred(world)[-1] == ("b", "cap:mass:6h", T0 + DAY + 6 * HOUR - 1)
    world.verdict(world.intents[0], "accepted")
    world.later(DAY)
    assert world.sent() == [("a", T0), ("b", T0 + 13 * HOUR)], "it went after seven hours, as far as is known"


def test_so_does_the_second_channel_of_a_cascade() -> None:
    chain = {"id": "c", "cascade": [SMS, EMAIL], "class": "mass", "expires": "9d"}
    cap = {"name": "one", "class": "mass", "channel": "email", "most": 1, "per": "week"}
    world = World(mail("a"), journey("c", chain, on="C"), rule(caps=[cap]))
    world.person("p", kinds=KINDS)
    world.fact("p", "A")
    world.fact("p", "C")
    world.verdict(world.intents[1], "failed")
    assert deferred(world)[-1][:2] == ("c", "cap:mass:week")
    world.later(HOUR)
    world.verdict(world.intents[0], "failed")
    world.later(HOUR)
    assert world.sent()[2:] == [("mail", T0 + HOUR)]


def test_and_at_once_when_the_other_came_to_nothing() -> None:
    world = World(mail("a"), mail("b", expires="9d"), rule(caps=[{"name": "c", "class": "mass", "most": 1, "per": "week"}]))
    world.person("p")
    world.fact("p", "A")
    world.fact("p", "B")
    world.later(HOUR)
    world.verdict(world.intents[0], "failed")
    world.later(HOUR)
    assert world.sent() == [("a", T0), ("b", T0 + HOUR)]
