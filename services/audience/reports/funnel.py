"""Funnels: how many people take the steps in order, by when they entered, and the ready one of C0 to C3, with the traffic beside them."""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from runtime.lake import text
from schemas.attribution import Funnel, Stages, Step, Visits
from schemas.audience import Happening
from services.audience.domain.grouping import distinct, largest
from services.audience.domain.periods import Period, periods, place_of
from services.audience.domain.stepping import NEVER, entered, quartiles, reading, walked
from services.audience.domain.ways import Flags, Numbers
from services.audience.reports.attribution import Figures
from services.audience.reports.conversions import moments, word
from services.audience.reports.touches import among, coded
from services.audience.reports.traffic import by_period, ratio, totalled
from services.audience.store.answers import View

ATTRIBUTE = "attribute:"
MOST_GROUPS = 50  # the largest; others are one


class Walk(NamedTuple):
    """Who entered (n), when, and when each took every further step (stepping.NEVER: not). group: number of what he is grouped by."""

    n: Numbers
    at: Numbers
    further: Sequence[Numbers]
    group: Numbers
    groups: Sequence[str]


def happening(step: Step) -> Happening:
    return Happening(event=step.event, where=step.where)


def funnel(view: View, asked: Funnel) -> tuple[dict[str, Any], Figures]:
    """The answer, and its figures' people: `step.<number>`, also of those whom `complete.`, `cohort.<from>.` and `group.<value>.` before it name."""
    walk = _walked(view, asked)
    spans = periods(asked.zone, asked.cohorts, asked.since, asked.until)
    mature = [min(one.until, asked.until) - 1 + asked.window <= view.now for one in spans]
    traffic = by_period(asked, spans, lambda row: asked.landing is None or row.landing == asked.landing)
    of, everybody = place_of(spans, walk.at), np.ones(len(walk.n), dtype=np.bool_)
    complete = np.array(mature, dtype=np.bool_)[of] if len(of) else everybody
    answer = {
        "window": asked.window, "zone": asked.zone, "steps": _steps(asked, walk, everybody), "complete": _steps(asked, walk, complete),
        "cohorts": _cohorts(asked, walk, spans, of, mature, traffic, view.now), "traffic": totalled(traffic),
    }  # fmt: skip
    if asked.by is not None:
        answer["groups"] = [
            {"value": name, "steps": _steps(asked, walk, walk.group == number)} for number, name in enumerate(walk.groups)
        ]
    parts: dict[str, Callable[[], Flags]] = {"": lambda: everybody, "complete.": lambda: complete}
    parts |= {f"cohort.{span.name}.": lambda number=number: of == number for number, span in enumerate(spans)}  # type: ignore[misc]
    if asked.by is not None:
        parts |= {f"group.{name}.": lambda number=number: walk.group == number for number, name in enumerate(walk.groups)}  # type: ignore[misc]
    return answer, _people(walk, parts)


def _walked(view: View, asked: Funnel) -> Walk:
    n, moment, group, groups = _entering(view, asked)
    rows = entered(n, moment, asked.since, asked.until)
    n, at = n[rows], moment[rows]
    last = min(asked.until + asked.window, view.now + 1)
    steps = [moments(view, happening(step), asked.since, last, asked.brands) for step in asked.steps[1:]]
    group, groups = largest(group[rows], groups, MOST_GROUPS)
    return Walk(n, at, walked(n, at, steps, asked.window), group, groups)


def _entering(view: View, asked: Funnel) -> tuple[Numbers, Numbers, Numbers, list[str]]:
    """Facts of the first step: whose, when, and by what he is grouped, in the order of person and time."""
    step, leaves = asked.steps[0], view.leaves
    own = asked.by is not None and not asked.by.startswith(ATTRIBUTE)
    where = f"moment >= {asked.since} AND moment < {asked.until} AND {among(asked.brands)}"
    rows = leaves.deeds(happening(step), f"{word(view, step.event, asked.by if own else None)} AS value", where)
    sql = f"SELECT {leaves.whose} AS n, t.moment, coalesce(t.value, '') AS value FROM {rows} t{leaves.join}"
    if asked.by is not None and not own:
        attribute = f"(SELECT n, coalesce(text, json) AS said FROM {leaves.words(asked.by.removeprefix(ATTRIBUTE))})"
        sql = f"SELECT n, moment, coalesce(said, '') AS value FROM ({sql}) LEFT JOIN {attribute} USING (n)"
    table = view.instant.duck.sql(sql).to_arrow_table()
    n, moment = (table.column(name).to_numpy().astype(np.int64) for name in ("n", "moment"))
    group, groups = coded(table.column("value"))
    order = np.lexsort((group, moment, n))
    return n[order], moment[order], group[order], groups


