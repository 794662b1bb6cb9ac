"""Rehearsals as jobs: asked for once, played one at a time in a process, beside the loop. A job whose process died is begun anew by another.

Reports name people by their ids and are forgotten after a week.
"""

import asyncio
import contextlib
import json
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from runtime.clock import set_within, wall_ms
from runtime.db import TRANSIENT
from runtime.lake import StaleSnapshot
from runtime.neighbours import Neighbour, Unreachable
from runtime.process import Context
from services.orchestrator.rehearsal.playing import Asked, NoLake, Rehearsal

log = logging.getLogger(__name__)

LOOK_S = 5.0  # for jobs that another process took in, or left
SAY_MS = 300  # between two words of progress
DEAD_MS = 30_000  # whoever says nothing for so long plays no more
KEPT_MS = 7 * 86_400_000
MOST_TRIES = 2  # that end with their process, or its database
MOST_OPEN = 5  # of one brand, as one is played at a time

ADD = "INSERT INTO rehearsal (id, brand, asked, asked_at) VALUES (gen_random_uuid(), $1, $2, $3) RETURNING id::text"
OPEN = "SELECT count(*) FROM rehearsal WHERE brand IS NOT DISTINCT FROM $1 AND state IN ('waiting', 'running')"
TAKE = """
UPDATE rehearsal SET state = 'running', tries = tries + 1, started_at = $1, beat_at = $1, done = 0, total = NULL WHERE id = (
    SELECT id FROM rehearsal WHERE state = 'waiting' OR (state = 'running' AND beat_at < $2)
    ORDER BY asked_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id::text, started_at, asked
"""
GIVE_UP = """
UPDATE rehearsal SET state = 'failed', why = $4, ended_at = $1 WHERE state = 'running' AND beat_at < $2 AND tries >= $3
"""
# started_at: of whom it is. Who was thought dead and goes on says nothing more of what another one plays by now.
BEAT = "UPDATE rehearsal SET beat_at = $3 WHERE id = $1 AND state = 'running' AND started_at = $2"
SAY = """
UPDATE rehearsal SET done = $3, total = $4, beat_at = $5 WHERE id = $1 AND state = 'running' AND started_at = $2 RETURNING stop
"""
END = """
UPDATE rehearsal SET state = $3, report = $4, why = $5, ended_at = $6, done = coalesce($7, done)
WHERE id = $1 AND state = 'running' AND started_at = $2
"""
STOP = """
UPDATE rehearsal SET stop = true, state = CASE WHEN state = 'waiting' THEN 'stopped' ELSE state END,
    ended_at = CASE WHEN state = 'waiting' THEN $2 ELSE ended_at END
WHERE id = $1 AND state IN ('waiting', 'running')
"""
READ = """
SELECT id::text, brand, state, done, total, asked_at, started_at, ended_at, why, report FROM rehearsal WHERE id = $1 AND asked_at >= $2
"""
FORGET = "DELETE FROM rehearsal WHERE asked_at < $1"


class Busy(RuntimeError):  # noqa: N818
    """So many are open of this brand that one more has to wait."""


