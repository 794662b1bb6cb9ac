"""How long history takes: `pytest -s tests/segmenter/live/measure_filling.py`. Not a test: it fails only where members are wrong.

OTKLIK_FACTS (1,000,000) facts of OTKLIK_PEOPLE (50,000) people stand in one file of the lake, and everybody has a row; then one segment
after another is published, as one process without load would take it.
"""

import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from runtime import watermark
from runtime.drive import set_clock
from runtime.lake import column
from runtime.process import Context, open_context
from schemas.ids import derive, partition_of
from services.segmenter.__main__ import service as segmenter
from services.segmenter.domain import state
from services.segmenter.domain.state import State
from services.segmenter.filling import TOPICS
from services.warehouse.__main__ import service as warehouse
from tests.segmenter.live.by_hand import Process, publish
from tests.support import live
from tests.support.live import T0, rows

FACTS, PEOPLE = int(os.environ.get("OTKLIK_FACTS", "1000000")), int(os.environ.get("OTKLIK_PEOPLE", "50000"))
ONLY = os.environ.get("OTKLIK_ONLY", " ").split(",")  # parts of the names of segments; all of them have a space
DAY = 86_400_000
EVENT = "Order Completed"
SEGMENTS: dict[str, dict[str, Any]] = {
    "twice ever": {"kind": "did", "event": EVENT, "value": 2},
    "three in 90 days": {"kind": "did", "event": EVENT, "value": 3, "within": 90 * DAY},
    "books in 30 days": {"kind": "did", "event": EVENT, "within": 30 * DAY, "where": [{"path": "category", "op": "eq", "value": "c7"}]},
    "spent 50,000 in a year": {
        "kind": "total", "event": EVENT, "sum": "total.minor", "op": "ge", "value": 5_000_000, "within": 365 * DAY,
    },
    "two in three days": {"kind": "did", "event": EVENT, "value": 2, "within": 3 * DAY},  # of what is kept by then
    "five categories": {"kind": "distinct", "event": EVENT, "of": "category", "op": "ge", "value": 5},
}  # fmt: skip


@pytest.fixture
async def context(kafka: str, database: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Context]:
    config = live.settings(kafka, database, topic_prefix, home=tmp_path)
    lake = await open_context(warehouse(), config)
    await set_clock(lake.db, T0)
    found = await open_context(segmenter(config), config)
    try:
        yield found
    finally:
        for one in (lake, found):
            await one.clock.stop()
            await one.db.close()


async def fill_lake(context: Context, people: list[str]) -> None:
    file = context.settings.home / "lake" / "facts" / "mixed" / "000000000001.parquet"
    file.parent.mkdir(parents=True)
    duck, size = duckdb.connect(), context.settings.partitions
    duck.execute("CREATE TABLE person AS SELECT unnest($1::UUID[]) AS profile, unnest($2::INTEGER[]) AS place, unnest($3::INTEGER[]) AS n", [
        people, [partition_of(one, size) for one in people], list(range(len(people)))
    ])  # fmt: skip
    category, minor = column("properties", "category", "string"), column("properties", "total.minor", "int")
    duck.execute(
        f"COPY (SELECT uuid() AS id, profile, 'track' AS type, '{EVENT}' AS event, 'b' AS brand, 's' AS source, 'live' AS lane, "
        "make_timestamp_ms(instant) AS occurred_at, make_timestamp_ms(instant) AS received_at, 'facts' AS topic, place AS kafka_partition, "
        "row_number() OVER (PARTITION BY place) - 1 AS kafka_offset, NULL::VARCHAR AS cause, NULL::VARIANT AS rest, NULL::UUID AS home, "
        f"'c' || (hash(i) % 50) AS {category}, (hash(i + 1) % 500000)::BIGINT AS {minor} "
        f"FROM (SELECT i, {T0} - (hash(i + 2) % {365 * DAY})::BIGINT AS instant, (hash(i + 3) % {len(people)})::INTEGER AS n "
        f"FROM range({FACTS}) AS r (i)) JOIN person USING (n) ORDER BY instant) TO '{file}' (FORMAT parquet)"
    )
    offsets = duck.execute(f"SELECT kafka_partition, max(kafka_offset) + 1 FROM '{file}' GROUP BY 1").fetchall()
    places = [(topic, place) for topic in TOPICS for place in range(size)]
    async with context.db.transaction() as connection:
        await connection.execute("SET LOCAL search_path = warehouse")
        await watermark.ensure(connection, places)
        await connection.execute(
            "INSERT INTO manifest (file, dataset, level, rows, bytes, first_at, last_at, added_at, topics, partitions, first_offsets, last_offsets) "
            "VALUES ($1, 'facts', 0, $2, 1, 0, $3, 0, '{}', '{}', '{}', '{}')",
            str(file.relative_to(context.settings.home / "lake")), FACTS, T0,
        )  # fmt: skip
        for path, kind in (("category", "string"), ("total.minor", "int")):
            await connection.execute(
                "INSERT INTO property (event, scope, path, kind, seen_at) VALUES ($1, 'properties', $2, $3, 0)", EVENT, path, kind
            )
        await connection.execute("SET LOCAL search_path = segmenter")
        await watermark.ensure(connection, places)
        for schema in ("warehouse", "segmenter"):
            await connection.executemany(
                f"UPDATE {schema}.watermark SET next_offset = $2 WHERE topic = 'facts' AND partition = $1",
                offsets,
            )


