"""What was answered as flat figures, and beside each what other libraries make of the same rows. Pure, but for the file of these."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

EXPECTED = Path(__file__).with_name("expected.json")
DIGITS = 5e-7  # relative: six digits are the same

Flat = dict[str, float]


class Held(NamedTuple):
    """A figure beside what is expected of it; None: it is missing."""

    name: str
    ours: float | None
    theirs: float

    @property
    def agrees(self) -> bool:
        return self.ours is not None and math.isclose(self.ours, self.theirs, rel_tol=DIGITS, abs_tol=1e-300)


def flat(results: Mapping[str, Any], report: Mapping[str, Any]) -> Flat:
    """`visit.mens.difference`, `revenue.womens.plain.p`, `visit.gate`, `people.mens`, `report.mens.revenue` ..."""
    judged = results["judged"]
    found: Flat = {f"people.{name}": arm["people"] for name, arm in results["periods"][-1]["arms"].items()}
    found["split.p"] = judged["split"]["p"]
    for metric in judged["metrics"]:
        found |= {f"{metric['key']}.{name}": value for name, value in _metric(metric)}
    for row in report["rows"]:
        if row["sent"]["people"]:
            found |= {f"report.{row['variant']}.{name}": value for name, value in _deeds(row, "sent")}
    found |= {f"report.control.{name}": value for name, value in _deeds(report["total"]["control"]["local"], "would_have_sent")}
    return found


def _metric(metric: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield "gate", metric["gate"]
    if metric.get("outliers"):
        yield "cap", metric["outliers"]["cap"]
        yield "changed", metric["outliers"]["changed"]
    for one in metric["comparisons"]:
        yield from ((f"{one['arm']}.{name}", value) for name, value in _reading(one["reading"]))
        yield f"{one['arm']}.p_adjusted", one["p_adjusted"]
        if one.get("without_rule"):
            yield from ((f"{one['arm']}.plain.{name}", value) for name, value in _reading(one["without_rule"]))


def _reading(one: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name in ("value", "control", "difference", "lift", "p"):
        if one[name] is not None:
            yield name, one[name]
    for name, interval in (("", one["interval"]), ("lift_", one["lift_interval"])):
        for side in ("low", "high"):
            if interval is not None and interval[side] is not None:
                yield f"{name}{side}", interval[side]


def _deeds(row: Mapping[str, Any], of: str) -> Iterator[tuple[str, float]]:
    yield "people", row[of]["people"]
    yield "converted", row["converted"]["people"]
    yield "revenue", row["revenue"]["minor"]


def expected(which: str) -> Flat:
    """which: `whole` or `sample`, as `tests/experiments/letters.py` has worked them out from the file alone."""
    found: Flat = json.loads(EXPECTED.read_text(encoding="utf-8"))[which]
    return found


def held(ours: Flat, theirs: Flat) -> list[Held]:
    """Each expected figure beside ours."""
    return [Held(name, ours.get(name), value) for name, value in theirs.items()]
