"""Puts a history where the services keep it, past the log: people by two processes, then facts by the million.

The services must not run meanwhile, and have run before: their tables and the plan of the segments are theirs. Where the log is to go on
behind the history, `bench.seeded.log` lets it begin there.
"""

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from bench.seeded.history import History
from bench.seeded.lake import Lake, examples, learn, sheet_of
from bench.seeded.people import Of, Told, decide, everybody, introduce
from runtime import watermark
from runtime.batch import Emit, Item, Tx
from runtime.kafka import Place
from schemas.ids import partition_of
from schemas.memberships import Membership, decode
from schemas.topics import FACTS, MEMBERSHIPS
from services.segmenter.plans import Plans
from services.warehouse import roster, store
from services.warehouse.domain import sheets
from services.warehouse.domain.sheets import Sheet
from services.warehouse.files import Files

AT_ONCE = 50_000  # people of a piece
TOGETHER = 5_000  # people of a transaction of profile
READERS = ("segmenter", "orchestrator", "sender", "warehouse")  # of `facts` or `memberships`
ADVANCE = """
UPDATE watermark w SET next_offset = u.next FROM unnest($1::text[], $2::int[], $3::bigint[]) AS u (topic, partition, next)
WHERE w.topic = u.topic AND w.partition = u.partition
"""
FOLLOW = """
UPDATE {service}.watermark w SET next_offset = lake.next_offset FROM warehouse.watermark lake
WHERE (w.topic, w.partition) = (lake.topic, lake.partition) AND w.topic = ANY($1)
"""


@dataclass(frozen=True)
class Installed:
    """Where. states: segmenter's too; without them it knows the people by their introductions alone."""

    database_url: str
    lake: Path
    partitions: int
    states: bool = True


async def load(history: History, at: Installed, processes: int = 2) -> dict[str, float]:
    """Seconds by part. Raises RuntimeError while the segmenter has yet to come under its plan."""
    started = time.perf_counter()
    pieces = [range(low, min(history.people, low + AT_ONCE)) for low in range(0, history.people, AT_ONCE)]
    async with _connected(at, "warehouse") as connection, connection.transaction():
        await learn(connection, examples(history.until), history.until)
    if len(pieces) == 1:
        await _people(history, at, pieces[0])
    else:
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
            loop = asyncio.get_running_loop()
            await asyncio.gather(*(loop.run_in_executor(pool, _piece, history, at, piece) for piece in pieces))
    people = time.perf_counter()
    await _facts(history, at)
    facts = time.perf_counter()
    async with _connected(at, "warehouse") as connection:
        for service in READERS:
            if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{service}.watermark"):
                await connection.execute(FOLLOW.format(service=service), [FACTS.name, MEMBERSHIPS.name])
        await connection.execute("ANALYZE")
    ended = time.perf_counter()
    return {"people_s": round(people - started, 1), "facts_s": round(facts - people, 1), "rest_s": round(ended - facts, 1)}


@asynccontextmanager
async def _connected(at: Installed, service: str) -> AsyncIterator[Any]:
    # PostgreSQL waits for no disk: a base that a crash cuts short is made anew.
    own = {"search_path": service, "synchronous_commit": "off"}
    connection = await asyncpg.connect(at.database_url, server_settings=own)
    try:
        yield connection
    finally:
        await connection.close()


def _piece(history: History, at: Installed, numbers: range) -> None:
    asyncio.run(_people(history, at, numbers))


async def _people(history: History, at: Installed, numbers: range) -> None:
    """The rows of some people in all services, and what was told of them."""
    of = Of(history, at.partitions)
    told: list[Told] = []
    async with _connected(at, "profile") as connection:
        for low in range(numbers.start, numbers.stop, TOGETHER):
            async with connection.transaction():
                told += await introduce(connection, of, range(low, min(numbers.stop, low + TOGETHER)))
    changes: list[Emit] = []
    async with _connected(at, "segmenter") as connection, connection.transaction():
        live = await Plans().seen(connection)
        if live is None or live.plan.filling.number:
            raise RuntimeError("the segmenter has yet to come under its plan: let it run until it is at rest")
        if at.states:
            changes = await decide(connection, of, live, numbers, told)
    await _to_lake(history, at, told, changes)


async def _to_lake(history: History, at: Installed, told: Sequence[Told], changes: Sequence[Emit]) -> None:
    files = Files(at.lake, threads=1, memory="1GB")
    try:
        async with _places(at) as (connection, firsts):
            facts = [(raw, one.partition) for one in told for raw in one.facts]
            await _write(connection, files, sheet_of(facts, firsts), history.until)
            if changes:
                moved = list(_moved(changes, at.partitions, firsts))
                await _write(connection, files, sheets.memberships([(*i.place, i.offset, i.value) for i in moved]), history.until)
                await roster.keep(Tx(connection, history.until, 0, "warehouse", {}), moved)
    finally:
        files.close()


def _moved(changes: Iterable[Emit], partitions: int, firsts: dict[Place, int]) -> Iterable[Item]:
    """Entries and exits at their places in `memberships`."""
    for emit in changes:
        place = emit.topic, partition_of(emit.key, partitions)
        offset = firsts[place]
        firsts[place] = offset + 1
        value: Membership = decode(emit.value)
        yield Item(place, offset, value, emit.value, None, None, value.received_at)


async def _write(connection: Any, files: Files, sheet: Sheet, now: int) -> None:
    await learn(connection, sheet, now)
    (number,) = await store.numbers(connection, 1)
    await store.add(connection, [await asyncio.to_thread(files.write, sheet, number)], now)


async def _facts(history: History, at: Installed) -> None:
    lake = Lake(at.lake, history, everybody(history, at.partitions))
    try:
        for low, high in lake.spans():
            async with _places(at) as (connection, firsts):
                (number,) = await store.numbers(connection, 1)
                own = {partition: first for (topic, partition), first in firsts.items() if topic == FACTS.name}
                written = await asyncio.to_thread(lake.put, low, high, number, own)
                await store.add(connection, [written], history.until)
                firsts.update({(FACTS.name, partition): first for partition, first in own.items()})
    finally:
        lake.close()


@asynccontextmanager
async def _places(at: Installed) -> AsyncIterator[tuple[Any, dict[Place, int]]]:
    """A transaction of the warehouse, with the offset of the next row in each place, which is where the watermark stands at its end."""
    places = [(topic, partition) for topic in (FACTS.name, MEMBERSHIPS.name) for partition in range(at.partitions)]
    async with _connected(at, "warehouse") as connection, connection.transaction():
        marks, _, _ = await watermark.lock(connection, places)
        firsts = {place: max(0, marks[place].next_offset) for place in places}
        yield connection, firsts
        columns = [topic for topic, _ in places], [part for _, part in places], [firsts[place] for place in places]
        await connection.execute(ADVANCE, *columns)
