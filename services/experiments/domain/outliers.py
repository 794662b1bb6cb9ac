"""What is done about single values that would decide alone: one rule over all arms together, fixed before they are compared."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

TIMES = 10


class Ruled(NamedTuple):
    """arms: the values by the rule; cap: in their unit; floor: of the lower side, where it was asked for; changed: how many were cut or left out."""

    arms: Mapping[str, Sequence[float]]
    cap: float
    floor: float | None
    changed: int


def winsorized(arms: Mapping[str, Sequence[float]], quantile: float = 0.999, cap: float | None = None) -> Ruled:
    """Values above the cap count as the cap. Without one it is this quantile of all values that are not 0, of the arms together."""
    if cap is None:
        above = sorted(value for values in arms.values() for value in values if value)
        cap = _quantile(above, quantile) if above else 0.0
    cut = {name: [min(value, cap) for value in values] for name, values in arms.items()}
    return Ruled(cut, cap, None, sum(value > cap for values in arms.values() for value in values))


def _quantile(ordered: Sequence[float], at: float) -> float:
    """Between the two nearest, linearly."""
    place = at * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def ten_times(arms: Mapping[str, Sequence[float]], *, lower: bool = False) -> Ruled:
    """Who has more than ten times the mean is left out, once; lower: who has less than a tenth of it as well.

    The mean is that of all who have anything, over all arms: a mean that counts those with nothing would leave out every buyer where one
    in a hundred buys. Who has nothing stays.
    """
    some = [value for values in arms.values() for value in values if value]
    mean = sum(some) / len(some) if some else 0.0
    cap, floor = TIMES * mean, mean / TIMES if lower else None

    def stays(value: float) -> bool:
        return not value or (value <= cap and (floor is None or value >= floor))

    kept = {name: [value for value in values if stays(value)] for name, values in arms.items()}
    return Ruled(kept, cap, floor, sum(map(len, arms.values())) - sum(map(len, kept.values())))
