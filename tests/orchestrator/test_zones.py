"""Local days and quiet hours against the standard library, minute by minute over the changes of the clocks."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.domain.zones import DAY, week, zone

MINUTE = 60_000
# Days around a change of the clocks, and zones that do it oddly: at midnight, by half an hour, across the date line.
CHANGES = [
    ("Europe/London", "2026-03-29"),
    ("Europe/London", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Asia/Kolkata", "2026-03-29"),
    ("Africa/Cairo", "2026-04-24"),
    ("America/Havana", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Pacific/Apia", "2011-12-30"),
    ("Europe/Moscow", "2010-10-31"),
]
windows = st.lists(st.tuples(*[st.integers(0, 1439).map(lambda m: m * MINUTE)] * 2), max_size=2)


def ms(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


@cache
def wall(name: str, at: int) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).astimezone(ZoneInfo(name)).replace(tzinfo=None)


def is_quiet(name: str, at: int, quiet) -> bool:
    local = wall(name, at)
    minute = (local.hour * 60 + local.minute) * MINUTE
    return any(a <= minute < b if a <= b else minute >= a or minute < b for a, b in quiet)


def local_day(name: str, at: int) -> int:
    return wall(name, at).date().toordinal() - date(1970, 1, 1).toordinal()


@pytest.mark.parametrize(("name", "day"), CHANGES)
@settings(max_examples=50, deadline=None)
@given(start=st.integers(-36 * 60, 36 * 60), quiet=windows)
def test_quiet_hours_and_days_are_what_the_wall_clock_says(name, day, start, quiet):
    at = ms(day) + start * MINUTE
    place, limit = zone(name), at + 2 * DAY
    assert place.day(at) == local_day(name, at)
    minutes = range(at, limit + 1, MINUTE)
    loud = next((t for t in minutes if not is_quiet(name, t, quiet)), None)
    if loud is None:
        assert place.loud(at, quiet, limit) > limit
    else:
        assert place.loud(at, quiet, limit) == loud
        expected = next((t for t in range(loud, limit, MINUTE) if is_quiet(name, t, quiet)), limit)
        assert place.quiet(loud, quiet, limit) == expected
    today = local_day(name, at)
    assert place.next_day(at) == next(t for t in minutes if local_day(name, t) > today)


@pytest.mark.parametrize("name", ["Europe/London", "America/New_York", "Asia/Kolkata", "Pacific/Apia"])
@settings(deadline=None)
@given(st.integers(ms("2010-01-01"), ms("2030-01-01")))
def test_the_week_begins_on_monday_of_the_person(name, at):
    begins = zone(name).next_week(at)
    local = wall(name, begins)
    assert begins > at and begins - at <= 8 * DAY
    assert local.isocalendar()[:2] != wall(name, at).isocalendar()[:2]
    assert wall(name, begins - 1).isocalendar()[:2] == wall(name, at).isocalendar()[:2]
    assert week(zone(name).day(begins)) == week(zone(name).day(at)) + 1


def test_the_first_zone_that_exists_counts():
    assert zone(None, "Europe/London").name == "Europe/London"
    assert zone("Mars/Olympus", "../etc", "Asia/Kolkata").name == "Asia/Kolkata"
    assert zone("", None).name == "UTC"


@pytest.mark.parametrize(
    ("name", "evening", "hours"),
    [
        ("Europe/London", "2026-03-28", 10),  # the short night
        ("Europe/London", "2026-06-01", 11),
        ("Europe/London", "2026-10-24", 12),  # the long one
        ("America/New_York", "2026-03-07", 10),
        ("America/New_York", "2026-10-31", 12),
        ("Asia/Kolkata", "2026-03-28", 11),
    ],
)
def test_a_message_held_back_at_ten_goes_at_nine_by_the_wall(name, evening, hours):
    night = [(21 * 60 * MINUTE, 9 * 60 * MINUTE)]
    start = next(t for t in range(ms(evening) + 12 * 60 * MINUTE, ms(evening) + 2 * DAY, MINUTE) if wall(name, t).hour == 22)
    free = zone(name).loud(start, night, start + DAY)
    assert (free - start, wall(name, free).hour) == (hours * 60 * MINUTE, 9)
