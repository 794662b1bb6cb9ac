"""Touch points: what lay before first purchases, year against year, and what became of the contacts that each place brought."""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from schemas.attribution import Touchpoints
from schemas.zones import DAY, zone
from services.audience.domain.grouping import largest, named, people
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


def touchpoints(view: View, asked: Touchpoints) -> tuple[dict[str, Any], Figures]:
    """The answer, and its figures' people: `buyers`, `buyers.<channel>`, `left.<place>`. Raises MixedCurrencies."""
    bought = converting.read(view, asked.purchase, 0, view.now + 1, asked.brands)
    buys = _buys(bought.conversions)
    rows = entered(buys.n, buys.moment, 0, view.now + 1)
    firsts = Conversions(buys.n[rows], buys.moment[rows], buys.amount[rows])
    figures: dict[str, Any] = {}
    places, currency = _places(view, asked, bought, buys, figures)
    now = _before(view, asked, firsts, (asked.since, asked.until), figures)
    then = _before(view, asked, firsts, (_year_ago(asked, asked.since), _year_ago(asked, asked.until)), {})
    channels = sorted({*now["channels"], *then["channels"]})
    answer = {
        "currency": currency, "window": asked.window, "first_buyers": now["people"], "first_buyers_a_year_ago": then["people"],
        "change": reading(now["people"], then["people"]),
        "channels": [
            {"channel": name, "people": now["channels"].get(name, 0), "a_year_ago": then["channels"].get(name, 0),
             "share": ratio(now["channels"].get(name, 0), now["people"]), "change": reading(now["channels"].get(name, 0), then["channels"].get(name, 0))}
            for name in channels
        ],
        "places": places,
    }  # fmt: skip
    return answer, figures


def _buys(every: Conversions) -> Conversions:
    """What was bought: an amount below 0 is paid back, which makes sums smaller and nobody a buyer."""
    kept = every.amount >= 0
    return Conversions(every.n[kept], every.moment[kept], every.amount[kept])


def _before(view: View, asked: Touchpoints, firsts: Conversions, span: tuple[int, int], figures: dict[str, Any]) -> dict[str, Any]:
    """Of those who bought first in a period: how many had met each channel before."""
    chosen = np.flatnonzero((firsts.moment >= span[0]) & (firsts.moment < span[1]))
    of = Conversions(firsts.n[chosen], firsts.moment[chosen], firsts.amount[chosen])
    read = touching.read(view, span[0] - asked.window - 1, span[1] - 1, "channel", asked.own, asked.brands)
    figures["buyers"] = lambda: of.n
    counts = {}
    for number, name in enumerate(read.channels):
        own = np.flatnonzero(read.touches.channel == number)
        line = Line(read.touches.n[own], read.touches.moment[own])
        met = line.until(of.n, of.moment) > line.until(of.n, of.moment - asked.window)
        counts[name] = int(met.sum())
        figures[f"buyers.{name}"] = lambda met=met: of.n[met]
    return {"people": len(of.n), "channels": counts}


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
    view: View, asked: Touchpoints, bought: Found, buys: Conversions, figures: dict[str, Any]
) -> tuple[list[dict[str, Any]], str | None]:
    """By place: shown to how many, who left a contact there first in the period, who of them was new, registered later, paid, and how much; and
    the currency of that.
    """
    where = among(asked.brands)
    shown, left = _placed(view, asked, "shown", where, asked.since), _placed(view, asked, "left", where, 0)
    registered = moments(view, happening(asked.registered), 0, view.now + 1, asked.brands)
    rows = entered(left.n, left.moment, asked.since, asked.until)
    n, at = left.n[rows], left.moment[rows]
    known = Line(left.n, left.moment).until(n, at - 1) > Line(left.n, left.moment).until(n, np.full_like(at, -1))
    known |= _any_before(registered, n, at) | _any_before((buys.n, buys.moment), n, at)
    later, paid = (walked(n, at - 1, [steps], view.now)[0] != NEVER for steps in (registered, (buys.n, buys.moment)))
    money, currency = _paid_from(bought, n, at)
    names = sorted({*shown.names, *left.names})
    of, groups = largest(np.concatenate([shown.among(names), left.among(names)[rows]]), names, MOST_PLACES)
    seen, here, size = of[: len(shown.n)], of[len(shown.n) :], len(groups)
    columns = {
        "shows": np.bincount(seen, minlength=size), "shown": people(seen, shown.n, size), "left": np.bincount(here, minlength=size),
        "new": np.bincount(here[~known], minlength=size), "registered": np.bincount(here[later], minlength=size),
        "paid": np.bincount(here[paid], minlength=size), "revenue": by_place(money, here, size),
    }  # fmt: skip
    found = []
    for number, name in named(groups):
        figures[f"left.{name}"] = lambda number=number: n[here == number]
        found.append(_place(name, {column: int(values[number]) for column, values in columns.items()}))
    return found, currency


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
    place = np.minimum(np.searchsorted(n, every.n), len(n) - 1)
    rows = np.flatnonzero((n[place] == every.n) & (every.moment >= at[place]))
    return by_place(every.amount[rows], place[rows], len(n)), bought.currency_of(rows)
