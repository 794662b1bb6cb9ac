"""Durations, instants and amounts of money, taken apart into what every language says of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from schemas.attributes import date_ms
from schemas.audience import Comparing, Filter
from schemas.currencies import digits

Unit = Literal["day", "hour", "minute", "second", "ms", "time", "week", "month", "quarter", "year"]
_UNITS: Sequence[tuple[Unit, int]] = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000), ("ms", 1))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINOR, _CURRENCY = "minor", "currency"


class Moment(NamedTuple):
    """An instant of UTC. time: "10:00", to the second or the millisecond where it has some; "" at midnight."""

    day: int
    month: int
    year: int
    time: str


class Money(NamedTuple):
    """Amounts of one currency: those of the object at the path `of`, by the test that names the currency."""

    test: Filter
    of: str
    currency: str

    def covers(self, path: str) -> bool:
        return path == f"{self.of}.{_MINOR}"


def span(ms: int) -> list[tuple[int, Unit]]:
    """A duration in its units, the largest first: 36 h are 1 day and 12 hours. Of a negative one, how long it is."""
    left, found = abs(ms), []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            found.append((count, unit))
    return found or [(0, "ms")]


def moment(value: int | str) -> Moment | None:
    """A date or instant as a condition names it (`schemas.attributes.date_ms`). None where no calendar reaches."""
    at = date_ms(value)
    try:
        when = _EPOCH + timedelta(milliseconds=at or 0)
    except OverflowError:
        return None
    time = f"{when:%H:%M}"
    if when.microsecond:
        time = f"{when:%H:%M:%S}.{when.microsecond // 1000:03}"
    elif when.second:
        time = f"{when:%H:%M:%S}"
    return Moment(when.day, when.month, when.year, "" if time == "00:00" else time)


def money(tests: Sequence[Filter], paths: Sequence[str] = ()) -> Money | None:
    """What the first test that names the currency of amounts, at `paths` or in the tests, makes of them; None: nothing does."""
    amounts = {*paths, *(test.path for test in tests if is_whole(test))}
    for test in tests:
        if test.op == "eq" and test.path.endswith(f".{_CURRENCY}") and is_currency(test.value):
            found = Money(test, test.path.removesuffix(f".{_CURRENCY}"), str(test.value))
            if any(map(found.covers, amounts)):
                return found
    return None


def is_whole(test: Comparing) -> bool:
    """Whether it compares with whole numbers."""
    return test.value_type == "number" and bool(test.listed) and all(type(value) is int for value in test.listed)


def is_currency(value: object) -> bool:
    return isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha() and value.isupper()


def is_minor(path: str) -> bool:
    """Whether whole numbers at this path are an amount in minor units."""
    return path == _MINOR or path.endswith(f".{_MINOR}")


def decimal(minor: int, currency: str) -> tuple[int, str]:
    """An amount without its sign: in whole units, and the digits behind the point, "" where there are none."""
    whole, rest = divmod(abs(minor), 10 ** digits(currency))
    return whole, str(rest).zfill(digits(currency)) if rest else ""
