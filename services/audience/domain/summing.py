"""Sums of amounts that stay whole: in 64 bits where all of them fit, else in integers of any length. Pure."""

from typing import Any

import numpy as np

from services.audience.domain.ways import Numbers

EXACT = 2**62  # below this no sum of 64 bits goes round


def fits(amounts: Numbers) -> bool:
    """Whether no sum of some of these can leave 64 bits."""
    return not len(amounts) or max(abs(int(amounts.min())), abs(int(amounts.max()))) * len(amounts) < EXACT


def total(amounts: Numbers) -> int:
    return int(_wide(amounts).sum())


def by_place(amounts: Numbers, place: Numbers, size: int) -> Numbers:
    """The sum of each of `size` places; place: of each amount."""
    wide = _wide(amounts)
    found = np.zeros(size, dtype=wide.dtype)
    np.add.at(found, place, wide)
    return found


def _wide(amounts: Numbers) -> Any:
    return amounts if fits(amounts) else amounts.astype(object)
