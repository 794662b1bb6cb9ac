"""A person's day: quiet hours as instants. Local days and weeks are those of schemas/zones.py."""

from collections.abc import Collection, Sequence
from functools import lru_cache

from schemas import zones
from schemas.zones import DAY, names, week

__all__ = ["DAY", "Window", "Zone", "week", "zone"]

Window = tuple[int, int]  # quiet from, to: ms after local midnight; it may pass midnight


@lru_cache(maxsize=1024)
def zone(*wanted: str | None) -> "Zone":
    """The first of the IANA names that exists; UTC if none does."""
    return Zone(next((name for name in wanted if name and name in names()), "UTC"))


class Zone(zones.Zone):
    """Local time of one IANA zone."""

    def loud(self, at: int, windows: Sequence[Window], limit: int) -> int:
        """The first instant from `at` on that lies in no quiet window; one after `limit` if there is none before."""
        for start, end, offset in self.pieces(at):
            instant = start
            while instant < end:
                ends = [_left(instant + offset, window) for window in windows]
                if not any(ends):
                    return instant
                if instant > limit:
                    return instant
                instant += max(ends)
        raise AssertionError("time does not end")  # pragma: no cover

    def clock(self, day: int, time: int) -> int:
        """The first instant of a local day at which it is so late (ms after midnight), or later where a change of the clocks skips that."""
        return self._local(day * DAY + time, self.midnight(day))

    def next_clock(self, at: int, time: int, weekdays: Collection[int]) -> int:
        """The first instant from `at` on at which it is so late on one of these weekdays (0: Monday)."""
        day = self.day(at)
        while (day + 3) % 7 not in weekdays or (found := self.clock(day, time)) < at:
            day += 1
        return found

    def _local(self, local: int, after: int) -> int:
        """The first instant from `after` on whose local time is this or later."""
        for start, end, offset in self.pieces(after):
            instant = max(start, local - offset)
            if instant < end:
                return instant
        raise AssertionError("time does not end")  # pragma: no cover

    def quiet(self, at: int, windows: Sequence[Window], limit: int) -> int:
        """The first instant after `at`, which is loud, that lies in a quiet window; `limit` if none comes before it."""
        for start, end, offset in self.pieces(at):
            if start >= limit:
                return limit
            instant = min(start + _until(start + offset, window) for window in windows) if windows else limit
            if instant < min(end, limit):
                return instant
        raise AssertionError("time does not end")  # pragma: no cover


def _left(local: int, window: Window) -> int:
    """How long the window still lasts at a local time; 0 outside."""
    length, into = (window[1] - window[0]) % DAY, (local - window[0]) % DAY
    return length - into if into < length else 0


def _until(local: int, window: Window) -> int:
    """How long until the window is entered or, within it, 0. An empty window is never entered."""
    if window[0] == window[1]:
        return 400 * DAY
    return 0 if _left(local, window) else (window[0] - local) % DAY
