"""When a schedule comes next: local days and a time of them, in somebody's zone."""

import calendar
from datetime import date
from typing import NamedTuple

from schemas.contact import WEEKDAYS
from schemas.documents import clock_ms
from schemas.triggers import Schedule
from services.orchestrator.domain.zones import Zone

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_LONGEST = 40  # days from one occurrence to the next, at the most, and some


class Occurrence(NamedTuple):
    """at: the instant (ms); day: the local day, from 1970-01-01. It is the day by which one is known: the instant moves with the zone."""

    at: int
    day: int


def upcoming(schedule: Schedule, zone: Zone, after: int, last: int) -> Occurrence | None:
    """The first one later than an instant (ms), and on a later local day than the `last` that was; None: there is none any more."""
    time = clock_ms(schedule.at)
    if schedule.date is not None:
        day = date.fromisoformat(schedule.date).toordinal() - _EPOCH_DAY
        at = zone.clock(day, time)
        return Occurrence(at, day) if at > after and day > last else None
    first = max(zone.day(after), last + 1)
    for day in range(first, first + _LONGEST):
        if _is_of(schedule, day) and (at := zone.clock(day, time)) > after:
            return Occurrence(at, day)
    return None  # pragma: no cover


def _is_of(schedule: Schedule, day: int) -> bool:
    if schedule.every == "week":
        return WEEKDAYS[(day + 3) % 7] in schedule.on
    if schedule.every == "month":
        local = date.fromordinal(day + _EPOCH_DAY)
        wanted = schedule.day or 1
        return local.day == min(wanted, calendar.monthrange(local.year, local.month)[1])
    return True


def written(day: int) -> str:
    """A local day as people write it: 2026-03-31."""
    return date.fromordinal(day + _EPOCH_DAY).isoformat()
