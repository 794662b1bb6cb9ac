"""The processes under test: started, and started again whenever they die, whoever killed them."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.processes import MARK
from runtime.failpoints import LOOP, RELAY, TIMERS
from tests.conftest import free_ports

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Kind:
    """One service: how many processes of it run, what it reads to its end before all is quiet, and where it may be killed.

    ports: variables that get a free port for each process. waits: SQL that counts what it has still to do. grows: more workers may
    join.
    """

    name: str
    workers: int
    reads: tuple[str, ...]
    failpoints: tuple[str, ...]
    ports: tuple[str, ...] = ()
    waits: str = ""
    grows: bool = True

    @property
    def points(self) -> list[str]:
        return [f"{self.name}.{point}" for point in self.failpoints]


# A service that comes is one line here. Its own points stand beside those of the machine that it passes.
SERVICES = (
    Kind(
        "ingest",
        1,
        ("definitions",),
        (*LOOP, "import_published", "import_noted"),
        ("OTKLIK_INGEST_PORT", "OTKLIK_ADMIN_PORT_OWN"),
        "SELECT count(*) FROM ingest.import WHERE state = 'running'",
        grows=False,
    ),
    Kind("profile", 2, ("facts.raw", "facts.raw.bulk"), (*LOOP, *RELAY), ("OTKLIK_ADMIN_PORT_OWN",)),
    Kind(
        "segmenter",
        2,
        ("facts", "facts.bulk", "definitions"),
        (*LOOP, *RELAY, *TIMERS),
        waits="SELECT count(*) FROM segmenter.person WHERE due_at IS NOT NULL",
    ),
    Kind(
        "orchestrator",
        2,
        ("facts", "facts.bulk", "memberships", "decisions", "definitions"),
        (*LOOP, *RELAY, *TIMERS),
        waits="""
            SELECT (SELECT count(*) FROM orchestrator.person WHERE due_at IS NOT NULL OR wait_topic IS NOT NULL)
                + (SELECT count(*) FROM orchestrator.recipient WHERE due)
        """,
    ),
    Kind(
        "sender",
        2,
        ("messages.email.triggered", "messages.email.mass", "messages.telegram.triggered", "facts", "facts.bulk", "definitions"),
        (*LOOP, *RELAY, "start_before_commit", "start_after_commit", "called", "result_before_commit", "result_after_commit"),
        ("OTKLIK_PUBLIC_PORT",),
        "SELECT count(*) FROM sender.attempt WHERE state IN ('taken', 'started')",
    ),
    Kind("warehouse", 1, ("facts", "facts.bulk", "memberships", "decisions"), (*LOOP, "lake_written", "lake_merged"), grows=False),
)


@dataclass
class Worker:
    """One process slot. `wanted`: it is to be started again when it ends."""

    kind: Kind
    name: str
    process: subprocess.Popen[bytes]
    wanted: bool = True
    exits: list[int] = field(default_factory=list)


class Fleet:
    """Keeps the wanted number of processes alive."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self._home = home
        self._environment = {**os.environ, **environment, MARK: str(home), "OTKLIK_FAILPOINTS": str(home / "failpoints")}
        self.ports: dict[str, dict[str, int]] = {}  # of each worker
        self.workers: dict[str, Worker] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        for kind in SERVICES:
            for number in range(1, kind.workers + 1):
                self.add(kind, number)
        self.watch()

    def watch(self) -> None:
        """Start again whatever dies."""
        self._task = asyncio.create_task(self._watch())

    def add(self, kind: Kind, number: int) -> None:
        name = f"{kind.name}-{number}"
        if name not in self.ports:
            self.ports[name] = dict(zip(kind.ports, free_ports(len(kind.ports)), strict=True))
        self.workers[name] = Worker(kind, name, self._run(kind, name))

    async def remove(self, name: str) -> int:
        """End it politely. Returns the exit code: anything but 0 is a fault of its shutdown."""
        worker = self.workers[name]
        worker.wanted = False
        return await self._end(worker)

    async def stop(self) -> dict[str, int]:
        """End all politely: name -> exit code."""
        if self._task is not None:
            self._task.cancel()
        running = [worker for worker in self.workers.values() if worker.process.poll() is None]
        for worker in self.workers.values():
            worker.wanted = False
        codes = await asyncio.gather(*(self._end(worker) for worker in running))
        return dict(zip((worker.name for worker in running), codes, strict=True))

    def kill(self, name: str) -> None:
        self.workers[name].process.kill()

    def crashes(self) -> dict[str, list[int]]:
        """Exits that no kill explains: name -> exit codes."""
        found = {w.name: [code for code in w.exits if code != -signal.SIGKILL] for w in self.workers.values()}
        return {name: codes for name, codes in found.items() if codes}

    async def _end(self, worker: Worker) -> int:
        worker.process.send_signal(signal.SIGCONT)
        worker.process.terminate()
        for _ in range(600):
            if (code := worker.process.poll()) is not None:
                return code
            await asyncio.sleep(0.1)
        worker.process.kill()
        return worker.process.wait()

    async def _watch(self) -> None:
        while True:
            for worker in self.workers.values():
                code = worker.process.poll()
                if code is not None and worker.wanted:
                    worker.exits.append(code)
                    worker.process = self._run(worker.kind, worker.name)
            await asyncio.sleep(0.1)

    def _run(self, kind: Kind, name: str) -> subprocess.Popen[bytes]:
        ports = {variable: str(port) for variable, port in self.ports[name].items()}
        with (self._home / "logs" / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"services.{kind.name}"],
                cwd=ROOT,
                env={**self._environment, **ports, "OTKLIK_INSTANCE": name},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
