"""Money: every amount becomes integer minor units and a currency here, once, so that no float is ever summed."""

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from schemas.currencies import digits

from .values import Refusal

AMOUNTS = frozenset({"revenue", "total", "subtotal", "price", "tax", "shipping"})
# These may mean anything (a score, a percentage, a checkbox): money only where the event itself says a currency.
PERHAPS = frozenset({"value", "discount", "amount", "check"})
LARGEST = 2**63 - 1  # what a bigint holds

_SCALES = (1, 10, 100, 1_000, 10_000)
_CODE = re.compile(r"[A-Za-z]{3}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?", re.ASCII)


def currency_of(value: Any) -> str | None:
    """The currency that a `currency` field names; None when it is not a three-letter code."""
    return _code(value) if type(value) is str and len(value) == 3 else None


@lru_cache(1_024)
def _code(text: str) -> str | None:
    return text.upper() if _CODE.fullmatch(text) else None


def minor(amount: Any, places: int) -> int | None:
    """An amount in minor units, halves away from zero: 19.99 -> 1999. None when it is no number or numeric text."""
    if type(amount) is float:
        # Exact for the usual price: the float nearest to n/100 is what "n/100" was read as.
        if -1e9 < amount < 1e9:
            scale = _SCALES[places]
            units = round(amount * scale)
            if units / scale == amount:
                return units
        exact = Decimal(repr(amount))
    elif type(amount) is int:
        return amount * _SCALES[places]
    elif type(amount) is str and _NUMBER.fullmatch(amount):
        exact = Decimal(amount)
    else:
        return None
    return int(exact.scaleb(places).to_integral_value(ROUND_HALF_UP)) if exact.is_finite() else None


def convert(values: dict[str, Any], default: str | None, path: str, *, said: bool = False) -> dict[str, Any]:
    """The same fields with every amount as {"minor": 1999, "currency": "GBP"}, in `products[]` too.

    default: the currency where `values` name none; said: it comes from the event itself, not from its source. An amount
    whose currency is not known, and what is already converted, stays as it is. Refuses (`money_too_large`) what does not
    fit in 64 bits. `values` itself is not changed.
    """
    named = values.get("currency")
    currency = default if named is None else currency_of(named)
    said = said or named is not None
    converted = values.copy()
    if currency is not None:
        for name, value in values.items():
            if name in AMOUNTS or (said and name in PERHAPS):
                converted[name] = _money(value, currency, path, name)
    products = values.get("products")
    if type(products) is list:
        converted["products"] = [
            convert(line, currency, f"{path}.products[{number}]", said=said) if type(line) is dict else line
            for number, line in enumerate(products)
        ]
    return converted


def exact(text: str, currency: str) -> dict[str, Any] | None:
    """A decimal number in text as money, without its field's name deciding. None when it is no number or too large."""
    units = minor(text, digits(currency))
    return None if units is None or abs(units) > LARGEST else {"minor": units, "currency": currency}


def decimal(amount: dict[str, Any]) -> Decimal:
    """Money as a decimal number of its currency: {"minor": 1999, "currency": "GBP"} -> 19.99."""
    return Decimal(amount["minor"]).scaleb(-digits(amount["currency"]))


def _money(value: Any, currency: str, path: str, name: str) -> Any:
    units = minor(value, digits(currency))
    if units is None:
        return value
    if not -LARGEST <= units <= LARGEST:
        raise Refusal(f"{path}.{name}", "money_too_large", "The amount does not fit in 64 bits.", "send a real amount")
    return {"minor": units, "currency": currency}
