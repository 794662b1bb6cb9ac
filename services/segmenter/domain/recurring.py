"""Days that recur each year: birthdays and anniversaries, as instants of a person's time zone."""

from datetime import date
from typing import Any

from schemas.attributes import date_ms
from schemas.zones import Zone
from services.segmenter.domain.horizons import NEVER

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LAST_DAY = date.max.toordinal() - _EPOCH_DAY - 2  # of which every zone knows when it begins
_DATE_CHARS = len("2026-03-31")


def anniversary(value: Any, where: Zone, before: int, days: int, now: int, *, own: bool = False) -> int:
    """The `days` local days from `before` days ahead of the day of `value`, each year, or only in its `own`. Nothing that is a date of the
    years 1 to 9999: false, and so is for ever what begins after all of these.
    """
    day = day_of(value, where)
    if day is None:
        return -NEVER
    today = where.begun(now)
    year = date.fromordinal(today + _EPOCH_DAY).year
    coming = []
    for each in (day.year,) if own else range(year - 2, year + 4):
        begins = _day_in(day, each) - before
        if begins <= today < begins + days:
            return where.midnight(begins + days)
        if today < begins <= _LAST_DAY:
            coming.append(begins)
    return -where.midnight(min(coming)) if coming else -NEVER


def day_of(value: Any, where: Zone) -> date | None:
    """The day of a date as it is written, of an instant as it is in the zone."""
    instant = date_ms(value)
    if instant is None:
        return None
    if isinstance(value, str) and len(value) == _DATE_CHARS:
        return date.fromisoformat(value)
    return where.date(instant)


def _day_in(day: date, year: int) -> int:
    """The day of a year on which another recurs, counted from 1970-01-01."""
    leapless = (day.month, day.day) == (2, 29) and (year % 4 or (year % 100 == 0 and year % 400))
    return date(year, day.month, 28 if leapless else day.day).toordinal() - _EPOCH_DAY
