"""Days, weeks, months, quarters and years of a time zone as instants, right over every change of the clocks.

A time zone is a list of pieces of constant offset. Within a piece, local time is the instant plus the offset, so all that follows is
whole numbers (ms). Local days count from 1970-01-01; a local instant that a change skips or repeats needs no rule of its own.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

DAY = 86_400_000
T = TypeVar("T")
Unit = Literal["day", "week", "month", "quarter", "year"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MS = timedelta(milliseconds=1)
_MOST_DAYS = 4096  # that a zone remembers: dates that people have, or say, may lie anywhere
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """The IANA names that there are."""
    return frozenset(available_timezones())


class Zone:
    """Local time of one IANA zone."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._info = ZoneInfo(name)
        self._days: dict[int, tuple[tuple[int, int], ...]] = {}
        self._starts: dict[int, int] = {}

    def day(self, at: int) -> int:
        """The local day of an instant."""
        _, _, offset = next(self.pieces(at))
        return (at + offset) // DAY

    def start_of(self, day: int, at: int) -> int:
        """The first instant from `at` on whose local day is `day` or later."""
        for start, end, offset in self.pieces(at):
            instant = max(start, day * DAY - offset)
            if instant < end:
                return instant
        raise AssertionError("time does not end")  # pragma: no cover

    def next_day(self, at: int) -> int:
        """The first instant of the local day after that of `at`."""
        return self.start_of(self.day(at) + 1, at)

    def next_week(self, at: int) -> int:
        """The first instant of the next ISO week (Monday)."""
        return self.start_of(7 * (week(self.day(at)) + 1) - 3, at)

    def midnight(self, day: int) -> int:
        """The first instant ever of a local day. One that a change of the clocks skips begins and ends in the same instant; an hour that
        one repeats after midnight belongs to the day that had begun.
        """
        found = self._starts.get(day)
        if found is None:
            found = _kept(self._starts)[day] = self.start_of(day, (day - 1) * DAY)
        return found

    def begun(self, at: int) -> int:
        """The last local day whose midnight is not after `at`."""
        day = self.day(at)
        return day + 1 if self.midnight(day + 1) <= at else day

    def date(self, at: int) -> date | None:
        """The local date of an instant; None beyond the years 1 to 9999."""
        try:
            return (_EPOCH + timedelta(milliseconds=at)).astimezone(self._info).date()
        except OverflowError:
            return None

    def period(self, unit: Unit, at: int) -> int:
        """The number of the day, ISO week, month, quarter or year in which an instant lies: they count on by one."""
        day = self.begun(at)
        if unit == "day":
            return day
        if unit == "week":
            return week(day)
        local = date.fromordinal(day + _EPOCH_DAY)
        return (local.year * 12 + local.month - 1) // _MONTHS[unit]

    def start(self, unit: Unit, period: int) -> int:
        """The instant (ms) at which a period begins."""
        if unit == "day":
            return self.midnight(period)
        if unit == "week":
            return self.midnight(7 * period - 3)
        year, month = divmod(period * _MONTHS[unit], 12)
        return self.midnight(date(year, month + 1, 1).toordinal() - _EPOCH_DAY)

    def pieces(self, at: int) -> Iterator[tuple[int, int, int]]:
        """(from, to, offset) one after the other, the first from `at` on."""
        day = at // DAY
        while True:
            pieces = self._days.get(day) or self._learn(day)
            for place, (start, offset) in enumerate(pieces):
                end = pieces[place + 1][0] if place + 1 < len(pieces) else (day + 1) * DAY
                if end > at:
                    yield max(start, at), end, offset
            day += 1

    def _learn(self, day: int) -> tuple[tuple[int, int], ...]:
        """The pieces of a UTC day: clocks change at most once in it."""
        start, end = day * DAY, (day + 1) * DAY
        before, after = self._offset(start), self._offset(end - 1)
        found: tuple[tuple[int, int], ...] = ((start, before),)
        if before != after:
            low, high = start, end - 1
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self._offset(middle) == before else (low, middle)
            found = ((start, before), (high, after))
        _kept(self._days)[day] = found
        return found

    def _offset(self, at: int) -> int:
        offset = (_EPOCH + timedelta(milliseconds=at)).astimezone(self._info).utcoffset()
        return (offset or timedelta(0)) // _MS


def _kept(days: dict[int, T]) -> dict[int, T]:
    """What is remembered by day, with room for one more: emptied when it is full, as most of what is asked lies near now."""
    if len(days) >= _MOST_DAYS:
        days.clear()
    return days


@lru_cache(maxsize=1024)
def zone(name: str) -> Zone:
    """The zone of an IANA name that there is."""
    return Zone(name)


def week(day: int) -> int:
    """The number of the ISO week of a local day: weeks begin on Monday, and 1970-01-01 was a Thursday."""
    return (day + 3) // 7
