"""Which single touch before a conversion is meant: the first of a window, or the last whose channel's window reaches it. Pure."""

from collections.abc import Callable, Sequence

import numpy as np

from services.audience.domain.ways import Conversions, Line, Numbers, Touches

NONE = -1


def first(touches: Touches, conversions: Conversions, window: int, rows: Numbers | None = None) -> Numbers:
    """The row of the earliest touch in (t - window, t] of each conversion; NONE: there is none. rows: of these touches alone."""
    rows = np.arange(len(touches.n)) if rows is None else rows
    line = Line(touches.n[rows], touches.moment[rows])
    low, high = line.until(conversions.n, conversions.moment - window), line.until(conversions.n, conversions.moment)
    found = np.full(len(low), NONE, dtype=np.int64)
    has = high > low
    found[has] = rows[low[has]]
    return found


def last(touches: Touches, conversions: Conversions, window: int, rows: Numbers) -> Numbers:
    """The row of the latest of these touches in (t - window, t] of each conversion; NONE: there is none."""
    line = Line(touches.n[rows], touches.moment[rows])
    low, high = line.until(conversions.n, conversions.moment - window), line.until(conversions.n, conversions.moment)
    found = np.full(len(low), NONE, dtype=np.int64)
    has = high > low
    found[has] = rows[high[has] - 1]
    return found


def last_click(touches: Touches, conversions: Conversions, channels: Sequence[str], window_of: Callable[[str], int]) -> Numbers:
    """The row of the latest touch whose own channel's window reaches the conversion; NONE: there is none."""
    found = np.full(len(conversions.n), NONE, dtype=np.int64)
    for number, channel in enumerate(channels):
        rows = np.flatnonzero(touches.channel == number)
        if len(rows):
            found = np.maximum(found, last(touches, conversions, window_of(channel), rows))
    return found
