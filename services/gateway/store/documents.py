"""Documents: drafts, versions, and the world of those in force."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from runtime.db import Connection, Row
from services.gateway.domain.experiments import Ruled
from services.gateway.domain.kinds import KINDS, cost_of
from services.gateway.domain.references import Standing

GET = "SELECT brand, body, revision, updated_at, published_version FROM document WHERE kind = $1 AND key = $2"
LIST = """
SELECT key, brand, body->>'name' AS name, revision, updated_at, published_version FROM document
WHERE kind = $1 AND key > $2 AND (cardinality($4::text[]) = 0 OR brand IS NULL OR brand = ANY($4)) ORDER BY key LIMIT $3
"""
INSERT = """
INSERT INTO document (kind, key, brand, body, revision, updated_at) VALUES ($1, $2, $3, $4::jsonb, 1, $5)
ON CONFLICT DO NOTHING RETURNING revision
"""
UPDATE = """
UPDATE document SET brand = $3, body = $4::jsonb, revision = revision + 1, updated_at = $5
WHERE kind = $1 AND key = $2 RETURNING revision
"""
DELETE = "DELETE FROM document WHERE kind = $1 AND key = $2"
WORLD = """
SELECT v.kind, v.key, v.version, v.brand, v.refs, coalesce(v.body->>'channel', 'email') AS channel,
    CASE WHEN v.kind = ANY($1) THEN v.body END AS body, v.kind = 'journey' AND v.body ? 'parameters' AS pattern
FROM document d JOIN document_version v ON v.kind = d.kind AND v.key = d.key AND v.version = d.published_version
"""
PUBLISHED = """
SELECT v.body FROM document d JOIN document_version v ON v.kind = d.kind AND v.key = d.key AND v.version = d.published_version
WHERE d.kind = $1 AND d.key = $2
"""
# The rules, and the journeys that say something of their own beside them. One with parameters is in force in what is made of it alone.
CONTACT = """
SELECT v.kind, v.key, v.version, v.brand, v.body
FROM document d JOIN document_version v ON v.kind = d.kind AND v.key = d.key AND v.version = d.published_version
WHERE v.kind = 'rule' OR v.kind = 'journey' AND NOT v.body ? 'parameters' AND (v.body ?| ARRAY['priority', 'windows', 'control']
    OR v.body @? '$.steps[*] ? (exists(@.priority) || exists(@.windows))')
ORDER BY v.kind DESC, v.key
"""
OF_KIND = """
SELECT v.key, v.body FROM document d JOIN document_version v ON v.kind = d.kind AND v.key = d.key AND v.version = d.published_version
WHERE d.kind = $1 ORDER BY v.published_at DESC, v.key
"""
NAMED = """
SELECT v.kind, v.key, v.brand, v.body->'name' AS name, CASE WHEN v.kind = 'survey' THEN v.body->'questions' END AS questions
FROM document d JOIN document_version v ON v.kind = d.kind AND v.key = d.key AND v.version = d.published_version
WHERE v.kind IN ('segment', 'topic', 'survey')
"""
NEXT = "SELECT coalesce(max(version), 0) + 1 FROM document_version WHERE kind = $1 AND key = $2"
ADD = """
INSERT INTO document_version (kind, key, version, brand, body, refs, published_at, published_by)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8)
"""
POINT = "UPDATE document SET published_version = $3 WHERE kind = $1 AND key = $2"
VERSION = "SELECT brand, body, published_at, published_by FROM document_version WHERE kind = $1 AND key = $2 AND version = $3"
VERSIONS = """
SELECT version, brand, published_at, published_by FROM document_version
WHERE kind = $1 AND key = $2 AND version < $3 ORDER BY version DESC LIMIT $4
"""
BODIES = "SELECT version, body FROM document_version WHERE kind = $1 AND key = $2 ORDER BY version"
HISTORY = "SELECT version, published_at, body FROM document_version WHERE kind = $1 AND key = $2 ORDER BY version"
MENTIONING = """
SELECT v.key, v.version FROM document_version v LEFT JOIN document d ON d.kind = v.kind AND d.key = v.key
WHERE v.kind = 'journey' AND $1 = ANY(v.refs) AND d.published_version IS DISTINCT FROM v.version ORDER BY 1, 2
"""
PAST_RULES = """
SELECT v.body FROM document_version v LEFT JOIN document d ON d.kind = v.kind AND d.key = v.key
WHERE v.kind = 'rule' AND d.published_version IS DISTINCT FROM v.version ORDER BY v.published_at DESC, v.key LIMIT 1000
"""
# A version stands until the next one of its document, or until that was deleted (real time, of old ones; then of the installation).
RULED = """
SELECT key, published_at AS at, body->'global_control' AS control FROM document_version WHERE kind = 'rule'
UNION ALL
SELECT substr(what, 6), coalesce((detail->>'withdrawn_at')::bigint, at), NULL FROM audit WHERE action = 'delete' AND what LIKE 'rule %'
ORDER BY at
"""

ASKING = [kind.name for kind in KINDS.values() if kind.asks]


class Draft(NamedTuple):
    """A document as it is being written."""

    brand: str | None
    body: dict[str, Any]
    revision: int
    updated_at: int
    published_version: int | None


async def get(connection: Connection, kind: str, key: str, *, lock: bool = False) -> Draft | None:
    row = await connection.fetchrow(GET + (" FOR UPDATE" if lock else ""), kind, key)
    if row is None:
        return None
    return Draft(row["brand"], json.loads(row["body"]), row["revision"], row["updated_at"], row["published_version"])


async def listed(connection: Connection, kind: str, after: str, limit: int, brands: Sequence[str]) -> list[dict[str, Any]]:
    """Without bodies, by key. brands: () for all."""
    return [dict(row) for row in await connection.fetch(LIST, kind, after, limit, list(brands))]


async def save(connection: Connection, kind: str, key: str, brand: str | None, body: str, now: int) -> tuple[int, bool]:
    """Insert or update: (revision, whether it is new). The caller holds the row's lock if it was there."""
    revision = await connection.fetchval(INSERT, kind, key, brand, body, now)
    if revision is not None:
        return revision, True
    return await connection.fetchval(UPDATE, kind, key, brand, body, now), False


