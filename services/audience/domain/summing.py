"""Sums of amounts that stay whole: in 64 bits where all of them fit, else in integers of any length. Pure."""

from typing import Any

import numpy as np

from services.audience.domain.ways import Numbers

EXACT = 2**62  # below this no sum of 64 bits goes round


def fits(amounts: Numbers, times: int = 1) -> bool:
    """Whether no sum of some of these, `times` each, can leave 64 bits."""
    return not len(amounts) or _most(amounts) * times * len(amounts) < EXACT


def total(amounts: Numbers) -> int:
    return int(_wide(amounts).sum())


def products(one: Numbers, other: Numbers) -> int:
    """The sum of each of one times that of the other."""
    kind = np.int64 if len(one) and fits(one, max(1, _most(other))) and fits(other) else object
    return int((one.astype(kind) * other.astype(kind)).sum())


def by_place(amounts: Numbers, place: Numbers, size: int) -> Numbers:
    """The sum of each of `size` places; place: of each amount."""
    wide = _wide(amounts)
    found = np.zeros(size, dtype=wide.dtype)
    np.add.at(found, place, wide)
    return found


def _wide(amounts: Numbers) -> Any:
    return amounts.astype(np.int64, copy=False) if fits(amounts) else amounts.astype(object)


def _most(amounts: Numbers) -> int:
    return max(abs(int(amounts.min())), abs(int(amounts.max())))
