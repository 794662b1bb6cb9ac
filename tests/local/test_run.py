"""The whole way of a local run on real servers: up, again, a kill, recovery, down."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local import processes, run
from deploy.local.settings import ROOT, LocalSettings

BACKBONE = ("kafka", "postgres", "mail")
PORTS = ("kafka_port", "kafka_controller_port", "postgres_port", "smtp_port", "mail_port")


@pytest.fixture
def settings(local_settings) -> Iterator[LocalSettings]:
    # Not pytest's own folder: that one is closed to every other user, and so to PostgreSQL's.
    with tempfile.TemporaryDirectory(prefix="otklik-run-", ignore_cleanup_errors=True) as folder:
        chosen = local_settings(Path(folder), kafka_heap_mb=256)
        try:
            yield chosen
        finally:
            processes.end_run(chosen.home)


def pids(settings: LocalSettings) -> dict[str, int | None]:
    return {row.program: row.pid for row in run.status(settings) if row.program in BACKBONE}


@pytest.mark.timeout(240)
def test_up_again_kill_recover_down(settings):
    said: list[str] = []
    assert run.up(settings, said.append, BACKBONE) is True
    rows = [row for row in run.status(settings) if row.program in BACKBONE]
    assert [(row.state, row.ready) for row in rows] == [("RUNNING", True)] * len(BACKBONE)
    first = pids(settings)

    assert run.up(settings, said.append, BACKBONE) is False
    assert pids(settings) == first

    supervisord = int((settings.home / "supervisord.pid").read_text())
    os.kill(supervisord, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(supervisord)], timeout=10)
    assert set(first.values()) <= {process.pid for process in processes.of_run(settings.home)}  # orphans live on
    assert run.up(settings, said.append, BACKBONE) is True
    second = pids(settings)
    assert None not in second.values() and not set(second.values()) & set(first.values())
    assert any("killed run" in line for line in said)

    run.down(settings, said.append)
    assert processes.of_run(settings.home) == []
    assert all(processes.is_free(getattr(settings, port)) for port in PORTS)
    assert not any(psutil.pid_exists(pid) for pid in second.values() if pid)
    assert run.down(settings, said.append) == 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", [pytest.param("ctrl-c", marks=pytest.mark.long), "its supervisor is killed"])
def test_the_foreground_ends_and_leaves_nothing(settings, how):
    variables = {f"OTKLIK_{name.upper()}": str(getattr(settings, name)) for name in (*PORTS, "home", "port", "admin_port")}
    variables["OTKLIK_WORKERS"] = ",".join(f"{name}=0" for name in ("ingest", "profile", "segmenter", "orchestrator"))
    variables["OTKLIK_WORKERS"] += ",sender=0,warehouse=0,gateway=0"
    variables["OTKLIK_FAKES_PORT"] = str(settings.fakes_port)
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | variables
    command = [sys.executable, "-m", "deploy.cli", "up", "--foreground"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert any("Ctrl-C stops everything" in line for line in child.stdout)
        if how == "ctrl-c":
            child.send_signal(signal.SIGINT)
        else:
            os.kill(int((settings.home / "supervisord.pid").read_text()), signal.SIGKILL)
        assert child.wait(timeout=60) == (0 if how == "ctrl-c" else 1)
    assert processes.of_run(settings.home) == []
