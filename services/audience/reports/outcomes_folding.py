"""Messages, and what was done after them, folded to figures: how many, and of how many people, by group and part. Pure, over arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.audience.domain.grouping import crowd
from services.audience.domain.grouping import people as different
from services.audience.domain.summing import by_place
from services.audience.reports.outcomes_messages import ACCEPTED, BIT, FAILED, Key, Units
from services.audience.reports.outcomes_target import Credits

BOUNCES = 5  # as a part of a report

Counted = Mapping[str, int]
Counts = dict[str, tuple[Sequence[int] | NDArray[Any], int]]  # by name: of each group, and of all of them
Folded = dict[tuple[Key | None, int], Counted]
Numbers = NDArray[Any]


def fold(units: Units) -> Folded:
    """Of each group (None: all of them) and part: `messages`, `people`, and of each of BIT its messages, and as `<name>_people` its people. Letters
    that came back at once were never accepted: those that did stand in a part of their own.
    """
    found: Folded = {}
    for part, rows in _parts(units.part):
        group, n, became = units.group[rows], units.n[rows], units.became[rows]
        counts = _counts("messages", "people", group, n, len(units.keys))
        for name, bit in BIT.items():
            held = np.flatnonzero(became & bit)
            counts |= _counts(name, f"{name}_people", group[held], n[held], len(units.keys))
        found |= _told(units, part, counts, "messages")
    back = np.flatnonzero((units.became & BIT["bounced"] > 0) & np.isin(units.part, (ACCEPTED, FAILED)))
    return found | _told(
        units, BOUNCES, _counts("messages", "people", units.group[back], units.n[back], len(units.keys)), "messages"
    )


def fold_credits(units: Units, credits_: Credits) -> Folded:
    """Of each group (None: all of them) and part: `actions`, `people`, `amount` (whole minor units), and how many amounts were `negative`."""
    found: Folded = {}
    size = len(units.keys)
    for part, rows in _parts(units.part[credits_.message]):
        message, amount = credits_.message[rows], credits_.amount[rows]
        group = units.group[message]
        counts = _counts("actions", "people", group, units.n[message], size)
        negative, amounts = np.bincount(group[amount < 0], minlength=size), by_place(amount, group, size).tolist()
        counts |= {"amount": (amounts, sum(amounts)), "negative": (negative, int(negative.sum()))}
        found |= _told(units, part, counts, "actions")
    return found


def _parts(part: Numbers) -> list[tuple[int, Numbers]]:
    """The rows of each part."""
    return [(one, np.flatnonzero(part == one)) for one in np.flatnonzero(np.bincount(part)).tolist()]


def _told(units: Units, part: int, counts: Counts, there: str) -> Folded:
    """there: of which a group has some, if it stands in the answer."""
    found: Folded = {(None, part): {name: whole for name, (_, whole) in counts.items()}}
    for group in np.flatnonzero(counts[there][0]).tolist():
        found[units.keys[group], part] = {name: int(by[group]) for name, (by, _) in counts.items()}
    return found


def _counts(name: str, people: str, group: Numbers, n: Numbers, size: int) -> Counts:
    return {name: (np.bincount(group, minlength=size), len(group)), people: (different(group, n, size), crowd(n))}
