"""Codes into a pool: all good ones of a request, or (it failed, a process died) none. A repeated request is answered as the first was."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from runtime.db import Connection
from runtime.poison import Vault
from services.orchestrator.domain.code_lists import Asked, Line, Refused, Wrong, asked, made, of_list, of_text, sorted_out
from services.orchestrator.promo.stock import hash_of, seal

CHUNK = 5_000  # codes that are sealed in one go beside the loop
SHOWN = 1_000  # refused lines that are listed
KEEP_MS = 7 * 86_400_000  # for how long a repeated request is known
# Two uploads with the same codes in another order would wait for one another.
ALONE = "SELECT pg_advisory_xact_lock(hashtext('promo.load'), hashtext($1))"
ADD = """
INSERT INTO promo_code (pool, hash, sealed) SELECT $1, u.hash, u.sealed FROM unnest($2::bytea[], $3::bytea[]) AS u (hash, sealed)
ON CONFLICT (hash) DO NOTHING RETURNING hash
"""
BEGIN = """
INSERT INTO promo_load (pool, key, request, loaded_at) VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO NOTHING RETURNING id
"""
BEFORE = "SELECT pool, request, answer FROM promo_load WHERE key = $1"
END = "UPDATE promo_load SET answer = $2 WHERE id = $1"
FORGET = "DELETE FROM promo_load WHERE loaded_at < $1"


class Loading:
    """One request in one transaction. brand: of the pool; key: hash of the Idempotency-Key, None without one; now: ms."""

    def __init__(self, connection: Connection, vault: Vault, pool: str, brand: str, now: int) -> None:
        self._connection, self._vault, self._pool, self._brand, self._now = connection, vault, pool, brand, now

    async def load(self, body: bytes, *, is_json: bool, key: str | None) -> dict[str, Any]:
        """`{added, refused, reasons, lines}`: lines: the first of the refused ones, with the reason. Raises Wrong."""
        wanted = await asyncio.to_thread(asked, body) if is_json else None
        request = hashlib.sha256(body).digest()
        await self._connection.execute(FORGET, self._now - KEEP_MS)
        await self._connection.execute(ALONE, self._brand)
        number = await self._connection.fetchval(BEGIN, self._pool, key, request, self._now)
        if number is None:
            return await self._again(key, request)
        answer = await self._loaded(wanted, body, number)
        await self._connection.execute(END, number, msgspec.json.encode(answer).decode())
        return answer

    async def _again(self, key: str | None, request: bytes) -> dict[str, Any]:
        row = await self._connection.fetchrow(BEFORE, key)
        if row["pool"] != self._pool or row["request"] != request:
            raise Wrong("", "idempotency_mismatch", "this Idempotency-Key came with another request: take a new one")
        answer: dict[str, Any] = msgspec.json.decode(row["answer"])
        return answer

    async def _loaded(self, wanted: Asked | None, body: bytes, number: int) -> dict[str, Any]:
        good: list[Line]
        refused: list[Refused]
        if wanted is not None and wanted.generate is not None:
            generate = wanted.generate
            codes = await asyncio.to_thread(
                made, generate, lambda n: self._vault.blind(f"promo code\x1f{self._pool}\x1f{number}\x1f{n}")
            )
            good, refused = [Line(0, code) for code in codes], []
        else:
            lines = of_text(body) if wanted is None else of_list(wanted.codes or ())
            good, refused = await asyncio.to_thread(sorted_out, lines)
        added = 0
        for start in range(0, len(good), CHUNK):
            known = await self._add(good[start : start + CHUNK])
            added += len(good[start : start + CHUNK]) - len(known)
            refused += known
        shown = sorted(refused)[:SHOWN]
        return {
            "added": added,
            "refused": len(refused),
            "reasons": dict(sorted(Counter(one.reason for one in refused).items())),
            "lines": [{"line": one.line, "reason": one.reason} for one in shown],
        }

    async def _add(self, lines: Sequence[Line]) -> list[Refused]:
        """Those that some pool of the brand has already."""
        hashes, sealed = await asyncio.to_thread(self._sealed, lines)
        rows = await self._connection.fetch(ADD, self._pool, hashes, sealed)
        new = {row["hash"] for row in rows}
        return [Refused(one.line, "known") for one, hashed in zip(lines, hashes, strict=True) if hashed not in new]

    def _sealed(self, lines: Sequence[Line]) -> tuple[list[bytes], list[bytes]]:
        hashes = [hash_of(self._vault, self._brand, one.code) for one in lines]
        return hashes, [seal(self._vault, hashed, one.code) for hashed, one in zip(hashes, lines, strict=True)]
