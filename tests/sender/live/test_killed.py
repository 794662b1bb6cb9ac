"""A real sender process, killed at each of its own steps: no message goes twice, and every one is accounted for."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from runtime.clock import wall_ms
from runtime.settings import Settings
from services.sender.delivery import FAILPOINTS
from tests.conftest import free_ports
from tests.sender.live.kit import arm, contact, environment, intent, put
from tests.support.live import until

ROOT = Path(__file__).parents[3]
CONNECTIONS = 8
EACH = 100  # intents for each kill
DOUBTS = 64  # that one kill may leave


def start(config: Settings, smtp, home: Path) -> subprocess.Popen[bytes]:
    more = {"SMTP_CONNECTIONS": CONNECTIONS, "PUBLIC_PORT": free_ports(1)[0], "HOME": home, "FAILPOINTS": home / "failpoints"}
    given = {**os.environ, **environment(config, smtp, INSTANCE="sender-1", **more)}
    with (home / "sender.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "services.sender"], cwd=ROOT, env=given, stdout=log, stderr=log)


async def states(config: Settings) -> Counter[str]:
    connection = await asyncpg.connect(config.database_url)
    try:
        rows = await connection.fetch("SELECT state, count(*)::int AS n FROM sender.attempt GROUP BY 1")
    finally:
        await connection.close()
    return Counter({row["state"]: row["n"] for row in rows})


@pytest.mark.timeout(120)
async def test_killed_at_every_step_it_sends_nothing_twice_and_says_what_it_does_not_know(config, smtp, tmp_path):
    now, everything = wall_ms(), []
    await put(config, [fact for n in range(EACH * len(FAILPOINTS)) for fact in contact(n, at=now)])
    for number, point in enumerate(FAILPOINTS):
        intents = [intent(number * EACH + n, at=wall_ms()) for n in range(EACH)]
        everything += intents
        await put(config, [], intents, documents=False)
        arm(tmp_path, point)
        process = start(config, smtp, tmp_path)
        await until(lambda one=process: one.poll() is not None, 40)
        assert process.returncode == -signal.SIGKILL, (tmp_path / "sender.log").read_text()[-2000:]
    process = start(config, smtp, tmp_path)
    try:

        async def settled() -> Counter[str] | None:
            found = await states(config)
            return found if found["accepted"] + found["in_doubt"] == len(everything) else None

        found = await until(settled, 40)
    finally:
        process.terminate()
        assert process.wait(20) == 0
    taken = Counter(entry["message_id"].partition("@")[0] for entry in smtp.record.accepted)
    assert set(taken.values()) == {1}, "a triggered message is never called again"
    assert set(taken) <= {one.id for one in everything}
    # Killed before the start was committed nobody was called, and after the result was: nothing to doubt.
    assert 0 < found["in_doubt"] <= DOUBTS * (len(FAILPOINTS) - 2)
    assert found["accepted"] <= len(taken) <= found["accepted"] + found["in_doubt"]
