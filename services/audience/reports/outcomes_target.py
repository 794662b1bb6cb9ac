"""The target action beside messages: who did it after one, and to which message each deed is credited."""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from schemas.reports import Target
from services.audience.domain.following import Moments, followed, last_before, of, tied
from services.audience.domain.ways import Flags, Numbers
from services.audience.reports.outcomes_messages import ACCEPTED, GLOBAL, LOCAL, Units
from services.audience.reports.target import hits, only_one
from services.audience.reports.touches import among
from services.audience.store.answers import View

# currency: "" is that of plain numbers; of what has no amount there is none.
DEEDS = "SELECT n, moment, coalesce(amount, 0) AS amount, CASE WHEN amount IS NOT NULL THEN coalesce(currency, '') END AS currency FROM hit"


class Credits(NamedTuple):
    """A row for each deed and part of the report in which it is credited. message: a row of Units; amount: whole minor units, 0 where there is none."""

    message: Numbers
    amount: Numbers

    def among(self, which: Flags) -> "Credits":
        """Those of the messages that `only` keeps, as rows of these."""
        kept = which[self.message]
        return Credits((np.cumsum(which) - 1)[self.message[kept]], self.amount[kept])


class Followed(NamedTuple):
    """converted: of each of Units. currency: of the amounts that are credited; None: they are plain numbers."""

    converted: Flags
    credits: Credits
    currency: str | None


def follow(view: View, units: Units, target: Target, brands: Sequence[str]) -> Followed:
    """brands: actions in these alone; none: in all. Raises MixedCurrencies where amounts of several would be added up."""
    duck = view.instant.duck
    least, most = (int(units.moment.min()), int(units.moment.max())) if len(units.n) else (0, -1)
    found = hits(view.leaves, target, least, most + target.window, where=among(brands))
    duck.execute(f"CREATE OR REPLACE TEMP TABLE hit AS SELECT * FROM ({found}) WHERE n IN (SELECT n FROM unit)")
    rows = duck.sql(DEEDS).to_arrow_table()
    deeds = Moments(*(rows.column(name).to_numpy().astype(np.int64) for name in ("n", "moment")))
    # Only those who did something are put in order.
    did = np.zeros(int(max(units.n.max(initial=0), deeds.n.max(initial=0))) + 1, dtype=np.bool_)
    did[deeds.n] = True
    some = np.flatnonzero(did[units.n])
    converted = np.zeros(len(units.n), dtype=np.bool_)
    converted[some] = followed(of(units.moments, some), deeds, target.window)
    message, deed = _credited(duck, units, some, deeds, target.window)
    currency = only_one(sorted(rows.column("currency").take(deed).drop_null().unique().to_pylist())) or target.currency
    return Followed(converted, Credits(message, rows.column("amount").to_numpy().astype(np.int64)[deed]), currency)


def _credited(duck: Any, units: Units, some: Numbers, deeds: Moments, window: int) -> tuple[Numbers, Numbers]:
    """Each deed with the last message before it, in each part of the report: rows of units, and of deeds."""
    found = []
    for part in (ACCEPTED, LOCAL, GLOBAL):
        mine = some[units.part[some] == part]
        moments = of(units.moments, mine)
        last = last_before(moments, _ranks(duck, units, mine, moments), deeds, window)
        there = np.flatnonzero(last >= 0)
        found.append((mine[last[there]], there))
    message, deed = (np.concatenate(column) for column in zip(*found, strict=True))
    return message, deed


def _ranks(duck: Any, units: Units, mine: Numbers, moments: Moments) -> Numbers:
    """Of several messages of one instant the one with the least key: the same each time."""
    ranks = np.zeros(len(mine), dtype=np.int64)
    equal = tied(moments)
    if len(equal):
        duck.register("tie", pa.table({"i": units.i[mine[equal]]}))
        order = duck.sql("SELECT u.i FROM unit u SEMI JOIN tie USING (i) ORDER BY key DESC").fetchnumpy()["i"]
        duck.unregister("tie")
        place = np.zeros(int(order.max()) + 1, dtype=np.int64)
        place[order] = np.arange(len(order))
        ranks[equal] = place[units.i[mine[equal]]]
    return ranks
