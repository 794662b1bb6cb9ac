"""What must hold of schedules whatever happens: people come and go, move, become one, and nothing runs for days."""

from calendar import monthrange
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.documents import clock_ms
from schemas.triggers import Schedule
from services.orchestrator.domain.decide import on_timer
from services.orchestrator.domain.occurrences import upcoming, written
from services.orchestrator.domain.zones import zone
from tests.orchestrator.world import DAY, HOUR, T0, World, brand, journey, send

ZONES = ("UTC", "Europe/Moscow", "America/New_York", "Pacific/Apia", "Asia/Kolkata")
PEOPLE = "abc"
who = st.sampled_from(PEOPLE)
spans = st.sampled_from([HOUR, 7 * HOUR, DAY, 3 * DAY, 9 * DAY])
weekdays = st.lists(st.sampled_from(["mon", "wed", "sat", "sun"]), min_size=1, max_size=3, unique=True)
times = st.sampled_from(["00:00", "02:30", "10:00", "23:59"])
schedules = st.one_of(
    st.builds(lambda at: {"every": "day", "at": at}, times),
    st.builds(lambda at, on: {"every": "week", "on": on, "at": at}, times, weekdays),
    st.builds(lambda at, day: {"every": "month", "day": day, "at": at}, times, st.sampled_from([1, 29, 31])),
)
moves = st.one_of(
    st.tuples(st.sampled_from(["entered", "left"]), who),
    st.tuples(st.just("zone"), who, st.sampled_from(ZONES)),
    st.tuples(st.just("merge"), who, who),
    st.tuples(st.sampled_from(["pass", "down"]), spans),
)


def play(schedule: dict[str, Any], script: list[Any]) -> tuple[World, list[tuple[str, str, int, str]]]:
    """And what came: whom, the day of the schedule, when, and in which zone he was."""
    body = journey(
        "plan",
        send("news", **{"class": "service"}),
        on={"schedule": schedule},
        audience={"kind": "segment", "key": "s"},
        reentry={"mode": "always"},
    )
    world, came, zones = World(body, brand("UTC")), [], dict.fromkeys(PEOPLE, "UTC")
    since: dict[str, int] = {}  # who stands there -> the last local day by which he may have come too late, wherever he is
    joined: set[str] = set()
    for number, name in enumerate(PEOPLE):
        world.person(name, at=number)
    for number, (kind, *move) in enumerate(script):
        before = len(world.intents)
        if kind in ("entered", "left"):
            world.membership(world.canonical(move[0]), "s", kind)
        elif kind == "zone":
            name = world.canonical(move[0])
            world.fact(name, "", type="profile.changed", attributes={"time_zone": [number + 1, move[1]]})
        elif kind == "merge" and world.canonical(move[0]) != world.canonical(move[1]):
            joined |= {world.canonical(name) for name in move}
            world.merge(*move)
        elif kind == "pass":
            world.later(move[0])
        elif kind == "down":
            world.now += move[0]
            for name in sorted(world.people):
                world._take(name, lambda one, state: on_timer(world.book, one, state, world.now))
        came += [(i.profile, i.data["event"]["date"], i.received_at, zones[i.profile]) for i in world.intents[before:]]
        came.append(("", kind, world.now, ""))
        zones = {name: (world.people[world.canonical(name)].zone or (0, "UTC"))[1] for name in PEOPLE}
        if kind == "entered":
            since[world.canonical(move[0])] = newest(world.now)
        elif kind == "left":
            since.pop(world.canonical(move[0]), None)
        elif kind == "down":
            since = dict.fromkeys(since, newest(world.now))
        elif kind == "pass":
            for name in since.keys() - joined:
                had = {date for other, date, *_ in came if other == name}
                assert owed(schedule, zones[name], since[name], world.now) <= had, "a day of his never came"
    return world, came


def newest(now: int) -> int:
    """The local day where it is latest."""
    return max(zone(name).day(now) for name in ZONES)


