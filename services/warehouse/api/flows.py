"""How people moved between segments over a period, and how segments overlap at an instant."""

from collections.abc import Sequence
from typing import Any

from runtime.lake import Snapshot
from services.warehouse.standing import standing

NONE, SEVERAL = "~none", "~several"  # no segment with a name begins so
PLACES = """
SELECT person, CASE WHEN count(DISTINCT segment) > 1 THEN '~several' ELSE min(segment) END AS place FROM ({standing}) GROUP BY person
"""
FLOWS = """
SELECT coalesce(b.place, '~none'), coalesce(a.place, '~none'), count(*) FROM ({before}) AS b FULL JOIN ({after}) AS a USING (person) GROUP BY ALL
"""
SIZES = "SELECT segment, count(DISTINCT person) FROM ({standing}) GROUP BY segment"
OVERLAP = """
SELECT segments, count(*) FROM (SELECT list_sort(list(DISTINCT segment)) AS segments FROM ({standing}) GROUP BY person)
GROUP BY segments ORDER BY len(segments), segments
"""


async def flows(snapshot: Snapshot, segments: Sequence[str], since: int, until: int) -> dict[str, Any]:
    """`matrix[i][j]`: how many stood in `states[i]` at `since` and in `states[j]` at `until`. A state is one of the segments and no other of
    them, several of them, or none; who stood in none at both ends is not counted. So each row adds up to those who were in its state at
    the beginning, each column to those who are at the end. sizes: of each segment at both, whatever else its people are in.
    """
    before, after = standing(snapshot, segments, since), standing(snapshot, segments, until)
    rows = await snapshot.query(
        FLOWS.format(before=PLACES.format(standing=before[0]), after=PLACES.format(standing=after[0])), [*before[1], *after[1]]
    )
    states = [*segments, SEVERAL, NONE]
    place = {state: n for n, state in enumerate(states)}
    matrix = [[0] * len(states) for _ in states]
    for one, other, count in rows:
        matrix[place[one]][place[other]] = count
    sizes = [dict(await snapshot.query(SIZES.format(standing=query), given)) for query, given in (before, after)]
    return {
        "states": states,
        "matrix": matrix,
        "totals": {"from": [sum(row) for row in matrix], "to": [sum(column) for column in zip(*matrix, strict=True)]},
        "sizes": {key: {"from": sizes[0].get(key, 0), "to": sizes[1].get(key, 0)} for key in segments},
    }


async def overlap(snapshot: Snapshot, segments: Sequence[str], at: int) -> dict[str, Any]:
    """How many stood in exactly these of the segments at an instant, for each combination that somebody stood in."""
    query, parameters = standing(snapshot, segments, at)
    rows = await snapshot.query(OVERLAP.format(standing=query), parameters)
    sizes = {key: sum(count for found, count in rows if key in found) for key in segments}
    return {"sizes": sizes, "regions": [{"segments": found, "count": count} for found, count in rows]}
