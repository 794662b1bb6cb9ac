"""What is loaded past the log is what the services would make of the same calls: rows of people, of segments and of the lake.

OTKLIK_PEOPLE=389000 OTKLIK_FACTS=20000000 takes the whole base of the bench, and a hundredth of it the public way (half an hour):
`pytest --timeout=7200 tests/bench/test_seeded.py`.
"""

import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import duckdb
import httpx
import msgspec
import pytest

from bench.seeded.history import BRAND, CURRENCY, SHARES, SOURCE, History, body
from bench.seeded.loading import Installed, load
from runtime.drive import Conductor
from runtime.lake import scan
from runtime.settings import Settings
from schemas.definitions import Published
from schemas.ids import derive
from services.ingest.__main__ import service as ingest
from services.ingest.settings import IngestSettings
from services.profile.__main__ import service as profile
from services.segmenter.__main__ import service as segmenter
from services.segmenter.domain import state
from services.warehouse.__main__ import service as warehouse
from tests.ingest.kit import KEY, keys_file
from tests.support import databases
from tests.support.live import driven, publish, settings

EVERY = 100  # of so many people one goes the public way
DAY = 86_400_000
HISTORY = History(int(os.environ.get("OTKLIK_PEOPLE", "2000")), int(os.environ.get("OTKLIK_FACTS", "60000")), 1_798_761_600_000)
SAMPLE = [derive("profile", derive(SOURCE, f"i{number}")) for number in range(0, HISTORY.people, EVERY)]
VIEWED = {"kind": "did", "event": "Product Viewed", "value": 2}
CATEGORY = [{"path": "category", "op": "in", "value": [f"cat_{n}" for n in range(12)]}]
SEGMENTS = {
    "lately": {**VIEWED, "within": 90 * DAY},
    "chosen": {**VIEWED, "value": 1, "where": CATEGORY},
    "bought": {"kind": "did", "event": "Order Completed"},
    "average": {"kind": "average", "event": "Order Completed", "of": "total.minor", "op": "ge", "value": 200_000},
    "silent": {"kind": "not", "of": {"kind": "did", "event": "Signed In", "within": 60 * DAY}},
    "paying": {"kind": "attribute", "name": "plan", "op": "in", "value": ["pro", "team"]},
    "reached": {"kind": "all", "of": [{"kind": "reachable", "channel": "email"}, {"kind": "segment", "key": "lately"}]},
    "left": {"kind": "since", "event": "Product Added", "without": {"event": "Order Completed"}, "within": 14 * DAY},
    "drawn": {"kind": "bucket", "salt": "s", "start": 0, "end": 5000},
}
# What depends on the way is left out. linking.number, property.id: the order among all people and events. The queue `changed` and the ids
# in `seen` (facts of the last two days, by the clock of who takes them in) are no state of anybody.
ROWS = {
    "profile.profile": "SELECT * FROM profile.profile WHERE id = ANY($1::uuid[])",
    "profile.identifier": "SELECT * FROM profile.identifier WHERE profile = ANY($1::uuid[])",
    "profile.profile_brand": "SELECT * FROM profile.profile_brand WHERE profile = ANY($1::uuid[])",
    "profile.linking": "SELECT profile, fact, at, type, source, about, names FROM profile.linking WHERE profile = ANY($1::uuid[])",
    "segmenter.person": "SELECT * FROM segmenter.person WHERE id = ANY($1::uuid[])",
    "warehouse.member": "SELECT * FROM warehouse.member WHERE profile = ANY($1::uuid[])",
    "warehouse.property": "SELECT event, scope, path, kind, asides, seen_at FROM warehouse.property WHERE $1::uuid[] IS NOT NULL",
    "warehouse.seen": "SELECT * FROM warehouse.seen WHERE $1::uuid[] IS NOT NULL",
}
FILES = "SELECT file FROM warehouse.manifest WHERE removed_at IS NULL AND dataset = $1"


@pytest.fixture
async def other_database(postgres: str) -> AsyncIterator[str]:
    async with databases.empty(postgres) as url:
        yield url


async def define(config: Settings) -> None:
    for key, condition in SEGMENTS.items():
        raw = msgspec.Raw(msgspec.json.encode({"key": key, "condition": condition}))
        document = Published(kind="segment", key=key, version=1, body=raw, pointer=True)
        await publish(config, [msgspec.json.encode(document)], "definitions", key="k")


