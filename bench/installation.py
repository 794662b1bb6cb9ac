"""An installation of its own for a bench: real Kafka, real PostgreSQL with fsync and full_page_writes, all services, on free ports."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from bench.documents import everything
from bench.load import Load, Poster
from bench.processes import cpu_seconds, spent
from deploy.local import run, secrets
from deploy.local.programs import services
from deploy.local.settings import PORTS, LocalSettings
from deploy.local.supervision import Supervisor
from runtime.kafka import Reader
from runtime.settings import Settings
from schemas.topics import BY_NAME

SAMPLE_S = 3.0


@dataclass(frozen=True)
class Installation:
    settings: LocalSettings
    home: Path
    api_key: str
    write_key: str
    arrivals: Path

    def poster(self) -> Poster:
        return Poster("127.0.0.1", self.settings.ingest_port, self.write_key)

    @property
    def database_url(self) -> str:
        return secrets.database_url(self.settings)

    async def query(self, statement: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database_url)
        try:
            found: list[asyncpg.Record] = await connection.fetch(statement)
            return found
        finally:
            await connection.close()


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


@asynccontextmanager
async def installation(only: Sequence[str] = (), documents: Sequence[dict[str, Any]] | None = None) -> AsyncIterator[Installation]:
    """Up, with the documents (those of bench/documents.py) published; down and deleted afterwards. only: so many of the services, by
    their names (all).
    """
    home = Path(tempfile.mkdtemp(prefix="otklik-bench-"))
    home.chmod(0o755)  # noqa: ASYNC240  (before anything runs)
    ports = _free_ports(len(PORTS) + 12)
    chosen = dict(zip(PORTS, ports, strict=False))
    settings = LocalSettings(home=home, admin_port=_span(ports[-1]), database_url=None, **chosen)  # type: ignore[arg-type]
    arrivals = home / "arrivals"
    sink = subprocess.Popen([sys.executable, "-m", "bench.sink", "--port", str(settings.smtp_port), "--log", str(arrivals)])  # noqa: ASYNC220
    try:
        os.environ.pop("DATABASE_URL", None)
        wanted = [p.name for p in services(settings) if not only or p.name.rpartition("-")[0] in only]
        run.up(settings, say=lambda _: None, only=["kafka", "postgres", *wanted])  # all but the mail catcher
        keys = json.loads(settings.keys_file.read_text())
        found = Installation(settings, home, keys["api_key"], keys["write_key"], arrivals)
        await _publish(found, everything() if documents is None else documents)
        yield found
    finally:
        run.down(settings, say=lambda _: None)
        sink.terminate()
        sink.wait()
        shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def still(found: Installation) -> AsyncIterator[None]:
    """Kafka and PostgreSQL run, the services do not."""
    supervisor = Supervisor(found.home)
    names = list(supervisor.states())
    stopping = set(names) - {"kafka", "postgres"}
    for name in stopping:
        supervisor.stop_program(name)
    while any(supervisor.states()[name]["statename"] != "STOPPED" for name in stopping):  # noqa: ASYNC110  (it tells nobody)
        await asyncio.sleep(0.1)
    yield
    await asyncio.to_thread(run.up, found.settings, lambda _: None, names)


def _span(near: int) -> int:
    """The first of 12 neighbouring free ports."""
    for start in range(near, near + 2000, 12):
        try:
            for port in range(start, start + 12):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return start
    raise RuntimeError("no 12 neighbouring free ports")


async def _publish(found: Installation, documents: Sequence[dict[str, Any]]) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{found.settings.port}", timeout=60) as client:
        answer = await client.post(
            "/api/documents/import",
            headers={"Authorization": f"Bearer {found.api_key}", "Idempotency-Key": "bench"},
            json={"documents": documents},
        )
        if answer.status_code >= 300:
            raise RuntimeError(f"documents were refused: {answer.text[:2000]}")


async def introduce(found: Installation, load: Load) -> None:
    """Make everybody of the load known and consenting, and wait until all services have taken it in."""
    poster = found.poster()
    pending: set[asyncio.Task[int]] = set()
    for body in load.introductions(200):
        pending.add(asyncio.create_task(poster.post("/v1/batch", body)))
        if len(pending) >= 8:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(*pending)
    async with watching(found) as watch:
        await watch.caught_up(1200)


async def rest(found: Installation, most_s: float = 1200) -> None:
    """Wait until what earlier work left behind is done: files of the lake that are still to be merged, autovacuum."""
    loop = asyncio.get_running_loop()
    end = loop.time() + most_s
    while loop.time() < end:
        before = cpu_seconds(found.home)
        await asyncio.sleep(SAMPLE_S)  # what is watched is work per time: there is no event to wait for
        used = spent(before, cpu_seconds(found.home))
        if used.get("warehouse", 0) < 0.2 and used.get("postgres", 0) < 0.3:
            return
    raise RuntimeError(f"still at work after {most_s} s: {used}")


@asynccontextmanager
async def watching(found: Installation) -> AsyncIterator["Watch"]:
    """Somebody who sees at once how far the services are: log ends from Kafka, watermarks and outboxes from PostgreSQL."""
    machine = Settings(kafka=found.settings.kafka, DATABASE_URL=found.database_url)
    reader = Reader(machine, "bench-ends", "live", sorted(BY_NAME))
    connection = await asyncpg.connect(found.database_url)
    await reader.start()
    try:
        schemas = await connection.fetch("SELECT service FROM runtime.move ORDER BY service")
        yield Watch(reader, connection, [row["service"] for row in schemas], machine.partitions)
    finally:
        await reader.stop()
        await connection.close()


@dataclass(frozen=True)
class Watch:
    reader: Reader
    connection: asyncpg.Connection
    services: list[str]
    partitions: int

    async def behind(self) -> dict[str, int]:
        """Service -> records that it has not handled and outbox rows that wait. Those with none are left out."""
        ends = await self.reader.ends([(topic, p) for topic in sorted(BY_NAME) for p in range(self.partitions)])
        counts: dict[str, int] = {}
        for service in self.services:
            rows = await self.connection.fetch(f"SELECT topic, partition, next_offset FROM {service}.watermark")
            places = {(row["topic"], row["partition"]): max(0, row["next_offset"]) for row in rows}
            count = sum(max(0, ends[place] - at) for place, at in places.items() if place in ends)
            count += await self.connection.fetchval(f"SELECT count(*) FROM {service}.outbox")
            if count:
                counts[service] = count
        return counts

    async def caught_up(self, seconds: float) -> dict[str, float]:
        """Wait until nobody is behind, twice in a row. Returns for each service that was when it had caught up (s from now)."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        last: dict[str, float] = {}
        still = 0
        while still < 2:
            late = await self.behind()
            now = loop.time() - start
            last.update(dict.fromkeys(late, now))
            still = 0 if late else still + 1
            if now > seconds:
                raise RuntimeError(f"not caught up within {seconds} s: {late}")
            await asyncio.sleep(0.05)
        return last
