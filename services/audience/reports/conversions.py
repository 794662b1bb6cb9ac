"""Conversions read from the index as arrays in the order of time: the facts that a target action is, each once by its key."""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from schemas.audience import Happening
from schemas.reports import Target
from services.audience.domain.grouping import distinct
from services.audience.domain.ways import Conversions, Flags, Numbers
from services.audience.reports.target import hits, only_one
from services.audience.reports.touches import among, coded, flags
from services.audience.store.answers import View
from services.audience.store.values import NONE

NO_WORD = "NULL::VARCHAR"
NO_AMOUNT = -1


class Found(NamedTuple):
    """priced: number of the currency of each in `currencies`, of which "" is that of plain numbers; NO_AMOUNT: it has no amount. product: number
    of the product family of each in `products`, whose first is of those without one. below: what was paid back, in whatever currency.
    """

    conversions: Conversions
    priced: Numbers
    currencies: Sequence[str]
    product: Numbers
    products: Sequence[str]
    below: Flags

    @property
    def currency(self) -> str | None:
        """That of all amounts; None: plain numbers, or nothing. Raises MixedCurrencies."""
        return self.currency_of(np.arange(len(self.priced)))

    def currency_of(self, rows: Numbers) -> str | None:
        """The same of some of them: those that are added up."""
        there = distinct(self.priced[rows])
        return only_one([self.currencies[number] for number in there.tolist() if number != NO_AMOUNT])


def read(
    view: View,
    target: Target,
    since: int,
    until: int,
    brands: Sequence[str] = (),
    key: str | None = None,
    product: str | None = None,
) -> Found:
    """All with since <= moment < until (ms). key, product: paths of properties."""
    last = min(until - 1, view.now)
    more = {"product": word(view, target.event, product)}
    if key is not None:
        more |= {"key": word(view, target.event, key), "brand": "brand"}
    # What revises a conversion may come later, and may be of one that was before.
    query = hits(view.leaves, target, since - 1 if key is None else -1, last if key is None else view.now, more, among(brands))
    if key is not None:
        query = _once(query, since, last)
    named = "amount IS NOT NULL AS priced, coalesce(currency, '') AS currency, coalesce(product, '') AS product, below"
    table = view.instant.duck.sql(f"SELECT n, moment, coalesce(amount, 0) AS amount, {named} FROM ({query})").to_arrow_table()
    return _ordered(table)


def _once(query: str, since: int, last: int) -> str:
    """Those of one key of a brand as one: the first one's person and moment, the last one's amount and product. Each brand numbers its orders."""
    newest = ", ".join(
        f"arg_max_null({one}, (moment, coalesce(amount, 0), coalesce(product, ''))) AS {one}"
        for one in ("amount", "currency", "product", "below")
    )
    return (
        f"SELECT n, moment, amount, currency, product, below FROM (SELECT n, moment, amount, currency, product, below FROM ({query}) WHERE key IS NULL "
        f"UNION ALL SELECT arg_min(n, (moment, n)) AS n, min(moment) AS moment, {newest} FROM ({query}) WHERE key IS NOT NULL GROUP BY brand, key) "
        f"WHERE moment >= {since} AND moment <= {last}"
    )


def word(view: View, event: str, path: str | None) -> str:
    """A property as a text, whether it is one or a whole number."""
    if path is None or not view.leaves.knows(event):
        return NO_WORD
    value = view.leaves.property(event, path)
    found = [value.text] if value.text != NONE else []
    found += [f"({value.whole})::VARCHAR"] if value.whole != NONE else []
    return f"coalesce({', '.join(found)})::VARCHAR" if found else NO_WORD


def _ordered(table: Any) -> Found:
    product, products = coded(table.column("product"))
    n = table.column("n").to_numpy().astype(np.int64)
    moment, amount = (table.column(name).to_numpy().astype(np.int64) for name in ("moment", "amount"))
    number, currencies = coded(table.column("currency"))
    number = np.where(flags(table.column("priced")), number, NO_AMOUNT)
    order = np.lexsort((product, amount, moment, n))
    return Found(
        Conversions(n[order], moment[order], amount[order]),
        number[order],
        currencies,
        product[order],
        products,
        flags(table.column("below"))[order],
    )


def moments(
    view: View, happening: Happening, since: int, until: int, brands: Sequence[str] = (), only: str = "true"
) -> tuple[Numbers, Numbers]:
    """(n, moment) of facts with since <= moment < until, in that order. only: a condition on them in SQL."""
    where = f"moment >= {since} AND moment < {until} AND {among(brands)} AND {only}"
    rows = view.leaves.deeds(happening, "1 AS one", where)
    table = view.instant.duck.sql(f"SELECT {view.leaves.whose} AS n, t.moment FROM {rows} t{view.leaves.join}").to_arrow_table()
    n, moment = (table.column(name).to_numpy().astype(np.int64) for name in ("n", "moment"))
    order = np.lexsort((moment, n))
    return n[order], moment[order]
