"""Imports in PostgreSQL: the jobs, their files until they are read, and the rows that were refused."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from runtime.db import Database
from runtime.poison import Vault
from schemas.ids import derive
from services.ingest.domain import Mapping, Refused, Shape

KEEP_MS = 30 * 86_400_000  # refused rows are personal data
ABANDONED_MS = 86_400_000  # after its last piece; an upload that has not gone on by then never will

FACTS_KEEP_MS = 400 * 86_400_000  # so long the same row makes no second fact

NEW = """
INSERT INTO import (id, number, key, name, created_at, brand, mapping) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (key) DO NOTHING RETURNING id
"""
GROW = """
UPDATE import SET size = size + $3, came_at = $4 WHERE id = $1 AND state = 'uploading' AND size = $2
RETURNING (SELECT count(*)::int FROM import_part WHERE import = $1)
"""
START = """
UPDATE import SET state = 'running', mapping = $2, shape = $3, started_at = $4, brand = $5 WHERE id = $1 AND state = 'uploading'
"""
NOTE = """
UPDATE import SET rows = $2, accepted = accepted + $3, refused = refused + $4, facts = facts + $5, reasons = $6, left_out = $7,
    busy_ms = busy_ms + $8, seen_bytes = $9, repeats = repeats + $11
WHERE id = $1 AND rows = $10 AND state = 'running' RETURNING 1
"""
MADE = "INSERT INTO import_fact (id, at) SELECT unnest($1::uuid[]), $2 ON CONFLICT DO NOTHING"
KNOWN = "SELECT id::text AS id FROM import_fact WHERE id = ANY($1::uuid[])"
UPLOAD = "SELECT id::text AS id, size, mapping FROM import WHERE id = $1 AND state = 'uploading' AND ($2::text[] IS NULL OR brand = ANY($2))"
END = "UPDATE import SET state = $2, error = $3, ended_at = $4, seen_bytes = CASE WHEN $2 = 'done' THEN size ELSE seen_bytes END WHERE id = $1"
GIVE_UP = "UPDATE import SET key = NULL WHERE key = $1 AND state = 'failed'"
ABANDON = "DELETE FROM import WHERE key = $1 AND state = 'uploading'"
REFUSE = "INSERT INTO import_refused (import, first, block, expires_at) VALUES ($1, $2, $3, $4)"
ONE = "SELECT * FROM import WHERE id = $1 AND ($2::text[] IS NULL OR brand = ANY($2))"
PAGE = "SELECT * FROM import WHERE number < $1 AND ($3::text[] IS NULL OR brand = ANY($3)) ORDER BY number DESC LIMIT $2"
# Some at a time: what millions of rows have left must not hold up what comes.
CLEAN_REFUSED = """
DELETE FROM import_refused WHERE (import, first) IN
    (SELECT import, first FROM import_refused WHERE expires_at < $1 LIMIT 1000 FOR UPDATE SKIP LOCKED)
"""
CLEAN_FACTS = "DELETE FROM import_fact WHERE id IN (SELECT id FROM import_fact WHERE at < $1 LIMIT 10000 FOR UPDATE SKIP LOCKED)"
CLEAN_UPLOADS = """
DELETE FROM import WHERE id IN
    (SELECT id FROM import WHERE state = 'uploading' AND coalesce(came_at, created_at) < $1 LIMIT 10 FOR UPDATE SKIP LOCKED)
"""

Brands = Sequence[str] | None  # those that the asker may see; None: all
Shown = dict[str, Any]

_json = msgspec.json.Encoder().encode
_shape = msgspec.json.Decoder(Shape).decode
_counts = msgspec.json.Decoder(dict[str, int]).decode
_block = msgspec.json.Decoder(list[Refused]).decode


class TakenOver(Exception):  # noqa: N818
    """Another process works on this import: it has come further."""


class OffsetWrong(Exception):  # noqa: N818
    """What came does not follow what is there of the file: it has come already, or something is missing in between."""


class Waiting(msgspec.Struct, frozen=True):
    """An upload that goes on. size: bytes that are there; mapping: the document's JSON, as it came."""

    id: str
    size: int
    mapping: bytes


