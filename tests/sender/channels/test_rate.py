import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sender.channels.rate import Bucket, Rate, full, hold, take

RATES = st.builds(Rate, st.integers(1, 2_000), st.sampled_from([1, 7, 1_000, 60_000, 86_400_000]))


@given(RATES, st.integers(1, 50), st.lists(st.tuples(st.integers(-500, 5_000), st.integers(0, 60)), max_size=60))
def test_no_span_of_time_gets_more_than_burst_and_rate(rate, burst, asks):
    now, state, grants = 10_000, full(10_000, burst), []
    for step, n in asks:
        now += step
        state, granted, _ = take(state, now, n, rate, burst)
        assert 0 <= granted <= n
        grants.append((max(now, state.at_ms), granted))
    for first in range(len(grants)):
        total = 0
        for at, granted in grants[first:]:
            total += granted
            assert total * rate.per_ms <= burst * rate.per_ms + (at - grants[first][0]) * rate.tokens


@given(RATES, st.integers(1, 20), st.integers(0, 100), st.integers(0, 10_000))
def test_after_the_wait_and_not_before_there_is_a_token(rate, burst, n, later):
    state, granted, wait = take(full(0, burst), later, n, rate, burst)
    if granted == n:
        assert wait == 0
        return
    assert wait > 0
    assert take(state, later + wait, 1, rate, burst)[1] == 1
    assert take(state, later + wait - 1, 1, rate, burst)[1] == 0


@given(st.lists(st.integers(1, 40), min_size=1, max_size=400))
def test_asking_often_loses_no_token(steps):
    """One taker that asks after every step gets what the rate gives, but for the last part of a token."""
    rate, state, now, got = Rate(7, 1_000), Bucket(0, 0), 0, 0
    for step in steps:
        now += step
        state, granted, _ = take(state, now, 100, rate, 100)
        got += granted
    assert got in {now * 7 // 1_000, now * 7 // 1_000 - 1} and got >= 0
    assert now * 7 / 1_000 - got - state.nano / 1e9 < 1e-6


def test_two_processes_over_one_row_never_exceed_it():
    state, granted = full(0, 10), [0, 0]
    for now in range(0, 10_001, 5):
        state, got, _ = take(state, now, 3, Rate(25, 1_000), 10)
        granted[(now // 5) % 2] += got
    assert sum(granted) == 10 + 250


def test_a_clock_that_steps_back_gives_nothing():
    state, _, _ = take(full(1_000, 5), 1_000, 5, Rate(1, 1_000), 5)
    assert take(state, 0, 1, Rate(1, 1_000), 5)[1] == 0
    assert take(state, 2_000, 1, Rate(1, 1_000), 5)[1] == 1


@given(RATES, st.integers(1, 100_000))
def test_a_providers_pause_is_kept(rate, pause):
    state = hold(full(0, 30), 0, pause, rate)
    assert take(state, pause - 1, 1, rate, 30)[1] == 0
    _, granted, wait = take(state, pause, 1, rate, 30)
    assert granted == 1 or wait == 1


@pytest.mark.parametrize("wrong", [(0, 1), (1, 0), (-1, 5)])
def test_rates_that_are_none(wrong):
    with pytest.raises(ValueError, match="above 0"):
        Rate(*wrong)
