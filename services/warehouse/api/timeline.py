"""What happened to a person: his facts, what became of him, where he came in and out, and what was decided about him."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runtime.lake import Snapshot, quote
from services.warehouse.api.cursor import Cursor
from services.warehouse.api.decisions import of_brands

SHOWN = ("kind", "id", "profile", "type", "name", "source", "lane", "brand", "rule", "document", "step", "channel", "cause")
# One place a topic: of what happened in one millisecond, the order is the log's where it is in one topic and partition.
TIMELINE = """
WITH happened AS (
    SELECT 'fact' AS kind, id::VARCHAR AS id, profile::VARCHAR AS profile, type, event AS name, source, lane, brand, '' AS rule, '' AS document,
        '' AS step, '' AS channel, cause, occurred_at, received_at, kafka_partition, kafka_offset * 4 + CASE WHEN topic = 'facts.bulk' THEN 3 ELSE 0 END AS place
    FROM {facts} WHERE profile IN ({people}){brands}
    UNION ALL
    SELECT 'membership', id, profile::VARCHAR, type, segment, '', '', '', why, '', '', '', cause, occurred_at, received_at, kafka_partition,
        kafka_offset * 4 + 1 FROM {memberships} WHERE profile IN ({people}){segments}
    UNION ALL
    SELECT 'decision', id, profile::VARCHAR, verdict, '', decided_by, '', brand, rule, document, step, channel, cause, occurred_at, received_at,
        kafka_partition, kafka_offset * 4 + 2 FROM {decisions} WHERE profile IN ({people}){brands}
)
SELECT {shown}, epoch_ms(received_at), epoch_ms(occurred_at), kafka_partition, place FROM happened
WHERE (occurred_at, kafka_partition, place) < (make_timestamp(?::BIGINT * 1000), ?::INTEGER, ?::BIGINT)
ORDER BY occurred_at DESC, kafka_partition DESC, place DESC LIMIT ?
"""


async def page(snapshot: Snapshot, people: Sequence[str], brands: Sequence[str], limit: int, cursor: Cursor) -> dict[str, Any]:
    """Up to `limit` things before the cursor, newest first. `at`: when it occurred; facts have their properties, by dotted path.

    brands: only of these, and nothing of segments, whose brands the lake does not know; none: of all.
    """
    query = TIMELINE.format(
        shown=", ".join(SHOWN),
        people=", ".join("?" for _ in people),
        brands=of_brands(brands),
        segments=" AND false" if brands else "",
        **{dataset: snapshot.table(dataset, until=cursor.at) for dataset in ("facts", "memberships", "decisions")},
    )
    rows = await snapshot.query(query, [*people, *brands, *people, *people, *brands, *cursor, limit + 1])
    items = [_told(row) for row in rows[:limit]]
    await _fill(snapshot, [item for item in items if item["kind"] == "fact"])
    return {"items": items, "next": str(Cursor(*rows[limit - 1][-3:])) if len(rows) > limit else None}


def _told(row: Sequence[Any]) -> dict[str, Any]:
    said = {name: value for name, value in zip(SHOWN, row, strict=False) if value not in (None, "")}
    return {**said, "at": row[-3], "received_at": row[-4]}


async def _fill(snapshot: Snapshot, facts: Iterable[dict[str, Any]]) -> None:
    """Add the properties: one question for each event name, of the columns that it has."""
    by_event: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fact in facts:
        by_event[fact.get("name") or fact["type"]].append(fact)
    for event, told in by_event.items():
        times = [fact["at"] for fact in told]
        table = snapshot.table("facts", event, min(times), max(times))
        # A file has the columns that its own facts had: others of this event may have been seen since.
        there = {row[0] for row in await snapshot.query(f"DESCRIBE SELECT * FROM {table}")}  # noqa: S608 - names of ours
        columns = [(path, name) for path, name in snapshot.paths(event, "properties") if name in there]
        if not columns:
            continue
        asked = ", ".join(quote(name) for _, name in columns)
        found = await snapshot.query(
            f"SELECT id::VARCHAR, {asked} FROM {table} WHERE id IN ({', '.join('?' for _ in told)})",  # noqa: S608 - names of ours
            [fact["id"] for fact in told],
        )
        values = {row[0]: _properties(columns, row[1:]) for row in found}
        for fact in told:
            if properties := values.get(fact["id"]):
                fact["properties"] = properties


def _properties(columns: Sequence[tuple[str, str]], row: Sequence[Any]) -> Mapping[str, Any]:
    return {path: value for (path, _), value in zip(columns, row, strict=True) if value is not None}
