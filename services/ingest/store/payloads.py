"""Payloads of webhooks in PostgreSQL: sealed, and gone after some days."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from runtime.db import Database
from runtime.poison import Vault
from services.ingest.domain import Fault

KEEP_MS = 3 * 86_400_000
# What comes again so long after it came first, without an id of its own, is the same: Tilda repeats twice, a minute apart, and waits 5 s
# for each answer. Counted from the first, as who sends the same every minute tells something each time.
AGAIN_MS = 150_000
ADD = """
INSERT INTO hook_payload (connector, brand, received_at, expires_at, content_type, sealed, facts, faults, digest, first_at)
SELECT $1::text, $2, $3::bigint, $4, $5, $6, 0, $7, $8::bytea, coalesce(
    (SELECT max(first_at) FROM hook_payload WHERE connector = $1::text AND digest = $8::bytea
        AND received_at > $3::bigint - $9::bigint AND first_at > $3::bigint - $9::bigint),
    $3::bigint
) RETURNING id, first_at
"""
NOTE = "UPDATE hook_payload SET facts = greatest(facts, $2), faults = $3 WHERE id = $1"
PAGE = """
SELECT id, connector, received_at, first_at, content_type, facts, faults, sealed FROM hook_payload
WHERE connector = $1 AND id < $2 AND ($4::text[] IS NULL OR brand = ANY($4)) AND expires_at > $5 ORDER BY id DESC LIMIT $3
"""
SOME = """
SELECT id, connector, received_at, first_at, content_type, facts, faults, sealed FROM hook_payload
WHERE connector = $1 AND id = ANY($2) AND ($3::text[] IS NULL OR brand = ANY($3)) AND expires_at > $4 ORDER BY id
"""
CLEAN = """
DELETE FROM hook_payload WHERE id IN (SELECT id FROM hook_payload WHERE expires_at < $1 ORDER BY id LIMIT 10000 FOR UPDATE SKIP LOCKED)
"""


class _Sealed(msgspec.Struct, array_like=True):
    query: dict[str, str]
    body: bytes


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A payload that came. received_at: UTC ms; first_at: when the same came first; facts: how many it made, told
    again the same ones; faults: of the last reading.
    """

    id: int
    received_at: int
    first_at: int
    content_type: str
    query: dict[str, str]
    body: bytes
    facts: int
    faults: list[Fault]


_encode = msgspec.msgpack.Encoder().encode
_opened = msgspec.msgpack.Decoder(_Sealed).decode
_faults = msgspec.json.Decoder(list[Fault]).decode


class Payloads:
    """The table of payloads."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db, self._vault = db, vault

    async def add(self, connector: str, brand: str, now: int, content_type: str, query: Mapping[str, str], body: bytes) -> Kept:
        """Keep a payload before anything is made of it."""
        packed = _encode(_Sealed(dict(query), body))
        sealed = self._vault.seal(packed, f"hook:{connector}:{now}")
        async with self._db.transaction() as connection:
            row = await connection.fetchrow(
                ADD,
                connector,
                brand,
                now,
                now + KEEP_MS,
                content_type[:200].replace("\x00", ""),
                sealed,
                b"[]",
                self._vault.blind(packed),  # a plain hash of a short form could be guessed
                AGAIN_MS,
            )
        return Kept(
            id=row["id"],
            received_at=now,
            first_at=row["first_at"],
            content_type=content_type,
            query=dict(query),
            body=body,
            facts=0,
            faults=[],
        )

    async def clean(self, now: int) -> None:
        """Forget what is older than it may be kept."""
        async with self._db.transaction() as connection:
            await connection.execute(CLEAN, now)

    async def note(self, payload: int, facts: int, faults: Sequence[Fault]) -> None:
        async with self._db.transaction() as connection:
            await connection.execute(NOTE, payload, facts, msgspec.json.encode(faults))

    async def page(self, connector: str, before: int, limit: int, brands: Sequence[str] | None, now: int) -> list[Kept]:
        """Newest first."""
        async with self._db.connection() as connection:
            return [self._kept(row) for row in await connection.fetch(PAGE, connector, before, limit, brands, now)]

    async def some(self, connector: str, ids: Sequence[int], brands: Sequence[str] | None, now: int) -> list[Kept]:
        async with self._db.connection() as connection:
            return [self._kept(row) for row in await connection.fetch(SOME, connector, list(ids), brands, now)]

    def _kept(self, row: Any) -> Kept:
        opened = _opened(self._vault.open(row["sealed"], f"hook:{row['connector']}:{row['received_at']}"))
        return Kept(
            id=row["id"],
            received_at=row["received_at"],
            first_at=row["first_at"],
            content_type=row["content_type"],
            query=opened.query,
            body=opened.body,
            facts=row["facts"],
            faults=_faults(row["faults"]),
        )
