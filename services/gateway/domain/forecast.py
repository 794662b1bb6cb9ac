"""What an improvement of each stage is worth: pessimistic, expected, optimistic, and what came of it. Pure.

gain of a stage = entrants there x reachable x conversion x effect x conversions of later stages x what a customer brings. In such a chain
each stage with the same reach and relative effect gains the same: what differs is how far it can be moved.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.forecast import CHURN, Churn, Effect, Forecast, Result, Scenario, Seen, Stage

MOST_MONTHS = 12_000  # of a payback: what takes a thousand years pays nothing back
OF_80_PERCENT = 1.2815515655446004  # quantile 0.9 of the normal distribution
SCENARIOS: Mapping[Scenario, str] = {"pessimistic": "low", "expected": "expected", "optimistic": "high"}


def forecast(asked: Forecast) -> dict[str, Any]:
    """Amounts are whole minor units of `currency`, over all the months."""
    rows, arriving = [], float(asked.entrants) * asked.months
    for place, stage in enumerate(asked.stages):
        rows.append(_stage(asked, stage, arriving, math.prod(one.conversion for one in asked.stages[place + 1 :])))
        arriving *= stage.conversion
    if asked.churn is not None:
        rows.append(_churn(asked, asked.churn))
    results = {one.stage: one for one in asked.result}
    spend = asked.spend * asked.months
    brings = _customer(asked)
    return {
        "currency": asked.currency, "months": asked.months,
        "now": {"entrants": asked.entrants * asked.months, "customers": round(arriving, 2), "spend": spend,
                "per_customer": {"spend": round(spend / arriving) if arriving else None, "brings": round(brings)},
                "revenue": round(arriving * asked.check * (1 + asked.repeat)), "contribution": round(arriving * brings) - spend},
        "stages": [{**row, "result": _against(row, results.get(row["stage"]))} for row in rows],
        "total": {name: sum(row["net"][name] for row in rows) for name in SCENARIOS},
        "ranking": [row["stage"] for row in sorted(rows, key=lambda row: -row["net"]["expected"]) if row["effect"] is not None],
        "note": "Stages are moved one at a time: together they multiply, and `total` leaves that out.",
    }  # fmt: skip


def _customer(asked: Forecast) -> float:
    """What one who pays brings, first payment and those that follow."""
    return asked.check * asked.margin * (1 + asked.repeat)


def _stage(asked: Forecast, stage: Stage, arriving: float, later: float) -> dict[str, Any]:
    effect = stage.effect if stage.effect is not None else shrunk(stage.seen)
    base = arriving * stage.reachable * stage.conversion * later
    cost = arriving * stage.reachable * stage.message if effect is not None else 0.0
    customers = _each(effect, lambda moved: base * moved)
    gain = {name: count * _customer(asked) for name, count in customers.items()}
    return {"stage": stage.name, "arriving": round(arriving, 2), "reached": round(arriving * stage.reachable, 2),
            "customers": {name: round(count, 2) for name, count in customers.items()},
            **_money(asked, effect, gain, cost, stage.setup)}  # fmt: skip


def _churn(asked: Forecast, churn: Churn) -> dict[str, Any]:
    """Of those who leave, some stay and pay on. Counted are the months that are asked for, as the costs are: what they bring later is beyond
    them, and only `lifetime_value` (of one customer as things are, over his life of 1 / rate months) looks further.
    """
    reached, worth = churn.customers * churn.reachable, churn.arpu * asked.margin
    before = _paid(churn.rate, asked.months)
    gain = _each(churn.effect, lambda moved: reached * worth * (_paid(churn.rate * (1 - moved), asked.months) - before))
    cost = reached * churn.message * asked.months
    return {"stage": CHURN, "arriving": churn.customers, "reached": round(reached, 2), "lifetime_value": round(worth / churn.rate),
            **_money(asked, churn.effect, gain, cost, churn.setup)}  # fmt: skip


def _paid(rate: float, months: int) -> float:
    """How many of so many months a customer pays for, on average, the first one surely: 1 + (1 - rate) + (1 - rate)^2 + ..."""
    if rate >= 1:
        return 1.0
    return -math.expm1(months * math.log1p(-rate)) / rate


def _each(effect: Effect | None, what: Any) -> dict[str, float]:
    return {name: 0.0 if effect is None else what(getattr(effect, field)) for name, field in SCENARIOS.items()}


def _money(asked: Forecast, effect: Effect | None, gain: Mapping[str, float], cost: float, setup: int) -> dict[str, Any]:
    """payback: months until the gain has paid what it took once, as if each month brought the same; None: it never does."""
    whole = {name: round(one) for name, one in gain.items()}
    running = {name: (one - cost) / asked.months for name, one in gain.items()}
    return {
        "effect": None if effect is None else effect.model_dump(), "gain": whole, "cost": round(cost), "setup": setup,
        "net": {name: one - round(cost) - setup for name, one in whole.items()},
        "payback_months": {name: _payback(setup, one) if effect is not None else None for name, one in running.items()},
    }  # fmt: skip


def _payback(setup: int, a_month: float) -> float | None:
    return round(setup / a_month, 2) if a_month > 0 and setup <= a_month * MOST_MONTHS else None


def _against(row: Mapping[str, Any], result: Result | None) -> dict[str, Any] | None:
    """Where what came lies: between the pessimistic and the optimistic gain, or beyond them."""
    if result is None:
        return None
    low, expected, high = (row["gain"][name] for name in SCENARIOS)
    where = "below" if result.gain < low else "above" if result.gain > high else "within"
    return {"gain": result.gain, "reading": where, "of_expected": round(result.gain / expected, 4) if expected else None}


def shrunk(seen: Sequence[Seen]) -> Effect | None:
    """The effect that past tests let one expect, each by its certainty, and between what it lies in 80 of 100 cases; None: nothing was seen."""
    if not seen:
        return None
    weights = [1 / one.error**2 for one in seen]
    middle = sum(weight * one.effect for weight, one in zip(weights, seen, strict=True)) / sum(weights)
    # Tests differ more than their own errors say: what they scatter beyond is part of the doubt.
    scatter = sum(weight * (one.effect - middle) ** 2 for weight, one in zip(weights, seen, strict=True))
    factor = max(1.0, scatter / max(1, len(seen) - 1))
    half = OF_80_PERCENT * math.sqrt(factor / sum(weights))
    bounded = [max(-0.999, min(10.0, one)) for one in (middle - half, middle, middle + half)]
    return Effect(low=bounded[0], expected=bounded[1], high=bounded[2])
