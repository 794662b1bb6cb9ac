"""Local days and periods as instants: against the standard library's own local time, around every oddity of the clocks."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.zones import DAY, Zone, zone

EPOCH, HOUR = datetime(1970, 1, 1, tzinfo=UTC), 3_600_000
# Changes of the clocks at midnight (forwards and back), by half an hour, across the date line, and never.
ZONES = (
    "UTC", "Europe/Moscow", "Europe/London", "America/Sao_Paulo", "Asia/Beirut", "America/Havana", "Pacific/Apia",
    "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Kiritimati", "America/Santiago", "Asia/Gaza",
)  # fmt: skip
instants = st.integers(0, 70 * 366 * DAY)
SAMOA_SKIPS = 1_325_239_200_000  # 2011-12-30T10:00Z: there was no 30 December there
HAVANA_REPEATS = 1_793_509_200_000  # 2026-11-01T05:00Z: midnight to one o'clock comes twice


def local(at: int, name: str) -> datetime:
    return (EPOCH + timedelta(milliseconds=at)).astimezone(ZoneInfo(name))


def days(at: int, name: str) -> int:
    return local(at, name).date().toordinal() - date(1970, 1, 1).toordinal()


@given(instants, st.sampled_from(ZONES))
@example(SAMOA_SKIPS, "Pacific/Apia")
@example(HAVANA_REPEATS, "America/Havana")
def test_midnight_is_the_first_instant_of_a_day_or_of_one_after_it(at: int, name: str) -> None:
    where = zone(name)
    for day in range(days(at, name) - 1, days(at, name) + 3):
        begins = where.midnight(day)
        assert days(begins, name) >= day
        assert all(days(begins - before, name) < day for before in (1, HOUR // 2, HOUR, 3 * HOUR, 20 * HOUR))


@given(instants, st.sampled_from(ZONES))
@example(SAMOA_SKIPS - 1, "Pacific/Apia")
@example(HAVANA_REPEATS, "America/Havana")
def test_every_instant_lies_in_one_day(at: int, name: str) -> None:
    where = zone(name)
    day = where.begun(at)
    assert where.midnight(day) <= at < where.midnight(day + 1)
    assert day in (days(at, name), days(at, name) + 1), "an hour that comes twice after midnight belongs to the day that had begun"


@given(instants, st.sampled_from(ZONES), st.sampled_from(["day", "week", "month", "quarter", "year"]), st.integers(0, 60))
@example(SAMOA_SKIPS, "Pacific/Apia", "day", 1)
@example(HAVANA_REPEATS + HOUR - 1, "America/Havana", "month", 0)
def test_periods_follow_each_other_and_begin_with_a_day(at: int, name: str, unit: str, back: int) -> None:
    where = zone(name)
    period = where.period(unit, at)
    assert where.start(unit, period) <= at < where.start(unit, period + 1)
    begins = where.start(unit, period - back)
    first = date(1970, 1, 1) + timedelta(days=where.begun(begins))
    is_first = {
        "day": True,
        "week": first.weekday() == 0,
        "month": first.day == 1,
        "quarter": first.day == 1 and first.month % 3 == 1,
        "year": (first.month, first.day) == (1, 1),
    }
    assert is_first[unit] or name == "Pacific/Apia"
    assert begins == where.midnight(where.begun(begins)) or name == "Pacific/Apia"


@pytest.mark.parametrize(
    ("unit", "begins"),
    [
        ("day", "2026-03-31T00:00+03:00"), ("week", "2026-03-30T00:00+03:00"), ("month", "2026-03-01T00:00+03:00"),
        ("quarter", "2026-01-01T00:00+03:00"), ("year", "2026-01-01T00:00+03:00"),
    ],
)  # fmt: skip
def test_a_day_in_moscow(unit: str, begins: str) -> None:
    where, at = zone("Europe/Moscow"), int(datetime(2026, 3, 31, 20, 59, 59, tzinfo=UTC).timestamp()) * 1000
    assert where.start(unit, where.period(unit, at)) == int(datetime.fromisoformat(begins).timestamp()) * 1000


def test_dates_beyond_the_calendar() -> None:
    assert zone("Asia/Tokyo").date(0) == date(1970, 1, 1)
    assert zone("Asia/Tokyo").date(10**17) is None
    assert zone("Asia/Tokyo").date(-(2**62)) is None


def test_a_zone_remembers_no_more_days_than_it_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.zones._MOST_DAYS", 50)
    where = Zone("Europe/London")
    for day in (*range(20_000, 20_400), *range(20_000, 20_400)):
        assert where.begun(where.midnight(day)) == day
        assert max(len(where._days), len(where._starts)) <= 50
