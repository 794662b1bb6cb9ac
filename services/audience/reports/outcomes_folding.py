"""Messages folded to figures: how many, and of how many people, by group and part. As arrays it takes a fifth of what grouping takes in SQL."""
# ruff: noqa: S608 - names of ours

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.audience.reports.outcomes_messages import FLAGS, GROUPED

SUMMED = (*FLAGS, "converted")
MASK = " | ".join(f"({one}::USMALLINT << {bit})" for bit, one in enumerate(SUMMED))
DENSE = 2**27  # cells of one byte: for more of them keys are sorted
SPARSE = 16  # cells for each key, from which sorting is less work

Key = tuple[Any, ...]  # gl, gp, gv, gt
Counted = Mapping[str, int]
Numbers = NDArray[Any]


def fold(duck: Any) -> dict[tuple[Key | None, int], Counted]:
    """Of each group (None: all of them) and part: `messages`, `people`, and of each of SUMMED its messages, and as `<name>_people` its people."""
    groups: list[Key] = duck.execute(f"SELECT DISTINCT {GROUPED} FROM counted").fetchall()
    if len({key[1:] for key in groups}) <= 1:
        place, of = "gl AS i", "counted"
    else:
        columns = [list(column) for column in zip(*groups, strict=True)]
        duck.execute(
            "CREATE OR REPLACE TEMP TABLE grouped AS SELECT unnest($1::INTEGER[]) AS gl, unnest($2::BIGINT[]) AS gp, unnest($3::VARCHAR[]) AS gv, "
            "unnest($4::VARCHAR[]) AS gt, unnest($5::INTEGER[]) AS i",
            [*columns, list(range(len(groups)))],
        )
        place, of = "i", f"counted JOIN grouped USING ({GROUPED})"
    rows = duck.sql(f"SELECT part, {place}, n, {MASK} AS mask FROM {of}").to_arrow_table()
    part, group, n, mask = (rows.column(name).to_numpy() for name in ("part", "i", "n", "mask"))
    named = {key[0]: key for key in groups} if place == "gl AS i" else dict(enumerate(groups))
    found: dict[tuple[Key | None, int], Counted] = {}
    for one in np.unique(part).tolist():
        which = part == one
        counts = _counts(group[which].astype(np.int64), n[which].astype(np.int64), mask[which])
        present = counts.pop("present")
        for place_ in np.flatnonzero(present).tolist():
            found[named[place_], one] = {name: int(by[place_]) for name, by in counts.items()}
        zeros = np.zeros(int(which.sum()), dtype=np.int64)
        whole = _counts(zeros, n[which].astype(np.int64), mask[which])
        found[None, one] = {name: int(by[0]) for name, by in whole.items() if name != "present"}
    return found


def _counts(group: Numbers, n: Numbers, mask: Numbers) -> dict[str, Numbers]:
    size = int(group.max()) + 1
    messages = np.bincount(group, minlength=size)
    found = {"present": messages > 0, "messages": messages, "people": _people(group, n, size)}
    for bit, name in enumerate(SUMMED):
        held = (mask >> bit & 1).astype(bool)
        found[name] = np.bincount(group[held], minlength=size)
        found[f"{name}_people"] = _people(group[held], n[held], size)
    return found


def _people(group: Numbers, n: Numbers, size: int) -> Numbers:
    """How many different people each group has."""
    if not len(n):
        return np.zeros(size, dtype=np.int64)
    width = int(n.max()) + 1
    keys = group * width + n
    if size * width > DENSE or size * width > SPARSE * len(n):
        return np.bincount(np.unique(keys) // width, minlength=size)
    there = np.zeros(size * width, dtype=bool)
    there[keys] = True
    counted: Numbers = there.reshape(size, width).sum(axis=1)
    return counted
