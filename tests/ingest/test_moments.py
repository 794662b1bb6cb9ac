"""When it happened, and by whose clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.moments import EARLIEST, parse, settle
from services.ingest.domain.values import Refusal

NOW = 1_795_341_600_000  # 2026-11-22T10:00:00Z
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-22T10:00:00Z", NOW),
        ("2026-11-22T10:00:00.123Z", NOW + 123),
        ("2026-11-22T10:00:00.123999+00:00", NOW + 123),
        ("2026-11-22T10:00:00.123456789Z", NOW + 123),
        ("2026-11-22T13:00:00+03:00", NOW),
        ("2026-11-22T13:00:00+0300", NOW),
        ("2026-11-22 10:00:00", NOW),
        ("2026-11-22", NOW - 10 * HOUR),
        ("20261122", NOW - 10 * HOUR),
        (NOW, NOW),
        (NOW // 1_000, NOW),
        (NOW / 1_000, NOW),
        (NOW * 1_000, NOW),
        (str(NOW), NOW),
        (str(NOW // 1_000), NOW),
        ("1712010100000", 1_712_010_100_000),
        (0, 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("0001-01-01T00:00:00+14:00", -62_135_596_800_000 - 14 * HOUR),
        ("", None),
        ("yesterday", None),
        ("Sun, 22 Nov 2026 10:00:00 GMT", None),
        ("2026-13-01", None),
        (True, None),
        ([], None),
        (10**20, None),
    ],
)
def test_parse(value, expected):
    assert parse(value) == expected


@pytest.mark.parametrize(
    ("timestamp", "sent_at", "occurred"),
    [
        (None, None, NOW),
        (None, NOW - HOUR, NOW),
        (NOW - HOUR, None, NOW - HOUR),
        (NOW - HOUR, NOW, NOW - HOUR),
        (NOW - 3 * HOUR, NOW - 2 * HOUR, NOW - HOUR),  # his clock is two hours slow
        (NOW + HOUR, NOW + 2 * HOUR, NOW - HOUR),  # fast
        (NOW + HOUR, NOW, NOW),
        ("2090-01-01T00:00:00Z", None, NOW),
        ("2090-01-01T00:00:00Z", NOW, NOW),
        ("1970-01-01T00:00:05Z", 10_000, NOW - 5_000),  # a clock that was never set, and says so
    ],
)
def test_settle(timestamp, sent_at, occurred):
    assert settle(timestamp, sent_at, NOW, driven=False) == (occurred, NOW)


@pytest.mark.parametrize("timestamp", ["1970-01-01T00:00:00Z", 1, EARLIEST - 1, "1989-12-31", "yesterday", {}, False])
def test_times_that_cannot_be_meant(timestamp):
    with pytest.raises(Refusal) as caught:
        settle(timestamp, NOW, NOW, driven=False)
    assert (caught.value.fault.path, caught.value.fault.code) == ("timestamp", "timestamp_invalid")
    assert "ISO 8601" in caught.value.fault.mend


def test_a_driven_clock_ignores_the_senders():
    assert settle(NOW - HOUR, NOW + 999 * HOUR, NOW, driven=True) == (NOW - HOUR, NOW - HOUR)
    assert settle(NOW + HOUR, None, NOW, driven=True) == (NOW, NOW)
    assert settle(None, None, NOW, driven=True) == (NOW, NOW)


@given(st.integers() | st.text() | st.floats() | st.datetimes().map(str), st.none() | st.integers(0, 2 * NOW), st.booleans())
def test_nothing_happens_after_it_was_received(timestamp, sent_at, driven):
    try:
        occurred, received = settle(timestamp, sent_at, NOW, driven=driven)
    except Refusal:
        return
    assert EARLIEST <= occurred <= received <= NOW
