"""Send-time windows: parts of a person's week, as instants. Right over every change of the clocks, as schemas/zones.py is."""

from collections.abc import Sequence

from schemas.contact import WEEK, Span
from services.orchestrator.domain.zones import DAY, Zone


def opens(zone: Zone, at: int, spans: Sequence[Span], limit: int) -> int:
    """The first instant from `at` on that lies in a window; one after `limit` if there is none before."""
    for start, end, offset in zone.pieces(at):
        if start > limit:
            return start
        instant = start + _closed(start + offset, spans)
        if instant < end:
            return instant
    raise AssertionError("time does not end")  # pragma: no cover


def closes(zone: Zone, at: int, spans: Sequence[Span], limit: int) -> int:
    """The first instant from `at` on, which lies in a window, that lies in none; `limit` if none comes before it."""
    for start, end, offset in zone.pieces(at):
        if start >= limit:
            return limit
        instant = start + _open(start + offset, spans)
        if instant < min(end, limit):
            return instant
    raise AssertionError("time does not end")  # pragma: no cover


def _in_week(local: int) -> int:
    return (local + 3 * DAY) % WEEK  # 1970-01-01 was a Thursday


def _closed(local: int, spans: Sequence[Span]) -> int:
    """How long until a window is entered; 0 within one."""
    into = _in_week(local)
    if any(start <= into < end for start, end in spans):
        return 0
    return min(((start - into) % WEEK for start, _ in spans), default=WEEK)


def _open(local: int, spans: Sequence[Span]) -> int:
    """How long until the windows are left, but for those that go on over Sunday's midnight for ever; 0 outside."""
    into, length = _in_week(local), 0
    while length < WEEK and (end := next((end for start, end in spans if start <= into < end), None)) is not None:
        length += end - into
        into = end % WEEK
    return length
