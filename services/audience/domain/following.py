"""What people did after messages: which messages a deed followed within a window, and to which it is credited. Pure, over arrays."""

from typing import NamedTuple

import numpy as np

from services.audience.domain.ways import Flags, Line, Numbers


class Moments(NamedTuple):
    """n: whose, of any whole type; moment: ms."""

    n: Numbers
    moment: Numbers


def of(some: Moments, which: Numbers | Flags) -> Moments:
    return Moments(some.n[which], some.moment[which])


def followed(messages: Moments, deeds: Moments, window: int) -> Flags:
    """Of each message whether a deed of the same person came after it and not later than `window` (ms)."""
    order = np.lexsort((deeds.moment, deeds.n))
    place = Line(deeds.n[order], deeds.moment[order]).until(messages.n, messages.moment)
    found = np.zeros(len(messages.n), dtype=np.bool_)
    inside = np.flatnonzero(place < len(order))
    first = order[place[inside]]
    same = deeds.n[first] == messages.n[inside]
    found[inside] = same & (deeds.moment[first] <= messages.moment[inside] + window)
    return found


def last_before(messages: Moments, rank: Numbers, deeds: Moments, window: int) -> Numbers:
    """Of each deed the message of the same person that was the last before it, if it is not older than `window` (ms), else -1. rank: of several
    of one instant the one with the largest.
    """
    order = np.lexsort((rank, messages.moment, messages.n))
    place = Line(messages.n[order], messages.moment[order]).until(deeds.n, deeds.moment - 1) - 1
    found = np.full(len(deeds.n), -1, dtype=np.int64)
    inside = np.flatnonzero(place >= 0)
    last = order[place[inside]]
    near = (messages.n[last] == deeds.n[inside]) & (deeds.moment[inside] <= messages.moment[last] + window)
    found[inside[near]] = last[near]
    return found


def tied(messages: Moments) -> Numbers:
    """The messages that share person and instant with another."""
    order = np.lexsort((messages.moment, messages.n))
    n, moment = messages.n[order], messages.moment[order]
    same = (n[1:] == n[:-1]) & (moment[1:] == moment[:-1])
    both = np.zeros(len(order), dtype=np.bool_)
    both[order[1:][same]] = True
    both[order[:-1][same]] = True
    return np.flatnonzero(both)
