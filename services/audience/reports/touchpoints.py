"""Touch points: what lay before first purchases, year against year, and what became of the contacts that each place brought."""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from schemas.attribution import Touchpoints
from schemas.zones import DAY, zone
from services.audience.domain.grouping import largest, named, people, placed_in
from services.audience.domain.stepping import NEVER, entered, reading, walked
from services.audience.domain.summing import by_place
from services.audience.domain.ways import Conversions, Line, Numbers
from services.audience.reports import conversions as converting
from services.audience.reports import touches as touching
from services.audience.reports.attribution import Figures
from services.audience.reports.conversions import Found, moments, word
from services.audience.reports.funnel import happening
from services.audience.reports.touches import among, coded
from services.audience.reports.traffic import ratio
from services.audience.store.answers import View

MOST_PLACES = 200  # the largest; others are one
_EPOCH_DAY = date(1970, 1, 1).toordinal()


class Places(NamedTuple):
    """Facts of touch points: whose, when, and where (number of `names`)."""

    n: Numbers
    moment: Numbers
    place: Numbers
    names: list[str]

    def among(self, names: Sequence[str]) -> Numbers:
        """Where each is, as a number of these names."""
        number = {name: at for at, name in enumerate(names)}
        return np.array([number[name] for name in self.names], dtype=np.int64)[self.place] if len(self.place) else self.place


class Met(NamedTuple):
    """Who bought first in a period, and by channel who of them had met it before."""

    n: Numbers
    by: dict[str, Numbers]

    def people(self, channel: str) -> Numbers:
        return self.by.get(channel, self.n[:0])


def touchpoints(view: View, asked: Touchpoints) -> tuple[dict[str, Any], Figures]:
    """The answer, and its figures' people: `buyers`, `a_year_ago` and, behind a point, by channel; `shown.<place>`, `left.<place>`, `new.<place>`,
    `registered.<place>`, `paid.<place>`. Raises MixedCurrencies.
    """
    bought = converting.read(view, asked.purchase, 0, view.now + 1, asked.brands)
    buys = _buys(bought)
    rows = entered(buys.n, buys.moment, 0, view.now + 1)
    firsts = Conversions(buys.n[rows], buys.moment[rows], buys.amount[rows])
    places, currency, figures = _places(view, asked, bought, buys)
    now = _before(view, asked, firsts, (asked.since, asked.until))
    then = _before(view, asked, firsts, (_year_ago(asked, asked.since), _year_ago(asked, asked.until)))
    channels = [(name, len(now.people(name)), len(then.people(name))) for name in sorted({*now.by, *then.by})]
    answer = {
        "currency": currency, "window": asked.window, "first_buyers": len(now.n), "first_buyers_a_year_ago": len(then.n),
        "change": reading(len(now.n), len(then.n)),
        "channels": [
            {"channel": name, "people": met, "a_year_ago": before, "share": ratio(met, len(now.n)), "change": reading(met, before)}
            for name, met, before in channels
        ],
        "places": places,
    }  # fmt: skip
    for figure, of in (("buyers", now), ("a_year_ago", then)):
        figures[figure] = lambda of=of: of.n  # type: ignore[misc]
        figures |= {f"{figure}.{name}": lambda of=of, name=name: of.people(name) for name, _, _ in channels}  # type: ignore[misc]
    return answer, figures


def _buys(found: Found) -> Conversions:
    """What was bought: an amount below 0 is paid back, which makes sums smaller and nobody a buyer."""
    every, kept = found.conversions, ~found.below
    return Conversions(every.n[kept], every.moment[kept], every.amount[kept])


def _before(view: View, asked: Touchpoints, firsts: Conversions, span: tuple[int, int]) -> Met:
    """Of those who bought first in a period: who had met each channel before."""
    chosen = np.flatnonzero((firsts.moment >= span[0]) & (firsts.moment < span[1]))
    of = Conversions(firsts.n[chosen], firsts.moment[chosen], firsts.amount[chosen])
    read = touching.read(view, span[0] - asked.window - 1, span[1] - 1, "channel", asked.own, asked.brands)
    found = {}
    for number, name in enumerate(read.channels):
        own = np.flatnonzero(read.touches.channel == number)
        line = Line(read.touches.n[own], read.touches.moment[own])
        met = line.until(of.n, of.moment) > line.until(of.n, of.moment - asked.window)
        found[name] = of.n[met]
    return Met(of.n, found)


