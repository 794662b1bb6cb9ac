"""What an unmerge makes of a person's state: nothing is lost, nothing that may be sent is there twice, and what was sent counts for both."""

from collections.abc import Iterator

import pytest

from services.orchestrator.domain import parting
from services.orchestrator.domain.state import UNKNOWN_DAY, Person
from tests.orchestrator.everything import drawn, play
from tests.orchestrator.test_triggers import audience_of, scheduled
from tests.orchestrator.world import DAY, HOUR, World, brand

SHARED_OUT = {"runs", "pending", "talks", "codes"}  # each of these is somebody's
BOTH = {"entries", "goals", "reservations", "campaigns", "heard", "bought", "agreed", "merges"}  # of whoever was sent it or did it
OWN = {"zone", "language", "preferred", "bucketing", "reach", "segments", "introduced"}  # told anew of who was parted
OF_IT = {"parted", "mine", "shared"}  # what unmerges leave
DAYS = {"appointments"}  # of schedules: those that came


def people(seed: int) -> Iterator[Person]:
    """As they are now and then in long days of all parts at once."""
    first, mode, script = drawn(seed)
    for length in range(10, len(script), 20):
        yield from play(first, mode, script[:length]).world.people.values()


def test_each_field_is_of_one_of_these_kinds():
    assert {*SHARED_OUT, *BOTH, *OWN, *OF_IT, *DAYS} == set(Person.__struct_fields__)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_lost_and_what_may_be_sent_is_with_one(seed: int):
    for whole in people(seed):
        homes = sorted({run.home for run in whole.runs} | {code.home for code in whole.codes} | {"x"})
        stays = whole.copy()
        taken = parting.leave("who", stays, {f"part{n}": {home} for n, home in enumerate(homes) if home})
        parts = [stays, *taken.values()]
        for name in SHARED_OUT:
            before, after = sorted(map(repr, listed(whole, name))), [one for part in parts for one in listed(part, name)]
            assert sorted(map(repr, after)) == before, name
        for name in BOTH:
            assert all(getattr(part, name) == getattr(whole, name) for part in parts), name
        came = {key: one.last for key, one in whole.appointments.items() if one.last != UNKNOWN_DAY}
        assert all({k: a.last for k, a in part.appointments.items() if a.last != UNKNOWN_DAY} == came for part in parts)
        for key in whole.pending:
            holder = next(part for part in parts if key in part.pending)
            of = {run.occurrence for run in holder.runs}
            mine = {run.occurrence for run in whole.runs if whole.pending[key].of(run)}
            assert mine <= of, "a letter is with its run"


def listed(person: Person, name: str) -> list[object]:
    kept = getattr(person, name)
    return list(kept.items() if isinstance(kept, dict) else kept)


def test_who_is_parted_is_not_sent_the_same_day_of_a_schedule_by_his_own_clock():
    body = scheduled(every="day")
    world = World(body, brand("UTC"), prompt=True)
    world.person("ann")
    world.person("bob", at=1)
    world.merge("ann", "bob")
    world.membership("ann", audience_of(body))
    world.later(11 * HOUR)
    assert [i.profile for i in world.intents] == ["ann"]
    world.split("ann", "ann>1", "bob")
    world.introduce("ann>1", "ann", attributes={"time_zone": [1, "America/New_York"]})
    world.membership("ann>1", audience_of(body), why="unmerge")
    world.later(DAY + 5 * HOUR)
    assert [i.profile for i in world.intents] == ["ann", "ann", "ann>1"], "ten o'clock of the next day, in New York"
