"""Amounts become minor units once, exactly."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.money import convert, minor
from services.ingest.domain.values import Refusal


@pytest.mark.parametrize(
    ("amount", "places", "expected"),
    [
        (19.99, 2, 1999), (0.29, 2, 29), (1.005, 2, 101), (2.675, 2, 268), (-2.675, 2, -268), (4.35, 2, 435),
        (5, 2, 500), (-0.0, 2, 0), ("19.99", 2, 1999), ("-5", 2, -500), (1234.5, 0, 1235), (1.2345, 3, 1235),
        (0.07, 4, 700), (1e300, 2, 10**302), (123456789012.34, 2, 12345678901234), ("19,99", 2, None), ("", 2, None),
        ("1e5", 2, None), ("١", 2, None), (True, 2, None), (None, 2, None), ({"minor": 1}, 2, None), ("9" * 31, 2, None),
    ],
)  # fmt: skip
def test_minor(amount, places, expected):
    assert minor(amount, places) == expected


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12), st.sampled_from([0, 2, 3, 4]))
def test_the_quick_way_is_the_exact_way(amount, places):
    exact = Decimal(repr(amount)).scaleb(places).to_integral_value(ROUND_HALF_UP)
    assert minor(amount, places) == int(exact)


@given(st.integers(-(10**10), 10**10))
def test_every_price_with_two_decimals_is_read_exactly(cents):
    assert minor(float(f"{Decimal(cents) / 100:.2f}"), 2) == cents


def gbp(units):
    return {"minor": units, "currency": "GBP"}


def test_convert():
    values = {
        "revenue": 49.9,
        "total": "12.50",
        "discount": None,
        "value": "many",
        "quantity": 2,
        "currency": "gbp",
        "products": [{"price": 19.99, "sku": "a"}, {"price": 100, "currency": "JPY"}, "odd", {"total": gbp(5)}],
    }
    before = repr(values)
    assert convert(values, "RUB", "properties") == {
        "revenue": gbp(4990),
        "total": gbp(1250),
        "discount": None,
        "value": "many",
        "quantity": 2,
        "currency": "gbp",
        "products": [
            {"price": gbp(1999), "sku": "a"},
            {"price": {"minor": 100, "currency": "JPY"}, "currency": "JPY"},
            "odd",
            {"total": gbp(5)},
        ],
    }
    assert repr(values) == before


def test_the_sources_currency_and_none():
    assert convert({"price": 1.5}, "KWD", "p") == {"price": {"minor": 1500, "currency": "KWD"}}
    assert convert({"price": 1.5}, None, "p") == {"price": 1.5}
    assert convert({"price": 1.5, "currency": "$"}, "GBP", "p") == {"price": 1.5, "currency": "$"}
    assert convert({"products": "none", "price": 1}, None, "p") == {"products": "none", "price": 1}


@pytest.mark.parametrize("name", ["value", "discount", "amount", "check"])
def test_names_that_may_mean_anything_are_money_only_beside_a_currency(name):
    assert convert({name: 5, "products": [{name: 7}]}, "GBP", "p") == {name: 5, "products": [{name: 7}]}
    converted = convert({name: 5, "currency": "EUR", "products": [{name: 7}]}, "GBP", "p")
    assert (converted[name]["minor"], converted["products"][0][name]["currency"]) == (500, "EUR")
    assert convert({"products": [{name: 5, "currency": "GBP"}, {name: 5}]}, None, "p") == {
        "products": [{name: gbp(500), "currency": "GBP"}, {name: 5}]
    }
    assert convert({name: 5, "currency": "$"}, "GBP", "p")[name] == 5


@pytest.mark.parametrize("name", ["revenue", "total", "subtotal", "price", "tax", "shipping"])
def test_names_that_are_always_money_take_the_sources_currency(name):
    assert convert({name: 5, "products": [{name: 7}]}, "GBP", "p") == {name: gbp(500), "products": [{name: gbp(700)}]}


def test_an_amount_beyond_64_bits_is_refused():
    with pytest.raises(Refusal) as caught:
        convert({"products": [{}, {"price": 1e300}]}, "GBP", "properties")
    assert caught.value.fault.path == "properties.products[1].price"
    assert caught.value.fault.code == "money_too_large"
