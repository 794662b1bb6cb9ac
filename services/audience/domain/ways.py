"""What people did in the order of time, as arrays: which touches lie before a conversion, and the paths that they are. Pure."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
BITS = 62  # of a place on a line: a person's number and an instant
LONGEST = 1_000  # touches of a way that count: nobody meets more, but a program does
AT_ONCE = 1_000_000  # touches of ways that are written out at a time


class Touches(NamedTuple):
    """Sorted by (n, moment), ties by channel and campaign. n: whose; label: what is credited; channel; group: of touches that are one
    when nothing else lies between them; own: by a message of ours; paid: by a bought visit.
    """

    n: Numbers
    moment: Numbers
    label: Numbers
    channel: Numbers
    group: Numbers
    own: Flags
    paid: Flags


class Conversions(NamedTuple):
    """Sorted by (n, moment). amount: whole minor units, 0 where there is none."""

    n: Numbers
    moment: Numbers
    amount: Numbers


class Line:
    """Rows of people in the order of time, to be asked how many lie before an instant."""

    def __init__(self, n: Numbers, moment: Numbers) -> None:
        """Both sorted by (n, moment); moment: ms."""
        self._low = int(moment.min()) if len(moment) else 0
        self._span = int(moment.max()) - self._low + 1 if len(moment) else 1
        self._shift = self._span.bit_length()
        self._next = int(n.max()) + 1 if len(n) else 0  # whoever is beyond the last of them stands right behind him
        fits = self._next.bit_length() + self._shift <= BITS
        self._ranks = None if fits else (np.unique(n), np.unique(moment))
        self._keys = self._key(n, moment)

    def _key(self, n: Numbers, moment: Numbers) -> Numbers:
        """A person and an instant as one number, in their order: a base of millions over many years goes by ranks, of which there are fewer."""
        if self._ranks is None:
            return (np.minimum(n, self._next).astype(np.int64) << self._shift) + np.clip(moment - self._low, -1, self._span - 1)
        people, moments = self._ranks
        person = np.searchsorted(people, n)
        there = people[np.minimum(person, len(people) - 1)] == n
        # 0 is before all rows of a person. Somebody who has none stands there for the next one who has.
        return person * (len(moments) + 1) + np.where(there, np.searchsorted(moments, moment, side="right"), 0)

    def until(self, n: Numbers, moment: Numbers) -> Numbers:
        """The first row of each of these people that comes after the instant."""
        return np.searchsorted(self._keys, self._key(n, moment), side="right").astype(np.int64)


class Paths(NamedTuple):
    """Rows of paths, path after path. path: its number; touch: a row of Touches; place: in the path, from 0; length: of the path."""

    path: Numbers
    touch: Numbers
    place: Numbers
    length: Numbers


def news_of(touches: Touches) -> Flags:
    """Whether a touch is another one than that right before it of the same person: letters of one chain are one."""
    new = np.ones(len(touches.n), dtype=np.bool_)
    new[1:] = (touches.n[1:] != touches.n[:-1]) | (touches.group[1:] != touches.group[:-1])
    return new


class Ways(NamedTuple):
    """The touches before each conversion, those that repeat the one before them left out. Not written out: of a thousand clicks and a thousand
    orders of one person they are a million. first: the row of the first touch; further: the place in `news` of the second; length: how many,
    0: none; cut: how many ways had more than LONGEST, of which only the last are left. news: touches that are others than those before them.
    """

    first: Numbers
    further: Numbers
    length: Numbers
    news: Numbers
    cut: int

    def parts(self, most: int = AT_ONCE) -> Iterator[tuple[slice, Paths]]:
        """Some conversions after the other, with the paths that lead to them. most: touches at a time, if no way alone has more."""
        ends = np.cumsum(self.length)
        begin = 0
        while begin < len(ends):
            done = int(ends[begin - 1]) if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, done + most, side="right")))
            yield slice(begin, end), self._written(begin, end)
            begin = end

    def _written(self, begin: int, end: int) -> Paths:
        path = np.repeat(np.arange(end - begin, dtype=np.int64), self.length[begin:end])
        found = placed(path, path, end - begin)
        later = self.further[begin:end][path] + found.place - 1
        touch = np.where(found.place == 0, self.first[begin:end][path], self.news[np.maximum(later, 0)] if len(path) else path)
        return found._replace(touch=touch.astype(np.int64))


def ways(low: Numbers, high: Numbers, new: Flags, longest: int = LONGEST) -> Ways:
    """The touches low <= row < high of each conversion."""
    news = np.flatnonzero(new).astype(np.int64)
    further, upto = np.searchsorted(news, low, side="right"), np.searchsorted(news, high, side="left")
    length = np.where(high > low, 1 + upto - further, 0)
    cut = length > longest
    first, further = low.copy(), further.astype(np.int64)
    first[cut], further[cut] = news[upto[cut] - longest], upto[cut] - longest + 1
    return Ways(first, further, np.minimum(length, longest).astype(np.int64), news, int(cut.sum()))


def placed(path: Numbers, touch: Numbers, count: int) -> Paths:
    """Paths from rows that are sorted by path."""
    length = np.bincount(path, minlength=count).astype(np.int64)
    starts = np.cumsum(length) - length
    return Paths(path, touch, np.arange(len(path), dtype=np.int64) - starts[path], length[path])


def unled(touches: Touches, conversions: Conversions, low: Numbers, high: Numbers, seen: Flags) -> Paths:
    """Paths that led nowhere: the touches that lie before no conversion, from one conversion of a person to his next. low, high: of each
    conversion; seen: which touches are asked about.
    """
    depth = np.zeros(len(touches.n) + 1, dtype=np.int64)
    np.add.at(depth, low, 1)
    np.add.at(depth, high, -1)
    rows = np.flatnonzero((np.cumsum(depth[:-1]) == 0) & seen)
    done = Line(conversions.n, conversions.moment).until(touches.n[rows], touches.moment[rows]) if len(conversions.n) else 0 * rows
    n, group = touches.n[rows], touches.group[rows]
    begins = _changes(n) | _changes(done)
    kept = begins | _changes(group)
    path = np.cumsum(begins) - 1
    return placed(path[kept].astype(np.int64), rows[kept].astype(np.int64), int(path[-1]) + 1 if len(path) else 0)


def _changes(values: NDArray[Any]) -> Flags:
    changed = np.ones(len(values), dtype=np.bool_)
    changed[1:] = values[1:] != values[:-1]
    return changed
