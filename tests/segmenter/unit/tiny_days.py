"""Time zones whose days last some milliseconds, so that midnights collide with everything else: short, long and skipped ones.

Weeks have two of these days, months three, quarters six, years twelve.
"""

from bisect import bisect_right

import pytest

from services.segmenter.domain import closures

UNITS = {"day": 1, "week": 2, "month": 3, "quarter": 6, "year": 12}
LENGTHS = {"UTC": [4], "Asia/Tokyo": [3, 5, 4, 0], "Europe/London": [6, 2, 3]}  # names that there are: the language knows no others
DAYS = 600  # from long before the first instant of a test until long after the last that any timer may reach


def midnights(name: str) -> list[int]:
    lengths, found = LENGTHS[name], [-400]
    for day in range(DAYS):
        found.append(found[-1] + lengths[day % len(lengths)])
    return found


MIDNIGHTS = {name: midnights(name) for name in LENGTHS}


class TinyZone:
    """As far as windows need it, schemas.zones.Zone."""

    def __init__(self, name: str) -> None:
        self.name, self._midnights = name, MIDNIGHTS[name]

    def period(self, unit: str, at: int) -> int:
        return (bisect_right(self._midnights, at) - 1) // UNITS[unit]

    def start(self, unit: str, period: int) -> int:
        return self._midnights[period * UNITS[unit]]


@pytest.fixture
def tiny_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closures, "zone", TinyZone)


def bounds(name: str, unit: str, back: int, now: int) -> tuple[int, int]:
    """The period that lies `back` before that of an instant, counted by hand."""
    days = UNITS[unit]
    begun = sum(begins <= now for begins in MIDNIGHTS[name]) - 1
    first = (begun // days - back) * days
    return MIDNIGHTS[name][first], MIDNIGHTS[name][first + days]
