"""What happened to a person: his facts, what became of him, where he came in and out, and what was decided about him."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runtime.lake import Scope, Snapshot, quote
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


PROPERTIES: Sequence[Scope] = ("properties",)
WHOLE: Sequence[Scope] = ("properties", "attributes", "context")


async def page(
    snapshot: Snapshot,
    people: Sequence[str],
    brands: Sequence[str],
    limit: int,
    cursor: Cursor,
    scopes: Sequence[Scope] = PROPERTIES,
) -> dict[str, Any]:
    """Up to `limit` things before the cursor, newest first. `at`: when it occurred; facts have their properties (scopes: and what
    else is to be told of them), by dotted path.

    brands: only of these, and nothing of segments, whose brands the lake does not know; none: of all.
    """
    query = TIMELINE.format(
        shown=", ".join(SHOWN),
        people=", ".join("?" for _ in people),
        brands=of_brands(brands),
        segments=" AND false" if brands else "",
        **{name: snapshot.table(name, until=cursor.at, people=frozenset(people)) for name in ("facts", "memberships", "decisions")},
    )
    rows = await snapshot.query(query, [*people, *brands, *people, *people, *brands, *cursor, limit + 1])
    items = [_told(row) for row in rows[:limit]]
    await _fill(snapshot, people, [item for item in items if item["kind"] == "fact"], scopes)
    return {"items": items, "next": str(Cursor(*rows[limit - 1][-3:])) if len(rows) > limit else None}


def _told(row: Sequence[Any]) -> dict[str, Any]:
    said = {name: value for name, value in zip(SHOWN, row, strict=False) if value not in (None, "")}
    return {**said, "at": row[-3], "received_at": row[-4]}


async def _fill(snapshot: Snapshot, people: Sequence[str], facts: Iterable[dict[str, Any]], scopes: Sequence[Scope]) -> None:
    """Add what they said: one question for each event name, of the columns that it has and of what has none."""
    by_event: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fact in facts:
        by_event[fact.get("name") or fact["type"]].append(fact)
    for event, told in by_event.items():
        times = [fact["at"] for fact in told]
        table = snapshot.table("facts", event, min(times), max(times), frozenset(people))
        # A file has the columns that its own facts had: others of this event may have been seen since.
        there = {row[0] for row in await snapshot.query(f"DESCRIBE SELECT * FROM {table}")}  # noqa: S608 - names of ours
        columns = [(scope, path, name) for scope in scopes for path, name in snapshot.paths(event, scope) if name in there]
        asked = ", ".join(quote(name) for _, _, name in columns)
        found = await snapshot.query(
            f"SELECT id::VARCHAR, rest::JSON::VARCHAR, {asked} FROM {table} "  # noqa: S608 - names of ours
            f"WHERE id IN ({', '.join('?' for _ in told)})",
            [fact["id"] for fact in told],
        )
        said = {row[0]: _said(columns, row[2:], json.loads(row[1] or "{}"), scopes) for row in found}
        for fact in told:
            fact.update(said.get(fact["id"], {}))


def _said(
    columns: Sequence[tuple[Scope, str, str]], row: Sequence[Any], rest: Mapping[str, Any], scopes: Sequence[Scope]
) -> Mapping[str, Mapping[str, Any]]:
    """Scope -> path -> value, without what says nothing."""
    found: dict[str, dict[str, Any]] = {scope: {} for scope in scopes}
    for (scope, path, _), value in zip(columns, row, strict=True):
        if value is not None:
            found[scope][path] = value
    for scope in scopes:
        found[scope] |= {path: value for path, value in rest.get(scope, {}).items() if value not in (None, {})}
    return {scope: values for scope, values in found.items() if values}
