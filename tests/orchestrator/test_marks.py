"""A mark counts when it was read in every partition in which it stands, and holds back those behind it until then."""

from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.domain.marks import Mark, read


def test_the_common_mark_counts_at_once_and_never_goes_back():
    mark = read(Mark(), 5, (), 2)
    assert mark == Mark(5)
    assert read(mark, 5, (), 2) == mark == read(mark, 3, (), 2)


def test_one_that_stands_in_two_partitions_waits_for_both_and_those_behind_it_wait_too():
    mark = read(Mark(3), 7, (2, 9), 9)
    assert mark == Mark(3, ((7, (2,)),))
    mark = read(mark, 5, (), 2)
    assert mark.next_offset == 5
    both = read(mark, 7, (2, 9), 2)
    assert both == Mark(7)
    held = read(read(read(Mark(3), 7, (2, 9), 2), 8, (), 2), 9, (), 2)
    assert held.next_offset == 3
    assert read(held, 7, (2, 9), 9) == Mark(9)


@given(st.lists(st.sets(st.integers(0, 3), max_size=2), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_whatever_the_order_of_the_partitions_nothing_is_passed_too_early_and_all_in_the_end(others, rng):
    """Each partition is read in its order; partition 9 is the marks' own."""
    marks = [(offset, tuple(sorted({9, *more}))) for offset, more in enumerate(others, 1)]
    queues = {part: [m for m in marks if part in m[1]] for part in {p for _, parts in marks for p in parts}}
    unread = {offset: set(parts) for offset, parts in marks}
    mark = Mark()
    while queues:
        part = rng.choice(sorted(queues))
        offset, parts = queues[part].pop(0)
        if not queues[part]:
            del queues[part]
        unread[offset].discard(part)
        mark = read(mark, offset, parts if len(parts) > 1 else (), part)
        assert not any(unread[below] for below in range(1, mark.next_offset + 1))
    assert mark == Mark(len(marks))
