"""Attribution: who is credited with what people did, by five models side by side, and what became of applications.

All of it is made of facts each time: a late fact, a merge or another order of an instalment changes the credit, nothing is a counter.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from schemas.attribution import Attribution
from schemas.audience import Happening
from services.audience.domain import crediting
from services.audience.domain.crediting import Credit
from services.audience.domain.lasting import NONE, first, last, last_click
from services.audience.domain.leads import Application, Summary, judged
from services.audience.domain.ways import Conversions, Flags, Line, Numbers, Paths, news_of, paths, unled
from services.audience.reports import conversions as converting
from services.audience.reports import touches as touching
from services.audience.reports.conversions import Found
from services.audience.reports.touches import Read
from services.audience.store.answers import View

MODELS = ("last_click", "first_touch", "linear", "position", "markov")
STABLE = 200  # conversions of a label below which its Markov share says little
MOST_STATES = 100  # of the Markov chain: with more it says nothing of any
Figures = Mapping[str, Callable[[], Numbers]]  # name -> whose numbers of people, as a set


class Ledger(NamedTuple):
    """What is credited. counted: of the conversions those of the period; led: their paths; last, first: rows of touches."""

    read: Read
    found: Found
    counted: Numbers
    led: Paths
    lost: Paths
    last: Numbers
    first: Numbers

    @property
    def conversions(self) -> Conversions:
        return _of(self.found.conversions, self.counted)


def attribution(view: View, asked: Attribution) -> tuple[dict[str, Any], Figures]:
    """The answer, and its figures' people. Raises MixedCurrencies."""
    ledger = gathered(view, asked)
    credit, effects = credited(ledger)
    touched = ledger.read.touches.label[ledger.led.touch]
    answer = {
        "level": asked.level, "currency": ledger.found.currency_of(ledger.counted), "conversions": len(ledger.counted),
        "people": len(np.unique(ledger.conversions.n)), "revenue": int(ledger.conversions.amount.sum()),
        "rows": _rows(ledger, credit, effects, touched),
        "unattributed": {model: {"conversions": one.left, "revenue": one.left_revenue} for model, one in credit.items()},
        "paths": {"converting": len(np.unique(ledger.led.path)), "other": len(np.unique(ledger.lost.path))},
        "scanner_clicks": ledger.read.scanned, "windows": _windows(ledger, asked),
    }  # fmt: skip
    if asked.leads is not None:
        answer["leads"] = _leads(view, asked, ledger)
    return answer, _figures(ledger, touched)


def gathered(view: View, asked: Attribution) -> Ledger:
    """All that the models are made of."""
    reach = asked.target.window
    longest = max(reach, asked.first, asked.longest)
    before = asked.leads.repeat if asked.leads else 0
    read = touching.read(view, asked.since - before - longest - 1, asked.until - 1, asked.level, asked.own, asked.brands)
    product = asked.leads.product if asked.leads else None
    # Later ones are not credited, but a touch that led to one of them did not lead nowhere.
    found = converting.read(view, asked.target, asked.since - before, asked.until + reach, asked.brands, asked.key, product)
    touches, every = read.touches, found.conversions
    counted = np.flatnonzero((every.moment >= asked.since) & (every.moment < asked.until))
    line = Line(touches.n, touches.moment)
    low, high = line.until(every.n, every.moment - reach), line.until(every.n, every.moment)
    seen: Flags = (touches.moment >= asked.since) & (touches.moment < asked.until)
    chosen = _of(every, counted)
    return Ledger(
        read, found, counted, paths(low[counted], high[counted], news_of(touches)), unled(touches, every, low, high, seen),
        last_click(touches, chosen, read.channels, asked.window_of), first(touches, chosen, asked.first),
    )  # fmt: skip


def credited(ledger: Ledger) -> tuple[dict[str, Credit], list[float] | None]:
    """Model -> credit, and the removal effects; without Markov where there are too many labels."""
    touches, labels, chosen = ledger.read.touches, len(ledger.read.labels), ledger.conversions
    of = touches.label[ledger.led.touch]
    found = {
        "last_click": crediting.single(_label(ledger.last, touches.label), chosen, labels),
        "first_touch": crediting.single(_label(ledger.first, touches.label), chosen, labels),
        "linear": crediting.linear(ledger.led, of, chosen, labels),
        "position": crediting.position(ledger.led, of, chosen, labels),
    }
    if labels > MOST_STATES:
        return found, None
    found["markov"], effects = crediting.removal(ledger.led, ledger.lost, touches, chosen, labels)
    return found, effects


def _of(conversions: Conversions, rows: Numbers) -> Conversions:
    return Conversions(conversions.n[rows], conversions.moment[rows], conversions.amount[rows])


