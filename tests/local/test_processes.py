"""What a killed run leaves is found by its mark, and a stranger is never touched."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.local import processes
from deploy.local.errors import LocalRunError
from deploy.local.postgres import drop_stale_pid

# Says that it runs, then waits; `stubborn` ignores TERM.
WAITS = "import signal, sys\nif 'stubborn' in sys.argv: signal.signal(15, signal.SIG_IGN)\nprint(1, flush=True)\nsignal.pause()"


@pytest.fixture
def start():
    started: list[subprocess.Popen[bytes]] = []

    def one(home: Path | None, *arguments: str) -> subprocess.Popen[bytes]:
        mark = {processes.MARK: str(home)} if home else {}
        child = subprocess.Popen([sys.executable, "-c", WAITS, *arguments], env={**os.environ, **mark}, stdout=subprocess.PIPE)
        started.append(child)
        assert child.stdout and child.stdout.readline()
        return child

    yield one
    for child in started:
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()


def test_only_marked_processes_of_this_home_are_ended(start, tmp_path):
    ours, other, unmarked = start(tmp_path / "a"), start(tmp_path / "b"), start(None)
    assert [process.pid for process in processes.of_run(tmp_path / "a")] == [ours.pid]
    assert processes.end_run(tmp_path / "a") == 1
    assert ours.wait(timeout=5) is not None
    assert other.poll() is None and unmarked.poll() is None


def test_one_that_ignores_the_request_is_killed(start, tmp_path):
    child = start(tmp_path, "stubborn")
    assert processes.end(processes.of_run(tmp_path), grace_seconds=0.3) == 1
    assert not psutil.pid_exists(child.pid)


def test_a_stale_pid_file_does_not_count(start, tmp_path):
    file = tmp_path / "pid"
    assert processes.alive_in_run(file, tmp_path) is None
    file.write_text("not a number")
    assert processes.alive_in_run(file, tmp_path) is None
    file.write_text(f"{start(None).pid}\n")  # a stranger that got the number
    assert processes.alive_in_run(file, tmp_path) is None
    ours = start(tmp_path)
    file.write_text(f"{ours.pid}\n")
    assert processes.alive_in_run(file, tmp_path) == ours.pid


def test_postgres_pid_file_of_a_killed_server_goes(tmp_path):
    file = tmp_path / "postmaster.pid"
    file.write_text(f"{os.getpid()}\n{tmp_path}\n")  # the number now belongs to someone who is not a server
    drop_stale_pid(tmp_path)
    assert not file.exists()
    drop_stale_pid(tmp_path)


def test_postgres_pid_file_of_a_living_server_stays(start, tmp_path):
    file = tmp_path / "postmaster.pid"
    file.write_text(f"{start(None, str(tmp_path)).pid}\n")
    with pytest.raises(LocalRunError, match="already runs"):
        drop_stale_pid(tmp_path)
    assert file.exists()


def test_a_port_is_free_again_when_its_listener_has_gone():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not processes.is_free(port)
        assert processes.holder(port) == f"{psutil.Process().name()} (pid {os.getpid()})"
    assert processes.is_free(port)
    assert processes.holder(port) is None
