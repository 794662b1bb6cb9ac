"""Groups of people beside each other: means, with and without checks that are too far from the mean. A correlation, whatever comes out. Pure."""

from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np

from services.audience.domain.summing import total
from services.audience.domain.ways import Flags, Numbers


def usual(values: Numbers) -> Fraction | None:
    """The mean of those that are not 0: with those who have nothing in it every buyer would be far from it where few buy. None: it is not above 0."""
    some = values[values != 0]
    whole = total(some)
    return Fraction(whole, len(some)) if whole > 0 else None


def kept(values: Numbers, times: int, *, below: bool) -> Flags:
    """Which values stay when those that are more than `times` the usual are left out: one pass, as the mean would fall each time. Where nothing is
    usual, all stay. below: also positive ones of less than a part in `times` of it.
    """
    middle = usual(values)
    if middle is None:
        return np.ones(len(values), dtype=np.bool_)
    # Whole numbers are not more than a fraction when they are not more than the whole number below it; products would not fit 64 bits.
    stays: Flags = values <= floor(times * middle)
    if below:
        stays &= (values <= 0) | (values >= ceil(middle / times))
    return stays


def mean(values: Numbers) -> float | None:
    return float(values.mean()) if len(values) else None


def against(value: float | None, first: float | None) -> float | None:
    """How much a value differs from the first one, as a part of that; None: there is no telling, as of an amount that is not above 0."""
    return round(value / first - 1, 6) if value is not None and first is not None and first > 0 else None


def compared(values: Numbers, group: Numbers, groups: int, times: int, *, below: bool) -> dict[str, Any]:
    """Means by group, and how much each differs from the first's where that is above 0: of everybody, and without outliers."""
    stays = kept(values, times, below=below)
    return {
        "all": _means(values, group, groups),
        "without_outliers": _means(values[stays], group[stays], groups),
        "dropped": int((~stays).sum()), "dropped_by_group": [int(((group == number) & ~stays).sum()) for number in range(groups)],
        "times_the_mean": times, "below": below,
    }  # fmt: skip


def _means(values: Numbers, group: Numbers, groups: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(groups):
        own = values[group == number]
        average = mean(own)
        first = found[0]["mean"] if found else None
        differs = against(average, first)
        found.append(
            {
                "people": len(own),
                "sum": total(own),
                "mean": None if average is None else round(average, 4),
                "against_first": differs,
            }
        )
    return found


def stratified(values: Numbers, activity: Numbers, group: Numbers, parts: int = 10) -> list[dict[str, Any]]:
    """The first two groups among people who were about as active, from the least active tenth to the most: by rank, ties together."""
    order = np.sort(activity)
    below = np.searchsorted(order, activity, side="left")
    of = below * parts // max(1, len(activity))
    found = []
    for number in range(parts):
        here = of == number
        first, second = (values[here & (group == side)] for side in (0, 1))
        low, high = mean(first), mean(second)
        found.append({
            "part": number + 1, "people": [len(first), len(second)], "means": [low, high],
            "against_first": against(high, low),
        })  # fmt: skip
    return found


def standardised(strata: list[dict[str, Any]]) -> float | None:
    """How the second group differs from the first at equal activity: both weighed by the people of both. None: no part has both,
    or the first has nothing, or less.
    """
    both = [one for one in strata if None not in one["means"]]
    low = sum(sum(one["people"]) * one["means"][0] for one in both)
    high = sum(sum(one["people"]) * one["means"][1] for one in both)
    return against(high, low)
