"""A person's day: local days, weeks and quiet hours as instants, right over every change of the clocks.

A time zone is a list of pieces of constant offset. Within a piece, local time is the instant plus the offset, so all that follows is
whole numbers (ms). Local days count from 1970-01-01; a local instant that a change skips or repeats needs no rule of its own.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

DAY = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

Window = tuple[int, int]  # quiet from, to: ms after local midnight; it may pass midnight


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1024)
def zone(*names: str | None) -> "Zone":
    """The first of the IANA names that exists; UTC if none does."""
    return Zone(next((name for name in names if name and name in _names()), "UTC"))


class Zone:
    """Local time of one IANA zone."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._info = ZoneInfo(name)
        self._days: dict[int, tuple[tuple[int, int], ...]] = {}

    def day(self, at: int) -> int:
        """The local day of an instant."""
        _, _, offset = next(self._pieces(at))
        return (at + offset) // DAY

    def start_of(self, day: int, at: int) -> int:
        """The first instant from `at` on whose local day is `day` or later."""
        for start, end, offset in self._pieces(at):
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

    def loud(self, at: int, windows: Sequence[Window], limit: int) -> int:
        """The first instant from `at` on that lies in no quiet window; one after `limit` if there is none before."""
        for start, end, offset in self._pieces(at):
            instant = start
            while instant < end:
                ends = [_left(instant + offset, window) for window in windows]
                if not any(ends):
                    return instant
                if instant > limit:
                    return instant
                instant += max(ends)
        raise AssertionError("time does not end")  # pragma: no cover

    def quiet(self, at: int, windows: Sequence[Window], limit: int) -> int:
        """The first instant after `at`, which is loud, that lies in a quiet window; `limit` if none comes before it."""
        for start, end, offset in self._pieces(at):
            if start >= limit:
                return limit
            instant = min(start + _until(start + offset, window) for window in windows) if windows else limit
            if instant < min(end, limit):
                return instant
        raise AssertionError("time does not end")  # pragma: no cover

    def _pieces(self, at: int) -> Iterator[tuple[int, int, int]]:
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
        self._days[day] = found
        return found

    def _offset(self, at: int) -> int:
        offset = (_EPOCH + timedelta(milliseconds=at)).astimezone(self._info).utcoffset()
        return (offset or timedelta(0)) // _MS


def week(day: int) -> int:
    """The number of the ISO week of a local day: weeks begin on Monday, and 1970-01-01 was a Thursday."""
    return (day + 3) // 7


def _left(local: int, window: Window) -> int:
    """How long the window still lasts at a local time; 0 outside."""
    length, into = (window[1] - window[0]) % DAY, (local - window[0]) % DAY
    return length - into if into < length else 0


def _until(local: int, window: Window) -> int:
    """How long until the window is entered or, within it, 0. An empty window is never entered."""
    if window[0] == window[1]:
        return 400 * DAY
    return 0 if _left(local, window) else (window[0] - local) % DAY
