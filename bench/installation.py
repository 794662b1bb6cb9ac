"""An installation of its own for a bench: real Kafka, real PostgreSQL with fsync and full_page_writes, all services, on free ports."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from bench.documents import everything
from bench.load import Load, Poster
from deploy.local import run, secrets
from deploy.local.programs import services
from deploy.local.settings import LocalSettings

PORTS = (
    "port", "kafka_port", "kafka_controller_port", "postgres_port", "smtp_port", "mail_port", "fakes_port", "ingest_port", "public_port",
)  # fmt: skip


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
async def installation(documents: bool = True) -> AsyncIterator[Installation]:
    """Up, with the documents published; down and deleted afterwards."""
    home = Path(tempfile.mkdtemp(prefix="otklik-bench-"))
    home.chmod(0o755)  # noqa: ASYNC240  (before anything runs)
    ports = _free_ports(len(PORTS) + 12)
    chosen = dict(zip(PORTS, ports, strict=False))
    settings = LocalSettings(home=home, admin_port=_span(ports[-1]), database_url=None, **chosen)  # type: ignore[arg-type]
    arrivals = home / "arrivals"
    sink = subprocess.Popen([sys.executable, "-m", "bench.sink", "--port", str(settings.smtp_port), "--log", str(arrivals)])  # noqa: ASYNC220
    try:
        os.environ.pop("DATABASE_URL", None)
        everything_but_mail = ["kafka", "postgres", *(p.name for p in services(settings))]
        run.up(settings, say=lambda _: None, only=everything_but_mail)
        keys = json.loads(settings.keys_file.read_text())
        found = Installation(settings, home, keys["api_key"], keys["write_key"], arrivals)
        if documents:
            await _publish(found)
        yield found
    finally:
        run.down(settings, say=lambda _: None)
        sink.terminate()
        sink.wait()
        shutil.rmtree(home, ignore_errors=True)


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


async def _publish(found: Installation) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{found.settings.port}", timeout=60) as client:
        answer = await client.post(
            "/api/documents/import",
            headers={"Authorization": f"Bearer {found.api_key}", "Idempotency-Key": "bench"},
            json={"documents": everything()},
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
    await caught_up(found, 600)


async def behind(found: Installation) -> int:
    """Records that some service has not handled, by the services' own account."""
    total = 0
    async with httpx.AsyncClient(timeout=10) as client:
        for program in services(found.settings):
            port = program.ports[0][0]
            text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
            for line in text.splitlines():
                if line.startswith(("otklik_lag_records{", "otklik_outbox_rows{")):
                    total += int(float(line.rpartition(" ")[2]))
    return total


async def caught_up(found: Installation, seconds: float) -> float:
    """Wait until nobody is behind, twice in a row. Returns the seconds it took."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    still = 0
    while still < 3:
        still = still + 1 if await behind(found) == 0 else 0
        if loop.time() - start > seconds:
            raise RuntimeError(f"not caught up within {seconds} s")
        await asyncio.sleep(1.0)
    return loop.time() - start - 3
