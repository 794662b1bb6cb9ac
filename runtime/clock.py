"""Time is a dependency: live time, or one row in PostgreSQL that a test, the demo or a simulation drives (law 5)."""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import Any

import asyncpg

from runtime.db import TRANSIENT, Database

log = logging.getLogger(__name__)

# A listener that ended in silence would leave a driven run without turns: it goes on after whatever the database says.
TROUBLE: tuple[type[BaseException], ...] = (*TRANSIENT, asyncpg.PostgresError)
READ = "SELECT driven, at, turn, turn_no FROM runtime.clock"
# The installation's time in ms, of a transaction.
NOW = "SELECT CASE WHEN driven THEN at ELSE (extract(epoch FROM clock_timestamp()) * 1000)::bigint END FROM runtime.clock"


def wall_ms() -> int:
    """The machine's own time in ms: for stamps at the edge and for metrics, never for a decision."""
    return int(time.time() * 1000)


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until the event is set, for so long at most: whether it was.

    Not by asyncio.wait_for, which in Python 3.11 forgets that its caller was cancelled in the very turn in which the event came: a loop that
    is cancelled then goes on for ever, and with it whoever waits for its end.

    Not for the cleanup of a task that was cancelled: asyncio.timeout takes its own expiry for that cancellation there, and raises it again.
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class ClockState:
    """driven: the row rules; at: its time in ms; turn: whose move it is in a driven run."""

    driven: bool = False
    at: int = 0
    turn: str = ""
    turn_no: int = 0


class Clock:
    """The clock row as this process last heard of it; NOTIFY keeps it fresh, `read` asks."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.state = ClockState()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.state = await self.read()
        self._task = asyncio.create_task(self._listen(), name="clock")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def read(self) -> ClockState:
        async with self._db.connection() as connection:
            return ClockState(*await connection.fetchrow(READ))

    async def now(self) -> tuple[int, bool]:
        """(ms, driven): for the edges. In a driven run the row is read each time, so that a moved clock is never missed."""
        if not self.state.driven:
            return wall_ms(), False
        self.state = await self.read()
        return (self.state.at, True) if self.state.driven else (wall_ms(), False)

    def last_known_ms(self) -> int:
        return self.state.at if self.state.driven else wall_ms()

    async def changed(self, timeout: float) -> None:
        """Wait until the row changed since the last call, or for `timeout` seconds."""
        await set_within(self._changed, timeout)
        self._changed.clear()

    async def _listen(self) -> None:
        while True:
            connection: Any = None
            try:
                connection = await self._db.dedicated()
                await connection.add_listener("clock", self._hear)
                self.state = ClockState(*await connection.fetchrow(READ))
                self._changed.set()
                while not connection.is_closed():
                    await asyncio.sleep(1.0)  # keeps the session alive; news comes through the listener
                    await connection.execute("SELECT 1")
            except TROUBLE as error:
                log.warning("clock listener lost", extra={"why": type(error).__name__})
                await asyncio.sleep(0.5)
            finally:
                if connection is not None:
                    with contextlib.suppress(Exception):
                        await connection.close(timeout=1)

    def _hear(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        driven, at, turn, turn_no = payload.split("|")
        self.state = ClockState(driven == "t", int(at), turn, int(turn_no))
        self._changed.set()
