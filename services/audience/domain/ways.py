"""What people did in the order of time, as arrays: which touches lie before a conversion, and the paths that they are. Pure."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
BITS = 62  # of a place on a line: a person's number and an instant


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
    """Rows of people in the order of time, to be asked how many lie before an instant. Raises ValueError where people and instants are
    too many for one number.
    """

    def __init__(self, n: Numbers, moment: Numbers) -> None:
        """Both sorted by (n, moment); moment: ms."""
        self._low = int(moment.min()) if len(moment) else 0
        self._span = int(moment.max()) - self._low + 1 if len(moment) else 1
        self._shift = self._span.bit_length()
        if len(n) and int(n.max()).bit_length() + self._shift > BITS:
            raise ValueError("too many people for so long a time")
        self._keys = self._key(n, moment)

    def _key(self, n: Numbers, moment: Numbers) -> Numbers:
        return (n.astype(np.int64) << self._shift) + np.clip(moment - self._low, -1, self._span - 1)

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


def paths(low: Numbers, high: Numbers, new: Flags) -> Paths:
    """The touches low <= row < high of each path, those that repeat the one before them left out."""
    counts = high - low
    path = np.repeat(np.arange(len(low), dtype=np.int64), counts)
    touch = np.arange(len(path), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts - low, counts)
    kept = new[touch] | (touch == low[path]) if len(path) else np.zeros(0, dtype=np.bool_)
    return placed(path[kept], touch[kept], len(low))


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
