"""Who is in a segment, now or at an instant of before, since when and by which fact; and what moved one person in and out of it."""
# ruff: noqa: S608 - what is put into SQL is of our own making; what a caller says is a parameter

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from runtime.db import Connection
from runtime.lake import Snapshot
from services.warehouse.api.cursor import Cursor
from services.warehouse.standing import Query, standing

BEFORE_ALL = "00000000-0000-0000-0000-000000000000"
FIELDS = ("profile", "since", "version", "why", "cause")
# What was written of somebody beside the batch that heard that he is another or nobody counts for nothing.
THERE = """segment = $1 AND NOT EXISTS (SELECT FROM merged g WHERE g.loser = m.profile)
    AND NOT EXISTS (SELECT FROM hidden h WHERE h.profile = m.profile)"""
NOW = f"SELECT profile::text, since, version, why, cause FROM member m WHERE {THERE} AND profile > $2 ORDER BY profile LIMIT $3"
HOW_MANY = f"SELECT count(*) FROM member m WHERE {THERE}"
# Of several ids with which he stood there the one that came first.
PEOPLE = """
SELECT person, min(since) AS since, arg_min(version, since) AS version, arg_min(why, since) AS why, arg_min(cause, since) AS cause
FROM ({standing}) GROUP BY person
"""
PAGE = """
WITH people AS ({people})
SELECT person::VARCHAR, since, version, why, cause, (SELECT count(*) FROM people) FROM people WHERE person > ?::UUID ORDER BY person LIMIT ?
"""
FACTS = "SELECT id::VARCHAR, type, event, source, epoch_ms(occurred_at) FROM {table} WHERE id IN ({ids})"
LOG = """
SELECT type, why, version, cause, profile::VARCHAR, epoch_ms(occurred_at), kafka_partition, kafka_offset FROM {table}
WHERE profile IN ({people}) AND segment = ?
    AND (occurred_at, kafka_partition, kafka_offset) < (make_timestamp_ms(?::BIGINT), ?::INTEGER, ?::BIGINT)
ORDER BY occurred_at DESC, kafka_partition DESC, kafka_offset DESC LIMIT ?
"""


class Asked(NamedTuple):
    """A page: of whom, at which instant (ms), after which id, how many."""

    segment: str
    at: int
    after: str
    limit: int


async def now(connection: Connection, segment: str, after: str, limit: int) -> dict[str, Any]:
    """Up to `limit` of those who are in it, by id; `count` on the first page: how many there are."""
    rows = await connection.fetch(NOW, segment, after, limit + 1)
    first = after == BEFORE_ALL
    return _page([tuple(row) for row in rows], limit, await connection.fetchval(HOW_MANY, segment) if first else None)


async def page(snapshot: Snapshot, asked: Asked) -> dict[str, Any]:
    """The same of who was in it at an instant. The snapshot must know merges."""
    people, parameters = people_at(snapshot, asked.segment, asked.at)
    rows = await snapshot.query(PAGE.format(people=people), [*parameters, asked.after, asked.limit + 1])
    count = rows[0][-1] if rows else 0
    return _page([row[:-1] for row in rows], asked.limit, count if asked.after == BEFORE_ALL else None)


def people_at(snapshot: Snapshot, segment: str, at: int) -> Query:
    """(person, since, version, why, cause) of who was in it at an instant."""
    query, parameters = standing(snapshot, [segment], at)
    return PEOPLE.format(standing=query), parameters


def _page(rows: Sequence[Sequence[Any]], limit: int, count: int | None) -> dict[str, Any]:
    items = [{name: value for name, value in zip(FIELDS, row, strict=True) if value is not None} for row in rows[:limit]]
    more = items[-1]["profile"] if len(rows) > limit else None
    return {"items": items, "next": more, **({"count": count} if count is not None else {})}


async def log(snapshot: Snapshot, people: Sequence[str], segment: str, limit: int, cursor: Cursor) -> dict[str, Any]:
    """When a person (all ids of his) came in and out of a segment, newest first, with the fact that moved him as far as there was one."""
    table = snapshot.table("memberships", until=cursor.at, people=frozenset(people))
    query = LOG.format(table=table, people=", ".join("?" for _ in people))
    rows = await snapshot.query(query, [*people, segment, *cursor, limit + 1])
    names = ("type", "why", "version", "cause", "profile", "at")
    items = [{name: value for name, value in zip(names, row, strict=False) if value is not None} for row in rows[:limit]]
    await explain(snapshot, items)
    return {"items": items, "next": str(Cursor(*rows[limit - 1][-3:])) if len(rows) > limit else None}


async def explain(snapshot: Snapshot, items: Iterable[dict[str, Any]]) -> None:
    """Add to each entry the fact that moved him."""
    caused = [item for item in items if "cause" in item]
    ids = sorted({item["cause"] for item in caused})
    if not ids:
        return
    rows = await snapshot.query(
        FACTS.format(table=snapshot.table("facts", as_told=True), ids=", ".join("?::UUID" for _ in ids)), ids
    )
    facts: Mapping[str, Any] = {
        id_: {"type": type_, **({"event": event} if event else {}), "source": source, "occurred_at": at}
        for id_, type_, event, source, at in rows
    }
    for item in caused:
        if item["cause"] in facts:
            item["fact"] = facts[item["cause"]]
