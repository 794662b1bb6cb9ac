"""Birthdays and anniversaries: against a walk from day to day."""

from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import audience as a
from schemas.facts import Fact
from schemas.zones import DAY, Zone, zone
from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.live import decide, fire
from services.segmenter.domain.plan import compile_plan
from services.segmenter.domain.recurring import anniversary
from services.segmenter.domain.state import State

EPOCH = date(1970, 1, 1)
LAST = (date.max - EPOCH).days
NOW = 1_790_000_000_000  # 2026-09-21T14:13:20Z
ZONES = ("UTC", "Europe/London", "America/Havana", "Pacific/Apia", "Pacific/Kiritimati")
values = st.dates().map(str) | st.sampled_from(["2024-02-29", "2023-02-28", "2000-03-01", "1999-12-31", "1980-01-01"])


@lru_cache(maxsize=8192)
def recurs(born: date, day: date) -> bool:
    """Whether the day of `born` is this one."""
    if (born.month, born.day) == (2, 29):
        tomorrow = day + timedelta(days=1)
        return (day.month, day.day) == (2, 29) or (day.month, day.day, tomorrow.month) == (2, 28, 3)
    return (born.month, born.day) == (day.month, day.day)


def stands(born: date, today: int, before: int, days: int, *, own: bool) -> bool:
    if own:
        return 0 <= today + before - (born - EPOCH).days < days
    return any(recurs(born, EPOCH + timedelta(days=today + before - late)) for late in range(days))


@settings(deadline=None)  # a year of days, each looked up in a year of days
@given(
    values,
    st.sampled_from(ZONES),
    st.integers(NOW - 3 * 366 * DAY, NOW + 3 * 366 * DAY),
    st.sampled_from([0, 0, 1, 7, 30, 366, -1, -7, -366]),
    st.sampled_from([1, 1, 2, 7, 365, 366]),
    st.booleans(),
)
@example("2024-02-29", "UTC", 1_772_236_800_000 - 1, 0, 1, False)  # to the 28th of February 2026
@example("1990-12-30", "Pacific/Apia", 1_325_239_200_000 - 1, 0, 1, False)  # the 30th of December 2011 never was there
@example("2026-09-30", "Pacific/Apia", NOW, 7, 1, True)
@example("2026-09-20", "UTC", NOW, -366, 1, True)
@example("2026-09-20", "UTC", NOW, 0, 1, True)  # over for good
@example("9999-12-31", "UTC", NOW, -7, 1, True)  # after all years
@example("9999-12-29", "Pacific/Kiritimati", NOW, 0, 1, True)  # the last day of which it is known when it begins
def test_the_day_and_how_long_it_lasts(value: str, name: str, now: int, before: int, days: int, own: bool) -> None:
    where, born = zone(name), date.fromisoformat(value)
    signed = anniversary(value, where, before, days, now, own=own)
    today, until = where.begun(now), abs(signed)
    assert (signed > 0) == stands(born, today, before, days, own=own)
    if until == NEVER:
        begins = (born - EPOCH).days - before
        assert own and (begins + days <= today or begins >= LAST - 1), "it is over for good, or begins after all years"
        return
    assert until > now and until == where.midnight(where.begun(until))
    same = (today, where.begun(until - 1)) if own else range(today, where.begun(until - 1) + 1)
    assert all(stands(born, day, before, days, own=own) == (signed > 0) for day in same)


@pytest.mark.parametrize("value", [None, "soon", True, "2026-02-30", 2**62, -(2**62), [], {"x": "2026-01-01"}])
def test_what_is_no_date_is_false_for_ever(value: Any) -> None:
    assert anniversary(value, zone("UTC"), 0, 1, NOW) == -NEVER


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("value", ["9999-12-31", "9999-12-29", "9999-06-01T12:00:00Z"])
def test_what_begins_after_all_years_is_false_for_ever(value: str, name: str) -> None:
    for before in (-366, -300, -7, -1):
        signed = anniversary(value, zone(name), before, 366, NOW, own=True)
        begins = date.fromisoformat(value[:10]).toordinal() - EPOCH.toordinal() - before
        assert (signed == -NEVER) == (begins > LAST - 2), "until the last two days it is known when a day begins"
    assert anniversary("0001-01-01", zone(name), 366, 1, NOW, own=True) == -NEVER


def test_an_instant_is_of_the_day_it_has_in_his_zone_and_a_date_of_the_day_that_is_written() -> None:
    late = "2000-09-21T20:00:00Z"  # the 22nd in Tokyo
    for value, day in ((late, 22), ("2000-09-21", 21), (969_566_400_000, 22)):
        where: Zone = zone("Asia/Tokyo")
        begins = where.midnight((date(2026, 9, day) - EPOCH).days)
        assert anniversary(value, where, 0, 1, begins) > 0 > anniversary(value, where, 0, 1, begins - 1)


def test_he_enters_at_his_own_midnight_and_leaves_at_the_next() -> None:
    plan = compile_plan({"today": a.Anniversary(name="birthday", zone="Europe/Moscow")}, 1)

    def said(number: int, **attributes: Any) -> Fact:
        return Fact(
            id=f"f{number}", type="identify", brand="b", source="s", occurred_at=NOW + number, received_at=NOW + number,
            attributes=attributes,
        )  # fmt: skip

    state = decide(State(), said(0, birthday="1990-10-25"), NOW, plan).state
    moscow = [zone("Europe/Moscow").midnight((date(2026, 10, day) - EPOCH).days) for day in (25, 26)]
    assert [(c.entered, c.at, c.kind) for c in fire(state, NOW + 60 * DAY, plan).changes] == [
        (True, moscow[0], "time"),
        (False, moscow[1], "time"),
    ]
    for name, longer in (("Europe/London", 3_600_000), ("Asia/Tokyo", 0)):
        moved = decide(state, said(1, time_zone=name), NOW + 1, plan).state
        days = [zone(name).midnight((date(2026, 10, day) - EPOCH).days) for day in (25, 26)]
        assert days[1] - days[0] == DAY + longer, "in London the clocks go back on that day"
        assert [c.at for c in fire(moved, NOW + 60 * DAY, plan).changes] == days
