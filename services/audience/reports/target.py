"""A target action in SQL: who did it (`n`, a person), when (`moment`, ms), and what it was worth."""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from runtime.lake import text
from schemas.audience import Happening
from schemas.audience_reading import Fault
from schemas.reports import Target
from services.audience.store.leaves import Leaves, fitting
from services.audience.store.values import NONE

MINOR, CURRENCY = ".minor", ".currency"


class MixedCurrencies(ValueError):  # noqa: N818
    """The amounts are in several currencies, and none was chosen: they are never summed. names: "" is that of plain numbers."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names

    def fault(self, path: str) -> Fault:
        """What every report says of it. path: where the target action stands in the question. `?` in its names: plain numbers."""
        named = ", ".join(name or "?" for name in self.names)
        message = f"the amounts are in several currencies ({named}) and are not added up: choose one"
        return Fault(path=f"{path}.currency", code="currencies_mixed", message=message, params={"names": named})


def hits(
    leaves: Leaves, target: Target, since: int, until: int, more: Mapping[str, str] = MappingProxyType({}), where: str = "true"
) -> str:
    """A query for the facts with since < moment <= until: n, moment, amount (BIGINT; NULL: none that is a whole number, or of another
    currency than the one that was asked for), currency (NULL: a plain number) and below (paid back, in whatever currency). more: further columns, by name; where: of which facts.
    """
    happening = Happening(event=target.event, where=target.where)
    amount, currency = _worth(leaves, target)
    columns = ", ".join([f"{amount} AS amount", f"{currency} AS currency", *(f"{sql} AS {name}" for name, sql in more.items())])
    rows = leaves.deeds(happening, columns, f"moment > {since} AND moment <= {until} AND {where}")
    others = "".join(f", t.{name}" for name in more)
    kept = "t.amount" if target.currency is None else f"CASE WHEN t.currency = {text(target.currency)} THEN t.amount END"
    return f"SELECT {leaves.whose} AS n, t.moment, {kept} AS amount, t.currency, coalesce(t.amount < 0, false) AS below{others} FROM {rows} t{leaves.join}"


def _worth(leaves: Leaves, target: Target) -> tuple[str, str]:
    """Expressions for the amount and the currency of a fact: of money where it is money, else of a whole number."""
    if target.value is None or not leaves.knows(target.event):
        return "NULL::BIGINT", "NULL::VARCHAR"
    path = target.value.removesuffix(MINOR)
    minor = leaves.property(target.event, path + MINOR).whole
    plain = leaves.property(target.event, path).whole
    amount = ", ".join(fitting(one) for one in (minor, plain) if one != NONE)
    named = leaves.property(target.event, path + CURRENCY).text
    money = "NULL::VARCHAR" if NONE in (minor, named) else f"CASE WHEN ({minor}) IS NOT NULL THEN ({named})::VARCHAR END"
    return (f"coalesce({amount})" if amount else "NULL::BIGINT"), money


def currency_of(duck: Any, found: str) -> str | None:
    """The one currency of the amounts that a table or query of `hits` has; None: plain numbers, or nothing. Raises MixedCurrencies, which
    names plain numbers beside money as "".
    """
    rows = duck.execute(f"SELECT DISTINCT coalesce(currency, '') FROM ({found}) WHERE amount IS NOT NULL ORDER BY 1").fetchall()
    return only_one([row[0] for row in rows])


def only_one(names: list[str]) -> str | None:
    """The one currency of these, "" being that of plain numbers; None: plain numbers, or nothing. Raises MixedCurrencies."""
    if len(names) > 1:
        raise MixedCurrencies(names)
    return names[0] or None if names else None
