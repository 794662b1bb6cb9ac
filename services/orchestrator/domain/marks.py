"""How far the segmenter has come in a partition of facts, as marks that may stand in several partitions of `memberships` say it.

What a batch told of somebody who was merged lies in the partition of the survivor. Then the mark stands there too, behind it, and
counts when it was read everywhere: only then is all that was told before it known, whoever is asked about.
"""

from collections.abc import Sequence
from typing import NamedTuple

Half = tuple[int, tuple[int, ...]]  # offset of a mark, partitions in which it was not read yet


class Mark(NamedTuple):
    """Everything below next_offset was handled and told; halves: marks above it that were not read everywhere, in their order."""

    next_offset: int = 0
    halves: tuple[Half, ...] = ()


def read(mark: Mark, offset: int, parts: Sequence[int], part: int) -> Mark:
    """A mark was read in partition `part`. parts: all those in which it stands (none: this one alone)."""
    waiting = dict(mark.halves)
    if offset <= mark.next_offset and offset not in waiting:
        return mark
    left = waiting.get(offset, tuple(parts) or (part,))
    waiting[offset] = tuple(other for other in left if other != part)
    passed, halves = mark.next_offset, sorted(waiting.items())
    while halves and not halves[0][1]:  # one that waits holds back those behind it
        passed = max(passed, halves.pop(0)[0])
    return Mark(passed, tuple(halves))