def _steps(asked: Funnel, walk: Walk, kept: Flags) -> list[dict[str, Any]]:
    first = int(kept.sum())
    found: list[dict[str, Any]] = [
        {"name": asked.steps[0].title, "people": first, "of_first": ratio(first, first), "of_previous": None}
    ]
    previous, count = walk.at, first
    for step, taken in zip(asked.steps[1:], walk.further, strict=True):
        there = kept & (taken != NEVER)
        people = int(there.sum())
        found.append({
            "name": step.title, "people": people, "of_first": ratio(people, first), "of_previous": ratio(people, count),
            "took_ms": quartiles(taken[there] - previous[there]), "since_first_ms": quartiles(taken[there] - walk.at[there]),
        })  # fmt: skip
        previous, count = taken, people
    return found


def _cohorts(
    asked: Funnel,
    walk: Walk,
    spans: Sequence[Period],
    of: Numbers,
    mature: Sequence[bool],
    traffic: Sequence[dict[str, Any] | None],
    now: int,
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before: float | None = None
    for number, span in enumerate(spans):
        here = of == number
        counts = [int(here.sum()), *(int((here & (taken != NEVER)).sum()) for taken in walk.further)]
        visits = traffic[number]
        rate = ratio(counts[0], visits["visits"]) if visits else None
        whole = asked.since <= span.since and span.until <= min(asked.until, now + 1)
        found.append({
            "from": span.name, "mature": mature[number], "whole": whole, "people": counts, "traffic": visits,
            "entered_per_visit": rate, "against_previous": reading(rate, before),
        })  # fmt: skip
        before = rate
    return found


def _people(walk: Walk, parts: Mapping[str, Callable[[], Flags]]) -> Figures:
    """parts: of whom steps are told, by what the names of their figures begin with."""
    found: dict[str, Callable[[], Numbers]] = {}
    for name, here in parts.items():
        for number, taken in enumerate((walk.at, *walk.further), start=1):
            found[f"{name}step.{number}"] = lambda here=here, taken=taken: walk.n[here() & (taken != NEVER)]  # type: ignore[misc]
    return found


# ---- C0 to C3


def stages(view: View, asked: Stages) -> tuple[dict[str, Any], Figures]:
    """C0: registrations a visitor of landings that are no product's. C1: applications a visitor of product landings. C2: who bought of those
    who applied. C3: who applied again of those who applied and did not buy. Figures: `registrations`, `applications`, `sales`, `unsold`, `repeats`,
    `visitors.<kind>`, also with `cohort.<from>.` before it.
    """
    spans = periods(asked.zone, asked.cohorts, asked.since, asked.until)
    end = view.now + 1
    registered, applied = _firsts(view, asked, asked.registration), _firsts(view, asked, asked.application)
    visits = {kind: by_period(asked, spans, _landing(asked, kind)) for kind in ("content", "product")}
    seen = {kind: _visitors(view, asked, spans, kind) for kind in ("content", "product")}
    sales = moments(view, happening(asked.sale), asked.since, end, asked.brands)
    applications = moments(view, happening(asked.application), asked.since, end, asked.brands)
    n, at = applied
    bought = walked(n, at, [sales], asked.mature_sale)[0]
    bought_ever, again = walked(n, at, [sales], asked.mature_repeat)[0], walked(n, at, [applications], asked.mature_repeat)[0]
    sold, unsold = bought != NEVER, bought_ever == NEVER
    repeated = unsold & (again != NEVER)
    rows, of, of_registered = [], place_of(spans, at), place_of(spans, registered[1])
    previous: dict[str, float | None] = {}
    for number, span in enumerate(spans):
        here = of == number
        counts = {"registrations": int((of_registered == number).sum()), "applications": int(here.sum()), "sales": int((here & sold).sum()),
                  "unsold": int((here & unsold).sum()), "repeats": int((here & repeated).sum())}  # fmt: skip
        traffic = {kind: visits[kind][number] for kind in visits}
        visitors = {kind: int((when == number).sum()) for kind, (_, when) in seen.items()}
        shares = _shares(counts, traffic, visitors)
        ends = min(span.until, asked.until) - 1
        rows.append({
            "from": span.name, **counts, "traffic": traffic, "visitors": visitors, **shares,
            "basis": {name: "visits" if traffic[kind] is not None else "visitors" for name, kind in (("c0", "content"), ("c1", "product"))},
            "mature": {"c2": ends + asked.mature_sale <= view.now, "c3": ends + asked.mature_repeat <= view.now},
            "against_previous": {name: reading(share, previous.get(name)) for name, share in shares.items()},
        })  # fmt: skip
        previous = shares
    answer = {"zone": asked.zone, "mature_sale": asked.mature_sale, "mature_repeat": asked.mature_repeat, "cohorts": rows,
              "traffic": {kind: totalled(visits[kind]) for kind in visits}}  # fmt: skip
    counted = {"registrations": (registered[0], of_registered), "applications": (n, of), "sales": (n[sold], of[sold]),
               "unsold": (n[unsold], of[unsold]), "repeats": (n[repeated], of[repeated])}  # fmt: skip
    return answer, _by_period(spans, {**counted, **{f"visitors.{kind}": one for kind, one in seen.items()}})


def _by_period(spans: Sequence[Period], counted: Mapping[str, tuple[Numbers, Numbers]]) -> Figures:
    """The people of each figure, of all periods and of each. counted: by figure, whose numbers and the period of each."""
    found: dict[str, Callable[[], Numbers]] = {}
    for name, (n, of) in counted.items():
        found[name] = lambda n=n: n  # type: ignore[misc]
        for number, span in enumerate(spans):
            found[f"cohort.{span.name}.{name}"] = lambda n=n, of=of, number=number: n[of == number]  # type: ignore[misc]
    return found


def _shares(counts: dict[str, int], traffic: dict[str, Any], visitors: dict[str, int]) -> dict[str, float | None]:
    """By imported visits; where there are none, by the visitors whom the facts tell of."""

    def base(kind: str) -> int:
        return traffic[kind]["visits"] if traffic[kind] is not None else visitors[kind]

    return {
        "c0": ratio(counts["registrations"], base("content")), "c1": ratio(counts["applications"], base("product")),
        "c2": ratio(counts["sales"], counts["applications"]), "c3": ratio(counts["repeats"], counts["unsold"]),
    }  # fmt: skip


def _firsts(view: View, asked: Stages, step: Step) -> tuple[Numbers, Numbers]:
    """Who took a step in the period, and when first in it."""
    n, moment = moments(view, happening(step), asked.since, asked.until, asked.brands)
    rows = entered(n, moment, asked.since, asked.until)
    return n[rows], moment[rows]


def _landing(asked: Stages, kind: str) -> Callable[[Visits], bool]:
    return lambda row: (row.landing == asked.product_landing) is (kind == "product")


def _visitors(view: View, asked: Stages, spans: Sequence[Period], kind: str) -> tuple[Numbers, Numbers]:
    """Who came to such a landing, once for each period, and in which."""
    where = f"moment >= {asked.since} AND moment < {asked.until} AND {among(asked.brands)}"
    rows = view.leaves.deeds(happening(asked.visit), f"{word(view, asked.visit.event, asked.landing)} AS landing", where)
    is_product = f"coalesce(t.landing, '') = {text(asked.product_landing)}"
    sql = f"SELECT {view.leaves.whose} AS n, t.moment FROM {rows} t{view.leaves.join} WHERE {'' if kind == 'product' else 'NOT '}{is_product}"
    table = view.instant.duck.sql(sql).to_arrow_table()
    n, moment = (table.column(name).to_numpy().astype(np.int64) for name in ("n", "moment"))
    of = place_of(spans, moment)
    width = int(n.max()) + 1 if len(n) else 1
    pairs = distinct(of * width + n)
    return pairs % width, pairs // width
