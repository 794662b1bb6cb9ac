"""Charges: what is added up later must be exact now."""

from decimal import Decimal
from typing import Any

from schemas import charges

from . import money
from .values import Refusal


def charge(properties: dict[str, Any], currency: str | None) -> dict[str, Any]:
    """Properties of a charge with its amount as money, in the currency that it or else its source names.

    Refuses (`charge_unfit`) what cannot be added up, and (`charge_inexact`) an amount that whole minor units do not hold: a sum of
    rounded charges would be another one.
    """
    amount = properties.get("amount")
    said = properties.get("currency")
    named = currency if said is None else money.currency_of(said)
    if named is not None and type(amount) in (int, float, str):
        properties = {**properties, "amount": _exact(amount, named)}
    try:
        charges.read(properties)
    except charges.Unfit as unfit:
        raise Refusal(
            f"properties.{unfit.field}", "charge_unfit", "It is none that can be added up.", f"send {unfit.wanted}"
        ) from unfit
    return properties


def _exact(amount: Any, currency: str) -> Any:
    found = money.exact(repr(amount) if type(amount) is float else str(amount), currency)
    if found is not None and abs(Decimal(str(amount)) - money.decimal(found)) > Decimal("1e-9"):
        mend = "add such amounts up before, to whole minor units"
        raise Refusal("properties.amount", "charge_inexact", "It has fractions of the currency's smallest unit.", mend)
    return amount if found is None else found
