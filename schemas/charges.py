"""Charges: what a product costs somebody by the hour or month. Each is told as a track fact; profile adds them up by the day."""

import re
from typing import Annotated, Any, Literal

import msgspec

from schemas.attributes import date_ms
from schemas.facts import Fact

CHARGE = "Charge"
ROLLED_UP = "Charges Rolled Up"
SOURCE = "charges"  # of the facts that profile makes of them

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_MOST = 10**12  # of minor units in one charge: nine million of them a day fit in 64 bits

_WANTED = {
    "product": "a text of 1 to 200 characters",
    "amount": 'money in whole minor units: {"minor": 1999, "currency": "GBP"}',
    "charged_at": "ISO 8601 (2026-11-22T10:00:00Z) or UTC milliseconds",
    "period": "hour or month",
    "account": "a text of 1 to 200 characters",
    "resource": "a text of 1 to 200 characters",
}
_WHERE = re.compile(r"required field `(\w+)`$|at `\$\.?(\w+)")


class Money(msgspec.Struct, frozen=True):
    """Minor units of a currency (ISO 4217)."""

    minor: Annotated[int, msgspec.Meta(ge=-_MOST, le=_MOST)]
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]


class Charge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Properties of a `Charge`. charged_at: when it fell due, ISO 8601 or ms; without it the fact's `occurred_at`. A negative amount is
    one that is given back. account, resource, period: the sender's own; what is added up does not tell them apart.
    """

    product: Text
    amount: Money
    charged_at: int | str | None = None
    period: Literal["hour", "month"] | None = None
    account: Text | None = None
    resource: Text | None = None


class RolledUp(msgspec.Struct, frozen=True, kw_only=True):
    """Properties of `Charges Rolled Up`: so many charges of one product and day (the brand's, 2026-11-22), which no other of these facts
    has counted. first_at, last_at: of the charges, ms.
    """

    product: str
    day: str
    amount: Money
    count: int
    first_at: int
    last_at: int


class Unfit(ValueError):  # noqa: N818
    """A charge that cannot be added up. field: of the properties; wanted: what belongs there. The text repeats no value."""

    def __init__(self, field: str) -> None:
        self.field, self.wanted = field, _WANTED.get(field, "an object")
        super().__init__(f"properties.{field}: {self.wanted} is wanted of a charge")


def is_charge(fact: Fact) -> bool:
    return fact.event == CHARGE and fact.type == "track"


def read(properties: dict[str, Any]) -> Charge:
    """Raises Unfit."""
    try:
        charge = msgspec.convert(properties, Charge)
    except msgspec.ValidationError as error:
        found = _WHERE.search(str(error))
        raise Unfit((found[1] or found[2]) if found else "product") from error
    if "\x00" in charge.product:
        raise Unfit("product")
    if charge.charged_at is not None and not _is_instant(charge.charged_at):
        raise Unfit("charged_at")
    return charge


def charged_at(charge: Charge, fact: Fact) -> int:
    """When it fell due (ms): not after it was received, as of every fact."""
    said = date_ms(charge.charged_at)
    return fact.occurred_at if said is None else min(said, fact.received_at)


def _is_instant(value: int | str) -> bool:
    at = date_ms(value)
    return at is not None and at >= 0
