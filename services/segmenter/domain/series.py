"""What one accumulator holds of one person: totals since ever, and as many instants as the plan can still ask about.

Why dropping is exact: a person's evaluation instant never goes back and facts are never taken away. So an instant
that has left the longest window never counts again, and a count of at most k never looks past the k latest instants,
in whatever order they came.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Literal

import msgspec

# What is gathered of a fact's properties beside "what the summed path says": mean, means: the sum and the number of the integers there,
# zeros too. newest, each: the values there, with the latest instant of each or with all of them.
Gathers = Literal["", "mean", "means", "newest", "each"]
VALUES = frozenset({"newest", "each"})

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
EXACT_PARTS = 256  # a sum keeps its newest half of this many parts to the ms at least, older ones to the minute
MINUTE_PARTS = 2048  # a sum with more parts than this has its older half rounded to the hour, and to the day if that is not enough
KEPT_VALUES = 1001  # of distinct values the newest: one more than a condition can ask for


class Series(msgspec.Struct, array_like=True, gc=False):
    """count, total, first, last: since ever. times: sorted instants in ms; amounts: their parts of a sum, or the numbers of their values
    where distinct values are kept; else empty.
    """

    count: int = 0
    total: int = 0
    first: int = 0
    last: int = 0
    times: list[int] = []
    amounts: list[int] = []


NOTHING = Series()


def added(series: Series, at: int, amount: int, rank: int, window: int, now: int) -> Series:
    """The series with one more event. rank, window: what the plan asks of it; amount: counts in sums only."""
    held = series.count > 0
    times, amounts = series.times, series.amounts
    if rank:
        if len(times) < rank or at > times[0]:
            times = times.copy()
            times.insert(bisect_right(times, at), at)
            if len(times) > rank:
                del times[0]
    elif window and at > now - window:
        place = bisect_right(times, at)
        times, amounts = times.copy(), amounts.copy()
        times.insert(place, at)
        amounts.insert(place, amount)
        times, amounts = trimmed(times, amounts, now - window)
    return Series(
        series.count + 1,
        series.total + amount,
        at if not held or at < series.first else series.first,
        at if not held or at > series.last else series.last,
        times,
        amounts,
    )


def noted(series: Series, at: int, values: Iterable[int], window: int, now: int, *, each: bool) -> Series:
    """The series of distinct values with one more event, which had these. each: keep every instant of a value, else its latest."""
    held = series.count > 0
    times, amounts = series.times, series.amounts
    if at > now - window:
        pairs = [*zip(times, amounts, strict=True), *((at, value) for value in values)]
        times, amounts = told_apart(pairs, now - window, each=each)
    first = at if not held or at < series.first else series.first
    last = at if not held or at > series.last else series.last
    return Series(series.count + 1, 0, first, last, times, amounts)


def told_apart(pairs: Iterable[tuple[int, int]], gone: int, *, each: bool) -> tuple[list[int], list[int]]:
    """Of (instant, value) after `gone` the newest, each once."""
    kept = sorted({pair for pair in pairs if pair[0] > gone})
    if not each:
        latest = {value: at for at, value in kept}
        kept = sorted((at, value) for value, at in latest.items())
    del kept[:-KEPT_VALUES]
    return [at for at, _ in kept], [value for _, value in kept]


def merged(one: Series, other: Series, rank: int, window: int, now: int, gathers: Gathers = "") -> Series:
    """Both people's events as one person's. Facts are de-duplicated before, so nothing stands in both."""
    if not one.count or not other.count:
        return fitted(one if one.count else other, rank, window, now, gathers)
    union = Series(
        one.count + other.count,
        one.total + other.total,
        min(one.first, other.first),
        max(one.last, other.last),
        sorted([*one.times, *other.times]),
    )
    if one.amounts or other.amounts:
        parts = sorted([*zip(one.times, one.amounts, strict=True), *zip(other.times, other.amounts, strict=True)])
        union.amounts = [amount for _, amount in parts]
    return fitted(union, rank, window, now, gathers)


def fitted(series: Series, rank: int, window: int, now: int, gathers: Gathers = "") -> Series:
    """The series cut down to what the plan asks of it."""
    times, amounts = series.times, series.amounts
    if gathers in VALUES:
        times, amounts = told_apart(zip(times, amounts, strict=True), now - window, each=gathers == "each")
    elif rank:
        times, amounts = times[-rank:], []
    elif window:
        times, amounts = trimmed(times.copy(), amounts.copy(), now - window)
    else:
        times, amounts = [], []
    return Series(series.count, series.total, series.first, series.last, times, amounts)


def trimmed(times: list[int], amounts: list[int], gone: int) -> tuple[list[int], list[int]]:
    """Parts of a sum after `gone`, older ones gathered when there are many.

    Changes and gives back the lists it was given.
    """
    passed = bisect_right(times, gone)
    if passed:
        del times[:passed], amounts[:passed]
    if len(times) > EXACT_PARTS:
        _gather(times, amounts, len(times) - EXACT_PARTS // 2, MINUTE_MS)
        if len(times) > MINUTE_PARTS:
            _gather(times, amounts, len(times) // 2, HOUR_MS)
            if len(times) > MINUTE_PARTS:
                _gather(times, amounts, len(times) // 2, DAY_MS)
    return times, amounts


def _gather(times: list[int], amounts: list[int], upto: int, grain: int) -> None:
    """Round the oldest `upto` instants down to the grain and add up what falls together.

    They leave up to a grain early.
    """
    sums: dict[int, int] = {}
    for at, amount in zip(times[:upto], amounts[:upto], strict=True):
        floor = at - at % grain
        sums[floor] = sums.get(floor, 0) + amount
    times[:upto] = sums
    amounts[:upto] = sums.values()
