"""What an identifier looks like before it may name a person: one spelling per address, and no junk.

Two facts are about one person when they carry the same "kind:value" text, so every writer and every reader of
`facts.raw` normalises with these functions: ingest for calls, profile for facts that a backend wrote to the topic.
All functions are idempotent: a normalised value normalises to itself.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Any

import phonenumbers

from schemas.facts import IDENTIFIER_KINDS

MAX_LENGTH = 200
_CACHE = 65_536

# Values that stand for "nobody" in some SDK, template engine or form: linking by them would merge strangers.
# Compared without regard to case; values made only of zeros and dashes (the nil UUID) are refused as well.
# fmt: off
REFUSED = frozenset({
    "", "null", "none", "nil", "undefined", "unknown", "anonymous", "guest", "not_authenticated",
    "unauthenticated", "unidentified", "nobody", "nan", "true", "false", "0", "-1", "test", "n/a", "(null)",
    "<null>", "id", "user_id", "userid", "distinct_id", "distinctid", "anonymous_id", "anonymousid", "email",
    "[object object]",
})
# fmt: on

# Kinds of a company's own, such as the number of a loyalty card; which there are is said by its rules of identity.
_OWN = re.compile(r"id\.[a-z][a-z0-9_]{0,29}")
_SPACES = re.compile(r"\s")
_ASCII_EMAIL = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})"
)
_NOT_IN_LOCAL = frozenset('<>()[],;:\\"@')
# Number plans whose possible numbers have one length: recognised without the library (20 us a call).
_PLAIN_PHONE = re.compile(r"\+(?:7[3-9]\d{9}|1[2-9]\d{9}|375(?:25|29|33|44)\d{7})", re.ASCII)
_PHONE_MARKS = re.compile(r"[0-9+()\-./\s\u00a0\u2010-\u2015]{5,40}")
_MESSENGER_ID = re.compile(r"[1-9][0-9]{0,19}")


def normalise(kind: str, value: Any, region: str = "") -> str | None:
    """The one spelling of an identifier, or None when it cannot name a person (junk, malformed, kind unknown).

    value: text, or a whole number for ids and phones. region: two letters of the country that a phone without "+"
    belongs to ("GB"); without it such a phone is None.
    """
    if type(value) is not str:
        if type(value) is not int:
            return None
        value = str(value)
    if kind in ("user_id", "anonymous_id") or is_own(kind):
        return opaque(value)
    if kind == "email":
        return email(value)
    if kind == "phone":
        return phone(value, region)
    return messenger_id(value) if kind in IDENTIFIER_KINDS else None


def is_own(kind: str) -> bool:
    """Is it the name of a kind of a company's own: "id.card"?"""
    return kind[:3] == "id." and _OWN.fullmatch(kind) is not None


def is_kind(name: str) -> bool:
    """Is it a kind of identifier: one of ours, or the name of a company's own?"""
    return name in IDENTIFIER_KINDS or is_own(name)


def in_own_spelling(value: str, spelling: str) -> str | None:
    """The value of a kind of a company's own: as it is ("text"), in small letters ("lower"), or only its digits, or letters and digits.
    None where nothing is left of it.
    """
    if spelling == "lower":
        value = _folded(value)
    elif spelling == "digits":
        value = "".join(c for c in value if c in "0123456789")
    elif spelling == "alphanumeric":
        value = "".join(c for c in _folded(value) if c.isalnum())
    return opaque(value)


def opaque(value: str) -> str | None:
    """An id which the source gave, trimmed. None for junk, control characters and more than 200 characters."""
    value = value.strip()
    if len(value) > MAX_LENGTH or value.casefold() in REFUSED or not value.strip("0-") or not value.isprintable():
        return None
    return value


def email(value: str) -> str | None:
    """The match key of a mail address: NFC, trimmed, case folded, domain in punycode. Plus tags and dots are kept."""
    if value.isascii():
        value = value.strip().lower()
        return value if len(value) <= 254 and _ASCII_EMAIL.fullmatch(value) else None
    return _international_email(value) if len(value) <= 4 * MAX_LENGTH else None


def phone(value: str, region: str = "") -> str | None:
    """E.164: "+442079460958". None when the number of digits is impossible for its country, or the country unknown."""
    return value if _PLAIN_PHONE.fullmatch(value) else _parsed_phone(value, region)


def messenger_id(value: str) -> str | None:
    """A Telegram or VK user id: a positive whole number without leading zeros, as text."""
    value = value.strip()
    return value if value.isascii() and _MESSENGER_ID.fullmatch(value) else None


@lru_cache(_CACHE)
def _international_email(value: str) -> str | None:
    local, _, domain = _folded(value.strip()).rpartition("@")
    try:
        # IDNA 2003 of the standard library: case folding has already made the choices in which IDNA 2008 differs.
        address = domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    if not _ASCII_EMAIL.fullmatch("x@" + address) or len(local.encode("utf-8", "replace")) > 64:
        return None
    clean = local.isprintable() and not _SPACES.search(local) and _NOT_IN_LOCAL.isdisjoint(local)
    return f"{local}@{address}" if local and clean else None


def _folded(text: str) -> str:
    """Canonical caseless form, then NFC (Unicode D145): folding alone may undo the composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


@lru_cache(_CACHE)
def _parsed_phone(value: str, region: str) -> str | None:
    if not _PHONE_MARKS.fullmatch(value):
        return None
    try:
        number = phonenumbers.parse(value, region or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    spelled = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return str(spelled)
