"""What an experiment is judged by: sums for each arm and measure, exact in whole numbers. Nothing is judged here."""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.reports import Exposures, Measure, Target
from schemas.zones import zone
from services.audience.domain.comparing import usual
from services.audience.domain.summing import products, total
from services.audience.handler.answering import Refused
from services.audience.reports import exposures
from services.audience.reports.attribution import Figures
from services.audience.reports.target import MixedCurrencies, currency_of, hits
from services.audience.reports.touches import among
from services.audience.store.answers import View

Numbers = NDArray[Any]
UNITS = "SELECT n, moment, arm, version, contaminated, merged FROM unit ORDER BY n"
AFTER = "h.moment > u.moment AND h.moment <= u.moment + {window}"
BEFORE = "h.moment >= u.moment - {window} AND h.moment < u.moment"
FOLDED = "SELECT u.n, count(*) AS deeds, coalesce(sum(h.amount), 0)::VARCHAR AS amount FROM unit u JOIN hit h ON h.n = u.n WHERE {when} GROUP BY u.n"


class People:
    """The units of one experiment as arrays, by their numbers."""

    def __init__(self, rows: list[tuple[Any, ...]], asked: Exposures) -> None:
        columns = list(zip(*rows, strict=True)) or [()] * 6
        self.n, self.moment = np.array(columns[0], dtype=np.int64), np.array(columns[1], dtype=np.int64)
        self.arm = np.array(columns[2], dtype=object)
        self.period = self._periods(columns[3], asked)
        self.contaminated, self.merged = np.array(columns[4], dtype=bool), np.array(columns[5], dtype=bool)

    def _periods(self, versions: Sequence[int], asked: Exposures) -> Numbers:
        """-1: of none that is known."""
        if asked.spans:
            begins, of = np.array(asked.spans, dtype=np.int64).T
            place = np.searchsorted(begins, self.moment, side="right") - 1
            return np.where(place < 0, -1, of[place])
        return np.array([0 if asked.versions is None else asked.versions.get(one, -1) for one in versions], dtype=np.int64)


def results(view: View, asked: Exposures) -> tuple[dict[str, Any], Figures]:
    """The answer, as JSON values: for each period and arm how many people, and the sums of each measure; and its figures' people. Raises Refused."""
    exposures.gather(view, asked)
    people = People(view.instant.duck.execute(UNITS).fetchall(), asked)
    measured = {one.key: _measured(view, asked, one, people, place) for place, one in enumerate(asked.measures)}
    found = sorted(set(people.period.tolist()))
    told = {"people": len(people.n), "periods": [_period(view, asked, people, measured, one) for one in found]}
    return told, _figures(asked, people, measured, found)


def _figures(asked: Exposures, people: People, measured: Mapping[str, "Values"], periods: Sequence[int]) -> Figures:
    """`people`; of each period and arm `<period>.<arm>.people`, `.contaminated`, `.merged`, and of each conversion `.did.<measure>`."""
    did = {f"did.{one.key}": measured[one.key].y > 0 for one in asked.measures if one.kind == "conversion"}
    of = {"people": np.ones(len(people.n), dtype=bool), "contaminated": people.contaminated, "merged": people.merged, **did}
    found: dict[str, Callable[[], Numbers]] = {"people": lambda: people.n}
    for period, arm in product(periods, asked.arms):
        for name, holds in of.items():
            found[f"{period}.{arm}.{name}"] = lambda period=period, arm=arm, holds=holds: people.n[  # type: ignore[misc]
                (people.period == period) & (people.arm == arm) & holds
            ]
    return found


def reached(moments: Numbers, marks: Sequence[int]) -> list[int | None]:
    """When there were so many; None: there are fewer."""
    rising = np.sort(moments)
    return [int(rising[mark - 1]) if 0 < mark <= len(rising) else None for mark in marks]


class Values:
    """Of each unit what a measure says: y, of a ratio also what it is divided by (d), and y before exposure (x)."""

    def __init__(self, y: Numbers, d: Numbers | None, x: Numbers | None, currency: str | None) -> None:
        self.y, self.d, self.x, self.currency = y, d, x, currency


def _measured(view: View, asked: Exposures, measure: Measure, people: People, place: int) -> Values:
    counts, where = measure.kind == "conversion", among(asked.brands)
    before = asked.pre_period if measure.kind == "mean" else None  # CUPED is of means alone
    y, x, currency = _values(view, measure.target, people, before, f"measures.{place}.target", where, counts=counts)
    over = measure.over
    d = None if over is None else _values(view, over, people, None, f"measures.{place}.over", where, counts=False)[0]
    return Values(y, d, x, currency)


def _values(
    view: View, target: Target, people: People, before: int | None, path: str, where: str, *, counts: bool
) -> tuple[Numbers, Numbers | None, str | None]:
    """(of each unit in the window after exposure, of the period before it, currency). where: of which facts."""
    duck = view.instant.duck
    least, most = (int(people.moment.min()), int(people.moment.max())) if len(people.n) else (0, -1)
    found = hits(view.leaves, target, least - (before or 0) - 1, most + target.window, where=where)
    duck.execute(f"CREATE OR REPLACE TEMP TABLE hit AS SELECT * FROM ({found}) WHERE n IN (SELECT n FROM unit)")
    valued = target.value is not None and not counts
    inside = (
        AFTER.format(window=target.window)
        if before is None
        else f"({AFTER.format(window=target.window)} OR {BEFORE.format(window=before)})"
    )
    try:
        currency = currency_of(duck, f"SELECT h.* FROM unit u JOIN hit h ON h.n = u.n WHERE {inside}") if valued else None
    except MixedCurrencies as error:
        raise Refused([error.fault(path)]) from error
    after = _by_unit(duck, AFTER.format(window=target.window), people, valued=valued, once=counts)
    past = None if before is None else _by_unit(duck, BEFORE.format(window=before), people, valued=valued, once=False)
    return after, past, currency


