"""What a channel is worth by what would be lost without it: a Markov chain of order 1 over the paths of those who converted and of those
who did not. No cause is proven by it. Pure.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


def transitions(paths: Iterable[tuple[Numbers, Numbers, Numbers, Numbers]], labels: int) -> Numbers:
    """How often each state followed another: rows are the labels and, last, the start; columns the labels, converted and lost.

    paths: of those who converted, then of those who did not: of each row its path, label, place and the path's length.
    """
    start, size = labels, labels + 2
    counts = np.zeros((labels + 1) * size, dtype=np.int64)
    for kind, (_, label, place, length) in enumerate(paths):
        ends = place == length - 1
        end = labels + kind
        first = place == 0
        counts += np.bincount(start * size + label[first], minlength=len(counts))
        counts += np.bincount(label[ends] * size + end, minlength=len(counts))
        counts += np.bincount(label[:-1][~ends[:-1]] * size + label[1:][~ends[:-1]], minlength=len(counts))
    return counts.reshape(labels + 1, size)


def shares_of(counts: Numbers) -> list[float]:
    """The removal effect of each label: 1 - P(converted without it) / P(converted). Ways that led to it are lost then."""
    labels = len(counts) - 1
    every = counts.sum(axis=1, keepdims=True)
    chances = np.divide(counts, every, out=np.zeros(counts.shape), where=every > 0)
    whole = converted(chances, labels)
    if whole <= 0:
        return [0.0] * labels
    return [max(0.0, 1 - _without(chances, one, labels) / whole) if every[one] > 0 else 0.0 for one in range(labels)]


def converted(chances: NDArray[np.float64], labels: int) -> float:
    """P(converted) from the start: x of (I - Q) x = R."""
    if not labels:
        return 0.0
    reached = np.linalg.solve(np.eye(labels) - chances[:labels, :labels], chances[:labels, labels])
    return float(chances[labels, :labels] @ reached)


def _without(chances: NDArray[np.float64], gone: int, labels: int) -> float:
    kept = [one for one in range(labels) if one != gone]
    return converted(chances[np.ix_([*kept, labels], [*kept, labels, labels + 1])], labels - 1)
