"""The lake against the log: each record that a consumer takes is there once."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from runtime.db import Database
from runtime.lake import Lake
from runtime.settings import Settings
from tests.chaos.verify import Findings


async def check_lake(found: Findings, settings: Settings, records: Iterable[Mapping[str, Any]]) -> int:
    """Returns how many facts the lake has."""
    db = await Database(settings, "warehouse", 1).open()
    lake = Lake(settings.home, db)
    snapshot = await lake.snapshot()
    try:
        rows = await snapshot.query("SELECT id::VARCHAR, count(*) FROM facts GROUP BY id")
    finally:
        snapshot.close()
        lake.close()
        await db.close()
    kept = dict(rows)
    wanted = Counter(record["id"] for record in records)
    for fact in wanted.keys() - kept.keys():
        found.add("facts.lost", f"{fact} is not in the lake")
    for fact, count in kept.items():
        if count != wanted[fact]:
            found.add(
                "facts.twice" if fact in wanted else "state.differences",
                f"{fact} is {count} times in the lake, {wanted[fact]} told",
            )
    return sum(kept.values())
