"""Chains about a place in an event follow it to another time, and end when the place is another or none."""

from datetime import UTC, datetime
from typing import Any

from schemas import events
from tests.orchestrator.world import DAY, HOUR, T0, World, journey, published, send

NAME = "meetup"
PLACES = {"event": NAME, "registration": "r"}


def iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


def chain(on: str = events.SEATED, **more: Any) -> dict[str, Any]:
    steps = (
        {"id": "to-day", "wait": {"data": "event.starts_at", "offset": "-1d"}, "missed": "late"},
        send("day"), {"id": "end", "end": True}, send("late"),
    )  # fmt: skip
    return journey("chain", *steps, on=on, reentry={"mode": "always"}, **more)


def meetup() -> Any:
    times = {"starts_at": iso(T0 + 10 * DAY), "ends_at": iso(T0 + 11 * DAY)}
    return published("event", {"key": NAME, "brand": "shop", "title": "Meetup", "format": "online", **times})


def seated(world: World, at: int = T0 + 10 * DAY) -> None:
    world.person("ann")
    world.fact("ann", events.SEATED, properties={**PLACES, "starts_at": iso(at)})


def told_anew(world: World, at: int, event: str = NAME, source: str = events.SOURCE) -> None:
    world.fact("ann", events.RESCHEDULED, properties={**PLACES, "event": event, "starts_at": iso(at)}, source=source)


def test_what_is_said_here_counts_from_here_alone():
    """Anybody may name a fact so; that somebody does not come anybody may say."""
    world = World(chain(), meetup())
    seated(world)
    for event in (events.SEATED, events.DECLINED, events.MOVED_ONLINE, events.CANCELLED):
        world.fact("ann", event, properties=PLACES, source="site")
    assert [run.step for run in world.people["ann"].runs][:1] == ["to-day"] and ("left", "to-day", "event_turn") not in world.told()
    world.fact("ann", events.UNREGISTERED, properties=PLACES, source="site")
    assert ("left", "to-day", "event_turn") in world.told()


def test_a_reminder_moves_with_the_event_later_and_sooner():
    for at in (T0 + 20 * DAY, T0 + 5 * DAY):
        world = World(chain(), meetup(), prompt=True)
        seated(world)
        told_anew(world, at)
        world.run(at - DAY - 1)
        assert world.sent() == []
        world.run(at + DAY)
        assert [step for step, _ in world.sent()] == ["day"]
        assert world.intents[0].data["event"]["starts_at"] == iso(at)


def test_a_reminder_whose_time_is_over_by_the_new_one_goes_at_once():
    world = World(chain(), meetup(), prompt=True)
    seated(world)
    world.later(2 * DAY)
    told_anew(world, world.now + HOUR)
    assert [step for step, _ in world.sent()] == ["day"]


def test_other_events_and_what_others_say_move_nothing():
    world = World(chain(), meetup(), prompt=True)
    seated(world)
    told_anew(world, T0 + 20 * DAY, event="another")
    told_anew(world, T0 + 20 * DAY, source="site")
    world.run(T0 + 9 * DAY)
    assert [step for step, _ in world.sent()] == ["day"]


def test_a_place_that_is_over_ends_the_chains_about_it_and_a_seat_those_of_who_waits():
    for said in (events.CANCELLED, events.UNREGISTERED, events.MOVED_ONLINE, events.DECLINED):
        world = World(chain(), meetup(), prompt=True)
        seated(world)
        world.later(HOUR)
        world.fact("ann", said, properties=PLACES, source=events.SOURCE)
        assert ("left", "to-day", "event_turn") in world.told("left")
    for on, ends in ((events.WAITLISTED, True), (events.REGISTERED, False), (events.REQUESTED, True)):
        world = World(chain(on), meetup(), prompt=True)
        world.person("ann")
        world.fact("ann", on, properties={**PLACES, "starts_at": iso(T0 + 10 * DAY)})
        world.later(HOUR)
        world.fact("ann", events.SEATED, properties=PLACES, source=events.SOURCE)
        assert (world.told("left") == [("left", "to-day", "event_turn")]) == ends
