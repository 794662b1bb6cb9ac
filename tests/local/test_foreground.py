"""The whole installation in the foreground, as `otklik up --foreground` runs it: Ctrl-C ends every service, and what they started."""

import os
import signal
import subprocess
import sys

import pytest

from deploy.local import processes, run
from deploy.local.settings import ROOT


@pytest.mark.timeout(240)
def test_ctrl_c_ends_every_service_and_a_second_up_beside_it_changes_nothing(settings):
    given = {
        f"OTKLIK_{name.upper()}": str(value) for name, value in settings.model_dump(exclude={"workers", "database_url"}).items()
    }
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | given
    command = [sys.executable, "-m", "deploy.cli", "up", "--foreground"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert any("Ctrl-C stops everything" in line for line in child.stdout)
        rows = run.status(settings)
        assert {row.state for row in rows} == {"RUNNING"} and all(row.ready for row in rows)
        assert run.up(settings, say=lambda _: None) is False
        assert [row.pid for row in run.status(settings)] == [row.pid for row in rows]
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=90) == 0
    assert processes.of_run(settings.home) == []
    assert all(processes.is_free(port) for row in rows for port in row.ports)
