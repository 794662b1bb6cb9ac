"""Rows that say by a number what they are of: the largest groups of them, and who stands in each. Pure."""

from collections.abc import Sequence

import numpy as np

from services.audience.domain.ways import Flags, Numbers

OTHERS = "(others)"
PAGE = 1_000  # people
DENSE = 2**27  # cells of one byte for groups by people: for more of them rows are sorted
SPARSE = 64  # cells for each row, from which sorting is less work


def largest(group: Numbers, groups: Sequence[str], most: int) -> tuple[Numbers, list[str]]:
    """The `most` largest groups under new numbers, by size; all others are the last one, OTHERS. group: of each row; groups: their names."""
    counts = np.bincount(group, minlength=len(groups))
    order = sorted((place for place in range(len(groups)) if counts[place]), key=lambda place: (-counts[place], groups[place]))
    kept, rest = order[:most], order[most:]
    number = np.full(len(groups), len(kept), dtype=np.int64)
    number[kept] = np.arange(len(kept))
    return number[group] if len(group) else group, [groups[place] for place in kept] + ([OTHERS] if rest else [])


def named(groups: Sequence[str]) -> list[tuple[int, str]]:
    """Groups as `largest` gave them, by name, OTHERS last."""
    return sorted(enumerate(groups), key=lambda one: (one[1] == OTHERS and one[0] == len(groups) - 1, one[1]))


def distinct(values: Numbers) -> Numbers:
    """Each of them once, in order. By sorting: of a million numbers `numpy.unique`, which hashes, takes many times as long."""
    ordered = np.sort(values)
    kept = np.ones(len(ordered), dtype=np.bool_)
    kept[1:] = ordered[1:] != ordered[:-1]
    return ordered[kept]


def page(people: Numbers, after: int, limit: int) -> tuple[list[int], int | None]:
    """Up to `limit` (and PAGE) of these, who are in order, behind the person `after` (-1: from the first, as 0 is somebody's number); and the last
    of them where more follow.
    """
    begin = int(np.searchsorted(people, after, side="right"))
    found = people[begin : begin + min(limit, PAGE)].tolist()
    return found, found[-1] if begin + len(found) < len(people) else None


def placed_in(known: Numbers, n: Numbers) -> tuple[Numbers, Flags]:
    """Where each of `n` stands in `known`, which has each person once and in order, and whether he does; who does not has any place there."""
    if not len(known):
        return np.zeros(len(n), dtype=np.int64), np.zeros(len(n), dtype=np.bool_)
    place = np.minimum(np.searchsorted(known, n), len(known) - 1)
    return place, known[place] == n


def people(group: Numbers, n: Numbers, size: int) -> Numbers:
    """How many different people are in each of `size` groups. n: whose each row is."""
    width = int(n.max()) + 1 if len(n) else 1
    cells, keys = size * width, group.astype(np.int64) * width + n
    if cells > min(DENSE, SPARSE * len(n)):
        return np.bincount(distinct(keys) // width, minlength=size).astype(np.int64)
    there = np.zeros(cells, dtype=np.bool_)
    there[keys] = True
    counts: Numbers = np.count_nonzero(there.reshape(size, width), axis=1)
    return counts


def crowd(n: Numbers) -> int:
    """How many different people there are."""
    return int(people(np.zeros(len(n), dtype=np.int64), n, 1)[0])