@pytest.mark.timeout(1200)
async def test_measure(context: Context) -> None:
    people = sorted(derive("person", n) for n in range(PEOPLE))
    await fill_lake(context, people)
    process = Process(context)
    async with process.handler.life(context):
        await publish(context, "segment", "emails", condition={"kind": "identifier", "has": "email"})
        await process.fire()
        ((number,),) = await rows(context, "SELECT number FROM plan")
        known = state.encode(
            State(number, T0, kinds=("email", "user_id"), members={"emails": T0}, attributes={"city": (T0, "Kazan")})
        )
        async with context.db.transaction() as connection:
            places = [partition_of(one, context.settings.partitions) for one in people]
            await connection.execute(
                "INSERT INTO person (id, partition, state) SELECT u.id, u.p, $3 FROM unnest($1::uuid[], $2::smallint[]) AS u (id, p)",
                people, places, known,
            )  # fmt: skip
            await connection.execute("ANALYZE person")
        for key, condition in SEGMENTS.items():
            if not any(word in key for word in ONLY):
                continue
            await publish(context, "segment", key, condition=condition)
            phases, told = await taken(context, process)
            print(f"{key}: {told} entered; s, CPU-s of the segmenter, CPU-s of PostgreSQL:")
            for name, (wall, own, server) in phases.items():
                print(f"  {name:6} {wall:6.1f} {own:6.1f} {server:6.1f}")


Spent = tuple[float, float, float]  # s, CPU-s of this process, CPU-s of the database's


async def spent(context: Context) -> Spent:
    found = await rows(context, "SELECT pid FROM pg_stat_activity WHERE datname = current_database() OR datname IS NULL")
    ticks = 0
    for (pid,) in found:
        with contextlib.suppress(FileNotFoundError):
            ticks += _ticks(pid)
    return time.perf_counter(), time.process_time(), ticks / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


async def taken(context: Context, process: Process) -> tuple[dict[str, Spent], int]:
    """What it took to ask everybody under the plan, to count in the lake, and to add; how many entered."""
    marks = [await spent(context)]
    ended = False
    emits: list[Any] = []
    while not ended:
        async with context.db.transaction() as connection:
            emits += (await process.step(connection, range(context.settings.partitions), 1000)).emits
            ((number,),) = await connection.fetch("SELECT number FROM plan")
            ended = (
                await connection.fetchval("SELECT count(*) FROM sweep WHERE revision = $1 AND done", number)
                == context.settings.partitions
            )
    marks.append(await spent(context))
    await process.handler.settle()
    marks.append(await spent(context))
    emits += (await process.fire())[0]
    marks.append(await spent(context))
    assert [tuple(row) for row in await rows(context, "SELECT filling FROM plan")] == [(0,)]
    names = ("asked", "counted", "added")
    phases = {name: (b[0] - a[0], b[1] - a[1], b[2] - a[2]) for name, a, b in zip(names, marks[:-1], marks[1:], strict=True)}
    return phases, sum(emit.type == "entered" for emit in emits)
