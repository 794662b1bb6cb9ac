"""How long a batch gathers: not at all while a loop is calm, some times its cost while it is busy."""

from runtime.pace import LEAST_MS, REST, Pace


def played(pace, batches):
    """Feed (gap before it, seconds it took) one after the other. Returns the waits."""
    now, waits = pace._last or 0.0, []
    for gap, seconds in batches:
        began = now + gap
        now = began + seconds
        waits.append(pace.after(began, now))
    return waits


def test_a_calm_loop_waits_for_nothing():
    assert set(played(Pace(150), [(1.0, 0.01)] * 50)) == {0}


def test_a_busy_loop_gathers_for_some_times_what_a_batch_costs():
    waits = played(Pace(150), [(0.0, 0.02)] * 50)
    assert waits[-1] == round(20 * REST)


def test_the_wait_has_a_least_and_a_most():
    assert played(Pace(150), [(0.0, 0.001)] * 50)[-1] == LEAST_MS
    assert played(Pace(150), [(0.0, 1.0)] * 50)[-1] == 150


def test_it_keeps_gathering_at_the_share_that_gathering_itself_makes():
    """Else it would swing: gathered batches leave the loop idle for most of the time."""
    pace = Pace(150)
    played(pace, [(0.0, 0.02)] * 50)
    assert min(played(pace, [(0.06, 0.02)] * 50)) > 0


def test_it_stops_when_the_load_is_gone():
    pace = Pace(150)
    played(pace, [(0.0, 0.02)] * 50)
    assert played(pace, [(1.0, 0.01)] * 50)[-1] == 0


def test_the_second_lane_always_gathers():
    assert set(played(Pace(300, always=True), [(1.0, 0.01), (0.0, 0.5)] * 10)) == {300}