def _label(rows: Numbers, label: Numbers) -> Numbers:
    found = np.full(len(rows), NONE, dtype=np.int64)
    found[rows != NONE] = label[rows[rows != NONE]]
    return found


def _rows(ledger: Ledger, credit: Mapping[str, Credit], effects: list[float] | None, touched: Numbers) -> list[dict[str, Any]]:
    labels, touches = ledger.read.labels, ledger.read.touches
    counts = {model: crediting.shown(one.conversions) for model, one in credit.items()}
    every = np.bincount(touches.label, minlength=len(labels))
    of = ledger.conversions.n[ledger.led.path]
    width = int(of.max()) + 1 if len(of) else 1
    pairs = np.unique(touched * width + of) // width
    people = np.bincount(pairs, minlength=len(labels))
    reached = np.bincount(np.unique(ledger.led.path * (len(labels) + 1) + touched) % (len(labels) + 1), minlength=len(labels))
    rows = []
    for number, label in enumerate(labels):
        row: dict[str, Any] = {"label": label, "touches": int(every[number]), "people": int(people[number])}
        row |= {model: {"conversions": counts[model][number], "revenue": one.revenue[number]} for model, one in credit.items()}
        if effects is not None:
            row["markov"] |= {"removal_effect": round(effects[number], 6), "unstable": int(reached[number]) < STABLE}
        rows.append(row)
    return sorted(rows, key=lambda row: (-row["last_click"]["conversions"], row["label"]))


def _windows(ledger: Ledger, asked: Attribution) -> dict[str, Any]:
    """What was asked for, in ms, defaults included: a figure without its window says nothing."""
    last_windows = {name: asked.window_of(name) for name in ledger.read.channels}
    return {"last_click": last_windows, "first_touch": asked.first, "linear": asked.target.window, "position": asked.target.window,
            "markov": asked.target.window}  # fmt: skip


def _figures(ledger: Ledger, touched: Numbers) -> Figures:
    """`people` and, by label, `people.<label>`, `last_click.<label>` and `first_touch.<label>`."""
    n, labels = ledger.conversions.n, ledger.read.labels
    label = ledger.read.touches.label
    found: dict[str, Callable[[], Numbers]] = {"people": lambda: np.unique(n)}
    for number, name in enumerate(labels):
        found[f"people.{name}"] = lambda number=number: np.unique(n[ledger.led.path[touched == number]])  # type: ignore[misc]
        found[f"last_click.{name}"] = lambda number=number: np.unique(n[_label(ledger.last, label) == number])  # type: ignore[misc]
        found[f"first_touch.{name}"] = lambda number=number: np.unique(n[_label(ledger.first, label) == number])  # type: ignore[misc]
    return found


def _leads(view: View, asked: Attribution, ledger: Ledger) -> dict[str, Any]:
    """Applications: origins kept, repeats and those that were credited to us though others brought them."""
    assert asked.leads is not None
    touches, every = ledger.read.touches, ledger.found.conversions
    foreign, paid = np.flatnonzero(~touches.own), np.flatnonzero(touches.paid)
    origins = first(touches, every, asked.first, foreign)
    lasts = last_click(touches, every, ledger.read.channels, asked.window_of)
    visits = last(touches, every, asked.leads.repeat, paid)
    summary = Summary(ledger.read.labels, ledger.read.groups)
    applications = (
        Application(
            person=int(every.n[row]), product=int(ledger.found.product[row]), at=at,
            origin=_named(origins[row], touches.label), last=_named(lasts[row], touches.label),
            own=lasts[row] != NONE and bool(touches.own[lasts[row]]), campaign=int(touches.group[lasts[row]]) if lasts[row] != NONE else 0,
            paid_at=_named(visits[row], touches.moment), counted=asked.since <= at < asked.until,
        )
        for row, at in enumerate(every.moment.tolist()) if at < asked.until
    )  # fmt: skip
    for one in judged(applications, _sales(view, asked), asked.leads.repeat):
        summary.add(one)
    return summary.told()


def _named(row: Any, values: Numbers) -> int | None:
    return None if row == NONE else int(values[row])


def _sales(view: View, asked: Attribution) -> dict[int, list[int]]:
    if asked.leads is None or asked.leads.closed is None:
        return {}
    n, moment = converting.moments(
        view, Happening(event=asked.leads.closed), asked.since - asked.leads.repeat, asked.until, asked.brands
    )
    found: dict[int, list[int]] = {}
    for person, at in zip(n.tolist(), moment.tolist(), strict=True):
        found.setdefault(person, []).append(at)
    return found
