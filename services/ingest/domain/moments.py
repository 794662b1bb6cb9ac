"""When it happened: reads the sender's times and corrects them by what his clock is off."""

from datetime import UTC, datetime
from typing import Any

from .values import Refusal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = 631_152_000_000  # 1990-01-01: before any customer record there can be, after every unset clock

_MEND = "send ISO 8601 with a zone (2026-11-22T10:00:00Z) or Unix time in seconds or milliseconds, not before 1990"


def parse(value: Any) -> int | None:
    """Milliseconds since 1970 (UTC) of an ISO 8601 text (no zone: UTC) or a Unix time; None when it is neither.

    A number's unit shows in its size: below 10^11 seconds, below 10^14 milliseconds, else microseconds.
    """
    if type(value) is str:
        if 9 <= len(value) <= 17 and value.isdecimal():  # before ISO 8601, which reads a date into some of them
            return _from_number(int(value))
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        past = moment - EPOCH
        return past.days * 86_400_000 + past.seconds * 1_000 + past.microseconds // 1_000
    return _from_number(value) if type(value) in (int, float) else None


def _from_number(value: float) -> int | None:
    size = abs(value)
    if size < 1e11:
        return round(value * 1_000)
    if size < 1e14:
        return int(value)
    return int(value) // 1_000 if size < 1e17 else None


def settle(value: Any, sent_at: int | None, now: int, *, driven: bool) -> tuple[int, int]:
    """(occurred_at, received_at) of an event with `timestamp` = value, sent at `sent_at` by the sender's own clock.

    The sender's clock is off by now - sent_at, so that much is added to the timestamp; what then lies in the future
    becomes now. On a driven clock the timestamp is taken as it is, and the event counts as received when it happened,
    at `now` at the latest.
    Refuses (`timestamp_invalid`) what is unreadable or, after the correction, before 1990.
    """
    if value is None:
        return now, now
    occurred = parse(value)
    if occurred is None:
        raise Refusal("timestamp", "timestamp_invalid", "The timestamp cannot be read.", _MEND)
    if driven:
        received = min(now, occurred)
    else:
        received = now
        if sent_at is not None:
            occurred += now - sent_at
    if occurred < EARLIEST:
        raise Refusal("timestamp", "timestamp_invalid", "The timestamp lies before 1990.", _MEND)
    return min(occurred, received), received
