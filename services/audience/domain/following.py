"""What people did after messages: which messages a deed followed within a window, and to which it is credited. Pure, over arrays."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
BITS = 62  # of a person's number and an instant in one number


class Moments(NamedTuple):
    """n: whose, of any whole type; moment: ms."""

    n: Numbers
    moment: Numbers


def of(some: Moments, which: Numbers | Flags) -> Moments:
    return Moments(some.n[which], some.moment[which])


def in_order(some: Moments, others: Moments) -> tuple[Numbers, Numbers]:
    """For each of both a number that is the larger the later in the order of (n, moment), and the same for the same two."""
    least = min((int(one.moment.min()) for one in (some, others) if len(one.moment)), default=0)
    most = max((int(one.moment.max()) for one in (some, others) if len(one.moment)), default=0)
    people = max((int(one.n.max()) for one in (some, others) if len(one.n)), default=0)
    bits = (most - least).bit_length()
    if people.bit_length() + bits <= BITS:
        first, second = ((one.n.astype(np.int64) << bits) + (one.moment - least) for one in (some, others))
        return first, second
    # Years and people are too many for one number: places are counted in their stead.
    places = np.unique(np.concatenate([some.moment, others.moment]), return_inverse=True)[1].astype(np.int64)
    bits = len(places).bit_length()
    first, second = (one.n.astype(np.int64) << bits for one in (some, others))
    return first + places[: len(some.n)], second + places[len(some.n) :]


def followed(messages: Moments, deeds: Moments, window: int) -> Flags:
    """Of each message whether a deed of the same person came after it and not later than `window` (ms)."""
    sent, done = in_order(messages, deeds)
    order = np.argsort(done)
    place = np.searchsorted(done[order], sent, side="right")
    found = np.zeros(len(sent), dtype=np.bool_)
    inside = np.flatnonzero(place < len(order))
    first = order[place[inside]]
    same = deeds.n[first] == messages.n[inside]
    found[inside] = same & (deeds.moment[first] <= messages.moment[inside] + window)
    return found


def last_before(messages: Moments, rank: Numbers, deeds: Moments, window: int) -> Numbers:
    """Of each deed the message of the same person that was the last before it, if it is not older than `window` (ms), else -1. rank: of several
    of one instant the one with the largest.
    """
    sent, done = in_order(messages, deeds)
    order = np.lexsort((rank, sent))
    place = np.searchsorted(sent[order], done, side="left") - 1
    found = np.full(len(done), -1, dtype=np.int64)
    inside = np.flatnonzero(place >= 0)
    last = order[place[inside]]
    near = (messages.n[last] == deeds.n[inside]) & (deeds.moment[inside] <= messages.moment[last] + window)
    found[inside[near]] = last[near]
    return found


def tied(messages: Moments) -> Numbers:
    """The messages that share person and instant with another."""
    sent, _ = in_order(messages, Moments(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)))
    order = np.argsort(sent, kind="stable")
    same = sent[order][1:] == sent[order][:-1]
    both = np.zeros(len(sent), dtype=np.bool_)
    both[order[1:][same]] = True
    both[order[:-1][same]] = True
    return np.flatnonzero(both)
