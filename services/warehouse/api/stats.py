"""What came of a journey (or another document that sends): of everybody, counted over all verdicts."""

from collections.abc import Sequence
from typing import Any

from runtime.lake import Snapshot
from services.warehouse.api.decisions import of_brands

# A letter that comes back is told anew at each attempt, of who became one with somebody by another id: letters are counted, and not what was
# told of them.
COUNTS = """
SELECT verdict, step, CASE WHEN step = '' OR verdict IN ('skipped', 'exposed', 'left') THEN rule ELSE '' END AS why,
    count(DISTINCT (coalesce(a.person, d.profile), occurrence))
FROM {table} AS d LEFT JOIN alias AS a ON a.told = d.profile WHERE document = ?{brands} GROUP BY ALL ORDER BY ALL
"""
ENDS = ("left", "goal")
SAYS_WHY = ("skipped", "exposed")  # counted by rule, and by arm


async def of_document(snapshot: Snapshot, document: str, brands: Sequence[str]) -> dict[str, Any]:
    """Of a snapshot that knows merges: {entered, refused: by rule, moved, ended: by way, steps: step -> verdict -> letters (skipped: by rule)}. A way is "goal", "end", "jump:KEY",
    or the rule by which one left.
    """
    query = COUNTS.format(table=snapshot.table("decisions"), brands=of_brands(brands))
    told: dict[str, Any] = {"entered": 0, "refused": {}, "moved": 0, "ended": {}, "steps": {}}
    for verdict, step, rule, count in await snapshot.query(query, [document, *brands]):
        if verdict == "entered":
            told["entered"] += count
        elif verdict in ENDS:
            way = "goal" if verdict == "goal" else rule
            told["ended"][way] = told["ended"].get(way, 0) + count
        elif verdict == "moved":
            told["moved"] += count
        elif not step:
            told["refused"][rule] = told["refused"].get(rule, 0) + count
        elif verdict in SAYS_WHY:
            told["steps"].setdefault(step, {}).setdefault(verdict, {})[rule.removeprefix("arm:")] = count
        else:
            told["steps"].setdefault(step, {})[verdict] = count
    return told
