"""Imports in PostgreSQL: the jobs, their files until they are read, and the rows that were refused."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from runtime.db import Database
from runtime.poison import Vault
from schemas.ids import derive
from services.ingest.domain import Mapping, Refused

KEEP_MS = 30 * 86_400_000  # refused rows are personal data
ABANDONED_MS = 86_400_000  # an upload that has not ended by then never will

NEW = """
INSERT INTO import (id, number, key, name, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key) DO NOTHING RETURNING id
"""
START = "UPDATE import SET state = 'running', mapping = $2, encoding = $3, size = $4, started_at = $5, brand = $6 WHERE id = $1"
NOTE = """
UPDATE import SET rows = $2, accepted = accepted + $3, refused = refused + $4, facts = facts + $5, reasons = $6, left_out = $7,
    busy_ms = busy_ms + $8, seen_bytes = $9
WHERE id = $1 AND rows = $10 AND state = 'running' RETURNING 1
"""
END = "UPDATE import SET state = $2, error = $3, ended_at = $4, seen_bytes = CASE WHEN $2 = 'done' THEN size ELSE seen_bytes END WHERE id = $1"
ABANDON = "DELETE FROM import WHERE key = $1 AND state = 'uploading'"
REFUSE = "INSERT INTO import_refused (import, first, block, expires_at) VALUES ($1, $2, $3, $4)"
ONE = "SELECT * FROM import WHERE id = $1 AND ($2::text[] IS NULL OR brand = ANY($2))"
PAGE = "SELECT * FROM import WHERE number < $1 AND ($3::text[] IS NULL OR brand = ANY($3)) ORDER BY number DESC LIMIT $2"
CLEAN = """
WITH gone AS (DELETE FROM import_refused WHERE expires_at < $1)
DELETE FROM import WHERE state = 'uploading' AND created_at < $2
"""

Brands = Sequence[str] | None  # those that the asker may see; None: all
Shown = dict[str, Any]

_json = msgspec.json.Encoder().encode
_counts = msgspec.json.Decoder(dict[str, int]).decode
_block = msgspec.json.Decoder(list[Refused]).decode


class TakenOver(Exception):  # noqa: N818
    """Another process works on this import: it has come further."""


class Job(msgspec.Struct):
    """An import that runs. mapping: the document's JSON. rows: how many were done with when it was read."""

    id: str
    mapping: bytes
    encoding: str
    rows: int
    reasons: Counter[str]
    left_out: Counter[str]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A portion of a file that is done with. `rows` and `seen_bytes` count from the file's start, the others this portion."""

    rows: int
    accepted: int
    facts: int
    refused: Sequence[Refused]
    seen_bytes: int
    busy_ms: int


