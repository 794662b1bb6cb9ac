"""Visits that were bought or came, and what they cost, beside the figures of a report. They come along with the question."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from schemas.attribution import Asked, Visits
from services.audience.domain.periods import Period, day_place, days_of


def by_period(asked: Asked, spans: Sequence[Period], of: Callable[[Visits], bool]) -> list[dict[str, Any] | None]:
    """Of each period the visits and costs of the rows that are meant; None: nothing was imported for it."""
    first, last = days_of(asked.zone, asked.since, asked.until)
    found: list[dict[str, Any] | None] = [None] * len(spans)
    for row in asked.traffic:
        if not first <= row.day <= last or not of(row):
            continue
        place = day_place(spans, row.day)
        held = found[place] or {"visits": 0, "cost": {}}
        held["visits"] += row.visits
        if row.currency is not None:
            held["cost"][row.currency] = held["cost"].get(row.currency, 0) + row.cost
        found[place] = held
    return found


def totalled(parts: Iterable[dict[str, Any] | None]) -> dict[str, Any] | None:
    """All of them together; None: nothing was imported."""
    there = [part for part in parts if part is not None]
    if not there:
        return None
    cost: dict[str, int] = {}
    for part in there:
        for currency, amount in part["cost"].items():
            cost[currency] = cost.get(currency, 0) + amount
    return {"visits": sum(part["visits"] for part in there), "cost": cost}


def ratio(part: int, whole: int) -> float | None:
    """A share with enough digits for a thousandth of a percent of it; None: of nothing."""
    return round(part / whole, 9) if whole else None
