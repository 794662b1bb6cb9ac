"""Five ways to share a conversion out among the touches before it. Exact: shares are fractions, revenue whole minor units. Pure."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from services.audience.domain.lasting import NONE
from services.audience.domain.markov import shares_of
from services.audience.domain.summing import by_place, total
from services.audience.domain.ways import Conversions, Flags, Numbers, Paths

TENTHS = 10_000  # a shown number of conversions has four digits


class Credit(NamedTuple):
    """By label: conversions and revenue. left: what no touch got."""

    conversions: Sequence[Fraction]
    revenue: Sequence[int]
    left: int
    left_revenue: int


def single(label: Numbers, conversions: Conversions, labels: int) -> Credit:
    """All to one touch. label: of that touch, for each conversion; NONE where there is none."""
    has = label != NONE
    counts = np.bincount(label[has], minlength=labels)
    revenue = by_place(conversions.amount[has], label[has], labels).tolist()
    return Credit([Fraction(int(n)) for n in counts], revenue, int((~has).sum()), total(conversions.amount[~has]))


def linear(paths: Paths, label: Numbers, conversions: Conversions, labels: int) -> Credit:
    """To each touch of a path the same. label: of each row."""
    return _shared(paths, _Even(paths), label, conversions, labels)


def position(paths: Paths, label: Numbers, conversions: Conversions, labels: int) -> Credit:
    """40 % to the first touch, 40 % to the last, the rest to those between; of two 50 % each, to a single one all."""
    return _shared(paths, _Edges(paths), label, conversions, labels)


class _Even:
    """A row gets 1 / length."""

    def __init__(self, paths: Paths) -> None:
        self.kind, self.part, self.whole = paths.length, np.ones_like(paths.length), paths.length

    @staticmethod
    def share(kind: int) -> Fraction:
        return Fraction(1, kind)

    def rank(self, _rest: Numbers, paths: Paths) -> Numbers:
        """Whose turn it is to get what is left over: all remainders are equal, so the earlier's."""
        return paths.place


class _Edges:
    """A row gets 2 / 5 of its path, or its part of the fifth between the edges."""

    def __init__(self, paths: Paths) -> None:
        k = paths.length
        self._edge = (paths.place == 0) | (paths.place == k - 1)
        self._between = np.maximum(k - 2, 1)
        self.kind = 2 * k + self._edge
        self.part = np.where(k <= 2, 1, np.where(self._edge, 2 * self._between, 1))
        self.whole = np.where(k <= 2, k, 5 * self._between)

    @staticmethod
    def share(kind: int) -> Fraction:
        k, edge = divmod(kind, 2)
        if k <= 2:
            return Fraction(1, k)
        return Fraction(2, 5) if edge else Fraction(1, 5 * (k - 2))

    def rank(self, rest: Numbers, paths: Paths) -> Numbers:
        """By remainder, and of equal ones the earlier: there are two remainders in a path, of its edges and of what is between them."""
        k, place = paths.length, paths.place
        of_edge, of_middle = rest * np.where(k <= 2, 1, 2 * self._between) % self.whole, rest % self.whole
        edges_first = np.where(self._edge, np.where(place == 0, 0, 1), place + 1)
        edges_last = np.where(self._edge, np.where(place == 0, k - 2, k - 1), place - 1)
        return np.where((k <= 2) | (of_edge == of_middle), place, np.where(of_edge > of_middle, edges_first, edges_last))


def _shared(paths: Paths, how: "_Even | _Edges", label: Numbers, conversions: Conversions, labels: int) -> Credit:
    most = int(how.kind.max()) + 1 if len(how.kind) else 1
    counts = np.bincount(label * most + how.kind, minlength=labels * most).reshape(labels, most)
    credited = [sum((how.share(int(kind)) * int(row[kind]) for kind in np.flatnonzero(row)), Fraction(0)) for row in counts]
    revenue = by_place(split(conversions.amount, paths, how), label, labels).tolist()
    has = np.zeros(len(conversions.n), dtype=np.bool_)
    has[paths.path] = True
    return Credit(credited, revenue, int((~has).sum()), total(conversions.amount[~has]))


def added(parts: Iterable[Credit], labels: int) -> Credit:
    """The credit of all conversions from that of some after the other."""
    conversions, revenue, left, left_revenue = [Fraction(0)] * labels, [0] * labels, 0, 0
    for one in parts:
        conversions = [so_far + more for so_far, more in zip(conversions, one.conversions, strict=True)]
        revenue = [so_far + more for so_far, more in zip(revenue, one.revenue, strict=True)]
        left, left_revenue = left + one.left, left_revenue + one.left_revenue
    return Credit(conversions, revenue, left, left_revenue)


def split(amount: Numbers, paths: Paths, how: "_Even | _Edges") -> Numbers:
    """Whole minor units of each row, by largest remainder. They add up to each path's amount."""
    times, rest = np.divmod(amount[paths.path], how.whole)
    got: Numbers = times * how.part + rest * how.part // how.whole
    missing = amount.copy()
    np.subtract.at(missing, paths.path, got)
    return got + (how.rank(rest, paths) < missing[paths.path])


def removal(counts: Numbers, has: Flags, conversions: Conversions) -> tuple[Credit, list[float]]:
    """What the way would lose without a label (Markov chain of order 1), in shares; and those effects themselves. counts: markov.transitions;
    has: which conversions have a way.
    """
    effects = shares_of(counts)
    weights = [Fraction(one) for one in effects]
    reached, money, every = int(has.sum()), total(conversions.amount[has]), sum(weights)
    shares = [weight * reached / every for weight in weights] if every else [Fraction(0)] * len(weights)
    revenue = apportioned(weights, money) if every else [0] * len(weights)
    return Credit(shares, revenue, len(has) - reached, total(conversions.amount[~has])), effects


def apportioned(weights: Sequence[Fraction], total: int) -> list[int]:
    """A whole number in whole parts by weight, by largest remainder: of equal ones the earlier. Their sum is the total."""
    every = sum(weights)
    if not every:
        return [0] * len(weights)
    exact = [weight * total / every for weight in weights]
    parts = [one.numerator // one.denominator for one in exact]
    order = sorted(range(len(parts)), key=lambda place: (parts[place] - exact[place], place))
    for place in order[: total - sum(parts)]:
        parts[place] += 1
    return parts


def shown(credited: Sequence[Fraction]) -> list[float]:
    """Conversions with four digits that add up to what they add up to."""
    return [part / TENTHS for part in apportioned(credited, round(sum(credited) * TENTHS))]
