"""A tree over sets of people."""

from collections.abc import Callable
from typing import NamedTuple

from pyroaring import BitMap

from schemas.audience import All, AnyOf, Condition, Leaf, Not


class Found(NamedTuple):
    """Whom a leaf is true of: those in `people`, or (negated) everybody else."""

    people: BitMap
    negated: bool = False


Answer = Callable[[Leaf], Found]


def members(condition: Condition, answer: Answer, everybody: BitMap) -> BitMap:
    """Of everybody, those of whom the condition is true."""
    if isinstance(condition, Not):
        return everybody - members(condition.of, answer, everybody)
    if isinstance(condition, All):
        among = everybody
        for part in condition.of:
            if not among:
                break  # nobody is left of whom the others could be asked
            among = members(part, answer, among)
        return among
    if isinstance(condition, AnyOf):
        found = BitMap()
        for part in condition.of:
            found |= members(part, answer, everybody - found)
        return found
    told = answer(condition)
    return everybody - told.people if told.negated else everybody & told.people


def cells(sets: list[BitMap]) -> dict[int, tuple[int, int]]:
    """Of each combination of sets (bit n: the n-th of them): how many people stand in all of these, and how many in these alone."""
    found: dict[int, tuple[int, int]] = {}
    anybody = BitMap.union(*sets) if sets else BitMap()
    for mask in range(1, 1 << len(sets)):
        among, alone = anybody, anybody
        for place, people in enumerate(sets):
            if mask >> place & 1:
                among = among & people
                alone = alone & people
            else:
                alone = alone - people
        found[mask] = (len(among), len(alone))
    return found