def _by_unit(duck: Any, when: str, people: People, *, valued: bool, once: bool) -> Numbers:
    """How often, or how much, of each unit; once: whether at all."""
    values = np.zeros(len(people.n), dtype=object)
    for n, deeds, amount in duck.execute(FOLDED.format(when=when)).fetchall():
        place = int(np.searchsorted(people.n, n))
        values[place] = int(amount) if valued else 1 if once else int(deeds)
    return values


def _period(view: View, asked: Exposures, people: People, measured: Mapping[str, Values], period: int) -> dict[str, Any]:
    inside = people.period == period
    arms = {arm: inside & (people.arm == arm) for arm in asked.arms}
    told: dict[str, dict[str, Any]] = {
        arm: {
            "people": int(of.sum()),
            "contaminated": int((of & people.contaminated).sum()),
            "merged": int((of & people.merged).sum()),
            "measures": {},
        }
        for arm, of in arms.items()
    }
    cuts: dict[str, Any] = {}
    for measure in asked.measures:
        values = measured[measure.key]
        y, kept, cut = trimmed(values.y, inside, asked) if measure.kind == "mean" else (values.y, inside, None)
        if cut is not None:
            cuts[measure.key] = cut
        late = people.moment > view.now - measure.target.window
        for arm, of in arms.items():
            sums = {"all": sums_of(values.y[of], _of(values.d, of), _of(values.x, of))}
            if cut is not None:
                sums["trimmed"] = sums_of(y[of & kept], None, _of(values.x, of & kept))
            told[arm]["measures"][measure.key] = {**sums, "currency": values.currency, "immature": int((of & late).sum())}
    told_of = {"period": period, "arms": told, "outliers": cuts, "days": list(_days(asked, people, arms))}
    return {**told_of, "reached": reached(people.moment[inside], asked.marks)}


def _of(values: Numbers | None, which: Numbers) -> Numbers | None:
    return None if values is None else values[which]


def trimmed(y: Numbers, inside: Numbers, asked: Exposures) -> tuple[Numbers, Numbers, dict[str, Any] | None]:
    """(values with the rule for outliers, who is kept, what it did), found over all arms together. Whole numbers stay whole: a cap is rounded
    down.
    """
    ours = y[inside]
    if asked.outliers == "none" or not len(ours):
        return y, inside, None
    if asked.outliers == "mean":
        middle = usual(ours)
        most = None if middle is None else floor(Fraction(round(asked.at * 1000), 1000) * middle)
        far = np.zeros(len(y), dtype=np.bool_) if most is None else y > most
        return y, inside & ~far, {"rule": "mean", "at": asked.at, "cap": most, "changed": int((inside & far).sum())}
    cap = int(asked.at) if asked.outliers == "cap" else quantile([int(one) for one in ours if one > 0], asked.at)
    if cap is None:
        return y, inside, {"rule": asked.outliers, "at": asked.at, "cap": None, "changed": 0}
    capped = np.array([min(int(value), cap) for value in y], dtype=object)
    return capped, inside, {"rule": asked.outliers, "at": asked.at, "cap": cap, "changed": int((inside & (y > cap)).sum())}


def quantile(values: list[int], place: float) -> int | None:
    """The smallest value that is not below this part of them."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, -(-round(place * 1_000_000) * len(ordered) // 1_000_000) - 1)]


def sums_of(y: Numbers, d: Numbers | None = None, x: Numbers | None = None) -> dict[str, int]:
    """n, sum and sum of squares of y; of a ratio also of d, and the sum of y times d; with a period before also of x, and of x times y (and d)."""
    columns = {"y": y, **({} if d is None else {"d": d}), **({} if x is None else {"x": x})}
    told = {"n": len(y)}
    names = list(columns)
    for place, one in enumerate(names):
        told[f"sum_{one}"] = total(columns[one])
        for other in names[place:]:
            told[f"sum_{one}{other}"] = products(columns[one], columns[other])
    return told


def _days(asked: Exposures, people: People, arms: Mapping[str, Numbers]) -> Iterator[dict[str, Any]]:
    """How many were exposed first on each local day, for the check of shares by day."""
    clock = zone(asked.zone)
    counts: dict[int, dict[str, int]] = {}
    for arm, of in arms.items():
        moments = np.sort(people.moment[of])
        place = 0
        while place < len(moments):
            day = clock.begun(int(moments[place]))
            upto = int(np.searchsorted(moments, clock.midnight(day + 1)))
            counts.setdefault(day, dict.fromkeys(arms, 0))[arm] += upto - place
            place = max(upto, place + 1)
    for day in sorted(counts):
        yield {"day": str(clock.date(clock.midnight(day))), "arms": counts[day]}
