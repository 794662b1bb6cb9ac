"""What was decided about a person."""

import json
from collections.abc import Sequence
from typing import Any

from runtime.lake import Snapshot
from services.warehouse.api.cursor import Cursor

FIELDS = (
    "id", "profile", "brand", "verdict", "decided_by", "document", "version", "step", "occurrence", "channel", "message_class", "rule",
    "intent", "attempt", "until_at", "occurred_at", "cause", "detail",
)  # fmt: skip
_TIMES = frozenset(("until_at", "occurred_at"))
_TEXTS = frozenset(("profile", "detail"))
# A verdict is told at one instant and in one place: (at, partition, offset) is where it stands in the list.
DECISIONS = """
SELECT {columns}, epoch_ms(occurred_at), kafka_partition, kafka_offset FROM {table}
WHERE profile IN ({people}){brands}{document} AND (occurred_at, kafka_partition, kafka_offset) < (make_timestamp(?::BIGINT * 1000), ?::INTEGER, ?::BIGINT)
ORDER BY occurred_at DESC, kafka_partition DESC, kafka_offset DESC LIMIT ?
"""


async def page(
    snapshot: Snapshot, people: Sequence[str], brands: Sequence[str], limit: int, cursor: Cursor, document: str = ""
) -> dict[str, Any]:
    """Up to `limit` verdicts before the cursor, newest first. brands: only of these; none: of all. document: about it alone, where named."""
    query = DECISIONS.format(
        columns=", ".join(map(_column, FIELDS)),
        table=snapshot.table("decisions", until=cursor.at, people=frozenset(people)),
        people=", ".join("?" for _ in people),
        brands=of_brands(brands),
        document=" AND document = ?" if document else "",
    )
    rows = await snapshot.query(query, [*people, *brands, *([document] if document else ()), *cursor, limit + 1])
    items = [_told(dict(zip(FIELDS, row, strict=False))) for row in rows[:limit]]
    return {"items": items, "next": str(Cursor(*rows[limit - 1][-3:])) if len(rows) > limit else None}


def of_brands(brands: Sequence[str]) -> str:
    """A condition with a place for each; nothing where all brands may be seen."""
    return f" AND brand IN ({', '.join('?' for _ in brands)})" if brands else ""


def _column(name: str) -> str:
    if name in _TIMES:
        return f"epoch_ms({name})"
    return f"{name}::JSON::VARCHAR" if name == "detail" else f"{name}::VARCHAR" if name in _TEXTS else name


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """As the API names it, without what was not said."""
    row["by"], row["at"], row["until"] = row.pop("decided_by"), row.pop("occurred_at"), row.pop("until_at")
    if row["detail"] is not None:
        row["detail"] = json.loads(row["detail"])
    return {name: value for name, value in row.items() if value not in (None, "")}
