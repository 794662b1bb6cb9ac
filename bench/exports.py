"""A segment of 389,000 people with all that is known of them in one call: seconds, and how much memory that takes where."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
import httpx
import msgspec

from bench.calibration import score
from bench.installation import Installation, installation
from bench.processes import cpu_seconds, spent
from bench.results import record
from deploy.local import processes
from schemas.ids import derive
from schemas.memberships import Membership
from services.profile.domain import Profile
from services.warehouse import store
from services.warehouse.domain import sheets
from services.warehouse.domain.walk import Stored
from services.warehouse.files import Files

SEGMENT = {"key": "export", "brand": "shop", "condition": {"kind": "attribute", "name": "city", "op": "exists"}}
T0 = 1_790_000_000_000
PIECE = 50_000
CITIES = ("London", "Leeds", "York", "Bath", "Ely", "Truro", "Wells", "Ripon")
CONSENT = (
    "partition", "number", "profile", "fact", "brand", "channel", "topic", "purpose", "action", "basis", "state", "source", "occurred_at",
    "recorded_at", "terms", "sealed_hash", "prev", "hash",
)  # fmt: skip
FORMATS = ("csv", "jsonl", "parquet")


async def exports(people: int = 389_000, facts_each: int = 10) -> None:
    """Best of three of each format. The people are put where the services have them, past the log."""
    async with installation(only=("gateway", "profile", "warehouse")) as found:
        headers = {"Authorization": f"Bearer {found.api_key}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{found.settings.port}", headers=headers, timeout=300) as client:
            for call in (client.put("/api/segments/export", json=SEGMENT), client.post("/api/segments/export/publish")):
                (await call).raise_for_status()
            ids = sorted(derive("bench", str(n)) for n in range(people))
            await _people(found, ids)
            await asyncio.to_thread(asyncio.run, _lake(found, ids, facts_each))
            for form in FORMATS:
                runs = [await _run(found, client, form, people) for _ in range(3)]
                best = min(runs, key=lambda run: float(run["s"]))
                name = f"segment.export_{people // 1000}k_s" + ("" if form == "csv" else f".{form}")
                record(name, best["s"], "s", people, runs=runs, facts=people * facts_each)


async def _run(found: Installation, client: httpx.AsyncClient, form: str, people: int) -> dict[str, Any]:
    calibration, before, start = score(), cpu_seconds(found.home), time.perf_counter()
    size, lines, first = 0, 0, 0.0
    peak = _Peak(found)
    watching = asyncio.create_task(peak.watch())
    async with client.stream("GET", "/api/segments/export/members", params={"format": form}) as answer:
        answer.raise_for_status()
        async for part in answer.aiter_bytes():
            first = first or time.perf_counter() - start
            size, lines = size + len(part), lines + part.count(b"\n")
    took = time.perf_counter() - start
    watching.cancel()
    if form != "parquet" and lines != people + (form == "csv"):
        raise RuntimeError(f"{lines} lines of {people}")
    run = {
        "s": round(took, 2), "first_byte_s": round(first, 2), "mb": round(size / 1e6), "rss_mb": peak.most,
        "cpu_s": spent(before, cpu_seconds(found.home)), "calibration": calibration,
    }  # fmt: skip
    print(form, run, flush=True)
    return run


class _Peak:
    """The most memory that the services had: resident (MB), and how much of it came with the call."""

    def __init__(self, found: Installation) -> None:
        self._found = found
        self.most: dict[str, list[int]] = {}

    async def watch(self) -> None:
        while True:
            for process in processes.of_run(self._found.home):
                name = " ".join(process.cmdline()).partition("deploy.cli run ")[2].split(" ")[0]
                if name in ("gateway", "profile", "warehouse"):
                    held = round(process.memory_info().rss / 1e6)
                    begun, most = self.most.setdefault(name, [held, held])
                    self.most[name] = [begun, max(most, held)]
            await asyncio.sleep(0.2)  # what is sampled is a course: there is no event to wait for


def _pieces(ids: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    for start in range(0, len(ids), PIECE):
        yield start, ids[start : start + PIECE]


async def _people(found: Installation, ids: Sequence[str]) -> None:
    connection = await asyncpg.connect(found.database_url)
    try:
        await connection.execute("SET search_path TO profile")
        for start, piece in _pieces(ids):
            numbered = list(enumerate(piece, start))
            await connection.copy_records_to_table(
                "profile", records=[(one, T0, _state(n)) for n, one in numbered], columns=("id", "first_at", "state")
            )
            names = [(f"{kind}:{n}", one) for n, one in numbered for kind in ("user_id", "id.crm")]
            names += [(f"email:customer{n}@customers.example", one) for n, one in numbered]
            await connection.copy_records_to_table("identifier", records=names, columns=("key", "profile"))
            await connection.copy_records_to_table(
                "profile_brand", records=[(one, "shop") for one in piece], columns=("profile", "brand")
            )
            words = [_word(n, one) for n, one in numbered if n % 2]
            await connection.copy_records_to_table("consent", records=words, columns=CONSENT)
            await connection.copy_records_to_table("changed", records=[(one,) for one in piece], columns=("profile",))
        await connection.execute("ANALYZE")
        while await connection.fetchval("SELECT EXISTS (SELECT FROM changed)"):  # noqa: ASYNC110  (columns are learnt with that)
            await asyncio.sleep(0.5)
    finally:
        await connection.close()


def _word(n: int, one: str) -> tuple[Any, ...]:
    return (
        0,
        n + 1,
        one,
        one,
        "shop",
        "email",
        "*",
        "marketing",
        "granted",
        "consent",
        "proven",
        "site",
        T0,
        T0,
        b"{}",
        b"",
        b"",
        b"",
    )


def _state(n: int) -> bytes:
    said = {
        "city": CITIES[n % 8], "plan": ("free", "gold")[n % 2], "born": f"{1950 + n % 55}-01-01", "orders": n % 30, "first_name": f"Customer {n}",
        "spent": {"minor": n, "currency": "GBP"}, "vip": n % 10 == 0, "language": "en", "tags": ["a", "b"], "rate": n / 7,
    }  # fmt: skip
    return msgspec.msgpack.encode(Profile(T0, {name: (T0, value) for name, value in said.items()}, strong=True, names={}))


async def _lake(found: Installation, ids: Sequence[str], facts_each: int) -> None:
    connection = await asyncpg.connect(found.database_url, server_settings={"search_path": "warehouse"})
    files = Files(found.home / "lake")
    try:
        for start, piece in _pieces(ids):
            entered = [
                (
                    "memberships",
                    0,
                    n,
                    Membership(type="entered", received_at=T0, at=T0 + n % 1000, id=one, profile=one, segment="export", cause=one),
                )
                for n, one in enumerate(piece, start)
            ]
            made = [sheets.memberships(entered)]
            for turn in range(facts_each):
                facts = [("facts", 0, turn * len(ids) + n, _fact(one, n, turn)) for n, one in enumerate(piece, start)]
                made.append(sheets.facts(facts))
            for sheet, number in zip(made, await store.numbers(connection, len(made)), strict=True):
                seen = {key: len(cells.rows) for key, cells in sheet.cells.items()}
                sheet.spill(await store.learn(connection, seen, T0) if seen else ())
                await store.add(connection, [files.write(sheet, number)], T0)
    finally:
        files.close()
        await connection.close()


def _fact(person: str, n: int, turn: int) -> Stored:
    at = T0 + turn * 86_400_000 + n % 86_400_000
    campaign: Any = {"campaign": {"source": "vk", "name": f"c{n % 9}"}} if turn % 3 == 0 else {}
    return Stored(
        id=derive("fact", person, turn), profile=person, type="track", event="Order Completed", brand="shop", source="site", occurred_at=at,
        received_at=at, properties={"total": {"minor": n, "currency": "GBP"}}, context=campaign,
    )  # fmt: skip