async def publicly(config: Settings) -> None:
    """Every hundredth person, call by call, under the driven clock: each fact is received when it happened."""
    said = IngestSettings(ingest_port=0, first_brand=BRAND, first_source=SOURCE, first_currency=CURRENCY)
    services = ingest(said), profile(), segmenter(config), warehouse()
    async with driven(config, *services, at=HISTORY.until) as (contexts, _):
        conductor = await Conductor(contexts[0].db, patience_s=60 + HISTORY.facts / 1000).open()
        await define(config)
        await conductor.settle()
        calls = list(HISTORY.calls(EVERY))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{contexts[0].apps['ingest']}", auth=(KEY, "")) as client:
            # Facts that come in one batch with what made their person known carry his bucketing pair too; those of later do not.
            for some in (calls[: len(SAMPLE)], calls[len(SAMPLE) :]):
                for low in range(0, len(some), 200):
                    answer = await client.post("/v1/batch", content=body(some[low : low + 200]))
                    assert answer.json() == {"success": True}
                await conductor.settle()
        await conductor.close()


async def loaded(config: Settings) -> None:
    """Everybody, past the log."""
    async with driven(config, profile(), segmenter(config), warehouse(), at=HISTORY.until) as (_, conductor):
        await define(config)
        await conductor.settle()
    await load(HISTORY, Installed(config.database_url, config.home / "lake", config.partitions))


async def rows_of(database: str) -> dict[str, list[str]]:
    connection = await asyncpg.connect(database)
    try:
        found = {name: await connection.fetch(query, SAMPLE) for name, query in ROWS.items()}
    finally:
        await connection.close()
    return {name: sorted(repr(_told(name, row)) for row in rows) for name, rows in found.items()}


def _told(name: str, row: Any) -> dict[str, Any]:
    """A state of the segmenter is read, so that a difference tells its field."""
    told = dict(row)
    return {**told, "state": state.decode(told["state"])} if name == "segmenter.person" else told


async def lake_rows(config: Settings, dataset: str) -> Sequence[dict[str, Any]]:
    """All but the offset: it says in which order the people of a partition came, of whom one way has a hundredth."""
    connection = await asyncpg.connect(config.database_url)
    try:
        files = [row["file"] for row in await connection.fetch(FILES, dataset)]
    finally:
        await connection.close()
    duck = duckdb.connect()
    try:
        duck.execute("SET TimeZone = 'UTC'")
        wanted = ", ".join(f"UUID '{one}'" for one in SAMPLE)
        table = scan(config.home / "lake", files, dataset)
        found = duck.execute(f"SELECT * EXCLUDE (kafka_offset) FROM {table} WHERE profile IN ({wanted}) ORDER BY occurred_at, id")
        names = [column[0] for column in found.description or ()]
        return [
            {name: value for name, value in zip(names, row, strict=True) if value is not None or name in ("rest", "home", "cause")}
            for row in found.fetchall()
        ]
    finally:
        duck.close()


@pytest.mark.timeout(7200 if "OTKLIK_FACTS" in os.environ else 180)
async def test_loaded_past_the_log_is_what_comes_of_it_the_public_way(
    kafka: str, database: str, other_database: str, topic_prefix: str, tmp_path: Path
) -> None:
    public = settings(kafka, database, topic_prefix, home=tmp_path / "public", keys_file=keys_file(tmp_path))
    past = settings(kafka, other_database, f"{topic_prefix}past.", home=tmp_path / "past")
    await publicly(public)
    await loaded(past)
    one, other = await rows_of(public.database_url), await rows_of(past.database_url)
    assert {name: len(rows) for name, rows in one.items()} == {name: len(rows) for name, rows in other.items()}
    for name, rows in one.items():
        assert rows == other[name], name
    facts = await lake_rows(public, "facts")
    assert {row["event"] for row in facts} >= SHARES.keys() - {"page"} and len(facts) > 300
    assert facts == await lake_rows(past, "facts")
    changes = await lake_rows(public, "memberships")
    assert {row["segment"] for row in changes} == SEGMENTS.keys() and {row["type"] for row in changes} == {"entered", "left"}
    assert changes == await lake_rows(past, "memberships")
