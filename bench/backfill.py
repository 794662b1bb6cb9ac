"""From the publication of a segment until it is complete: of people and facts that stood there before, with facts coming in meanwhile."""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import duckdb
import httpx

from bench.calibration import score
from bench.installation import Installation, installation
from bench.load import Load, Poster
from bench.processes import cpu_seconds, spent
from bench.results import record
from runtime.clock import wall_ms
from runtime.lake import column
from schemas.ids import derive, partition_of
from services.segmenter.domain import state
from services.segmenter.domain.state import State

SERVICES = ("gateway", "ingest", "profile", "segmenter", "warehouse")
DAY = 86_400_000
EVENT = "Base Order"
PARTITIONS = 12
FEW = 200  # people who come the public way, so that every partition has a fact before the cut
LIVE_RATE = 200  # facts a second meanwhile
DEEP = {"kind": "did", "event": EVENT, "value": 3, "within": 90 * DAY}
SEGMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "backfill-any": ("segment.backfill_any_s", DEEP),  # everybody has three, and the lake has to say so
    "backfill": ("segment.backfill_s", {**DEEP, "value": 2, "within": 3 * DAY}),  # of what is kept for the one before
    "backfill-kind": (
        "segment.backfill_kind_s",
        {"kind": "did", "event": EVENT, "within": 30 * DAY, "where": [{"path": "category", "op": "eq", "value": "c7"}]},
    ),
}
INSERT = """
INSERT INTO warehouse.manifest
    (file, dataset, level, rows, bytes, first_at, last_at, added_at, topics, partitions, first_offsets, last_offsets)
VALUES ($1, 'facts', 0, $2, 1, 0, $3, 0, '{}', '{}', '{}', '{}')
"""
PROPERTY = "INSERT INTO warehouse.property (event, scope, path, kind, seen_at) VALUES ($1, 'properties', 'category', 'string', 0)"
STATES = "SELECT id::text, state FROM segmenter.person WHERE merged_into IS NULL AND erased_at IS NULL"


HEARD = "SELECT count(*) FROM segmenter.watermark WHERE topic = 'facts' AND next_offset > 0"


async def backfill(people: int = 389_000, facts: int = 20_000_000) -> None:
    """The base is put where the services have it, past the log: at offset 0 of its people's partitions."""
    async with installation(only=SERVICES) as found:
        await _introduced(found)
        ids = sorted(derive("base", n) for n in range(people))
        await _people(found, ids)
        await asyncio.to_thread(_lake, found, ids, facts)
        await _manifest(found, facts)
        headers = {"Authorization": f"Bearer {found.api_key}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{found.settings.port}", headers=headers, timeout=60) as client:
            for key, (name, condition) in SEGMENTS.items():
                took, more = await _published(found, client, key, condition)
                more["members"] = await _members(found, ids, key, more["bought"])
                size = "_20m" if facts == 20_000_000 else f"_{facts}"
                record(name + size, took, "s", people, facts=facts, **more)


async def _published(found: Installation, client: httpx.AsyncClient, key: str, condition: Any) -> tuple[float, dict[str, Any]]:
    calibration, before = score(), cpu_seconds(found.home)
    live, stop = Buyers(key), asyncio.Event()
    beside = asyncio.create_task(live.run(found.poster(), stop))
    answer = await client.put(f"/api/segments/{key}", json={"key": key, "brand": "shop", "condition": condition})
    answer.raise_for_status()
    start = time.perf_counter()
    (await client.post(f"/api/segments/{key}/publish")).raise_for_status()
    asked = 0.0
    while True:
        answer = await client.get(f"/api/segments/{key}/progress")
        told: dict[str, Any] = answer.json() if answer.status_code == 200 else {"complete": False}
        took = time.perf_counter() - start
        if told["complete"]:
            break
        if not asked and told.get("people") and told["people"]["done"] == told["people"]["partitions"]:
            asked = took
        if took > 600:
            raise RuntimeError(f"{key} is not complete after {took:.0f} s: {told}")
        await asyncio.sleep(0.1)  # what is watched is another process: there is no event to wait for
    used = spent(before, cpu_seconds(found.home))
    stop.set()
    await beside
    return round(took, 2), {
        "asked_s": round(asked or took, 2), "cpu_s": used, "live_facts": live.count, "bought": live.people, "calibration": calibration,
        "load": round(_load(), 1),
    }  # fmt: skip


def _load() -> float:
    return float(Path("/proc/loadavg").read_text().split()[0])


