"""What a customer brings over his life, and who comes back, by the period in which people came first."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from schemas.attribution import Lifetime
from services.audience.domain.grouping import distinct, placed_in
from services.audience.domain.periods import Period, periods, place_of
from services.audience.domain.stepping import entered
from services.audience.domain.summing import by_place
from services.audience.domain.ways import Numbers
from services.audience.reports import conversions as converting
from services.audience.reports.attribution import Figures
from services.audience.reports.conversions import moments
from services.audience.reports.funnel import happening
from services.audience.reports.traffic import ratio
from services.audience.store.answers import View


class Cohorts(NamedTuple):
    """People by number, the period of each one's first fact, all periods until now, how many of them are cohorts, and how many have begun."""

    n: Numbers
    of: Numbers
    spans: Sequence[Period]
    cohorts: int
    begun: int


def lifetime(view: View, asked: Lifetime) -> tuple[dict[str, Any], Figures]:
    """By cohort: people, and revenue of all and a head by the end of each period of age. Figures: `cohort.<date>`. Raises MixedCurrencies."""
    found = _cohorts(view, asked)
    bought = converting.read(view, asked.purchase, found.spans[0].since, view.now + 1, asked.brands)
    every = bought.conversions
    cohort, age = _aged(found, every.n, every.moment, asked.periods)
    kept = age >= 0
    money = by_place(every.amount[kept], cohort[kept] * asked.periods + age[kept], found.cohorts * asked.periods).reshape(
        -1, asked.periods
    )
    rows = []
    for number, people in enumerate(np.bincount(found.of, minlength=found.cohorts)[: found.cohorts].tolist()):
        known = _known(found, number, asked.periods)
        summed = list(accumulate(money[number].tolist()))[:known]
        rows.append({
            "from": found.spans[number].name, "people": people, "revenue": summed, "per_person": [round(one / people, 4) if people else None for one in summed],
            "last_is_open": known < asked.periods or found.spans[number + known - 1].until > view.now,
        })  # fmt: skip
    return {"currency": bought.currency, "unit": asked.cohorts, "zone": asked.zone, "cohorts": rows}, _figures(found)


def retention(view: View, asked: Lifetime) -> tuple[dict[str, Any], Figures]:
    """By cohort: of its people how many came back in each period after. Figures: `cohort.<date>`, and by age from 1 `cohort.<date>.back.<number>`."""
    found = _cohorts(view, asked)
    n, moment = moments(view, happening(asked.back or asked.start), found.spans[0].since, view.now + 1, asked.brands)
    cohort, age = _aged(found, n, moment, asked.periods)
    kept = age >= 0
    width = int(found.n.max()) + 1 if len(found.n) else 1
    pairs = distinct((cohort[kept] * asked.periods + age[kept]) * width + n[kept])
    who, cells = pairs % width, pairs // width
    counts = np.bincount(cells, minlength=found.cohorts * asked.periods).reshape(found.cohorts, asked.periods)
    rows, figures = [], dict(_figures(found))
    for number, people in enumerate(np.bincount(found.of, minlength=found.cohorts)[: found.cohorts].tolist()):
        known = _known(found, number, asked.periods)
        back = counts[number][:known].tolist()
        rows.append({"from": found.spans[number].name, "people": people, "back": back, "share": [ratio(one, people) for one in back],
                     "last_is_open": known < asked.periods or found.spans[number + known - 1].until > view.now})  # fmt: skip
        for cell in range(number * asked.periods, number * asked.periods + known):
            name = f"cohort.{found.spans[number].name}.back.{cell % asked.periods + 1}"
            figures[name] = lambda cell=cell: who[cells == cell]  # type: ignore[misc]
    return {"unit": asked.cohorts, "zone": asked.zone, "cohorts": rows}, figures


def _cohorts(view: View, asked: Lifetime) -> Cohorts:
    """Those who came first in the period that is asked about."""
    n, moment = moments(view, happening(asked.start), 0, view.now + 1, asked.brands)
    rows = entered(n, moment, 0, view.now + 1)
    n, moment = n[rows], moment[rows]
    chosen = (moment >= asked.since) & (moment < asked.until)
    spans = periods(asked.zone, asked.cohorts, asked.since, max(asked.until, view.now + 1))
    cohorts = len(periods(asked.zone, asked.cohorts, asked.since, asked.until))
    begun = sum(one.since <= view.now for one in spans)
    return Cohorts(n[chosen], place_of(spans, moment[chosen]), spans, cohorts, begun)


def _aged(found: Cohorts, n: Numbers, moment: Numbers, most: int) -> tuple[Numbers, Numbers]:
    """Of each fact the cohort of its person and how many periods after that it lies; age -1: it does not count."""
    if not len(found.n):
        return np.full(len(n), -1, dtype=np.int64), np.full(len(n), -1, dtype=np.int64)
    place, there = placed_in(found.n, n)
    cohort = np.where(there, found.of[place], -1)
    age = place_of(found.spans, moment) - cohort
    return cohort, np.where((cohort >= 0) & (age >= 0) & (age < most), age, -1)


def _known(found: Cohorts, cohort: int, most: int) -> int:
    """How many periods of age have begun: of a cohort that is still to come none."""
    return max(0, min(most, found.begun - cohort))


def _figures(found: Cohorts) -> Figures:
    return {f"cohort.{found.spans[number].name}": _people(found, number) for number in range(found.cohorts)}


def _people(found: Cohorts, number: int) -> Any:
    return lambda: found.n[found.of == number]