class Job(msgspec.Struct):
    """An import that runs. word: its key, else its id: the same for the same file sent again under its key. mapping: the document's JSON.
    rows: how many were done with when it was read.
    """

    id: str
    word: str
    mapping: bytes
    shape: Shape
    rows: int
    reasons: Counter[str]
    left_out: Counter[str]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A portion of a file that is done with. `rows` and `seen_bytes` count from the file's start, the others this portion.

    facts: ids of those that it made; repeats: how many more there would be, had they not been made before.
    """

    rows: int
    accepted: int
    facts: Sequence[str]
    repeats: int
    refused: Sequence[Refused]
    seen_bytes: int
    busy_ms: int


class Imports:
    """The tables of imports. Everything of a customer in them is sealed."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db, self._vault = db, vault

    async def create(
        self, name: str, key: str | None, now: int, *, brand: str = "", mapping: bytes | None = None, goes_on: bool = False
    ) -> tuple[str, bool]:
        """(id, whether it is new). key: of idempotency; a known one answers the import that was started with it.

        An upload that has not ended gives way, unless it may go on: who sends the file again has got no answer, because a kill or his
        own line ended it. One that has failed gives its key up: it can be asked for again. brand, mapping: of an upload that goes on in
        further requests.
        """
        async with self._db.transaction() as connection:
            number = await connection.fetchval("SELECT nextval('import_number')")
            made = derive("import", number)
            await connection.execute(GIVE_UP, key)
            if key is not None and not goes_on:
                await connection.execute(ABANDON, key)
            new = await connection.fetchval(NEW, made, number, key, name, now, brand, mapping)
            if new is not None:
                return made, True
            return await connection.fetchval("SELECT id::text FROM import WHERE key = $1", key), False

    async def add_part(self, job: str, kept: int, data: bytes, now: int) -> None:
        """Keep what follows the bytes that are there. now: when it came. Raises OffsetWrong: there are not so many, or the upload has ended."""
        async with self._db.transaction() as connection:
            number = await connection.fetchval(GROW, job, kept, len(data), now)
            if number is None:
                raise OffsetWrong(job)
            sealed = self._vault.seal(data, f"import:{job}:part:{number}")
            await connection.execute("INSERT INTO import_part (import, number, data) VALUES ($1, $2, $3)", job, number, sealed)

    async def part(self, job: str, number: int) -> bytes | None:
        """A piece of the file; None after the last."""
        async with self._db.connection() as connection:
            sealed = await connection.fetchval("SELECT data FROM import_part WHERE import = $1 AND number = $2", job, number)
        return None if sealed is None else self._vault.open(sealed, f"import:{job}:part:{number}")

    async def upload(self, job: str, brands: Brands) -> Waiting | None:
        """An upload that has not ended."""
        async with self._db.connection() as connection:
            row = await connection.fetchrow(UPLOAD, job, brands)
        return row and Waiting(row["id"], row["size"], row["mapping"] or b"")

    async def start(self, job: str, mapping: Mapping, shape: Shape, now: int) -> None:
        """The file is there. Raises TakenOver: the same one came once more meanwhile."""
        sealed = self._vault.seal(_json(shape), f"import:{job}:shape")
        async with self._db.transaction() as connection:
            answer = await connection.execute(START, job, _json(mapping), sealed, now, mapping.brand)
        if answer == "UPDATE 0":
            raise TakenOver(job)

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
                "SELECT coalesce(key, id::text) AS word, mapping, shape, rows, reasons, left_out FROM import "
                "WHERE id = $1 AND state = 'running'",
                job,
            )
            yield row and Job(
                job,
                row["word"],
                row["mapping"],
                self._shape(job, row["shape"]),
                row["rows"],
                Counter(_counts(row["reasons"])),
                Counter(_counts(row["left_out"])),
            )
        finally:
            await connection.close(timeout=2)

    async def known(self, facts: Sequence[str]) -> set[str]:
        """Those of these facts (ids) that an import has made already."""
        async with self._db.connection() as connection:
            return {row["id"] for row in await connection.fetch(KNOWN, facts)}

    async def note(self, job: Job, step: Step, now: int) -> None:
        """Keep how far it has come, with the refused rows of the portion. Raises TakenOver."""
        async with self._db.transaction() as connection:
            noted = await connection.fetchval(
                NOTE,
                job.id,
                step.rows,
                step.accepted,
                len(step.refused),
                len(step.facts),
                _json(job.reasons),
                _json(job.left_out),
                step.busy_ms,
                step.seen_bytes,
                job.rows,
                step.repeats,
            )
            if noted is None:
                raise TakenOver(job.id)
            await connection.execute(MADE, step.facts, now)
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
        """Forget some of what is older than it may be kept."""
        for query, before in ((CLEAN_REFUSED, now), (CLEAN_UPLOADS, now - ABANDONED_MS), (CLEAN_FACTS, now - FACTS_KEEP_MS)):
            async with self._db.transaction() as connection:
                await connection.execute(query, before)

    # ---- to be looked at

    async def one(self, job: str, brands: Brands) -> Shown | None:
        async with self._db.connection() as connection:
            return self._shown(await connection.fetchrow(ONE, job, brands))

    async def page(self, before: int, limit: int, brands: Brands) -> list[Shown]:
        """Newest first; before: the `number` of the last one seen."""
        async with self._db.connection() as connection:
            rows = await connection.fetch(PAGE, before, limit, brands)
        return [shown for row in rows if (shown := self._shown(row))]

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

    async def shape(self, job: str) -> Shape:
        """How the file of an import is read that has been looked at; else that of nothing."""
        async with self._db.connection() as connection:
            return self._shape(job, await connection.fetchval("SELECT shape FROM import WHERE id = $1", job))

    def _shape(self, job: str, sealed: bytes | None) -> Shape:
        return _shape(self._vault.open(sealed, f"import:{job}:shape")) if sealed else Shape(format="csv", delimiter=",")

    def _shown(self, row: Any) -> Shown | None:
        if row is None:
            return None
        found = {name: value for name, value in row.items() if name not in ("mapping", "key", "shape", "came_at")}
        found["id"] = str(found["id"])
        busy = found.pop("busy_ms")
        found["lines"] = found.pop("rows")
        found["rate"] = round(found["lines"] * 1_000 / busy) if busy else None
        found["bytes"], found["bytes_done"] = found.pop("size"), found.pop("seen_bytes")
        for name in ("reasons", "left_out"):
            found[name] = _counts(found[name])
        shape = self._shape(found["id"], row["shape"])
        found["total"] = found["lines"] if found["state"] == "done" else shape.lines
        return {**found, **{name: getattr(shape, name) for name in ("format", "encoding", "delimiter", "sheet", "note")}}
