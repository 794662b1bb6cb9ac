"""Makes a list of the members of an instant: a fact about each of them says that he is on it.

So a list is an attribute like any other, `list.<key>`: merges, erasure, a rebuild and the language of conditions need nothing for it. Who is
on it is noted in one transaction; then piece by piece the facts go to the outbox and the names from the note, in one transaction too: a
kill in between loses nobody and tells nobody twice.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from runtime import own
from runtime.batch import Emit
from runtime.clock import set_within
from runtime.db import TRANSIENT, Connection
from runtime.lake import Lake, StaleSnapshot
from runtime.process import Context
from schemas.facts import Fact, encode
from schemas.ids import derive
from schemas.topics import FACTS_RAW_BULK
from services.warehouse.standing import standing

log = logging.getLogger(__name__)

POLL_S = 2.0
AGAIN_S = 60.0  # after what is not passing trouble: who looks at its progress sees that it stands still
PASSING: tuple[type[BaseException], ...] = (StaleSnapshot, *TRANSIENT)
PIECE = 2_000  # people of whom one transaction tells
COPIED = 20_000
ADD = """
INSERT INTO freezing (id, segment, list, brand, as_of, asked_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING
"""
OPEN = """
SELECT id::text AS id, segment, list, brand, as_of, asked_at, members FROM freezing WHERE done_at IS NULL ORDER BY asked_at, id LIMIT 1
FOR UPDATE SKIP LOCKED
"""
NOTED = "UPDATE freezing SET members = $2 WHERE id = $1"
TAKE = """
DELETE FROM frozen WHERE (freezing, profile) IN (SELECT freezing, profile FROM frozen WHERE freezing = $1 ORDER BY profile LIMIT $2)
RETURNING profile::text AS profile
"""
TOLD = "UPDATE freezing SET told = told + $2 WHERE id = $1"
DONE = "UPDATE freezing SET done_at = $2 WHERE id = $1"
BUSY = "SELECT EXISTS (SELECT FROM freezing WHERE done_at IS NULL)"
OF_LIST = """
SELECT id::text AS id, segment, list, as_of, asked_at, members, told, done_at FROM freezing WHERE list = $1 ORDER BY asked_at DESC, id LIMIT 1
"""


class Freeze(NamedTuple):
    """Of this segment, as it was at as_of, this list is to be made. members: how many, None until they are noted."""

    id: str
    segment: str
    list: str
    brand: str
    as_of: int
    asked_at: int
    members: int | None = None


def attribute(list_key: str) -> str:
    """The attribute that says who is on a list."""
    return f"list.{list_key}"


async def ask(connection: Connection, asked: Freeze) -> None:
    """Once, however often it is asked."""
    await connection.execute(ADD, *asked[:6])


async def progress(connection: Connection, list_key: str) -> dict[str, Any] | None:
    """How far the last freezing that makes this list has come; None: there is none."""
    row = await connection.fetchrow(OF_LIST, list_key)
    return dict(row) if row else None


class Freezer:
    """Works through what is asked for, a step at a time. Several processes may: each step locks its freezing."""

    def __init__(self, context: Context, lake: Lake) -> None:
        self._context, self._lake = context, lake
        self._news = asyncio.Event()

    def wake(self) -> None:
        self._news.set()

    async def run(self) -> None:
        """Until it is cancelled. Driven runs go by turns: see `settle`."""
        while True:
            self._news.clear()
            try:
                while not self._context.clock.state.driven and await self._step():
                    self._context.relay.wake.set()
            except PASSING as error:
                log.warning("a freezing waits", extra={"why": type(error).__name__})
            except Exception:
                log.exception("a freezing cannot go on: it is tried again")
                await asyncio.sleep(AGAIN_S)
            await set_within(self._news, POLL_S)

    async def settle(self) -> bool:
        """All of it, within a turn. True if there was anything."""
        did = False
        while await self._step():
            did = True
        return did

    async def busy(self) -> bool:
        async with self._context.db.connection() as connection:
            return bool(await connection.fetchval(BUSY))

    async def _step(self) -> bool:
        async with self._context.db.transaction() as connection:
            row = await connection.fetchrow(OPEN)
            if row is None:
                return False
            freeze = Freeze(*row)
            if freeze.members is None:
                await connection.execute(NOTED, freeze.id, await self._note(connection, freeze))
                return True
            people = [one["profile"] for one in await connection.fetch(TAKE, freeze.id, PIECE)]
            now = (await self._context.clock.now())[0]
            if not people:
                await connection.execute(DONE, freeze.id, now)
                return True
            await own.publish_in(connection, self._context.settings, "warehouse", "freezes", told(freeze, people, now))
            await connection.execute(TOLD, freeze.id, len(people))
            return True

    async def _note(self, connection: Connection, freeze: Freeze) -> int:
        """Who was in it, each once. Returns how many."""
        snapshot = await self._lake.snapshot(merges=True)
        count = 0
        try:
            query, parameters = standing(snapshot, [freeze.segment], freeze.as_of)
            distinct = f"SELECT DISTINCT ?, person::VARCHAR FROM ({query})"  # noqa: S608 - of our own making
            async for rows in snapshot.pages(distinct, [freeze.id, *parameters], COPIED):
                await connection.copy_records_to_table("frozen", records=rows, columns=("freezing", "profile"))
                count += len(rows)
        finally:
            snapshot.close()
        return count


def told(freeze: Freeze, people: Sequence[str], now: int) -> list[Emit]:
    """The facts that put these people on the list, from the instant on at which it was asked for."""
    attributes: Mapping[str, Any] = {attribute(freeze.list): True}
    return [
        own.unplaced(
            FACTS_RAW_BULK.name,
            person,
            encode(
                Fact(
                    id=derive("freeze", freeze.id, person),
                    type="identify",
                    brand=freeze.brand,
                    source="otklik",
                    lane="bulk",
                    occurred_at=freeze.asked_at,
                    received_at=max(now, freeze.asked_at),
                    about=person,
                    cause=freeze.id,
                    attributes=dict(attributes),
                )
            ),
            "identify",
        )
        for person in people
    ]
