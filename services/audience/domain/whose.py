"""To whom a piece of history belongs. A piece is what was told of one profile with one home: an unmerge moves it whole."""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import NamedTuple


class Merge(NamedTuple):
    """Numbers of two people who are one from now on."""

    winner: int
    loser: int


def joined(merges: Iterable[Merge], roots: Mapping[int, int]) -> dict[int, int]:
    """Owner of before -> owner from now on, for all who change. roots: whose the people of the merges were until now.

    A merge that is heard late, after its winner was merged himself, ends with whom he is by now.
    """
    leads: dict[int, int] = {}
    for winner, loser in merges:
        to, of = _end(leads, roots[winner]), _end(leads, roots[loser])
        if to != of:
            leads[of] = to
    return {of: _end(leads, of) for of in leads}


def _end(leads: MutableMapping[int, int], of: int) -> int:
    while of in leads:
        of = leads[of]
    return of
