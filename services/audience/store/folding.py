"""Rows of facts folded to one number for each person, by the dense numbers of people: as arrays it takes a third of what grouping takes in
SQL (docs/performance.md).
"""

import operator
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from services.audience.domain.summing import EXACT

COMPARISON: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le,
}  # fmt: skip
NEVER = -1  # before every moment, as none is below 0
AFTER_ALL = 2**63 - 1

Numbers = NDArray[Any]
Truths = NDArray[np.bool_]


class Rows(NamedTuple):
    """n: whose each row is (int32); v: what it says (int64), of queries that have such a column."""

    n: Numbers
    v: Numbers


Fold = Callable[[int, Sequence[Rows]], Truths]  # the truth of everybody below a number, from the rows of each query


class Owners:
    """Who several pieces of history belong to (store/people.py)."""

    def __init__(self, duck: Any) -> None:
        rows = duck.sql("SELECT person, owner FROM shared WHERE person <> owner").to_arrow_table()
        self._persons, self._owners = rows.column("person").to_numpy(), rows.column("owner").to_numpy()

    def of(self, persons: Numbers) -> Numbers:
        """Whose these pieces are."""
        if not len(self._persons) or not len(persons):
            return persons
        whose = np.arange(max(persons.max(), self._persons.max()) + 1, dtype=np.int32)
        whose[self._persons] = self._owners
        return whose[persons]


def fold(duck: Any, queries: Sequence[str], how: Fold, owners: Owners) -> BitMap:
    """Of whom it holds. queries: each finds rows with n, a piece of history or a person, and perhaps v; neither is ever NULL."""
    found = [_rows(duck, sql, owners) for sql in queries]
    size = max((int(rows.n.max()) + 1 for rows in found if len(rows.n)), default=0)
    numbers = array("I")
    numbers.frombytes(np.flatnonzero(how(size, found)).astype(np.uint32).tobytes())
    return BitMap(numbers)


def _rows(duck: Any, sql: str, owners: Owners) -> Rows:
    table = duck.sql(sql).to_arrow_table()
    n = owners.of(table.column("n").to_numpy())
    return Rows(n, table.column("v").to_numpy() if "v" in table.column_names else n)


def counts(op: str, value: int) -> Fold:
    """How many rows somebody has, against a number. A second query finds those of whom it can be asked: it holds of nobody else. Without
    one, and where it holds of who has none, those of whom it does not.
    """

    def holds(size: int, found: Sequence[Rows]) -> Truths:
        return _answer(size, found, op, value, _counted(found[0], size))

    return holds


def sums(op: str, value: int) -> Fold:
    """What the rows of somebody add up to, against a number; otherwise as `counts`."""

    def holds(size: int, found: Sequence[Rows]) -> Truths:
        return _answer(size, found, op, value, _summed(found[0], size, _counted(found[0], size)))

    return holds


def averages(op: str, value: int) -> Fold:
    """What the rows of somebody are on average, against a number: of nobody who has none."""

    def holds(size: int, found: Sequence[Rows]) -> Truths:
        count = _counted(found[0], size)
        least = count if abs(value) * int(count.max(initial=0)) < EXACT else count.astype(object)
        compared = COMPARISON[op](_summed(found[0], size, count), least * value)
        return _only((count > 0) & compared.astype(np.bool_), size, found[1:])

    return holds


def edges(which: str, older_than: int, *, older: bool) -> Fold:
    """Whether the first or last moment (v, ms) of somebody is until an instant, or after it."""

    def holds(size: int, found: Sequence[Rows]) -> Truths:
        if which == "first":
            edge = np.full(size, AFTER_ALL, dtype=np.int64)
            np.minimum.at(edge, found[0].n, found[0].v)
            there = edge != AFTER_ALL
        else:
            edge = _last(found[0], size)
            there = edge != NEVER
        held: Truths = there & (edge <= older_than if older else edge > older_than)
        return held

    return holds


def since(size: int, found: Sequence[Rows]) -> Truths:
    """Whether nothing of the second query came after the last of the first."""
    last, undone = _last(found[0], size), _last(found[1], size)
    holds: Truths = (last != NEVER) & (undone <= last)
    return holds


def _answer(size: int, found: Sequence[Rows], op: str, value: int, result: Numbers) -> Truths:
    holds: Truths = COMPARISON[op](result, value).astype(np.bool_)
    if len(found) > 1:
        return _only(holds, size, found[1:])
    return ~holds if COMPARISON[op](0, value) else holds


def _only(holds: Truths, size: int, asked_of: Sequence[Rows]) -> Truths:
    for rows in asked_of:
        holds = holds & (_counted(rows, size) > 0)
    return holds


def _counted(rows: Rows, size: int) -> Numbers:
    return np.bincount(rows.n, minlength=size)


def _summed(rows: Rows, size: int, count: Numbers) -> Numbers:
    most = max(abs(int(rows.v.min())), abs(int(rows.v.max()))) if len(rows.v) else 0
    exact = most * int(count.max(initial=0)) < EXACT
    total: Numbers = np.zeros(size, dtype=np.int64 if exact else object)
    np.add.at(total, rows.n, rows.v if exact else rows.v.astype(object))
    return total


def _last(rows: Rows, size: int) -> Numbers:
    edge = np.full(size, NEVER, dtype=np.int64)
    np.maximum.at(edge, rows.n, rows.v)
    return edge
