"""Which single touch before a conversion is meant: the first of a window, or the last whose channel's window reaches it. Pure."""

from collections.abc import Callable, Sequence

import numpy as np

from services.audience.domain.ways import Conversions, Flags, Line, Numbers, Touches

NONE = -1


def first(touches: Touches, conversions: Conversions, window: int, rows: Numbers | None = None) -> Numbers:
    """The row of the earliest touch in (t - window, t] of each conversion; NONE: there is none. rows: of these touches alone."""
    rows = np.arange(len(touches.n)) if rows is None else rows
    low, high = _window(touches, conversions, window, rows)
    return _taken(rows, low, high > low)


def last(touches: Touches, conversions: Conversions, window: int, rows: Numbers) -> Numbers:
    """The row of the latest of these touches in (t - window, t] of each conversion; NONE: there is none."""
    low, high = _window(touches, conversions, window, rows)
    return _taken(rows, high - 1, high > low)


def _window(touches: Touches, conversions: Conversions, window: int, rows: Numbers) -> tuple[Numbers, Numbers]:
    """Which of `rows`, low <= place < high, lie in (t - window, t] of each conversion."""
    line = Line(touches.n[rows], touches.moment[rows])
    return line.until(conversions.n, conversions.moment - window), line.until(conversions.n, conversions.moment)


def _taken(rows: Numbers, place: Numbers, there: Flags) -> Numbers:
    """The row at each place where it is there, else NONE."""
    found = np.full(len(place), NONE, dtype=np.int64)
    found[there] = rows[place[there]]
    return found


def last_click(touches: Touches, conversions: Conversions, channels: Sequence[str], window_of: Callable[[str], int]) -> Numbers:
    """The row of the latest touch whose own channel's window reaches the conversion; NONE: there is none."""
    found = np.full(len(conversions.n), NONE, dtype=np.int64)
    for number, channel in enumerate(channels):
        rows = np.flatnonzero(touches.channel == number)
        if len(rows):
            found = np.maximum(found, last(touches, conversions, window_of(channel), rows))
    return found
