"""Attributes: the same map in whatever order, grouping and repetition the facts come."""

from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.attributes import canonical, date_ms, merge, stamp

values = st.sampled_from([None, True, False, 0, 1, 1.0, "", "a", "b", [1], [True], {"minor": 1, "currency": "RUB"}])
maps = st.dictionaries(st.sampled_from(["a", "b"]), st.tuples(st.integers(0, 3), values), max_size=2)


def same(one: Any, other: Any) -> bool:
    return canonical(one) == canonical(other)


@given(maps, maps)
def test_commutative(one: Any, other: Any) -> None:
    assert same(merge(one, other)[0], merge(other, one)[0])


@given(maps, maps, maps)
def test_associative(one: Any, other: Any, third: Any) -> None:
    assert same(merge(merge(one, other)[0], third)[0], merge(one, merge(other, third)[0])[0])


@given(maps, maps)
def test_idempotent(one: Any, other: Any) -> None:
    once, _ = merge(one, other)
    again, changed = merge(once, other)
    assert again is once
    assert not changed


@given(maps, maps)
def test_changed_names_exactly_the_values_that_differ(one: Any, other: Any) -> None:
    state, changed = merge(one, other)
    for name in ("a", "b"):
        before, after = one.get(name, (0, None))[1], state.get(name, (0, None))[1]
        assert (name in changed) == (canonical(before) != canonical(after))


@given(st.permutations([("a", 1), ("a", 2), ("b", 2), (None, 3), ("c", 3), ("d", 2)]))
def test_any_order_ends_alike(words: Any) -> None:
    state = reduce(lambda held, word: merge(held, stamp({"x": word[0]}, word[1]))[0], words, {})
    assert state == {"x": (3, None)}, '"c" and null tie at 3: the greater JSON text is null'


def test_deleted_stays_deleted_for_what_comes_late() -> None:
    state, changed = merge({"plan": (5, "pro")}, stamp({"plan": None}, 7))
    assert changed == {"plan"}
    late, changed = merge(state, stamp({"plan": "free"}, 6))
    assert late is state
    assert not changed


def test_a_repeated_value_moves_its_time_and_is_no_change() -> None:
    state, changed = merge({"plan": (5, "pro")}, stamp({"plan": "pro"}, 9))
    assert state == {"plan": (9, "pro")}
    assert not changed
    assert merge(state, stamp({"plan": "free"}, 7))[0] is state


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (1_790_000_000_123, 1_790_000_000_123),
        ("1970-01-02", 86_400_000),
        ("1969-12-31", -86_400_000),
        ("2026-03-31T10:00", 1_774_951_200_000),
        ("2026-03-31T10:00:00.123Z", 1_774_951_200_123),
        ("2026-03-31 13:00:00+03:00", 1_774_951_200_000),
        ("0001-01-01T00:00:00+14:00", -62_135_647_200_000),
        ("2026-02-30", None),
        ("2026-W01-1", None),
        ("20260331", None),
        ("2026-03-31T25:00", None),
        ("2026-03-31x", None),
        ("٢٠٢٦-٠٣-٣١", None),
        ("", None),
        (True, None),
        (1.0, None),
        (None, None),
        ([], None),
    ],
)
def test_dates(value: Any, expected: int | None) -> None:
    assert date_ms(value) == expected
