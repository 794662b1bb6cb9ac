"""A whole local run is killed in the middle of everything: `up` brings all of it back, and `down` leaves nothing."""

import json
import os
import signal
import time
from collections.abc import Callable

import httpx
import psutil
import pytest

from deploy.local import processes, run
from deploy.local.settings import PORTS, LocalSettings

STEPS = [{"id": name, "template": name, "channel": name, "class": "service"} for name in ("telegram", "sms")]
JOURNEY = {"key": "hello", "brand": "shop", "trigger": {"event": "Registered"}, "steps": STEPS, "reentry": {"mode": "never"}}
DOCUMENTS = [
    *(
        {"kind": "template", "body": {"key": name, "channel": name, "text": "Hello {{ profile.name }}"}}
        for name in ("telegram", "sms")
    ),
    {"kind": "journey", "body": JOURNEY},
]


def until(condition: Callable[[], object], seconds: float = 60) -> object:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)
    return found


class Outside:
    """What somebody outside does and sees: registers, and is written to by Telegram and SMS."""

    def __init__(self, settings: LocalSettings) -> None:
        self.keys = json.loads(settings.keys_file.read_text(encoding="utf-8"))
        self._base = f"http://127.0.0.1:{settings.port}"
        self._fakes = f"http://127.0.0.1:{settings.fakes_port}/api/messages"

    def publish(self) -> None:
        headers = {"Authorization": f"Bearer {self.keys['api_key']}"}
        body = {"documents": DOCUMENTS}
        answer = httpx.post(f"{self._base}/api/documents/import", json=body, headers=headers, trust_env=False, timeout=30)
        assert answer.status_code == 200, answer.text
        # In force everywhere before anybody registers: who comes earlier has no journey to enter.
        until(lambda: httpx.get(f"{self._base}/api/quiet", headers=headers, trust_env=False, timeout=30).json().get("quiet"))

    def register(self, number: int) -> None:
        traits = {"name": f"n{number}", "telegram_id": 1000 + number, "phone": f"+7916000000{number}"}
        calls = [{"type": "identify", "traits": traits}, {"type": "track", "event": "Registered"}]
        batch = [{**call, "userId": f"u{number}", "messageId": f"{number}-{call['type']}"} for call in calls]
        auth = (self.keys["write_key"], "")
        answer = httpx.post(f"{self._base}/v1/batch?strict=1", json={"batch": batch}, auth=auth, trust_env=False, timeout=30)
        assert answer.json() == {"success": True}

    def came(self) -> list[tuple[str, str]]:
        found = httpx.get(self._fakes, trust_env=False, timeout=30).json()["messages"]
        return sorted((one["to"], one["text"]) for one in found)


def whom(*numbers: int) -> list[tuple[str, str]]:
    return sorted((to, f"Hello n{n}") for n in numbers for to in (str(1000 + n), f"7916000000{n}"))


def kill(settings: LocalSettings) -> list[psutil.Process]:
    """SIGKILL to supervisord and to whoever else has children. Returns those who were orphaned and live on."""
    found = processes.of_run(settings.home)
    parents = {process.ppid() for process in found} & {process.pid for process in found}
    assert int((settings.home / "supervisord.pid").read_text()) in parents
    for pid in parents:
        os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([process for process in found if process.pid in parents], timeout=10)
    return processes.of_run(settings.home)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_whole_run_that_was_killed_is_recovered_and_leaves_nothing(settings):
    said: list[str] = []
    assert run.up(settings, said.append) is True
    programs = {row.program: row.pid for row in run.status(settings)}
    assert {row.ready for row in run.status(settings)} == {True} and len(programs) == 12
    outside = Outside(settings)
    outside.publish()
    outside.register(1)
    until(lambda: outside.came() == whom(1))
    outside.register(2)  # answered with 2xx, and wherever it is now

    orphans = kill(settings)
    assert {programs[name] for name in ("gateway-1", "sender-1", "kafka")} <= {process.pid for process in orphans}
    assert {row.state for row in run.status(settings)} == {"UNSUPERVISED"}, "not stopped: they answer"

    assert run.up(settings, said.append) is True
    assert any("killed run" in line for line in said)
    rows = run.status(settings)
    assert {row.ready for row in rows} == {True}
    assert not {row.pid for row in rows} & set(programs.values())
    assert Outside(settings).keys == outside.keys
    outside.register(3)
    # What was acknowledged is not lost. The second one's may come twice: a service message in doubt is repeated.
    until(lambda: set(outside.came()) == set(whom(1, 2, 3)))
    assert [one for one in outside.came() if one not in whom(2)] == whom(1, 3)

    run.down(settings, said.append)
    assert processes.of_run(settings.home) == []
    assert not any(psutil.pid_exists(row.pid) for row in rows if row.pid)
    admin = range(settings.admin_port, settings.admin_port + 7)
    assert all(processes.is_free(port) for port in (*(getattr(settings, name) for name in PORTS), *admin))
    assert run.down(settings, said.append) == 0
