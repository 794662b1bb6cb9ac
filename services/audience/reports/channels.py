"""Revenue and its shares by channel, mechanic, team and period, by the last click; mail and sales side by side, with what ads cost."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from schemas.attribution import Channels
from services.audience.domain.grouping import OTHERS, distinct, people
from services.audience.domain.lasting import NONE, last_click
from services.audience.domain.periods import periods, place_of
from services.audience.domain.summing import by_place, total
from services.audience.domain.ways import Conversions, Flags, Line, Numbers
from services.audience.reports import conversions as converting
from services.audience.reports import touches as touching
from services.audience.reports.attribution import Figures
from services.audience.reports.conversions import moments
from services.audience.reports.funnel import happening
from services.audience.reports.touches import Read
from services.audience.reports.traffic import by_period, totalled
from services.audience.store.answers import View

NOBODY = "(nobody)"


def channels(view: View, asked: Channels) -> tuple[dict[str, Any], Figures]:
    """The answer, and its figures' people: `mail`, `sales`, `both`, `neither`; `credited.mail`, ...; `channel.<from>.<name>`, and so of mechanics
    and teams. Raises MixedCurrencies.
    """
    read = touching.read(view, asked.since - asked.longest - 1, asked.until - 1, "document", asked.own, asked.brands)
    found = converting.read(view, asked.target, asked.since, asked.until, asked.brands, asked.key)
    every = found.conversions
    row = last_click(read.touches, every, read.channels, asked.window_of)
    spans = periods(asked.zone, asked.by, asked.since, asked.until)
    of = place_of(spans, every.moment)
    names = {
        "channel": _named(row, read.touches.channel, read.channels, NOBODY),
        "mechanic": _named(row, read.touches.label, read.labels, NOBODY),
        "team": _teams(asked, read, row),
    }
    spend = by_period(asked, spans, lambda _: True)
    sold = _sold(view, asked, every)
    mailed = _whose(read.touches.own, row)
    sides = {"mail": mailed & ~sold, "sales": sold & ~mailed, "both": mailed & sold, "neither": ~mailed & ~sold}
    credited = {"mail": mailed, "sales": sold, "ads": _whose(read.touches.paid, row)}
    shares = {name: _shares(every, of, [one.name for one in spans], labels) for name, labels in names.items()}
    answer = {
        "currency": found.currency, "conversions": len(every.n), "revenue": total(every.amount), "zone": asked.zone,
        "by": {name: rows for name, (rows, _) in shares.items()},
        "side_by_side": {name: _sum(every, here) for name, here in sides.items()},
        "credited": {name: _sum(every, here) for name, here in credited.items()},
        "ad_spend": totalled(spend), "ad_spend_by_period": [{"from": one.name, "spend": spent} for one, spent in zip(spans, spend, strict=True)],
    }  # fmt: skip
    parts = {**sides, **{f"credited.{name}": here for name, here in credited.items()}}
    figures: dict[str, Callable[[], Numbers]] = {name: lambda here=here: every.n[here] for name, here in parts.items()}  # type: ignore[misc]
    return answer, figures | {f"{kind}.{name}": whom for kind, (_, found) in shares.items() for name, whom in found.items()}


def _named(row: Numbers, values: Numbers, names: Sequence[str], otherwise: str) -> list[str]:
    return [otherwise if at == NONE else names[values[at]] for at in row.tolist()]


def _teams(asked: Channels, read: Read, row: Numbers) -> list[str]:
    """Whose the mechanic is: a team of that very document, else of its kind (`journey`, `campaign`), else nobody's."""

    def team(mechanic: str) -> str:
        return asked.teams.get(mechanic) or asked.teams.get(mechanic.partition(":")[0]) or OTHERS

    known = {label: team(label) for label in read.labels}
    return [NOBODY if at == NONE else known[read.labels[read.touches.label[at]]] for at in row.tolist()]


def _whose(touches: Flags, row: Numbers) -> Flags:
    """Which of these touches (NONE: there is none) are of that kind."""
    return (row != NONE) & touches[row] if len(touches) else np.zeros(len(row), dtype=np.bool_)


def _sold(view: View, asked: Channels, every: Conversions) -> Flags:
    """Whether somebody of sales worked on it within the window before."""
    if asked.sales is None:
        return np.zeros(len(every.n), dtype=np.bool_)
    line = Line(*moments(view, happening(asked.sales), asked.since - asked.sales_window, asked.until, asked.brands))
    sold: Flags = line.until(every.n, every.moment) > line.until(every.n, every.moment - asked.sales_window)
    return sold


def _sum(every: Conversions, here: Flags) -> dict[str, Any]:
    whole, own = total(every.amount), total(every.amount[here])
    return {
        "conversions": int(here.sum()), "people": len(distinct(every.n[here])), "revenue": own, "share": _share(own, whole)
    }  # fmt: skip


def _share(own: int, whole: int) -> float | None:
    """None: of nothing, and of less: where more was paid back than paid, shares would have the wrong sign."""
    return round(own / whole, 6) if whole > 0 else None


def _shares(every: Conversions, of: Numbers, names: Sequence[str], labels: Sequence[str]) -> tuple[list[dict[str, Any]], Figures]:
    """By period and label; the shares are of the period's revenue. names: of the periods. Figures: `<from>.<name>`."""
    number = {label: place for place, label in enumerate(sorted(set(labels)))}
    code = of * max(1, len(number)) + np.array([number[label] for label in labels], dtype=np.int64)
    size = len(names) * max(1, len(number))
    counts, whom = np.bincount(code, minlength=size), people(code, every.n, size)
    money = by_place(every.amount, code, size).tolist()
    found, figures = [], dict[str, Callable[[], Numbers]]()
    for place, begins in enumerate(names):
        whole = sum(money[place * len(number) : (place + 1) * len(number)])
        for label, at in number.items():
            here = place * len(number) + at
            if count := int(counts[here]):
                told = {
                    "conversions": count,
                    "people": int(whom[here]),
                    "revenue": money[here],
                    "share": _share(money[here], whole),
                }
                found.append({"from": begins, "name": label, **told})
                figures[f"{begins}.{label}"] = lambda here=here: every.n[code == here]  # type: ignore[misc]
    return found, figures