class Jobs:
    """What a process plays, and what it knows of all."""

    def __init__(self) -> None:
        self._context: Context | None = None
        self._wake = asyncio.Event()

    @property
    def context(self) -> Context:
        assert self._context is not None
        return self._context

    @asynccontextmanager
    async def life(self, context: Context) -> AsyncIterator[None]:
        self._context = context
        async with Neighbour(context, "segmenter") as segmenter:
            playing = asyncio.create_task(self._run(segmenter), name="orchestrator-rehearsals")
            try:
                yield
            finally:
                playing.cancel()
                await asyncio.wait({playing})

    async def ask(self, asked: Asked, brand: str | None) -> dict[str, Any]:
        """Take a job in. Raises Busy."""
        now = wall_ms()
        async with self.context.db.transaction() as connection:
            if await connection.fetchval(OPEN, brand) >= MOST_OPEN:
                raise Busy(f"{MOST_OPEN} of this brand are open")
            name = await connection.fetchval(ADD, brand, msgspec.json.encode(asked).decode(), now)
        self._wake.set()
        found = await self.read(name)
        assert found is not None
        return found

    async def read(self, name: str) -> dict[str, Any] | None:
        """{id, brand, state, done, total, eta_ms, asked_at, started_at, ended_at, why, report}; eta_ms: None while nobody can say."""
        now = wall_ms()
        async with self.context.db.connection() as connection:
            row = await connection.fetchrow(READ, name, now - KEPT_MS)
        return None if row is None else _told(dict(row), now)

    async def stop(self, name: str) -> dict[str, Any] | None:
        """Let it end where it is. Its report, of those who were played, comes with the state `stopped`."""
        async with self.context.db.transaction() as connection:
            await connection.execute(STOP, name, wall_ms())
        return await self.read(name)

    async def _run(self, segmenter: Neighbour) -> None:
        while True:
            try:
                row = await self._take()
                if row is not None:
                    job = _Job(self.context, row["id"], row["started_at"])
                    await self._play(job, msgspec.json.decode(row["asked"], type=Asked), segmenter)
                    continue
            except TRANSIENT as error:
                log.warning("rehearsals wait for the database", extra={"why": type(error).__name__})
            except Exception:
                log.exception("rehearsals cannot be played")
                self.context.stopping.set()
                return
            await set_within(self._wake, LOOK_S)
            self._wake.clear()

    async def _take(self) -> Any:
        """The next one, of those that wait and those whose process died. What is old is forgotten."""
        now = wall_ms()
        async with self.context.db.transaction() as connection:
            await connection.execute(FORGET, now - KEPT_MS)
            await connection.execute(
                GIVE_UP, now, now - DEAD_MS, MOST_TRIES, "it ended its process, or lost the database, each time"
            )
            return await connection.fetchrow(TAKE, now, now - DEAD_MS)

    async def _play(self, job: "_Job", asked: Asked, segmenter: Neighbour) -> None:
        beating = asyncio.create_task(job.beat())
        try:
            report = await Rehearsal(self.context, segmenter, asked, job.say).run()
            await job.end("done" if report["complete"] else "stopped", report)
        except (Unreachable, StaleSnapshot, NoLake) as error:
            await job.end("failed", why=str(error))
        except TRANSIENT:  # it is begun anew
            raise
        except Exception as error:  # what is only tried must not end the service. What else the error says may be personal
            why = type(error).__name__
            log.warning("a rehearsal failed", extra={"rehearsal": job.name, "why": why, "at": _place_of(error)})
            await job.end("failed", why=why)
        finally:
            beating.cancel()
            await asyncio.wait({beating})


class _Job:
    """One job's row, as long as it is ours."""

    def __init__(self, context: Context, name: str, started_at: int) -> None:
        self._context, self.name, self._started_at = context, name, started_at
        self._said = 0

    async def beat(self) -> None:
        """Say that it is played, until cancelled: a portion, or the segmenter's first word, may take longer than the others wait."""
        while True:
            await asyncio.sleep(DEAD_MS / 6000)
            with contextlib.suppress(*TRANSIENT):
                async with self._context.db.transaction() as connection:
                    await connection.execute(BEAT, self.name, self._started_at, wall_ms())

    async def say(self, done: int, total: int) -> bool:
        """Whether to go on."""
        now = wall_ms()
        if now - self._said < SAY_MS and done < total:
            return True
        self._said = now
        async with self._context.db.transaction() as connection:
            stop = await connection.fetchval(SAY, self.name, self._started_at, done, total, now)
        return stop is False  # None: it is somebody else's by now

    async def end(self, state: str, report: dict[str, Any] | None = None, why: str | None = None) -> None:
        done = report["people"]["played"] if report else None
        body = json.dumps(report) if report else None
        async with self._context.db.transaction() as connection:
            await connection.execute(END, self.name, self._started_at, state, body, why, wall_ms(), done)


def _place_of(error: BaseException) -> str:
    """Where in the code it broke."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno}"


def _told(row: dict[str, Any], now: int) -> dict[str, Any]:
    eta = None
    if row["state"] == "running" and row["done"] and row["total"]:
        eta = (now - row["started_at"]) * (row["total"] - row["done"]) // row["done"]
    report = json.loads(row["report"]) if row["report"] else None
    return {**row, "report": report, "eta_ms": eta}
