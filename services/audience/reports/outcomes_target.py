"""The target action beside messages: who did it after one, and to which message each deed is credited."""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from schemas.reports import Target
from services.audience.domain.following import Flags, Moments, Numbers, followed, last_before, of, tied
from services.audience.reports.outcomes_messages import ACCEPTED, GLOBAL, LOCAL, Units
from services.audience.reports.target import currency_of, hits
from services.audience.reports.touches import among
from services.audience.store.answers import View

DEEDS = "SELECT n, moment, coalesce(amount, 0) AS amount FROM hit"


class Credits(NamedTuple):
    """A row for each deed and part of the report in which it is credited. message: a row of Units; amount: whole minor units, 0 where there is none."""

    message: Numbers
    amount: Numbers


class Followed(NamedTuple):
    """converted: of each of Units. currency: of the amounts; None: they are plain numbers."""

    converted: Flags
    credits: Credits
    currency: str | None


def follow(view: View, units: Units, target: Target, brands: Sequence[str]) -> Followed:
    """brands: actions in these alone; none: in all. Raises MixedCurrencies."""
    duck = view.instant.duck
    least, most = (int(units.moment.min()), int(units.moment.max())) if len(units.n) else (0, -1)
    found = hits(view.leaves, target, least, most + target.window, where=among(brands))
    duck.execute(f"CREATE OR REPLACE TEMP TABLE hit AS SELECT * FROM ({found}) WHERE n IN (SELECT n FROM unit)")
    currency = currency_of(duck, "SELECT * FROM hit") or target.currency
    rows = duck.sql(DEEDS).fetchnumpy()
    deeds = Moments(rows["n"].astype(np.int64), rows["moment"].astype(np.int64))
    # Only those who did something are put in order.
    did = np.zeros(int(max(units.n.max(initial=0), deeds.n.max(initial=0))) + 1, dtype=np.bool_)
    did[deeds.n] = True
    some = np.flatnonzero(did[units.n])
    converted = np.zeros(len(units.n), dtype=np.bool_)
    converted[some] = followed(of(units.moments, some), deeds, target.window)
    return Followed(converted, _credits(duck, units, some, deeds, rows["amount"].astype(np.int64), target.window), currency)


def _credits(duck: Any, units: Units, some: Numbers, deeds: Moments, amount: Numbers, window: int) -> Credits:
    """Each deed with the last message before it, in each part of the report."""
    found = []
    for part in (ACCEPTED, LOCAL, GLOBAL):
        mine = some[units.part[some] == part]
        moments = of(units.moments, mine)
        last = last_before(moments, _ranks(duck, units, mine, moments), deeds, window)
        there = np.flatnonzero(last >= 0)
        found.append((mine[last[there]], amount[there]))
    return Credits(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _ranks(duck: Any, units: Units, mine: Numbers, moments: Moments) -> Numbers:
    """Of several messages of one instant the one with the least key: the same each time."""
    ranks = np.zeros(len(mine), dtype=np.int64)
    equal = tied(moments)
    if len(equal):
        numbers = units.i[mine[equal]]
        rows = duck.execute("SELECT i FROM unit WHERE i IN (SELECT unnest($1::INTEGER[])) ORDER BY key DESC", [numbers.tolist()])
        place = {i: rank for rank, (i,) in enumerate(rows.fetchall())}
        ranks[equal] = [place[i] for i in numbers.tolist()]
    return ranks
