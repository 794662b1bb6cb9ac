"""Which process the watchdog takes for stuck: one that looked for a minute, knew of records that wait, and handled none."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from runtime.watchdog import Silence, looked

EVERY, PATIENCE = 2.0, 60.0

gaps = st.floats(0, 500)
# Seconds since the last, what was done, whether records wait.
looks = st.lists(st.tuples(gaps, st.integers(0, 1), st.booleans()), max_size=60)


def after(told: list[tuple[float, int, bool]]) -> list[Silence]:
    def one(before: Silence, look: tuple[float, int, bool]) -> Silence:
        gap, done, waits = look
        return looked(before, before.at + gap, before.pulse + done, EVERY, waits=waits)

    return list(accumulate(told, one, initial=Silence(1000.0, 0)))


@given(looks)
def test_silence_is_no_more_than_the_looks_since_anything_was_done_or_nobody_knew(told):
    """Law: however late looks come, so many are needed for a minute of silence as fit into it."""
    silent = 0
    for (_, done, waits), found in zip(told, after(told)[1:], strict=True):
        silent = 0 if done or not waits else silent + 1
        assert 0 <= found.seconds <= 2 * EVERY * silent


@given(looks, st.floats(EVERY / 2, 2 * EVERY))
def test_who_hangs_is_ended_after_a_minute_of_looks_whatever_was_before(told, gap):
    found = [one.seconds for one in after([*told, *[(gap, 0, True)] * 200])][len(told) :]
    assert any(seconds > PATIENCE for seconds in found[: int(PATIENCE / gap) + 3])


def test_a_process_that_was_stopped_for_a_hundred_seconds_is_not_stuck():
    assert after([(2.0, 0, True), (100.0, 0, True)])[-1].seconds == 2.0 + 2 * EVERY


def test_a_broker_that_was_away_longer_than_the_patience_leaves_no_silence_behind():
    away = [(2.0, 0, True)] * 25 + [(17.0, 0, False)] * 10
    assert after([*away, (2.0, 0, True)])[-1].seconds == 2.0
