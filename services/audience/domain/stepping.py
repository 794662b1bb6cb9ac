"""An ordered funnel: how far each person came, once, from the first time that he entered. Pure."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from services.audience.domain.ways import Line, Numbers

NEVER = -1
Steps = Sequence[tuple[Numbers, Numbers]]  # (n, moment) of each step's facts, in that order


def entered(n: Numbers, moment: Numbers, since: int, until: int) -> Numbers:
    """The row of each person's first fact with since <= moment < until. Rows are in the order of person and time."""
    rows = np.flatnonzero((moment >= since) & (moment < until))
    return rows[np.unique(n[rows], return_index=True)[1]] if len(rows) else rows


def walked(n: Numbers, at: Numbers, steps: Steps, window: int) -> list[Numbers]:
    """When each of these people took each further step: the first time after the step before, at most `window` after he entered at `at`;
    NEVER: he did not. The earliest is always the best: whoever can go on from a later one can from it.
    """
    found, previous = [], at
    for of, moments in steps:
        line = Line(of, moments)
        row = line.until(n, np.maximum(previous, 0))
        there = (row < len(of)) & (previous != NEVER)
        row = np.where(there, row, 0)
        if len(of):
            there &= (of[row] == n) & (moments[row] <= at + window)
            taken = np.where(there, moments[row], NEVER)
        else:
            taken = np.full(len(n), NEVER, dtype=np.int64)
        found.append(taken)
        previous = taken
    return found


def quartiles(values: Numbers) -> dict[str, Any] | None:
    """Of whole ms, by linear interpolation; None: of nothing."""
    if not len(values):
        return None
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {"q1": round(float(low)), "median": round(float(middle)), "q3": round(float(high))}


def reading(now: float | None, before: float | None) -> dict[str, Any] | None:
    """How a share stands against that of the period before it; None: one of them is not known."""
    if now is None or before is None or before == 0:
        return None
    change = now / before - 1
    return {"change": round(change, 6), "reading": "fall" if change < 0 else "rise" if change > 0 else "same"}
