"""What the loop holds between reading and committing: a lane with its positions, and portions of a batch."""

import asyncio
from collections.abc import Sequence

from runtime.batch import Item
from runtime.bound import Bound
from runtime.kafka import Place, Reader
from runtime.pace import Pace


class Lane:
    """A reader with what the loop remembers of it: where each partition stands, and what is to be verified after a seek.

    doubts: partitions whose records started above the watermark; accepted: the watermark at which a second look found the same, so
    that the gap is real.
    """

    def __init__(self, reader: Reader, name: str, pace: Pace, bound: Bound) -> None:
        self.reader, self.name, self.pace, self.bound = reader, name, pace, bound
        self.positions: dict[Place, int] = {}
        self.verify: dict[Place, tuple[int, int]] = {}
        self.doubts: set[Place] = set()
        self.accepted: dict[Place, int] = {}
        self.fetching: asyncio.Task[None] | None = None
        self.hints: dict[Place, int] = {}
        self.next_hint = 0.0
        self.in_hand = False

    def reached(self, place: Place) -> int:
        """The first offset that is not handled: past control records too, which no batch holds, where nothing is in hand."""
        position = self.positions.get(place, 0)
        if self.in_hand or place in self.reader.fresh or self.reader.buffer.get(place):
            return position
        return max(position, self.reader.position(place))


class Portion:
    """Part of a batch that commits in one transaction: items in merged order, and the offsets it covers in each partition."""

    __slots__ = ("ends", "firsts", "items", "prints")

    def __init__(self, items: Sequence[Item], firsts: dict[Place, int], ends: dict[Place, int], prints: dict[Place, int]) -> None:
        self.items, self.firsts, self.ends, self.prints = items, firsts, ends, prints

    def with_items(self, items: Sequence[Item]) -> "Portion":
        return Portion(items, self.firsts, self.ends, self.prints)

    def halves(self, index: int) -> "tuple[Portion, Portion]":
        """Cut before item `index`: each partition's range is cut before its first item of the second half."""
        left, right = self.items[:index], self.items[index:]
        cut = dict(self.ends)
        for item in reversed(right):
            cut[item.place] = item.offset
        first = Portion(left, self.firsts, cut, dict.fromkeys(self.prints, 0))
        return first, Portion(right, cut, self.ends, self.prints)
