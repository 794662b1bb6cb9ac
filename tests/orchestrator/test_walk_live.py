"""A real orchestrator process, killed in the middle of its walk to those who are to be moved, paused and resumed: each once, nobody left out."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from runtime.clock import wall_ms
from runtime.migrate import migrate
from runtime.settings import Settings
from schemas.ids import derive
from services.orchestrator import walking
from tests.orchestrator.feed import Feed, did, person, sent
from tests.orchestrator.world import journey, published, send, wait
from tests.support.live import read, until

ROOT = Path(__file__).parents[2]
PEOPLE = [derive("walked", n) for n in range(60)]
ROWS = 7  # of one step of the walk


@pytest.fixture
def started(config, tmp_path):
    """Starts a process; whatever lives at the end is killed."""
    found: list[subprocess.Popen[bytes]] = []

    def another() -> subprocess.Popen[bytes]:
        found.append(start(config, tmp_path))
        return found[-1]

    yield another
    for process in found:
        process.kill()
        process.wait(20)


def start(config: Settings, home: Path) -> subprocess.Popen[bytes]:
    given = {
        "KAFKA": config.kafka, "TOPIC_PREFIX": config.topic_prefix, "PARTITIONS": config.partitions, "SESSION_TIMEOUT_MS": 6000,
        "TIMER_ROWS": ROWS, "INSTANCE": "orchestrator-1", "HOME": home, "FAILPOINTS": home / "failpoints",
    }  # fmt: skip
    environment = {**os.environ, "DATABASE_URL": config.database_url, **{f"OTKLIK_{k}": str(v) for k, v in given.items()}}
    with (home / "log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "services.orchestrator"], cwd=ROOT, env=environment, stdout=log, stderr=log)


def arm(home: Path, point: str) -> None:
    draft = home / "failpoints" / "draft"
    draft.parent.mkdir(exist_ok=True)
    draft.write_text("kill")
    draft.rename(draft.with_name(f"orchestrator.{point}"))


async def standing(config: Settings) -> walking.Standing:
    connection = await asyncpg.connect(config.database_url, server_settings={"search_path": "orchestrator"})
    try:
        async with connection.transaction():
            return await walking.standing(connection, "j")
    finally:
        await connection.close()


async def killed(process: subprocess.Popen[bytes], home: Path) -> None:
    await until(lambda: process.poll() is not None, 40)
    assert process.returncode == -signal.SIGKILL, (home / "log").read_text()[-2000:]


@pytest.mark.timeout(180)
async def test_killed_in_its_walks_it_moves_everybody_once_and_loses_no_timer(config, tmp_path, started):
    await migrate(config, "runtime", "runtime.clocksql")
    await migrate(config, "orchestrator", "runtime.sql", "services.orchestrator.migrations")
    now, feed = wall_ms(), Feed(config)
    first = journey("j", wait("far", "30d"), send("old", **{"class": "service"}))
    second = journey("j", wait("near", "1s"), send("new", **{"class": "service"}), wait("far", "30d"), send("old"))
    await feed.documents(published("journey", first))
    await feed.put("facts", *(person(p, now, "email:x@example.org") for p in PEOPLE))
    await feed.put("facts", *(did(p, "Registered", now + 1) for p in PEOPLE))
    process = started()

    async def all_inside() -> bool:
        return (await standing(config)).versions == {1: {"far": len(PEOPLE)}}

    await until(all_inside, 40)
    gate = {"key": "journey:j", "state": "paused", "at": now + 2}
    migration = {"key": "j", "to": 2, "moves": {"1": {"far": "new"}}, "at": now + 3}
    arm(tmp_path, "timers_before_commit")
    await feed.put(
        "definitions", published("gate", gate), published("journey", second, 2), published("migration", migration), partition=0
    )
    await killed(process, tmp_path)
    arm(tmp_path, "timers_after_commit")
    await killed(started(), tmp_path)
    process = started()

    async def all_parked() -> bool:
        found = await standing(config)
        return found.versions == {2: {"new": len(PEOPLE)}} and found.held == len(PEOPLE)

    await until(all_parked, 40)
    assert await sent(config) == [], "paused"
    arm(tmp_path, "timers_before_commit")
    await feed.put("definitions", published("gate", {**gate, "state": "open", "at": wall_ms()}, 2), partition=0)
    await killed(process, tmp_path)
    process = started()

    async def all_sent() -> bool:
        return len(await sent(config)) >= len(PEOPLE)

    await until(all_sent, 40)
    process.terminate()
    assert process.wait(20) == 0
    intents = await sent(config)
    assert Counter(i["profile"] for i in intents) == Counter(PEOPLE) and {i["template"] for i in intents} == {"new"}
    moved = [d for d in await read(config, "decisions") if d["verdict"] == "moved"]
    assert Counter(d["profile"] for d in moved) == Counter(PEOPLE)
    assert (await standing(config)).versions == {2: {"far": len(PEOPLE)}}
