"""API keys, the audit, and answers kept for repeated requests."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.db import Connection, Row
from services.gateway.domain.access import SCOPES, Key

FIND = """
SELECT id, hash, name, scopes, brands FROM api_key
WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
"""
ADD = """
INSERT INTO api_key (id, hash, name, scopes, brands, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# The keys file rules: another key in it takes the place of the one before; a revoked one stays revoked.
IMPORT = """
INSERT INTO api_key (id, hash, name, scopes, created_at) VALUES ('installation', $1, 'installation', $2, $3)
ON CONFLICT (id) DO UPDATE SET hash = EXCLUDED.hash, scopes = EXCLUDED.scopes, created_at = EXCLUDED.created_at, revoked_at = NULL
WHERE api_key.hash <> EXCLUDED.hash
"""
LIST = """
SELECT id, name, scopes, brands, created_at, expires_at, revoked_at FROM api_key
WHERE id > $1 AND (cardinality($3::text[]) = 0 OR (cardinality(brands) > 0 AND brands <@ $3)) ORDER BY id LIMIT $2
"""
REVOKE = "UPDATE api_key SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1"
BRANDS = "SELECT brands FROM api_key WHERE id = $1"
AUDIT = "INSERT INTO audit (at, key_id, action, what, detail) VALUES ($1, $2, $3, $4, $5::jsonb)"
READ_AUDIT = "SELECT id, at, key_id, action, what, detail FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2"
SHOWN = "show webhook secret"  # an index of the audit is of it
WAS_SHOWN = "SELECT EXISTS (SELECT FROM audit WHERE action = 'show webhook secret' AND what = $1)"
DAY_MS = 86_400_000
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
KEPT = "SELECT request, status, body FROM idempotency WHERE name = $1 AND at > $2"
KEEP = """
INSERT INTO idempotency (name, request, status, body, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET request = EXCLUDED.request, status = EXCLUDED.status, body = EXCLUDED.body, at = EXCLUDED.at
"""
FORGET = "DELETE FROM idempotency WHERE at <= $1"


async def find(connection: Connection, hashed: str, now: int, *, hold: bool) -> tuple[Key, str] | None:
    """A good key and its hash. hold: nobody revokes it before the transaction ends."""
    row = await connection.fetchrow(FIND + ("FOR SHARE" if hold else ""), hashed, now)
    return (Key(row["id"], row["name"], frozenset(row["scopes"]), tuple(row["brands"])), row["hash"]) if row else None


async def add(connection: Connection, key: Key, hashed: str, now: int, expires_at: int | None) -> None:
    await connection.execute(ADD, key.id, hashed, key.name, sorted(key.scopes), list(key.brands), now, expires_at)


async def import_first(connection: Connection, hashed: str, now: int) -> None:
    """The installation's own key, with all scopes."""
    await connection.execute(IMPORT, hashed, list(SCOPES), now)


async def listed(connection: Connection, after: str, limit: int, brands: Sequence[str]) -> list[Row]:
    return list(await connection.fetch(LIST, after, limit, list(brands)))


async def brands_of(connection: Connection, key_id: str) -> list[str] | None:
    """None: no such key."""
    row = await connection.fetchrow(BRANDS, key_id)
    return list(row["brands"]) if row else None


async def revoke(connection: Connection, key_id: str, now: int) -> None:
    await connection.execute(REVOKE, key_id, now)


async def audit(connection: Connection, by: str, now: int, action: str, what: str, detail: Mapping[str, Any]) -> None:
    await connection.execute(AUDIT, now, by, action, what, json.dumps(detail))


async def was_shown(connection: Connection, what: str) -> bool:
    """Was this secret shown before? Whoever asks at the same time waits for the end of the transaction."""
    await connection.execute(LOCK, f"{SHOWN} {what}")
    return bool(await connection.fetchval(WAS_SHOWN, what))


async def audited(connection: Connection, before: int, limit: int) -> list[dict[str, Any]]:
    """Newest first."""
    rows = await connection.fetch(READ_AUDIT, before, limit)
    return [{**dict(row), "detail": json.loads(row["detail"])} for row in rows]


async def kept(connection: Connection, name: str, now: int) -> Row | None:
    """What was answered to this request within a day. Whoever asks first makes the others wait for his commit."""
    await connection.execute(LOCK, name)
    return await connection.fetchrow(KEPT, name, now - DAY_MS)


async def keep(connection: Connection, name: str, request: str, status: int, body: bytes, now: int) -> None:
    await connection.execute(FORGET, now - DAY_MS)
    await connection.execute(KEEP, name, request, status, body, now)
