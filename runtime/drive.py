"""The conductor of a driven run: sets the clock's row and gives the services their turns until nothing moves any more (law 5)."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from runtime.clock import set_within
from runtime.db import Database

FLOW = ("profile", "segmenter", "orchestrator", "sender", "experiments", "warehouse")
SET = """
UPDATE runtime.clock SET driven = $1, at = $2, turn = '' RETURNING pg_notify('clock', $3 || '|' || at || '|' || turn || '|' || turn_no)
"""
TURN = """
UPDATE runtime.clock SET turn = $1, turn_no = turn_no + 1 WHERE driven
RETURNING turn_no, pg_notify('clock', 't|' || at || '|' || turn || '|' || turn_no)
"""
REGISTER = "INSERT INTO runtime.move (service, turn_no, moved) VALUES ($1, -1, false) ON CONFLICT DO NOTHING"


class Stuck(RuntimeError):  # noqa: N818
    """A service did not finish its turn: its log says why."""


class NotDriven(RuntimeError):  # noqa: N818
    """The clock is live: set it first."""


class Backwards(ValueError):  # noqa: N818
    """A driven clock only goes forward."""


async def register(db: Database, service: str) -> None:
    """A service that reads topics or has timers takes part in driven runs."""
    async with db.transaction() as connection:
        await connection.execute(REGISTER, service)


async def set_clock(db: Database, at: int | None) -> None:
    """Drive the clock to `at` ms, or (None) hand it back to live time. Raises Backwards."""
    async with db.transaction() as connection:
        row = await connection.fetchrow("SELECT driven, at FROM runtime.clock FOR UPDATE")
        if at is not None and row["driven"] and at < row["at"]:
            raise Backwards(f"the clock stands at {row['at']}, {at} is before it")
        await connection.execute(SET, at is not None, at or 0, "t" if at is not None else "f")


class Conductor:
    """Gives turns. One at a time in an installation; it holds a connection while it is open."""

    def __init__(self, db: Database, patience_s: float = 60.0) -> None:
        self._db, self._patience = db, patience_s
        self._heard = asyncio.Event()
        self._lock = asyncio.Lock()
        self._connection: Any = None
        self._services: Sequence[str] = ()

    async def open(self) -> "Conductor":
        self._connection = await self._db.dedicated()
        await self._connection.execute("SET synchronous_commit = off")  # turns are worth no wait for the disk
        await self._connection.add_listener("move", lambda *_: self._heard.set())
        rows = await self._connection.fetch("SELECT service FROM runtime.move")
        present = {row["service"] for row in rows}
        self._services = [s for s in FLOW if s in present] + sorted(present - set(FLOW))
        return self

    async def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):
                await self._connection.close(timeout=2)

    async def settle(self, unheard: int = 0) -> int:
        """Turns, in rounds, until nobody moved in as many turns in a row as there are services. Returns how many rounds were begun. unheard: how
        many rounds at first do not count: in one of them what services wrote between turns (a link was followed) reaches the log.
        """
        async with self._lock:
            turns = still = 0
            while still < len(self._services):
                moved = await self._turn(self._services[turns % len(self._services)])
                still = 0 if moved or turns < unheard * len(self._services) else still + 1
                turns += 1
            return -(-turns // max(1, len(self._services)))

    async def _turn(self, service: str) -> bool:
        row = await self._connection.fetchrow(TURN, service)
        if row is None:
            raise NotDriven("the clock is live: PUT /api/clock sets it")
        turn_no = row["turn_no"]
        end = asyncio.get_running_loop().time() + self._patience
        while True:
            self._heard.clear()
            done = await self._connection.fetchrow("SELECT turn_no, moved FROM runtime.move WHERE service = $1", service)
            if done and done["turn_no"] == turn_no:
                return bool(done["moved"])
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                raise Stuck(f"{service} did not finish its turn in {self._patience:.0f} s")
            await set_within(self._heard, min(left, 1.0))
