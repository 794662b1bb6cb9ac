import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sender.channels.addresses import AddressError, mailbox, phone


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("ann@example.org", "ann@example.org"),
        ("Ann.Lee+tag@Example.org", "Ann.Lee+tag@Example.org"),
        ("a..b@docomo.example", "a..b@docomo.example"),
        ("ann@почта.рф", "ann@xn--80a1acny.xn--p1ai"),
        ("ann@straße.example", "ann@xn--strae-oqa.example"),
        ("аня@example.org", "аня@example.org"),
        ("o'neil@example.org", "o'neil@example.org"),
    ],
)
def test_addresses_that_pass(address, wire):
    assert mailbox(address) == wire


@pytest.mark.parametrize(
    "address",
    [
        "", "@", "ann", "ann@", "@example.org", "a b@example.org", "a@b@c.org", "ann@exa mple.org", "<ann@example.org>", "ann@example.org>", '"a b"@x.org',
        "a,b@x.org", "ann@x.org\r\nDATA", "ann\r\n@x.org", "ann\x00@x.org", "ann\u2028@x.org", "a" * 65 + "@x.org", "ann@" + "a" * 64 + ".org",
        "ann@-x.org", "ann@[127.0.0.1]", "ann@x..org", "я" * 40 + "@x.org", "ann@x.org\n",
    ],
)  # fmt: skip
def test_addresses_that_do_not(address):
    with pytest.raises(AddressError) as caught:
        mailbox(address)
    assert not address or address not in str(caught.value) or address == "@"


@given(st.text())
def test_nothing_that_passes_can_end_a_command(address):
    try:
        wire = mailbox(address)
    except AddressError:
        return
    assert not set(wire) & set("\r\n\0 <>")
    assert wire.encode()


@pytest.mark.parametrize(("given_", "digits"), [("+79161234567", "79161234567"), ("79161234567", "79161234567")])
def test_phones(given_, digits):
    assert phone(given_) == digits


@pytest.mark.parametrize(
    "wrong", ["", "+", "123", "+7916 1234567", "7916123456a", "١٢٣٤٥٦٧٨", "+7916123456789012", "79161234567\n"]
)
def test_phones_that_are_none(wrong):
    with pytest.raises(AddressError):
        phone(wrong)
