"""Folding is adding up: against Python's own numbers, over amounts that 64 bits cannot add."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.audience.store import folding
from services.audience.store.folding import COMPARISON, Owners, Rows

MOST = 2**53 - 1
amount = st.one_of(st.integers(-3, 3), st.sampled_from([MOST, -MOST, MOST - 1]))
rows = st.lists(st.tuples(st.integers(0, 5), amount), max_size=12)
operator = st.sampled_from(sorted(COMPARISON))


def repeated(told: list[tuple[int, int]], times: int) -> Rows:
    told = told * times
    return Rows(np.array([n for n, _ in told], dtype=np.int32), np.array([v for _, v in told], dtype=np.int64))


def found(fold: folding.Fold, *queries: Rows) -> set[int]:
    return {int(n) for n in np.flatnonzero(fold(6, queries))}


@given(rows, operator, st.one_of(st.integers(-5, 5), st.sampled_from([MOST, -MOST])), st.sampled_from([1, 600]))
def test_sums_counts_and_averages_are_exact(told: list[tuple[int, int]], op: str, value: int, times: int) -> None:
    of: dict[int, list[int]] = defaultdict(list)
    for person, amount_ in told * times:
        of[person].append(amount_)
    holds, given_ = COMPARISON[op], repeated(told, times)
    nobody = holds(0, value)
    summed = {n for n in range(6) if holds(sum(of.get(n, ())), value) is not nobody}
    assert found(folding.sums(op, value), given_) == summed
    counted = {n for n in range(6) if holds(len(of.get(n, ())), value) is not nobody}
    assert found(folding.counts(op, value), given_) == counted
    average = {n for n, amounts in of.items() if holds(sum(amounts), value * len(amounts))}
    assert found(folding.averages(op, value), given_) == average


@given(rows, rows, operator, st.integers(-3, 3))
def test_it_holds_only_of_those_of_whom_it_can_be_asked(
    told: list[tuple[int, int]], asked: list[tuple[int, int]], op: str, value: int
) -> None:
    count, of = Counter(n for n, _ in told), {n for n, _ in asked}
    expected = {n for n in of if COMPARISON[op](count[n], value)}
    assert found(folding.counts(op, value), repeated(told, 1), repeated(asked, 1)) == expected


moments = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=12)


@given(moments, moments, st.integers(0, 5), st.booleans())
def test_edges(told: list[tuple[int, int]], undone: list[tuple[int, int]], bound: int, older: bool) -> None:
    def edge(of: list[tuple[int, int]], choose: Any) -> dict[int, int]:
        return {n: choose(v for m, v in of if m == n) for n, _ in of}

    def held(at: int) -> bool:
        return at <= bound if older else at > bound

    for which, choose in (("first", min), ("last", max)):
        expected = {n for n, at in edge(told, choose).items() if held(at)}
        assert found(folding.edges(which, bound, older=older), repeated(told, 1)) == expected
    after = edge(undone, max)
    expected = {n for n, at in edge(told, max).items() if after.get(n, -1) <= at}
    assert found(folding.since, repeated(told, 1), repeated(undone, 1)) == expected


def test_whose_pieces_rows_are() -> None:
    with duckdb.connect() as duck:
        duck.execute("CREATE TABLE shared AS SELECT * FROM (VALUES (1::INTEGER, 1::INTEGER), (2, 1), (7, 1)) s (person, owner)")
        duck.execute("CREATE TABLE e AS SELECT * FROM (VALUES (1::INTEGER), (2), (3), (7), (9)) e (n)")

        def of(least: int, queries: Sequence[str]) -> set[int]:
            return set(folding.fold(duck, queries, folding.counts("ge", least), Owners(duck)))

        assert of(1, ("FROM e",)) == {1, 3, 9} and of(3, ("FROM e",)) == {1}
        assert of(1, ("FROM e WHERE n < 0",)) == set()
        duck.execute("DELETE FROM shared")
        assert of(1, ("FROM e",)) == {1, 2, 3, 7, 9}
