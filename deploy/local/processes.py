"""Finds and ends what a killed run left behind, and tells who holds a port.

Every program of a run has OTKLIK_RUN=<its OTKLIK_HOME> in its environment: that mark, not a name, says what is ours.
"""

import os
import socket
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

MARK = "OTKLIK_RUN"


def of_run(home: Path) -> list[psutil.Process]:
    """Living processes of the run in this folder, whoever started them; never this process itself."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _belongs(process, home)]


def _belongs(process: psutil.Process, home: Path) -> bool:
    try:
        ours: bool = process.environ().get(MARK) == str(home) and process.status() != psutil.STATUS_ZOMBIE
        return ours
    except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        return False  # gone meanwhile, or another user's: not ours


def alive_in_run(pid_file: Path, home: Path) -> int | None:
    """The pid in the file if it is a living process of this run; a number reused by a stranger is None."""
    try:
        pid = int(pid_file.read_text(encoding="ascii").split()[0])
        process = psutil.Process(pid)
    except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
        return None
    return pid if _belongs(process, home) else None


def end(processes: Iterable[psutil.Process], grace_seconds: float = 15) -> int:
    """Asks them to stop, waits, kills the rest, and returns how many there were. None of them lives afterwards."""
    alive = list(processes)
    for process in alive:
        _signal(process, "terminate")
    _, stubborn = psutil.wait_procs(alive, timeout=grace_seconds)
    for process in stubborn:
        _signal(process, "kill")
    psutil.wait_procs(stubborn, timeout=grace_seconds)
    return len(alive)


def _signal(process: psutil.Process, action: str) -> None:
    try:
        # PostgreSQL takes TERM as "wait until every client has left"; INT ends it at once, and cleanly.
        process.send_signal(2) if action == "terminate" and process.name() == "postgres" else getattr(process, action)()
    except psutil.NoSuchProcess:
        return  # it went by itself: what we wanted


def end_run(home: Path) -> int:
    """Ends every process of the run in this folder; returns how many there were.

    The supervisor goes first and hard: asked politely it would race with us, left alive it would restart what we end.
    """
    found = of_run(home)
    for process in found:
        if _is_supervisor(process):
            _signal(process, "kill")
    ended = end(found)
    deadline = time.monotonic() + 15
    while (late := of_run(home)) and time.monotonic() < deadline:
        ended += end(late, grace_seconds=3)
    return ended


def _is_supervisor(process: psutil.Process) -> bool:
    try:
        return any("supervisord" in word for word in process.cmdline()[:3])
    except psutil.NoSuchProcess:
        return False


def is_free(port: int) -> bool:
    """Whether a server may listen on 127.0.0.1:port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def holder(port: int) -> str | None:
    """`name (pid n)` of the process that listens on the port, when the system lets us see it."""
    try:
        listening = [
            c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port
        ]
        pid = next((connection.pid for connection in listening if connection.pid), None)
        return f"{psutil.Process(pid).name()} (pid {pid})" if pid else None
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return None
