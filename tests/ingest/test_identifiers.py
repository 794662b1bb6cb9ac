"""One spelling per identifier, and no junk."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.facts import IDENTIFIER_KINDS
from schemas.identifiers import _PLAIN_PHONE, REFUSED, normalise


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ann@Example.ORG", "ann@example.org"),
        ("  ann@example.org\n", "ann@example.org"),
        ("ann+tag@example.org", "ann+tag@example.org"),
        ("a.n.n@gmail.com", "a.n.n@gmail.com"),
        ("анна@почта.рф", "анна@xn--80a1acny.xn--p1ai"),
        ("АННА@ПОЧТА.РФ", "анна@xn--80a1acny.xn--p1ai"),
        ("ann@почта.рф", "ann@xn--80a1acny.xn--p1ai"),
        ("ann@xn--80a1acny.xn--p1ai", "ann@xn--80a1acny.xn--p1ai"),
        ("jose\u0301@example.org", "josé@example.org"),
        ("Straße@example.org", "strasse@example.org"),
        ("ann@localhost", None),
        ("ann@@example.org", None),
        ("ann@b@example.org", None),
        ("ann", None),
        ("@example.org", None),
        ("ann@.org", None),
        ("ann@example..org", None),
        ("ann@-example.org", None),
        ("ann@10.0.0.1", None),
        ("Ann <ann@example.org>", None),
        ("ann b@example.org", None),
        ("анна б@example.org", None),
        ("анна\x00@example.org", None),
        ("ann@exa\ud800mple.org", None),
        ("анна@exa\ud800mple.org", None),
        ("x" * 65 + "@example.org", None),
        ("я" * 33 + "@example.org", None),
        ("я@" + "я" * 5_000 + ".рф", None),
        ("a@" + "b." * 200 + "org", None),
        (None, None),
        (True, None),
        (12, None),
        (["ann@example.org"], None),
    ],
)
def test_email(value, expected):
    assert normalise("email", value) == expected


@pytest.mark.parametrize(
    ("value", "region", "expected"),
    [
        ("+442079460958", "", "+442079460958"),
        ("+44 (0)20 7946-0958", "", "+442079460958"),
        ("+4402079460958", "", "+442079460958"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("020 7946 0958", "", None),
        ("8 (999) 123-45-67", "RU", "+79991234567"),
        ("89991234567", "RU", "+79991234567"),
        (79991234567, "RU", "+79991234567"),
        ("+7 999 123 45 67", "", "+79991234567"),
        ("+79991234567", "GB", "+79991234567"),
        ("+123", "", None),
        ("12", "GB", None),
        ("call me", "GB", None),
        ("1-800-FLOWERS", "US", None),
        ("+7٩٩٩١٢٣٤٥٦٧", "", None),
        ("+" + "9" * 500, "", None),
        ("020 7946 0958", "nowhere", None),
        (2.5, "GB", None),
    ],
)
def test_phone(value, region, expected):
    assert normalise("phone", value, region) == expected


@pytest.mark.parametrize("kind", ["user_id", "anonymous_id"])
@pytest.mark.parametrize(
    "junk",
    [
        *sorted(REFUSED), "NULL", "None", "Guest", " undefined ", "[object Object]", "-1", "0", 0, -1, "000",
        "00000000-0000-0000-0000-000000000000", "NaN", "TRUE", True, False, 1.5, {}, [], "", "  ", "a\nb", "a\x00",
        "\ud800", "x" * 201,
    ],
)  # fmt: skip
def test_junk_ids_name_nobody(kind, junk):
    assert normalise(kind, junk) is None


def test_ids_are_only_trimmed():
    assert normalise("user_id", " User-42 ") == "User-42"
    assert normalise("user_id", 42) == "42"
    assert normalise("anonymous_id", "x" * 200) == "x" * 200
    assert normalise("user_id", "пользователь 7") == "пользователь 7"


@pytest.mark.parametrize("kind", ["telegram_id", "vk_id"])
def test_messenger_ids(kind):
    assert normalise(kind, 12345) == "12345"
    assert normalise(kind, " 12345 ") == "12345"
    assert [normalise(kind, junk) for junk in ("0", -1, "012", "@ann", "1" * 21, "١٢", True)] == [None] * 7


def test_unknown_kind():
    assert normalise("ga_client_id", "GA1.2.3") is None


@given(st.sampled_from(IDENTIFIER_KINDS), st.text() | st.integers() | st.emails(), st.sampled_from(["", "GB", "RU"]))
def test_a_normalised_value_normalises_to_itself(kind, value, region):
    clean = normalise(kind, value, region)
    assert clean is None or normalise(kind, clean, region) == normalise(kind, clean, "") == clean


@given(st.text(alphabet="aAßİǅйЙ\u0301\u0345.@oO\u1e9e", min_size=1))
def test_unusual_letters_settle_at_once(local):
    clean = normalise("email", f"{local}@example.org")
    assert clean is None or normalise("email", clean) == clean


@settings(max_examples=300)
@given(st.from_regex(_PLAIN_PHONE, fullmatch=True))
def test_the_quick_way_for_phones_says_what_the_library_says(value):
    number = phonenumbers.parse(value, None)
    assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == value
    assert phonenumbers.is_possible_number(number)
    assert normalise("phone", value) == value
