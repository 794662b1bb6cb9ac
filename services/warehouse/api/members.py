"""Who is in a segment, now or at an instant of before, since when and by which fact; and what moved one person in and out of it."""
# ruff: noqa: S608 - what is put into SQL is of our own making; what a caller says is a parameter

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from runtime.db import Connection
from runtime.lake import Snapshot, column, quote
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
# What a person does, or others see him do; what our own services tell of him is no touch.
TOUCHES = """
SELECT coalesce(a.person, f.profile) AS person, min(occurred_at) AS first_at, max(occurred_at) AS last_at,
    arg_min(source, occurred_at) AS first_source, arg_max(source, occurred_at) AS last_source,
    arg_min({campaign}, occurred_at) FILTER ({has_campaign}) AS first_campaign,
    arg_max({campaign}, occurred_at) FILTER ({has_campaign}) AS last_campaign
FROM {table} AS f LEFT JOIN alias AS a ON a.told = f.profile
WHERE type IN ('track', 'page', 'screen', 'identify') AND source <> 'otklik'
    AND occurred_at <= make_timestamp_ms(?::BIGINT)
    AND coalesce(a.person, f.profile) IN (SELECT person FROM people) GROUP BY 1
"""
STREAM = """
WITH people AS MATERIALIZED ({people}), touches AS ({touches})
SELECT json_object('id', p.person, 'since', p.since, 'why', p.why, 'cause', p.cause, 'version', p.version,
    'first_touch', CASE WHEN t.person IS NOT NULL THEN {{'at': epoch_ms(t.first_at), 'source': t.first_source, 'campaign': t.first_campaign}} END,
    'last_touch', CASE WHEN t.person IS NOT NULL THEN {{'at': epoch_ms(t.last_at), 'source': t.last_source, 'campaign': t.last_campaign}} END
)::VARCHAR FROM people AS p LEFT JOIN touches AS t ON t.person = p.person ORDER BY p.person
"""
CAMPAIGN = ("source", "medium", "name")
PIECE = 2_000  # lines that are sent at once


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
    people, parameters = _people(snapshot, asked.segment, asked.at)
    rows = await snapshot.query(PAGE.format(people=people), [*parameters, asked.after, asked.limit + 1])
    count = rows[0][-1] if rows else 0
    return _page([row[:-1] for row in rows], asked.limit, count if asked.after == BEFORE_ALL else None)


def _people(snapshot: Snapshot, segment: str, at: int) -> Query:
    query, parameters = standing(snapshot, [segment], at)
    return PEOPLE.format(standing=query), parameters


def _page(rows: Sequence[Sequence[Any]], limit: int, count: int | None) -> dict[str, Any]:
    items = [{name: value for name, value in zip(FIELDS, row, strict=True) if value is not None} for row in rows[:limit]]
    more = items[-1]["profile"] if len(rows) > limit else None
    return {"items": items, "next": more, **({"count": count} if count is not None else {})}


async def stream(snapshot: Snapshot, segment: str, at: int) -> AsyncGenerator[bytes, None]:
    """A line of JSON for each who was in it at an instant, by id: since when and why, and by which source he first and last came until then."""
    people, parameters = _people(snapshot, segment, at)
    query, parameters = STREAM.format(people=people, touches=await _touches(snapshot, at)), [*parameters, at]
    async with aclosing(snapshot.pages(query, parameters, PIECE)) as pages:
        async for rows in pages:
            yield "".join(f"{row[0]}\n" for row in rows).encode()


async def _touches(snapshot: Snapshot, at: int) -> str:
    table = snapshot.table("facts", until=at)
    there = {row[0] for row in await snapshot.query(f"DESCRIBE SELECT * FROM {table}")}
    names = {name: column("context", f"campaign.{name}", "string") for name in CAMPAIGN}
    known = {name: quote(held) if held in there else "NULL::VARCHAR" for name, held in names.items()}
    campaign = ", ".join(f"'{name}': {held}" for name, held in known.items())
    has = f"coalesce({', '.join(known.values())}) IS NOT NULL"
    return TOUCHES.format(table=table, campaign=f"{{{campaign}}}", has_campaign=f"WHERE {has}")


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
