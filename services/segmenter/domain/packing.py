"""Instants and series in few bytes: how `state.encode` stores the most of what there is of a person.

The same instants stand in many places: an order is in every series that counts orders, people enter segments at it, and leave them 30 days
after it. So each instant stands once, in a sorted table of differences, and everything else names it by its place there. Done by
functions of C over whole lists, as a state is read and written with nearly each fact.
"""

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate, chain
from operator import sub

import msgspec

from services.segmenter.domain.series import Series

WORD = 8  # bytes of an array of "Q"
SMALL, MIDDLE = 1 << 8, 1 << 16  # so many instants can be named by one byte, and by two


class Table(msgspec.Struct, array_like=True, gc=False):
    """Different instants (ms), sorted. first: the earliest. gaps: from each to the next, byte by byte: the lowest bytes of all, then
    the next ones. wide: how many bytes a gap has.
    """

    first: int = 0
    wide: int = 0
    gaps: bytes = b""

    def instants(self) -> list[int]:
        count = len(self.gaps) // self.wide if self.wide else 0
        raw = bytearray(WORD * count)
        for byte in range(self.wide):
            raw[byte::WORD] = self.gaps[byte * count : (byte + 1) * count]
        return list(accumulate(array("Q", raw), initial=self.first))


def tabled(instants: Collection[int]) -> tuple[Table, bytes]:
    """The table of these instants, and where in it each of them stands."""
    if not instants:
        return Table(), b""
    table = sorted(set(instants))
    gaps = array("Q", map(sub, table[1:], table))
    wide = (max(gaps, default=0).bit_length() + 7) // 8
    raw = gaps.tobytes()
    places = map(dict(zip(table, range(len(table)), strict=True)).__getitem__, instants)
    return Table(table[0], wide, b"".join([raw[byte::WORD] for byte in range(wide)])), small(places, len(table))


def untabled(table: Table, places: bytes) -> list[int]:
    """The instants that were given to `tabled`."""
    if not places:
        return []
    instants = table.instants()
    return list(map(instants.__getitem__, numbers(places, len(instants))))


def small(found: Iterable[int], below: int) -> bytes:
    """Whole numbers from 0 on, all of them below a bound, in as few bytes as that allows."""
    return bytes(found) if below <= SMALL else array("H" if below <= MIDDLE else "I", found).tobytes()


def numbers(data: bytes, below: int) -> Sequence[int]:
    """What `small` was given."""
    return data if below <= SMALL else array("H" if below <= MIDDLE else "I", data)


class Columns(msgspec.Struct, array_like=True, gc=False):
    """Series side by side, without their instants. ids: 8 bytes each. lengths: of their lists of instants; amounts: those of all."""

    ids: bytes = b""
    counts: list[int] = []
    totals: list[int] = []
    lengths: list[int] = []
    amounts: list[int] = []


def columns(held: Mapping[int, Series]) -> tuple[Columns, list[int]]:
    """The series, and their instants: when each began, when it was last, then the lists.

    A list of amounts is as long as that of the instants, or empty: then the length is given as less than zero.
    """
    each = held.values()
    found = Columns(
        array("Q", held).tobytes(),
        [one.count for one in each],
        [one.total for one in each],
        [len(one.times) if one.amounts else -len(one.times) for one in each],
        list(chain.from_iterable([one.amounts for one in each])),
    )
    firsts, lasts, times = [one.first for one in each], [one.last for one in each], [one.times for one in each]
    return found, [*firsts, *lasts, *chain.from_iterable(times)]


def instants_of(found: Columns) -> int:
    """How many instants belong to these series."""
    return 2 * len(found.counts) + sum(map(abs, found.lengths))


def series_of(found: Columns, instants: list[int]) -> dict[int, Series]:
    """What was given to `columns`."""
    count, amounts = len(found.counts), found.amounts
    held: dict[int, Series] = {}
    start, first = 2 * count, 0
    parts = zip(array("Q", found.ids), found.counts, found.totals, instants, instants[count:], found.lengths, strict=False)
    for id_, number, total, earliest, latest, length in parts:
        if length > 0:
            end, upto = start + length, first + length
            held[id_] = Series(number, total, earliest, latest, instants[start:end], amounts[first:upto])
            start, first = end, upto
        else:
            end = start - length
            held[id_] = Series(number, total, earliest, latest, instants[start:end])
            start = end
    return held