class Imports:
    """The tables of imports. Everything of a customer in them is sealed."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db, self._vault = db, vault

    async def create(self, name: str, key: str | None, now: int) -> tuple[str, bool]:
        """(id, whether it is new). key: of idempotency; a known one answers the import that was started with it.

        An upload that has not ended gives way: who sends the file again has got no answer, because a kill or his own line ended it.
        """
        async with self._db.transaction() as connection:
            number = await connection.fetchval("SELECT nextval('import_number')")
            made = derive("import", number)
            if key is not None:
                await connection.execute(ABANDON, key)
            new = await connection.fetchval(NEW, made, number, key, name, now)
            if new is not None:
                return made, True
            return await connection.fetchval("SELECT id::text FROM import WHERE key = $1", key), False

    async def add_part(self, job: str, number: int, data: bytes) -> None:
        async with self._db.transaction() as connection:
            sealed = self._vault.seal(data, f"import:{job}:part:{number}")
            await connection.execute("INSERT INTO import_part (import, number, data) VALUES ($1, $2, $3)", job, number, sealed)

    async def part(self, job: str, number: int) -> bytes | None:
        """A piece of the file; None after the last."""
        async with self._db.connection() as connection:
            sealed = await connection.fetchval("SELECT data FROM import_part WHERE import = $1 AND number = $2", job, number)
        return None if sealed is None else self._vault.open(sealed, f"import:{job}:part:{number}")

    async def start(self, job: str, mapping: Mapping, encoding: str, size: int, now: int) -> None:
        async with self._db.transaction() as connection:
            answer = await connection.execute(START, job, _json(mapping), encoding, size, now, mapping.brand)
        if answer == "UPDATE 0":
            raise TakenOver(job)  # the same file came once more meanwhile

    async def drop(self, job: str) -> None:
        """Forget an upload that came to nothing."""
        async with self._db.transaction() as connection:
            await connection.execute("DELETE FROM import WHERE id = $1", job)

    async def waiting(self) -> list[str]:
        """Imports that run or should, oldest first."""
        async with self._db.connection() as connection:
            rows = await connection.fetch("SELECT id::text AS id FROM import WHERE state = 'running' ORDER BY number")
        return [row["id"] for row in rows]

    @asynccontextmanager
    async def claim(self, job: str) -> AsyncIterator[Job | None]:
        """The import for this process alone, None while another has it. A killed process lets it go at once."""
        connection = await self._db.dedicated()
        try:
            if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtext('ingest.import'), hashtext($1))", job):
                yield None
                return
            row = await connection.fetchrow(
                "SELECT mapping, encoding, rows, reasons, left_out FROM import WHERE id = $1 AND state = 'running'", job
            )
            yield row and Job(
                job,
                row["mapping"],
                row["encoding"],
                row["rows"],
                Counter(_counts(row["reasons"])),
                Counter(_counts(row["left_out"])),
            )
        finally:
            await connection.close(timeout=2)

    async def note(self, job: Job, step: Step, now: int) -> None:
        """Keep how far it has come, with the refused rows of the portion. Raises TakenOver."""
        async with self._db.transaction() as connection:
            noted = await connection.fetchval(
                NOTE,
                job.id,
                step.rows,
                step.accepted,
                len(step.refused),
                step.facts,
                _json(job.reasons),
                _json(job.left_out),
                step.busy_ms,
                step.seen_bytes,
                job.rows,
            )
            if noted is None:
                raise TakenOver(job.id)
            if step.refused:
                block = self._vault.seal(_json(step.refused), f"import:{job.id}:refused:{job.rows}")
                await connection.execute(REFUSE, job.id, job.rows, block, now + KEEP_MS)
        job.rows = step.rows

    async def end(self, job: str, now: int, error: str = "") -> None:
        """The file is done with, or cannot be: it is not needed any more."""
        async with self._db.transaction() as connection:
            await connection.execute(END, job, "failed" if error else "done", error, now)
            await connection.execute("DELETE FROM import_part WHERE import = $1", job)

    async def clean(self, now: int) -> None:
        async with self._db.transaction() as connection:
            await connection.execute(CLEAN, now, now - ABANDONED_MS)

    # ---- to be looked at

    async def one(self, job: str, brands: Brands) -> Shown | None:
        async with self._db.connection() as connection:
            return _shown(await connection.fetchrow(ONE, job, brands))

    async def page(self, before: int, limit: int, brands: Brands) -> list[Shown]:
        """Newest first; before: the `number` of the last one seen."""
        async with self._db.connection() as connection:
            rows = await connection.fetch(PAGE, before, limit, brands)
        return [shown for row in rows if (shown := _shown(row))]

    async def refused(self, job: str) -> AsyncIterator[list[Refused]]:
        """The refused rows in the file's order, block by block."""
        after = -1
        while True:
            row = await self._next_block(job, after)
            if row is None:
                return
            after = row["first"]
            yield _block(self._vault.open(row["block"], f"import:{job}:refused:{after}"))

    async def _next_block(self, job: str, after: int) -> Any:
        query = "SELECT first, block FROM import_refused WHERE import = $1 AND first > $2 ORDER BY first LIMIT 1"
        async with self._db.connection() as connection:
            return await connection.fetchrow(query, job, after)


def _shown(row: Any) -> Shown | None:
    if row is None:
        return None
    found = {name: value for name, value in row.items() if name not in ("mapping", "key", "encoding")}
    found["id"] = str(found["id"])
    busy = found.pop("busy_ms")
    found["lines"] = found.pop("rows")
    found["rate"] = round(found["lines"] * 1_000 / busy) if busy else None
    found["bytes"], found["bytes_done"] = found.pop("size"), found.pop("seen_bytes")
    for name in ("reasons", "left_out"):
        found[name] = _counts(found[name])
    return found
