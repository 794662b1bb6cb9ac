"""Somebody's zone becomes another one, by what is said of him, by a merge or by an unmerge: the same days of his, at other instants."""

import pytest

from schemas.journeys import Journey
from schemas.unnamed import date_key
from tests.orchestrator.world import DAY, HOUR, T0, World, brand, journey, send

ZONES = {"Europe/Moscow": 3, "America/New_York": -5, "Asia/Tokyo": 9}
STEPS = (send("news", **{"class": "service"}),)
PLAN = journey("plan", *STEPS, on={"schedule": {"every": "day", "at": "10:00"}}, audience={"kind": "segment", "key": "customers"})
DATED = journey("day", *STEPS, on={"date": {"attribute": "birthday", "at": "10:00", "every": "year", "zone": "UTC"}})
DAY_OF_HIS = date_key("day", Journey.model_validate(DATED).trigger)


def moved(world: World, how: str, zone: str) -> None:
    """p was in UTC, by a merge or by another's word, if not by his own."""
    said = {"time_zone": [2, zone]}
    if how == "profile.changed":
        world.fact("p", "", type="profile.changed", attributes=said)
    elif how == "merge":
        world.person("q", zone=zone, at=2)
        world.merge("p", "q", attributes=said)
    else:
        world.split("p", "new", "q", attributes=said)
        world.introduce("new", "p")


MOVES = pytest.mark.parametrize("how", ["profile.changed", "merge", "split"])


@MOVES
@pytest.mark.parametrize("zone", ZONES)
def test_a_day_of_a_schedule_is_lost_to_nobody(how: str, zone: str) -> None:
    world = World(PLAN, brand("UTC"), prompt=True)
    world.person("p", zone="UTC")
    world.membership("p", "customers")
    world.later(8 * HOUR)
    moved(world, how, zone)
    world.later(2 * DAY)
    ten = T0 + (10 - ZONES[zone]) * HOUR
    assert [at for _, at in world.sent()] == [at for at in (ten, ten + DAY, ten + 2 * DAY) if at <= world.now]


@MOVES
@pytest.mark.parametrize("zone", ZONES)
def test_a_day_of_his_begins_at_its_time_where_he_is_by_then_and_at_once_if_that_is_over(how: str, zone: str) -> None:
    world = World(DATED, brand("UTC"), prompt=True)
    world.person("p", zone="UTC")
    world.membership("p", DAY_OF_HIS, why="time")
    world.later(8 * HOUR)
    moved(world, how, zone)
    world.later(DAY)
    ten = T0 + (10 - ZONES[zone]) * HOUR
    assert [at for _, at in world.sent()] == [max(ten, T0 + 8 * HOUR)]


def test_what_another_waited_for_goes_by_the_zone_of_the_two_too() -> None:
    world = World(DATED, brand("UTC"), prompt=True)
    world.person("p", zone="Asia/Tokyo", at=2)
    world.person("q", zone="UTC", at=3)
    world.membership("q", DAY_OF_HIS, why="time")
    world.later(HOUR)
    world.merge("p", "q", attributes={"time_zone": [9, "Europe/Moscow"]})
    world.later(DAY)
    assert [at for _, at in world.sent()] == [T0 + 7 * HOUR]


def test_a_day_that_is_over_where_he_is_by_then_waits_for_the_word_that_it_is_his_no_more() -> None:
    world = World(DATED, brand("UTC"), prompt=True)
    world.person("p", zone="America/Los_Angeles")
    world.later(8 * HOUR)
    world.membership("p", DAY_OF_HIS, why="time")
    world.later(9 * HOUR)
    moved(world, "profile.changed", "Pacific/Kiritimati")
    world.membership("p", DAY_OF_HIS, "left", why="fact")
    world.later(2 * DAY)
    assert world.told() == [("skipped", "", "date_changed")]
