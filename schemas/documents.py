"""What all documents of marketers have in common: unknown fields are refused, and lengths of time are written as 1d12h."""

import re
from datetime import datetime
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNITS = (86_400_000, 3_600_000, 60_000, 1000)
LONGEST_MS = 3_660 * 86_400_000  # ten years: an instant that is further away fits no calendar, and in the end no column
FARTHEST_MS = 221_845_392_000_000  # the year 9000: ten years further there still is a calendar


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


@lru_cache(maxsize=1024)
def duration_ms(text: str) -> int:
    """Milliseconds of "2d", "6h", "1d12h", "30m" or "45s". Raises ValueError."""
    found = _DURATION.fullmatch(text)
    if not text or not found:
        raise ValueError(f"{text!r} is not a duration: write it like 2d, 6h, 1d12h or 30m")
    if len(text) > 40 or (total := sum(int(n) * unit for n, unit in zip(found.groups(), _UNITS, strict=True) if n)) > LONGEST_MS:
        raise ValueError(f"{text[:40]!r} is longer than ten years")
    return total


def offset_ms(text: str) -> int:
    """The same of "-1d", "+2h" or "2h": before, or after. Raises ValueError."""
    sign = -1 if text.startswith("-") else 1
    return sign * duration_ms(text.removeprefix("-").removeprefix("+"))


def checked_duration(value: str) -> str:
    """A validator of a field."""
    duration_ms(value)
    return value


def checked_offset(value: str) -> str:
    """A validator of a field."""
    offset_ms(value)
    return value


def clock_ms(text: str) -> int:
    """Of a local time "09:30", ms after midnight."""
    hours, minutes = text.split(":")
    return int(hours) * 3_600_000 + int(minutes) * 60_000


def instant_ms(text: str) -> int:
    """UTC ms of an ISO instant with its zone. Raises ValueError."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ValueError(f"{text[:40]!r} is no instant with a zone: write it like 2027-01-31T23:59:59+03:00")
    return int(instant.timestamp() * 1000)
