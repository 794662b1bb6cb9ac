"""Charges at the edge: their amounts are exact, or they are refused with the field and the mend."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import Accepted, Arrival, Fault, Source, normalise

ARRIVAL = Arrival(source=Source(brand="shop", name="billing", currency="RUB"), now=1_798_761_600_000)


def told(properties: dict, call: str = "track", event: str = "Charge") -> Accepted | Fault:
    said = {"type": call, "userId": "1", "event": event, "properties": properties}
    return normalise(json.dumps(said).encode(), ARRIVAL)


@given(st.integers(-(10**12), 10**12))
def test_an_amount_of_whole_minor_units_is_taken_as_it_is_told(minor):
    sign, units = "-" if minor < 0 else "", abs(minor)
    text = f"{sign}{units // 100}.{units % 100:02}"
    for amount in (text, float(text), {"minor": minor, "currency": "RUB"}):
        accepted = told({"product": "vm", "amount": amount})
        assert isinstance(accepted, Accepted) and accepted.fact.properties["amount"] == {"minor": minor, "currency": "RUB"}


def test_the_currency_is_its_own_or_the_sources():
    for currency, minor in (("GBP", 250), ("JPY", 3), ("KWD", 2500)):
        accepted = told({"product": "vm", "amount": 3 if currency == "JPY" else "2.5", "currency": currency})
        assert accepted.fact.properties["amount"] == {"minor": minor, "currency": currency}
    assert told({"product": "vm", "amount": 24 * 0.1}).fact.properties["amount"]["minor"] == 240, "what floats make of 2.4"


@pytest.mark.parametrize(
    ("properties", "path", "code"),
    [
        ({"product": "vm", "amount": 0.004}, "properties.amount", "charge_inexact"),
        ({"product": "vm", "amount": "1.005"}, "properties.amount", "charge_inexact"),
        ({"product": "vm", "amount": 1.5, "currency": "JPY"}, "properties.amount", "charge_inexact"),
        ({"product": "vm", "amount": "much"}, "properties.amount", "charge_unfit"),
        ({"product": "vm", "amount": 1, "currency": "roubles"}, "properties.amount", "charge_unfit"),
        ({"product": "vm", "amount": True}, "properties.amount", "charge_unfit"),
        ({"product": "vm"}, "properties.amount", "charge_unfit"),
        ({"amount": 1}, "properties.product", "charge_unfit"),
        ({"product": "vm", "amount": 1, "period": "week"}, "properties.period", "charge_unfit"),
        ({"product": "vm", "amount": 1, "charged_at": "soon"}, "properties.charged_at", "charge_unfit"),
    ],
)
def test_what_cannot_be_added_up_exactly_is_refused_with_its_field(properties, path, code):
    fault = told(properties)
    assert isinstance(fault, Fault) and (fault.path, fault.code) == (path, code) and fault.mend


def test_other_events_are_what_they_were():
    assert told({"amount": 0.004}, event="Charged").fact.properties == {"amount": 0.004}
