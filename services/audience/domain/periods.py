"""Days, weeks, months, quarters and years of a zone as spans of instants, and which of them an instant lies in. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from schemas.zones import Unit, zone
from services.audience.domain.ways import Numbers

MOST = 5_000  # periods of one question


class Period(NamedTuple):
    """name: the local date on which it begins; since, until: ms, since <= t < until."""

    name: str
    since: int
    until: int


class TooMany(ValueError):  # noqa: N818
    """More than MOST of them."""


def periods(name: str, unit: Unit, since: int, until: int) -> list[Period]:
    """All that touch since <= t < until, whole: the first begins before `since`, where that lies within one. Raises TooMany."""
    clock = zone(name)
    first, last = clock.period(unit, since), clock.period(unit, until - 1)
    if last - first >= MOST:
        raise TooMany(f"more than {MOST} periods")
    found = []
    for number in range(first, last + 1):
        begin, end = clock.start(unit, number), clock.start(unit, number + 1)
        day = clock.date(begin)
        found.append(Period(day.isoformat() if day else "", begin, end))
    return found


def place_of(spans: Sequence[Period], moment: Numbers) -> Numbers:
    """The number of the period in which each instant lies; of one before the first: -1."""
    return (np.searchsorted(np.array([one.since for one in spans], dtype=np.int64), moment, side="right") - 1).astype(np.int64)


def days_of(name: str, since: int, until: int) -> tuple[str, str]:
    """The local dates of the first and of the last instant of since <= t < until."""
    first, last = zone(name).date(since), zone(name).date(until - 1)
    return (first.isoformat() if first else "", last.isoformat() if last else "9999-12-31")


def day_place(spans: Sequence[Period], day: str) -> int:
    """The number of the period in which a local date lies; -1: before all of them."""
    return bisect_right(spans, day, key=lambda one: one.name) - 1
