"""Cohorts: how customers who open letters, or are otherwise alike, differ from others. What it shows is a correlation and says so: who opens
letters was more active before any letter came.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from pyroaring import BitMap

from schemas.attribution import Cohort
from schemas.machines import EVENTS, MARK
from schemas.zones import Zone, zone
from services.audience.domain.comparing import compared, kept, standardised, stratified
from services.audience.domain.grouping import distinct, largest, named, people, placed_in
from services.audience.domain.stepping import entered
from services.audience.domain.summing import by_place
from services.audience.domain.ways import Flags, Numbers
from services.audience.reports import conversions as converting
from services.audience.reports.attribution import Figures
from services.audience.reports.conversions import NO_WORD, Found, moments, word
from services.audience.reports.funnel import happening
from services.audience.reports.touches import among
from services.audience.store.answers import View
from services.audience.store.values import NONE

NOTE = {
    "en": "A correlation: who opens letters was more active before they came. What letters are worth is told by a control group.",
    "ru": "Это корреляция: кто открывает письма, тот и раньше был активнее. Сколько стоят письма, говорит контрольная группа.",
}
PROXIES = "GoogleImageProxy|YahooMailProxy|ggpht\\.com"  # of mail services, which fetch a picture when its letter is looked at
MOST_PRODUCTS = 50  # the classes of which most was bought; others are one
AGENTS = ("user_agent", "userAgent", "client")
Opened = dict[str, Callable[[], Numbers]]  # figures while they are gathered


class Members(NamedTuple):
    """People of the cohort, by number, when each was registered, and from when on outcomes count. left_out: who is too young for that."""

    n: Numbers
    at: Numbers
    counts_from: Numbers
    group: Numbers
    groups: list[str]
    left_out: Numbers

    def place(self, n: Numbers) -> tuple[Numbers, Flags]:
        """Where each of these people stands in `n`, and whether he does."""
        return placed_in(self.n, n)


def cohort(view: View, asked: Cohort) -> tuple[dict[str, Any], Figures]:
    """The answer, and its figures' people: `people`, `left_out`, `group.<number>`, from 1, `dropped`; `product.<name>`, `buyers.group.<number>`,
    `several.group.<number>`. Raises MixedCurrencies.
    """
    members = _members(view, asked)
    found = converting.read(view, asked.purchase, asked.since, asked.until, asked.brands, product=asked.product)
    place, there = members.place(found.conversions.n)
    there &= found.conversions.moment >= members.counts_from[place] if len(members.n) else there
    rows, place = np.flatnonzero(there), place[there]
    revenue = by_place(found.conversions.amount[rows], place, len(members.n))
    answer: dict[str, Any] = {
        "correlation": True, "note": NOTE, "currency": found.currency, "people": len(members.n), "landmark": asked.landmark, "left_out": len(members.left_out),
        "groups": [{"name": name, "people": int((members.group == number).sum())} for number, name in enumerate(members.groups)],
        "revenue": compared(revenue, members.group, len(members.groups), asked.outlier, below=asked.below),
    }  # fmt: skip
    figures: Opened = {"people": lambda: members.n, "left_out": lambda: members.left_out, **_dropped(asked, members, revenue)}
    for number in range(len(members.groups)):
        figures[f"group.{number + 1}"] = lambda number=number: members.n[members.group == number]  # type: ignore[misc]
    if asked.product is not None:
        told, whom = _by_product(asked, members, found, rows, place)
        answer, figures = answer | told, figures | whom
    if not asked.groups:
        answer["proxy_opens"] = _proxies(view, asked)
    if asked.usage is not None:
        figures |= _used(view, asked, members, revenue, answer)
    return answer, figures


def _dropped(asked: Cohort, of: Members, values: Numbers, what: str = "") -> Opened:
    """Whose value is too far from the mean of all of these: figures `dropped` and `dropped.group.<number>`, with `what` behind them."""

    def far() -> Flags:
        return ~kept(values, asked.outlier, below=asked.below)

    found: Opened = {f"dropped{what}": lambda: of.n[far()]}
    for number in range(len(of.groups)):
        found[f"dropped.group.{number + 1}{what}"] = lambda number=number: of.n[far() & (of.group == number)]  # type: ignore[misc]
    return found


def _members(view: View, asked: Cohort) -> Members:
    """Those of whom `among` is true, whose first registration lies in the period, and who are in a group. With a landmark those in whose time
    since there is something to count: of the others all outcomes are 0.
    """
    n, moment = moments(view, happening(asked.registered), 0, view.now + 1, asked.brands)
    firsts = entered(n, moment, 0, view.now + 1)
    n, at = n[firsts], moment[firsts]
    chosen = _is_in(n, view.members(asked.among)) & (at >= asked.since) & (at < asked.until)
    n, at = n[chosen], at[chosen]
    counts_from = at + (asked.landmark or 0)
    if asked.groups:
        group, names = np.full(len(n), -1, dtype=np.int64), [one.name for one in asked.groups]
        for number, one in reversed(list(enumerate(asked.groups))):
            group[_is_in(n, view.members(one.condition))] = number  # who fits several is in the first
    else:
        group, names = _openers(view, asked, n, at), [f"0-{asked.few}", f"{asked.few + 1}+"]
    young = (counts_from >= min(asked.until, view.now + 1)) & (asked.landmark is not None)
    here = (group >= 0) & ~young
    return Members(n[here], at[here], counts_from[here], group[here], names, n[(group >= 0) & young])


def _is_in(n: Numbers, people: BitMap) -> Flags:
    return np.isin(n, np.array(people, dtype=np.int64))


def _openers(view: View, asked: Cohort, n: Numbers, at: Numbers) -> Numbers:
    """0: who opened at most `few` times since he was registered, until the landmark where there is one; 1: more often."""
    machine = _signs(view, asked.opened.event)[0]
    # Of letters `moments` leaves them out itself, unless the question is about them.
    only = "true" if machine is None or asked.opened.event in EVENTS else f"NOT {machine}"
    who, moment = moments(view, happening(asked.opened), asked.since, asked.until, asked.brands, only)
    if not len(n):
        return n
    place, counts = placed_in(n, who)
    counts &= moment >= at[place]
    if asked.landmark is not None:
        counts &= moment < at[place] + asked.landmark
    return (np.bincount(place[counts], minlength=len(n)) > asked.few).astype(np.int64)


def _by_product(asked: Cohort, members: Members, found: Found, rows: Numbers, place: Numbers) -> tuple[dict[str, Any], Opened]:
    """Of each product class those who bought of it: a check is far from the mean of its own class. And who bought of several; with figures."""
    known = np.array([bool(name) for name in found.products], dtype=np.bool_)[found.product[rows]] if len(rows) else rows == 0
    product, amount, place = found.product[rows][known], found.conversions.amount[rows][known], place[known]
    group, groups = largest(product, found.products, MOST_PRODUCTS)
    products, figures = [], Opened()
    for number, name in named(groups):
        own = group == number
        buyers = distinct(place[own])
        spent = by_place(amount[own], place[own], len(members.n))[buyers]
        told = compared(spent, members.group[buyers], len(members.groups), asked.outlier, below=asked.below)
        products.append({"product": name, "people": len(buyers), "revenue": told})
        figures[f"product.{name}"] = lambda buyers=buyers: members.n[buyers]  # type: ignore[misc]
        figures |= _dropped(asked, members._replace(n=members.n[buyers], group=members.group[buyers]), spent, f".product.{name}")
    kinds = people(place, product, len(members.n))
    cross = []
    for number, name in enumerate(members.groups):
        own, many = (members.n[(members.group == number) & (kinds > least)] for least in (0, 1))
        cross.append({"name": name, "buyers": len(own), "several": len(many), "share": len(many) / len(own) if len(own) else None})
        figures[f"buyers.group.{number + 1}"] = lambda own=own: own  # type: ignore[misc]
        figures[f"several.group.{number + 1}"] = lambda many=many: many  # type: ignore[misc]
    return {"products": products, "cross_sell": cross}, figures


def _used(view: View, asked: Cohort, members: Members, revenue: Numbers, answer: dict[str, Any]) -> Opened:
    """Days of use; and with a landmark the groups among people who were as active until then. Answers who is too far from the mean of days."""
    assert asked.usage is not None
    who, moment = moments(view, happening(asked.usage), asked.since, asked.until, asked.brands)
    place, there = members.place(who)
    who, moment, place = who[there], moment[there], place[there]
    later = moment >= members.counts_from[place] if len(members.n) else there[:0]
    days = _days(zone(asked.zone), moment)
    width = int(days.max()) + 2 if len(days) else 1
    pairs = distinct((place * width + days)[later]) if len(days) else days
    used = np.bincount(pairs // width, minlength=len(members.n)).astype(np.int64)
    answer["days_of_use"] = compared(used, members.group, len(members.groups), asked.outlier, below=asked.below)
    if asked.landmark is not None and len(members.groups) == 2:
        early = np.bincount(place[~later], minlength=len(members.n)).astype(np.int64)
        strata = stratified(revenue, early, members.group)
        answer["at_equal_activity"] = {"revenue": {"parts": strata, "against_first": standardised(strata)}}
    return _dropped(asked, members, used, ".days_of_use")


def _days(clock: Zone, moment: Numbers) -> Numbers:
    """The local day of each instant."""
    if not len(moment):
        return moment
    first, last = clock.day(int(moment.min())), clock.day(int(moment.max()))
    starts = np.array([clock.midnight(day) for day in range(first, last + 2)], dtype=np.int64)
    return (np.searchsorted(starts, moment, side="right") - 1).astype(np.int64)


def _signs(view: View, event: str) -> tuple[str | None, str | None]:
    """Whether an open is a machine's (marked), and whether a mail service fetched the picture for whoever looked (by its agent): conditions
    that are never NULL. None: the facts do not say.
    """
    if not view.leaves.knows(event):
        return None, None
    marked = view.leaves.property(event, MARK).truth
    agents = [
        f"coalesce(regexp_matches({one}, '{PROXIES}'), false)" for name in AGENTS if (one := word(view, event, name)) != NO_WORD
    ]
    return None if marked == NONE else f"coalesce({marked}, false)", f"({' OR '.join(agents)})" if agents else None


def _proxies(view: View, asked: Cohort) -> dict[str, Any] | None:
    """How many opens machines told, which count for nobody, and how many came by a mail service's proxy; None: the facts do not say."""
    machine, proxy = _signs(view, asked.opened.event)
    if machine is None and proxy is None:
        return None
    where = f"moment >= {asked.since} AND moment < {asked.until} AND {among(asked.brands)}"
    rows = view.leaves.rows(happening(asked.opened), f"{machine or 'false'} AS machine, {proxy or 'false'} AS proxy", where)
    sql = f"SELECT count(*), count(*) FILTER (machine), count(*) FILTER (proxy AND NOT machine) FROM {rows} t"  # noqa: S608 - ours
    told = view.instant.duck.execute(sql).fetchall()[0]
    return dict(zip(("opens", "by_machine", "by_proxy"), told, strict=True))