def _year_ago(asked: Touchpoints, at: int) -> int:
    """The same local time a year before; of 29 February that of the 28th."""
    clock = zone(asked.zone)
    day = clock.begun(at)
    local = date.fromordinal(day + _EPOCH_DAY)
    leap = (local.month, local.day) == (2, 29)
    before = local.replace(year=local.year - 1, day=28 if leap else local.day)
    return clock.midnight(before.toordinal() - _EPOCH_DAY) + min(at - clock.midnight(day), DAY)


def _placed(view: View, asked: Touchpoints, event: str, where: str, since: int) -> Places:
    step = asked.shown if event == "shown" else asked.left
    period = f"moment >= {since} AND moment < {asked.until} AND {where}"
    rows = view.leaves.deeds(happening(step), f"{word(view, step.event, asked.place)} AS place", period)
    sql = f"SELECT {view.leaves.whose} AS n, t.moment, coalesce(t.place, '') AS place FROM {rows} t{view.leaves.join}"
    table = view.instant.duck.sql(sql).to_arrow_table()
    n, moment = (table.column(name).to_numpy().astype(np.int64) for name in ("n", "moment"))
    place, names = coded(table.column("place"))
    order = np.lexsort((place, moment, n))
    return Places(n[order], moment[order], place[order], names)


def _places(
    view: View, asked: Touchpoints, bought: Found, buys: Conversions
) -> tuple[list[dict[str, Any]], str | None, dict[str, Callable[[], Numbers]]]:
    """By place: shown to how many, who left a contact there first in the period, who of them was new, registered later, paid, and how much; the
    currency of that; and figures.
    """
    where = among(asked.brands)
    shown, left = _placed(view, asked, "shown", where, asked.since), _placed(view, asked, "left", where, 0)
    registered = moments(view, happening(asked.registered), 0, view.now + 1, asked.brands)
    rows = entered(left.n, left.moment, asked.since, asked.until)
    n, at = left.n[rows], left.moment[rows]
    known = _any_before((left.n, left.moment), n, at)
    known |= _any_before(registered, n, at) | _any_before((buys.n, buys.moment), n, at)
    later, paid = (walked(n, at - 1, [steps], view.now)[0] != NEVER for steps in (registered, (buys.n, buys.moment)))
    money, currency = _paid_from(bought, n, at)
    names = sorted({*shown.names, *left.names})
    of, groups = largest(np.concatenate([shown.among(names), left.among(names)[rows]]), names, MOST_PLACES)
    seen, here, size = of[: len(shown.n)], of[len(shown.n) :], len(groups)
    whom = {"shown": (shown.n, seen), "left": (n, here), "new": (n[~known], here[~known]), "registered": (n[later], here[later]),
            "paid": (n[paid], here[paid])}  # fmt: skip
    columns = {"shows": np.bincount(seen, minlength=size), **{figure: people(place, who, size) for figure, (who, place) in whom.items()},
               "revenue": by_place(money, here, size)}  # fmt: skip
    found, figures = [], dict[str, Callable[[], Numbers]]()
    for number, name in named(groups):
        found.append(_place(name, {column: int(values[number]) for column, values in columns.items()}))
        for figure, (who, place) in whom.items():
            figures[f"{figure}.{name}"] = lambda who=who, place=place, number=number: who[place == number]  # type: ignore[misc]
    return found, currency, figures


def _place(name: str, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "place": name or None, **counts, "left_of_shown": ratio(counts["left"], counts["shown"]),
        "registered_of_left": ratio(counts["registered"], counts["left"]), "paid_of_left": ratio(counts["paid"], counts["left"]),
    }  # fmt: skip


def _any_before(facts: tuple[Numbers, Numbers], n: Numbers, at: Numbers) -> Any:
    line = Line(*facts)
    return line.until(n, at - 1) > line.until(n, np.full_like(at, -1))


def _paid_from(bought: Found, n: Numbers, at: Numbers) -> tuple[Numbers, str | None]:
    """What each of these people, who are in order, paid from an instant on, and in which currency: what others paid is not added up."""
    every = bought.conversions
    if not len(n):
        return n, None
    place, there = placed_in(n, every.n)
    rows = np.flatnonzero(there & (every.moment >= at[place]))
    return by_place(every.amount[rows], place[rows], len(n)), bought.currency_of(rows)
