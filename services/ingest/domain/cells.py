"""What the text of one cell of a file says: numbers, money, moments, and the conditions on which a row is refused."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any, Literal

from . import moments, money

Kind = Literal["text", "integer", "number", "money", "boolean", "date"]
Condition = Literal["empty", "not_empty", "zero", "negative", "zero_or_less", "equals", "starts_with", "one_of"]
Read = Callable[[str], Any]  # of a trimmed cell that is not empty; ValueError says what is wrong, without the value

_CACHE = 65_536  # prices, quantities and days repeat
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_SPACES = re.compile(r"[\s'\u00a0\u202f]")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ ,T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?", re.ASCII)
YES = frozenset(("true", "t", "yes", "y", "1", "да"))
NO = frozenset(("false", "f", "no", "n", "0", "нет"))
_SWAP = str.maketrans(",.", ".,")


def number_of(text: str, decimal: str = ".") -> str | None:
    """The number in `text` as plain decimal digits ("1 234,50" -> "1234.50"); None when it is none."""
    if decimal == ",":
        text = text.translate(_SWAP)
    if _NUMBER.fullmatch(text):
        return text
    text = _SPACES.sub("", text)
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    return text if _NUMBER.fullmatch(text) else None


class Readers:
    """The ways of reading a cell, for one mapping."""

    def __init__(self, decimal: str, currency: str | None, moment: Callable[[str], int | None]) -> None:
        self._decimal, self._currency, self._moment = decimal, currency, moment

    def of(self, kind: Kind) -> Read:
        made: dict[Kind, Read] = {
            "text": str,
            "integer": self._integer,
            "number": self._number,
            "money": self._money,
            "boolean": _boolean,
            "date": self._date,
        }
        return made[kind] if kind in ("text", "boolean") else lru_cache(_CACHE)(made[kind])

    def _plain(self, text: str) -> str:
        plain = number_of(text, self._decimal)
        if plain is None:
            raise ValueError("is no number")
        return plain

    def _integer(self, text: str) -> int:
        whole, _, fraction = self._plain(text).partition(".")
        if fraction.strip("0") or not -(2**63) <= int(whole) < 2**63:
            raise ValueError("is no whole number of 64 bits")
        return int(whole)

    def _number(self, text: str) -> int | float:
        plain = self._plain(text)
        return float(plain) if "." in plain or len(plain) > 18 else int(plain)

    def _money(self, text: str) -> dict[str, Any]:
        found = money.exact(self._plain(text), self._currency or "")
        if found is None:
            raise ValueError("is too large an amount")
        return found

    def _date(self, text: str) -> str:
        moment = _datetime(text)
        if moment is None:
            raise ValueError("is no date")
        return moment.date().isoformat()


def _boolean(text: str) -> bool:
    word = text.casefold()
    if word not in YES and word not in NO:
        raise ValueError("is neither yes nor no")
    return word in YES


def translated(read: Read, values: Mapping[str, str]) -> Read:
    """Reads a cell as what its text stands for; texts that are not listed are read as they are."""
    if not values:
        return read
    meant = {text.strip().casefold(): value for text, value in values.items()}
    return lambda text: read(meant.get(text.casefold(), text))


def moment_reader(zone: tzinfo, pattern: str) -> Callable[[str], int | None]:
    """Reads the text of a time as UTC ms; None when it is none. pattern: of strptime, the only one then."""

    @lru_cache(_CACHE)
    def read(text: str) -> int | None:
        if not pattern and text.isdecimal() and len(text) > 8:
            return moments.parse(text)
        found = _by_pattern(text, pattern) if pattern else _datetime(text)
        if found is None:
            return None
        past = (found if found.tzinfo else found.replace(tzinfo=zone)) - moments.EPOCH
        return past.days * 86_400_000 + past.seconds * 1_000 + past.microseconds // 1_000

    return read


def _by_pattern(text: str, pattern: str) -> datetime | None:
    try:
        return datetime.strptime(text, pattern)  # noqa: DTZ007 - the caller knows the zone
    except ValueError:
        return None


def _datetime(text: str) -> datetime | None:
    try:
        if dotted := _DOTTED.fullmatch(text):
            day, month, year, hour, minute, second = (int(part or 0) for part in dotted.groups())
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the caller knows the zone
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def condition(when: Condition, value: str, decimal: str, values: Sequence[str] = ()) -> Callable[[str], bool]:
    """True for a trimmed cell that meets the condition.

    What is no number meets no condition on numbers; an empty cell counts as zero.
    """

    def compared(test: Callable[[float], bool]) -> Callable[[str], bool]:
        @lru_cache(_CACHE)
        def meets(text: str) -> bool:
            plain = number_of(text or "0", decimal)
            return plain is not None and test(float(plain))

        return meets

    listed = frozenset(text.strip().casefold() for text in values)
    made: dict[Condition, Callable[[str], bool]] = {
        "empty": lambda text: not text,
        "not_empty": bool,
        "zero": compared(lambda number: number == 0),
        "negative": compared(lambda number: number < 0),
        "zero_or_less": compared(lambda number: number <= 0),
        "equals": lambda text: text == value,
        "starts_with": lambda text: text.startswith(value),
        "one_of": lambda text: text.casefold() in listed,
    }
    return made[when]


def negated(text: str) -> str:
    """The number's text with the other sign."""
    return text[1:] if text[:1] == "-" else f"-{text.removeprefix('+')}" if text else text
