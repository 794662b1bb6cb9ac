"""The horizon algebra: a truth and the instant until which it holds by itself, in ONE signed integer.

`+u`: true, and it stays true until u if no fact comes. `-u`: false until u. NEVER in place of u: time alone changes
nothing. At u the value may flip; waking at an instant at which it does not is harmless. With that,

    all(a, b) = min(a, b)      any(a, b) = max(a, b)      not a = -a

for all true, min is the earliest end; with a false part, min is the false part that stays false longest. Instants are
>= 0 and u is after the instant of evaluation, so u >= 1 and the sign is never lost.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from schemas.attributes import date_ms
from services.segmenter.domain.series import Series

NEVER = 1 << 62


def window_sum(series: Series, window: int, now: int, compare: Callable[[int, int], bool], bound: int) -> int:
    """The sum over (now - window, now] compared with bound:

    Walks the parts as they leave, until the comparison turns.
    """
    times, amounts = series.times, series.amounts
    start = bisect_right(times, now - window)
    total = sum(amounts[start:])
    value = compare(total, bound)
    last = len(times) - 1
    for place in range(start, last + 1):
        total -= amounts[place]
        if place < last and times[place + 1] == times[place]:
            continue
        if compare(total, bound) != value:
            return times[place] + window if value else -times[place] - window
    return NEVER if value else -NEVER


def date_window(value: Any, now: int, after: int | None, until: int | None) -> int:
    """A date value in (now + after, now + until]: it enters at value - until and leaves at value - after."""
    instant = date_ms(value)
    if instant is None:
        return -NEVER
    enters = -NEVER if until is None else instant - until
    leaves = NEVER if after is None else instant - after
    if now < enters:
        return -enters
    return leaves if now < leaves else -NEVER
