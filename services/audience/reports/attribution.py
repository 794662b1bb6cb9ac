"""Attribution: who is credited with what people did, by five models side by side, and what became of applications.

All of it is made of facts each time: a late fact, a merge or another order of an instalment changes the credit, nothing is a counter.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from schemas.attribution import Attribution, Leads
from schemas.audience import Happening
from services.audience.domain import crediting
from services.audience.domain.crediting import Credit
from services.audience.domain.grouping import crowd, distinct
from services.audience.domain.lasting import NONE, first, last, last_click
from services.audience.domain.leads import Application, Summary, judged
from services.audience.domain.markov import transitions
from services.audience.domain.summing import total
from services.audience.domain.ways import Conversions, Flags, Line, Numbers, Paths, Ways, news_of, unled, ways
from services.audience.reports import conversions as converting
from services.audience.reports import touches as touching
from services.audience.reports.conversions import Found
from services.audience.reports.touches import Read
from services.audience.store.answers import View

MODELS = ("last_click", "first_touch", "linear", "position", "markov")
STABLE = 200  # conversions of a label below which its Markov share says little
MOST_STATES = 100  # of the Markov chain: with more it says nothing of any
NO_WAY = (np.zeros(0, dtype=np.int64),) * 4  # as markov.transitions takes ways
Figures = Mapping[str, Callable[[], Numbers]]  # name -> whose numbers of people, as a set


class Ledger(NamedTuple):
    """What is credited. counted: of the conversions those of the period; led: the ways to them; last, first: rows of touches."""

    read: Read
    found: Found
    counted: Numbers
    led: Ways
    lost: Paths
    last: Numbers
    first: Numbers

    @property
    def conversions(self) -> Conversions:
        return _of(self.found.conversions, self.counted)


class Credited(NamedTuple):
    """Model -> credit, and what the ways show beside. effects: of removal, None: too many labels. met: label * width + person of each pair of
    a label and somebody whose way has it, in order; reached: by label, how many ways have it.
    """

    credit: Mapping[str, Credit]
    effects: Sequence[float] | None
    met: Numbers
    width: int
    reached: Numbers

    def people(self, label: int) -> Numbers:
        found: Numbers = self.met[self.met // self.width == label] % self.width
        return found


def attribution(view: View, asked: Attribution) -> tuple[dict[str, Any], Figures]:
    """The answer, and its figures' people (`_figures`; of applications `leads.` and Summary.whom). Raises MixedCurrencies."""
    ledger = gathered(view, asked)
    told = credited(ledger)
    answer = {
        "level": asked.level, "currency": ledger.found.currency_of(ledger.counted), "conversions": len(ledger.counted),
        "people": crowd(ledger.conversions.n), "revenue": total(ledger.conversions.amount), "rows": _rows(ledger, told),
        "unattributed": {model: {"conversions": one.left, "revenue": one.left_revenue} for model, one in told.credit.items()},
        "paths": {"converting": int((ledger.led.length > 0).sum()), "other": len(distinct(ledger.lost.path)), "cut": ledger.led.cut},
        "scanner_clicks": ledger.read.scanned, "windows": _windows(ledger, asked),
    }  # fmt: skip
    figures = _figures(ledger, told)
    if asked.leads is not None:
        summary = _leads(view, asked, asked.leads, ledger.read)
        answer["leads"] = summary.told()
        figures |= {f"leads.{name}": lambda whom=whom: np.array(list(whom), dtype=np.int64) for name, whom in summary.whom.items()}  # type: ignore[misc]
    return answer, figures


def gathered(view: View, asked: Attribution) -> Ledger:
    """All that the models are made of."""
    reach = asked.target.window
    longest = max(reach, asked.first, asked.longest)
    before = asked.leads.repeat if asked.leads else 0
    read = touching.read(view, asked.since - before - longest - 1, asked.until - 1, asked.level, asked.own, asked.brands)
    # Later ones are not credited, but a touch that led to one of them did not lead nowhere.
    found = converting.read(view, asked.target, asked.since, asked.until + reach, asked.brands, asked.key)
    touches, every = read.touches, found.conversions
    counted = np.flatnonzero(every.moment < asked.until)
    line = Line(touches.n, touches.moment)
    low, high = line.until(every.n, every.moment - reach), line.until(every.n, every.moment)
    seen: Flags = (touches.moment >= asked.since) & (touches.moment < asked.until)
    chosen = _of(every, counted)
    return Ledger(
        read, found, counted, ways(low[counted], high[counted], news_of(touches)), unled(touches, every, low, high, seen),
        last_click(touches, chosen, read.channels, asked.window_of), first(touches, chosen, asked.first),
    )  # fmt: skip


def credited(ledger: Ledger) -> Credited:
    """What each label gets; without Markov where there are too many labels. Ways are written out some after the other."""
    touches, labels, chosen = ledger.read.touches, len(ledger.read.labels), ledger.conversions
    width, chained = int(chosen.n.max()) + 1 if len(chosen.n) else 1, labels <= MOST_STATES
    even, edges, met, reached = [], [], [np.zeros(0, dtype=np.int64)], np.zeros(labels, dtype=np.int64)
    lost = ledger.lost
    chain = transitions([NO_WAY, (lost.path, touches.label[lost.touch], lost.place, lost.length)], labels) if chained else None
    for part, way in ledger.led.parts():
        own, label = _of(chosen, part), touches.label[way.touch]
        even.append(crediting.linear(way, label, own, labels))
        edges.append(crediting.position(way, label, own, labels))
        met.append(distinct(label * width + own.n[way.path]))
        reached += np.bincount(distinct(way.path * (labels + 1) + label) % (labels + 1), minlength=labels)
        if chain is not None:
            chain += transitions([(way.path, label, way.place, way.length)], labels)
    found = {
        "last_click": crediting.single(_label(ledger.last, touches.label), chosen, labels),
        "first_touch": crediting.single(_label(ledger.first, touches.label), chosen, labels),
        "linear": crediting.added(even, labels), "position": crediting.added(edges, labels),
    }  # fmt: skip
    effects = None
    if chain is not None:
        found["markov"], effects = crediting.removal(chain, ledger.led.length > 0, chosen)
    return Credited(found, effects, distinct(np.concatenate(met)), width, reached)