async def published(connection: Connection, kind: str, key: str) -> dict[str, Any] | None:
    """The version in force; None if there is none."""
    body = await connection.fetchval(PUBLISHED, kind, key)
    return None if body is None else dict(json.loads(body))


async def delete(connection: Connection, kind: str, key: str) -> None:
    await connection.execute(DELETE, kind, key)


async def world(connection: Connection) -> dict[tuple[str, str], Standing]:
    """Everything in force."""
    rows = await connection.fetch(WORLD, ASKING)
    return {
        (r["kind"], r["key"]): Standing(
            r["version"], r["brand"], frozenset(r["refs"]), r["channel"], _cost(r["kind"], r["body"]), r["pattern"]
        )
        for r in rows
    }


def _cost(kind: str, body: str | None) -> int:
    return 0 if body is None else cost_of(KINDS[kind], json.loads(body))


async def named(connection: Connection) -> Sequence[Row]:
    """Segments, topics and surveys in force: kind, key, brand, and as JSON their name and the questions of a survey."""
    rows: Sequence[Row] = await connection.fetch(NAMED)
    return rows


async def contact(connection: Connection) -> Sequence[Row]:
    """In force: kind, key, version, brand, body (JSON) of rules, then of journeys that have a priority, windows or a control group."""
    rows: Sequence[Row] = await connection.fetch(CONTACT)
    return rows


async def add_version(connection: Connection, kind: str, key: str, standing: Standing, body: str, now: int, by: str) -> None:
    """Keep a version and put it in force."""
    await connection.execute(ADD, kind, key, standing.version, standing.brand, body, sorted(standing.refs), now, by)
    await connection.execute(POINT, kind, key, standing.version)


async def next_version(connection: Connection, kind: str, key: str) -> int:
    """Versions go on counting after a document was deleted and made again."""
    version: int = await connection.fetchval(NEXT, kind, key)
    return version


async def version(connection: Connection, kind: str, key: str, number: int) -> dict[str, Any] | None:
    row = await connection.fetchrow(VERSION, kind, key, number)
    return {**dict(row), "body": json.loads(row["body"])} if row else None


async def body(connection: Connection, kind: str, key: str, number: int) -> dict[str, Any] | None:
    """Of a version."""
    found = await version(connection, kind, key, number)
    return found["body"] if found else None


async def versions(connection: Connection, kind: str, key: str, before: int, limit: int) -> list[dict[str, Any]]:
    """Newest first, without bodies."""
    return [dict(row) for row in await connection.fetch(VERSIONS, kind, key, before, limit)]


async def bodies(connection: Connection, kind: str, key: str) -> dict[int, dict[str, Any]]:
    """Every version that was ever published, by number."""
    return {row["version"]: json.loads(row["body"]) for row in await connection.fetch(BODIES, kind, key)}


async def history(connection: Connection, kind: str, key: str) -> list[tuple[int, int, dict[str, Any]]]:
    """(version, published_at in ms, body) of each, rising."""
    return [(r["version"], r["published_at"], json.loads(r["body"])) for r in await connection.fetch(HISTORY, kind, key)]


async def mentioning(connection: Connection, kind: str, key: str) -> list[tuple[str, int]]:
    """(journey, version) of those that mention a document and are not in force: people may stand in them."""
    return [(row["key"], row["version"]) for row in await connection.fetch(MENTIONING, f"{kind}:{key}")]


async def past_rules(connection: Connection) -> list[dict[str, Any]]:
    """The rule documents that are in force no more, newest first."""
    return [json.loads(row["body"]) for row in await connection.fetch(PAST_RULES)]


async def ruled(connection: Connection) -> list[Ruled]:
    """Every rule document with its global control group, from each instant on at which it was published or deleted; rising."""
    rows = await connection.fetch(RULED)
    return [Ruled(row["at"], row["key"], json.loads(row["control"]) if row["control"] else None) for row in rows]


async def of_kind(connection: Connection, kind: str) -> dict[str, dict[str, Any]]:
    """Those in force, by key, the newest first."""
    return {row["key"]: json.loads(row["body"]) for row in await connection.fetch(OF_KIND, kind)}