def owed(schedule: dict[str, Any], name: str, after: int, now: int) -> set[str]:
    """The days later than that whose time has come in his zone."""
    own, time = zone(name), clock_ms(schedule["at"])
    days = [day for day in range(after + 1, own.day(now) + 1) if own.clock(day, time) <= now]
    return {written(day) for day in days if fits(schedule, datetime.fromisoformat(written(day)))}


@settings(max_examples=100, deadline=None)
@example(
    {"every": "day", "at": "10:00"},
    [("entered", "a"), ("entered", "b"), ("zone", "a", "Europe/Moscow"), ("pass", 9 * HOUR), ("merge", "b", "a"), ("pass", DAY)],
)
@example({"every": "day", "at": "10:00"}, [("entered", "a"), ("pass", DAY), ("zone", "a", "America/New_York"), ("pass", DAY)])
@example({"every": "day", "at": "10:00"}, [("entered", "a"), ("pass", DAY), ("zone", "a", "Asia/Kolkata"), ("pass", DAY)])
@given(schedules, st.lists(moves, max_size=40))
def test_nobody_gets_one_day_twice_and_an_outage_is_made_up_for_once(schedule, script):
    world, came = play(schedule, script)
    had: dict[str, set[str]] = {name: set() for name in PEOPLE}
    outage: dict[str, int] = dict.fromkeys(PEOPLE, 0)
    merges = iter([move for kind, *move in script if kind == "merge"])
    merged: dict[str, str] = {}

    def one(name: str) -> str:
        while name in merged:
            name = merged[name]
        return name

    for name, date, at, where in came:
        if name:
            day = datetime.fromisoformat(date)
            own = day.replace(tzinfo=UTC).timestamp() * 1000 // DAY
            assert fits(schedule, day) and at == zone(where).clock(int(own), clock_ms(schedule["at"])), "at its time of his day"
            assert date not in had[name], "the same day once more"
            had[name].add(date)
            outage[name] += 1
            continue
        if date == "down":
            assert all(number <= 1 for number in outage.values()), "what was missed comes once"
        if date == "merge":
            winner, loser = map(one, next(merges))
            if winner != loser:
                merged[loser] = winner
                had[winner] |= had[loser]
        outage = dict.fromkeys(PEOPLE, 0)
    for person in world.people.values():
        assert all(a.due is None or a.due > world.now for a in person.appointments.values()), "a time that is over is nobody's next"
        stands, waits = bool(set(person.segments) - {"s"}), person.due_at() is not None
        assert waits if stands else merged or not waits, "who stands there has a next time, and nobody else costs a look"


@settings(max_examples=100, deadline=None)
@given(schedules, st.sampled_from(ZONES), st.integers(0, 800 * 24).map(lambda hours: T0 + hours * HOUR), st.integers(1, 400))
def test_the_next_time_is_the_first_local_day_that_fits(schedule, name, after, later):
    read, own = Schedule.model_validate(schedule), ZoneInfo(name)
    found = upcoming(read, zone(name), after, -1)
    assert found is not None and found.at > after
    local = datetime.fromtimestamp(found.at / 1000, own)
    assert written(found.day) == local.date().isoformat()
    hour, minute = map(int, schedule["at"].split(":"))
    assert (local.hour, local.minute) >= (hour, minute), "not before its time; later only where the clocks skip it"
    assert (local.hour, local.minute) == (hour, minute) or local.utcoffset() != datetime.fromtimestamp(
        found.at / 1000 - 1, own
    ).utcoffset()
    assert fits(schedule, local)
    between = (datetime.fromtimestamp(at / 1000, UTC).astimezone(own) for at in range(after + 1, found.at, 6 * HOUR))
    for day in {one.date() for one in between} - {local.date()}:
        told = datetime(day.year, day.month, day.day, hour, minute, tzinfo=own)
        assert not fits(schedule, told) or told.timestamp() * 1000 <= after
    again = upcoming(read, zone(name), after, found.day)
    assert again is not None and again.day > found.day


def fits(schedule: dict[str, Any], local: datetime) -> bool:
    if schedule["every"] == "week":
        return ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[local.weekday()] in schedule["on"]
    if schedule["every"] == "month":
        last = monthrange(local.year, local.month)[1]
        return local.day == min(schedule["day"], last)
    return True
