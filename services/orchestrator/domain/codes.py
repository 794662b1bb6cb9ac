"""Promo codes as decisions see them: what lies ready to be given, what a coupon stands for, and what is done with them. Pure.

Nothing is fetched while a decision is made. One that finds no code at hand says so (`Turn.short`) and counts for nothing: it is made again
with more of them locked. So the same codes lead to the same decision.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.promo_pools import spelled


class Code(NamedTuple):
    """number: its name wherever the code itself is not to be seen."""

    number: int
    text: str


class Known(NamedTuple):
    """A code that stands in an order. given_to: a profile, "" for nobody; used: has it been before; order: with which."""

    pool: str
    number: int
    given_to: str = ""
    used: bool = False
    order: str = ""


class Give(NamedTuple):
    """A code becomes somebody's. home: of the run (`homes.home_of`)."""

    number: int
    profile: str
    at: int
    home: str
    journey: str
    step: str
    occurrence: str


class Return(NamedTuple):
    """One that never went out may be given again."""

    number: int


class Use(NamedTuple):
    """One was redeemed. order: id of the order, "" where the fact tells none."""

    number: int
    profile: str
    at: int
    order: str


Move = Give | Return | Use


@dataclass(frozen=True, slots=True)
class Shelf:
    """Codes that the transaction holds locked. ready: of each pool the free ones, in the order in which they go; dry: pools that have no
    more than these. known: (brand, coupon as `spelled`) of the orders at hand.
    """

    ready: Mapping[str, Sequence[Code]] = field(default_factory=dict)
    dry: frozenset[str] = frozenset()
    known: Mapping[tuple[str, str], Known] = field(default_factory=dict)

    def after(self, moves: Iterable[Move]) -> "Shelf":
        """What the next decision finds. A code that comes back is given again by another transaction at the soonest."""
        given = {move.number: move for move in moves if isinstance(move, Give)}
        used = {move.number: move for move in moves if isinstance(move, Use)}
        gone = given.keys() | used.keys()
        if not gone:
            return self
        ready = {pool: _without(codes, gone) for pool, codes in self.ready.items()}
        known = {name: _moved(one, given, used) for name, one in self.known.items()}
        return Shelf(ready, self.dry, known)

    def of(self, brand: str, coupon: str) -> Known | None:
        return self.known.get((brand, spelled(coupon)))


def _without(codes: Sequence[Code], gone: Iterable[int]) -> Sequence[Code]:
    """Most often the first ones go: the rest is cut off in one piece."""
    gone = set(gone)
    start = next((place for place, code in enumerate(codes) if code.number not in gone), len(codes))
    rest = codes[start:]
    return rest if start >= len(gone) else [code for code in rest if code.number not in gone]


def _moved(one: Known, given: Mapping[int, Give], used: Mapping[int, Use]) -> Known:
    if one.number in given:
        one = one._replace(given_to=given[one.number].profile)
    if one.number in used:
        one = one._replace(used=True, order=used[one.number].order)
    return one


def examples(pools: Iterable[str]) -> Shelf:
    """Made-up codes, for what is only played: as many of each pool as somebody may be given at one instant."""
    return Shelf({pool: [Code(number, f"EXAMPLE-{number}") for number in range(1, 21)] for pool in pools}, frozenset(pools))