def _of(conversions: Conversions, rows: Numbers | slice) -> Conversions:
    return Conversions(conversions.n[rows], conversions.moment[rows], conversions.amount[rows])


def _label(rows: Numbers, label: Numbers) -> Numbers:
    found = np.full(len(rows), NONE, dtype=np.int64)
    found[rows != NONE] = label[rows[rows != NONE]]
    return found


def _rows(ledger: Ledger, told: Credited) -> list[dict[str, Any]]:
    labels, touches = ledger.read.labels, ledger.read.touches
    counts = {model: crediting.shown(one.conversions) for model, one in told.credit.items()}
    every = np.bincount(touches.label, minlength=len(labels))
    people = np.bincount(told.met // told.width, minlength=len(labels))
    rows = []
    for number, label in enumerate(labels):
        row: dict[str, Any] = {"label": label, "touches": int(every[number]), "people": int(people[number])}
        row |= {model: {"conversions": counts[model][number], "revenue": one.revenue[number]} for model, one in told.credit.items()}
        if told.effects is not None:
            row["markov"] |= {"removal_effect": round(told.effects[number], 6), "unstable": int(told.reached[number]) < STABLE}
        rows.append(row)
    return sorted(rows, key=lambda row: (-row["last_click"]["conversions"], row["label"]))


def _windows(ledger: Ledger, asked: Attribution) -> dict[str, Any]:
    """What was asked for, in ms, defaults included: a figure without its window says nothing."""
    last_windows = {name: asked.window_of(name) for name in ledger.read.channels}
    return {"last_click": last_windows, "first_touch": asked.first, "linear": asked.target.window, "position": asked.target.window,
            "markov": asked.target.window}  # fmt: skip


def _figures(ledger: Ledger, told: Credited) -> dict[str, Callable[[], Numbers]]:
    """`people`; by label `people.<label>` and `<model>.<label>`; and `unattributed.<model>`. Models that share out credit all that lies on a way, so
    that their people are those whose ways have the label.
    """
    n, label = ledger.conversions.n, ledger.read.touches.label
    found: dict[str, Callable[[], Numbers]] = {"people": lambda: n}
    for model in told.credit:
        touch = {"last_click": ledger.last, "first_touch": ledger.first}.get(model)
        nobody = ledger.led.length == 0 if touch is None else touch == NONE
        found[f"unattributed.{model}"] = lambda nobody=nobody: n[nobody]  # type: ignore[misc]
        for number, name in enumerate(ledger.read.labels):
            if touch is None:
                found[f"{model}.{name}"] = lambda number=number: told.people(number)  # type: ignore[misc]
            else:
                found[f"{model}.{name}"] = lambda touch=touch, number=number: n[_label(touch, label) == number]  # type: ignore[misc]
    return found | {f"people.{name}": lambda number=number: told.people(number) for number, name in enumerate(ledger.read.labels)}


def _leads(view: View, asked: Attribution, leads: Leads, read: Read) -> Summary:
    """Applications: origins kept, repeats and those that were credited to us though others brought them."""
    touches, (every, product) = read.touches, _applications(view, asked, leads)
    foreign, paid = np.flatnonzero(~touches.own), np.flatnonzero(touches.paid)
    origins = first(touches, every, asked.first, foreign)
    lasts = last_click(touches, every, read.channels, asked.window_of)
    visits = last(touches, every, leads.repeat, paid)
    summary = Summary(read.labels, read.groups)
    applications = (
        Application(
            person=int(every.n[row]), product=int(product[row]), at=at,
            origin=_named(origins[row], touches.label), last=_named(lasts[row], touches.label),
            own=lasts[row] != NONE and bool(touches.own[lasts[row]]), campaign=int(touches.group[lasts[row]]) if lasts[row] != NONE else 0,
            paid_at=_named(visits[row], touches.moment), counted=at >= asked.since,
        )
        for row, at in enumerate(every.moment.tolist())
    )  # fmt: skip
    for one in judged(applications, _sales(view, asked, leads), leads.repeat):
        summary.add(one)
    return summary


def _named(row: Any, values: Numbers) -> int | None:
    return None if row == NONE else int(values[row])


def _applications(view: View, asked: Attribution, leads: Leads) -> tuple[Conversions, Numbers]:
    """All until the period ends, of who applied in it, and their products. Whether one is a repeat hangs on those before it: from the first one."""
    plain = asked.target.model_copy(update={"value": None, "currency": None})  # what they were worth is another question
    found = converting.read(view, plain, 0, asked.until, asked.brands, asked.key, leads.product)
    every = found.conversions
    rows = np.flatnonzero(np.isin(every.n, every.n[every.moment >= asked.since]))
    return _of(every, rows), found.product[rows]


def _sales(view: View, asked: Attribution, leads: Leads) -> dict[int, list[int]]:
    if leads.closed is None:
        return {}
    n, moment = converting.moments(view, Happening(event=leads.closed), 0, asked.until, asked.brands)
    found: dict[int, list[int]] = {}
    for person, at in zip(n.tolist(), moment.tolist(), strict=True):
        found.setdefault(person, []).append(at)
    return found
