"""Imports: rows a second into the log and to people who are found, until everybody is at rest, and live facts meanwhile."""

import asyncio
import json
import time
from typing import Any

import asyncpg
import httpx

from bench.calibration import score
from bench.installation import Installation, Watch, installation, introduce, rest, watching
from bench.load import Load, at_rate
from bench.pipeline import all_mails, percentile
from bench.processes import cpu_seconds, spent
from bench.results import record

CITIES = ("London", "Leeds", "York", "Bath", "Ely", "Truro", "Wells", "Ripon")
MAPPING = {
    "call": "identify",
    "source": "mailer",
    "identifiers": {"user_id": "id", "email": "email", "phone": "phone"},
    "attributes": {"name": "name", "city": "city", "birthday": {"column": "born", "as": "date"}},
}
SUBSCRIBED = {
    **MAPPING,
    "consents": [{"answer": {"column": "news"}, "topic": "*", "timestamp": "since", "evidence": {"page": "page"}}],
}
FINDABLE = "SELECT count(*) FROM profile.identifier WHERE key LIKE 'user_id:imported-%'"
LANE = ("facts.raw.bulk", "facts.bulk")
LIVE_PEOPLE = 5_000
LIVE_RATE = 200.0  # facts a second beside the import


def contacts(rows: int) -> bytes:
    """A CSV of so many people whom nobody knows yet."""
    lines = ["id,email,phone,name,city,born,news,since,page"]
    for n in range(rows):
        born, since = (
            f"{1950 + n % 55}-{1 + n % 12:02d}-{1 + n % 28:02d}",
            f"2024-{1 + n % 12:02d}-{1 + n % 28:02d} 10:{n % 60:02d}",
        )
        news = "yes" if n % 5 else "no"
        lines.append(
            f"imported-{n},imported{n}@customers.example,+7916{n:07d},Customer {n},{CITIES[n % 8]},{born},{news},{since},/form/{n % 30}"
        )
    return ("\n".join(lines) + "\n").encode()


async def whole(rows: int, live: bool = True, subscribed: bool = False) -> None:
    """One import of new people. live: with live facts beside it, whose mails are timed. subscribed: with a word of consent each."""
    async with installation() as found:
        load = Load(LIVE_PEOPLE, seed=77)
        await introduce(found, load)
        await rest(found)
        found.arrivals.write_text("")
        load.sent, load.mails = 0, {}
        calibration, before = score(), cpu_seconds(found.home)
        stop = asyncio.Event()
        beside = asyncio.create_task(_live(found, load, stop)) if live else None
        start = time.perf_counter()
        run = await _imported(found, contacts(rows), SUBSCRIBED if subscribed else MAPPING, rows)
        async with watching(found) as watch:
            # Nobody is at rest while live facts come: these end when all of the import has been handled, and count till then.
            await _handled(watch, 1200)
            stop.set()
            if beside:
                await beside
            await watch.caught_up(600)
        run["rest_s"] = round(time.perf_counter() - start, 2)
        used = spent(before, cpu_seconds(found.home))
        delays = await all_mails(found, load)
    ours = {name: round(value * 1e6 / rows, 1) for name, value in used.items() if name not in ("sink", "other")}
    run |= {"cpu_us_a_row_by_program": ours, "live_facts": load.sent, "subscribed": subscribed}
    _record(rows, run, delays, calibration)


def _record(rows: int, run: dict[str, Any], delays: list[float], calibration: dict[str, float]) -> None:
    print(json.dumps({"run": run}), flush=True)
    suffix = "389k" if rows == 389_000 else str(rows)
    more = {"calibration": calibration, "run": run}
    record("import.rows_per_s", run["rows_per_s"], "rows/s", rows, **more)
    record("import.findable_rows_per_s", run["findable_rows_per_s"], "rows/s", rows, **more)
    record(f"import.rest_{suffix}_s", run["rest_s"], "s", rows, **more)
    if delays:
        record("import.live_p99_ms", round(percentile(delays, 0.99), 1), "ms, 2xx to SMTP 250", len(delays), **more)


async def _live(found: Installation, load: Load, stop: asyncio.Event) -> None:
    while not stop.is_set():
        # A poster a round: one of its connections that is not needed for long would be closed by the other side.
        await at_rate(load, found.poster(), LIVE_RATE, 2.0, 20)


async def _imported(found: Installation, data: bytes, mapping: dict[str, Any], rows: int) -> dict[str, Any]:
    """How fast all rows are in the log (from the end of the upload) and findable (from its beginning)."""
    url, headers = (
        f"http://127.0.0.1:{found.settings.port}",
        {"Authorization": f"Bearer {found.api_key}", "Content-Type": "text/csv"},
    )
    start = time.perf_counter()
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=600) as client:
        answer = await client.post("/api/imports", params={"mapping": json.dumps(mapping)}, content=data)
        answer.raise_for_status()
        uploaded = time.perf_counter()
        told = await _ended(client, answer.json()["id"])
        logged = time.perf_counter()
    print(json.dumps({"uploaded_s": round(uploaded - start, 2), "logged_s": round(logged - start, 2), "import": told}), flush=True)
    if told["state"] != "done" or told["refused"]:
        raise RuntimeError(f"the import has failed: {told}")
    await _findable(found, rows)
    there = time.perf_counter()
    print(json.dumps({"findable_s": round(there - start, 2)}), flush=True)
    return {
        "rows": rows,
        "facts": told["facts"],
        "upload_s": round(uploaded - start, 2),
        "rows_per_s": round(rows / (logged - uploaded)),
        "findable_rows_per_s": round(rows / (there - start)),
    }


async def _handled(watch: Watch, seconds: float) -> None:
    """Everybody has handled what profile has told of the rows by now, whatever comes behind it."""
    end = time.perf_counter() + seconds
    told = await watch.connection.fetchval("SELECT max(id) FROM profile.outbox") or 0
    while (await watch.connection.fetchval("SELECT min(id) FROM profile.outbox") or told + 1) <= told:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    ends = await watch.reader.ends([(topic, p) for topic in LANE for p in range(watch.partitions)])
    for service in watch.services:
        query = f"SELECT topic, partition, next_offset FROM {service}.watermark"
        # Where nothing was ever read the offset is below zero.
        while any(
            max(0, row["next_offset"]) < ends.get((row["topic"], row["partition"]), 0)
            for row in await watch.connection.fetch(query)
        ):
            if time.perf_counter() > end:
                raise RuntimeError(f"{service} has not handled the import within {seconds} s")
            await asyncio.sleep(0.05)


async def _ended(client: httpx.AsyncClient, job: str) -> dict[str, Any]:
    while True:
        told: dict[str, Any] = (await client.get(f"/api/imports/{job}")).json()
        if told["state"] in ("done", "failed"):
            return told
        await asyncio.sleep(0.1)


async def _findable(found: Installation, rows: int) -> None:
    connection = await asyncpg.connect(found.database_url)
    try:
        while await connection.fetchval(FINDABLE) < rows:  # noqa: ASYNC110  (another process's table)
            await asyncio.sleep(0.2)
    finally:
        await connection.close()