class Buyers:
    """People who buy three times each while history is brought: whoever is lost would not be a member."""

    def __init__(self, key: str) -> None:
        self._key, self.people, self.count = key, 0, 0

    async def run(self, poster: Poster, stop: asyncio.Event) -> None:
        """A batch of a tenth of a second at a time. Each buys in three neighbouring ones."""
        size, start, turn = LIVE_RATE // 30, time.perf_counter(), 0
        while not stop.is_set() or turn % 3:
            wave = turn // 3 * size * 3
            await poster.post("/v1/batch", self._batch(range(wave, wave + size * 3), turn % 3))
            self.people, turn = wave + size * 3, turn + 1
            await asyncio.sleep(max(0.0, start + turn / 10 - time.perf_counter()))  # the rate
        if poster.refused:
            raise RuntimeError(f"{poster.refused} batches were refused")

    def _batch(self, people: Sequence[int], time_: int) -> bytes:
        self.count += len(people)
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".000Z"
        said = [
            {
                "type": "track", "event": EVENT, "userId": f"{self._key}-{n}", "messageId": f"{self._key}-{n}-{time_}", "timestamp": now,
                "properties": {"category": "c7"},
            }
            for n in people
        ]  # fmt: skip
        return json.dumps({"batch": said, "sentAt": now}).encode()


async def _members(found: Installation, ids: Sequence[str], key: str, bought: int) -> int:
    """How many of the base are in it. Raises RuntimeError where one of those is missing who came meanwhile, a minute after the last."""
    base, end = frozenset(ids), time.perf_counter() + 60
    while True:
        inside = await _inside(found, key)
        if (came := len(inside - base)) >= bought:
            return len(inside & base)
        if time.perf_counter() > end:
            raise RuntimeError(f"{bought} people bought while {key} was brought, {came} of them are in it")


async def _inside(found: Installation, key: str) -> set[str]:
    connection = await asyncpg.connect(found.database_url)
    try:
        async with connection.transaction():
            held = connection.cursor(STATES, prefetch=5000)
            return {person async for person, raw in held if raw and key in state.decode(raw).members}
    finally:
        await connection.close()


async def _introduced(found: Installation) -> None:
    """Some come the public way, until each partition has had somebody."""
    poster = found.poster()
    for body in Load(FEW, spread="even", seed=5).introductions(FEW):
        await poster.post("/v1/batch", body)
    end = time.perf_counter() + 120
    while (await found.query(HEARD))[0][0] < PARTITIONS:
        if time.perf_counter() > end:
            raise RuntimeError("the segmenter has not heard of those who were introduced")
        await asyncio.sleep(0.5)  # what is watched is another process: there is no event to wait for


async def _people(found: Installation, ids: Sequence[str]) -> None:
    ((number,),) = await found.query("SELECT number FROM segmenter.plan")
    known = state.encode(State(number, 1, kinds=("email", "user_id"), attributes={"city": (1, "Kazan")}))
    connection = await asyncpg.connect(found.database_url)
    try:
        await connection.copy_records_to_table(
            "person", schema_name="segmenter", columns=("id", "partition", "state"),
            records=((one, partition_of(one, PARTITIONS), known) for one in ids),
        )  # fmt: skip
        await connection.execute("ANALYZE segmenter.person")
    finally:
        await connection.close()


FILE = "facts/mixed/900000000001.parquet"


def _lake(found: Installation, ids: Sequence[str], facts: int) -> None:
    """Orders over a year of people drawn evenly, in one file."""
    file, now = found.home / "lake" / FILE, wall_ms()
    file.parent.mkdir(parents=True, exist_ok=True)
    duck = duckdb.connect(config={"threads": 2})
    duck.execute(
        "CREATE TABLE person AS SELECT unnest($1::UUID[]) AS profile, unnest($2::INTEGER[]) AS place, unnest($3::INTEGER[]) AS n",
        [list(ids), [partition_of(one, PARTITIONS) for one in ids], list(range(len(ids)))],
    )
    duck.execute(
        f"COPY (SELECT uuid() AS id, profile, 'track' AS type, '{EVENT}' AS event, 'shop' AS brand, 's' AS source, 'live' AS lane, "
        "make_timestamp_ms(instant) AS occurred_at, make_timestamp_ms(instant) AS received_at, 'facts' AS topic, place AS kafka_partition, "
        "0::BIGINT AS kafka_offset, NULL::VARCHAR AS cause, NULL::VARIANT AS rest, NULL::UUID AS home, "
        f"'c' || (hash(i) % 50) AS {column('properties', 'category', 'string')} "
        f"FROM (SELECT i, {now} - (hash(i + 2) % {365 * DAY})::BIGINT AS instant, (hash(i + 3) % {len(ids)})::INTEGER AS n "
        f"FROM range({facts}) AS r (i)) JOIN person USING (n)) TO '{file}' (FORMAT parquet)"
    )
    duck.close()


async def _manifest(found: Installation, facts: int) -> None:
    connection = await asyncpg.connect(found.database_url)
    try:
        await connection.execute(INSERT, FILE, facts, wall_ms())
        await connection.execute(PROPERTY, EVENT)
    finally:
        await connection.close()
