"""Somebody's zone becomes another one, by what is said of him, by a merge or by an unmerge: the same days of his, at other instants."""

import pytest

from tests.orchestrator.world import DAY, HOUR, T0, World, brand, journey, send

ZONES = {"Europe/Moscow": 3, "America/New_York": -5, "Asia/Tokyo": 9}
STEPS = (send("news", **{"class": "service"}),)
PLAN = journey("plan", *STEPS, on={"schedule": {"every": "day", "at": "10:00"}}, audience={"kind": "segment", "key": "customers"})


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
