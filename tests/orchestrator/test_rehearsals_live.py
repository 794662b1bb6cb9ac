"""Rehearsals as jobs: taken in once, played by one, begun anew where whoever played died, stopped, and their failure told."""

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from runtime.clock import wall_ms
from runtime.process import Context, open_context
from runtime.service import Service
from runtime.settings import Settings
from services.orchestrator.rehearsal import jobs as module
from services.orchestrator.rehearsal.jobs import Busy, Jobs
from services.orchestrator.rehearsal.playing import Asked, Rehearsal
from tests.orchestrator.world import journey, send
from tests.support.live import rows, settings, until

SERVICE = Service(name="orchestrator", migrations=("services.orchestrator.migrations",))
DRAFT = journey("hello", send("hi"))
ASKED = Asked("journey", "hello", DRAFT)
DEAD = """
INSERT INTO rehearsal (id, brand, asked, asked_at, state, done, total, started_at, beat_at)
SELECT gen_random_uuid(), brand, asked, $1, 'running', 7, 9, $1, $1 FROM rehearsal LIMIT 1 RETURNING id::text
"""


@pytest.fixture
def config(database: str, tmp_path: Path) -> Settings:
    (tmp_path / "lake").mkdir()
    return settings("127.0.0.1:1", database, "", home=tmp_path)


@asynccontextmanager
async def playing(config: Settings):
    context = await open_context(SERVICE, config)
    try:
        jobs = Jobs()
        async with jobs.life(context):
            yield jobs, context
    finally:
        await context.clock.stop()
        await context.db.close()


async def over(jobs: Jobs, name: str) -> dict[str, Any]:
    async def ended() -> Any:
        found = await jobs.read(name)
        return found if found and found["state"] not in ("waiting", "running") else None

    found: dict[str, Any] = await until(ended)
    return found


async def test_a_job_is_played_and_its_report_kept(config):
    async with playing(config) as (jobs, _):
        told = await over(jobs, (await jobs.ask(ASKED, "shop"))["id"])
        assert (told["state"], told["brand"], told["total"], told["why"]) == ("done", "shop", 0, None)
        assert (told["report"]["version"], told["report"]["people"]["all"]) == (1, 0)
        assert await jobs.read("6f1d3c5e-0b55-5c0e-9d0b-0a7f6b1f2a11") is None


async def test_what_a_dead_process_left_is_begun_anew_and_what_is_old_forgotten(config, monkeypatch):
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    async with playing(config) as (jobs, context):
        first = (await over(jobs, (await jobs.ask(ASKED, None))["id"]))["id"]
        (left,) = await rows(context, DEAD, wall_ms() - module.DEAD_MS - 1)
        assert (await over(jobs, left["id"]))["done"] == 0
        await rows(context, "UPDATE rehearsal SET asked_at = $1", wall_ms() - module.KEPT_MS - 1)
        await jobs.ask(ASKED, None)
        assert await jobs.read(first) is None


async def test_what_ends_its_process_is_begun_twice_and_what_is_old_is_forgotten_unasked(config, monkeypatch):
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    lost = 0

    class Lost(Rehearsal):
        async def run(self) -> dict[str, Any]:
            nonlocal lost
            lost += 1
            raise asyncpg.InterfaceError("connection is closed")

    async with playing(config) as (jobs, context):
        done = (await over(jobs, (await jobs.ask(ASKED, None))["id"]))["id"]
        monkeypatch.setattr(module, "Rehearsal", Lost)
        name = (await jobs.ask(ASKED, None))["id"]
        for times in (1, 2):
            await until(lambda times=times: lost == times)
            assert (await jobs.read(name))["state"] == "running", "passing trouble fails nothing by itself"
            await rows(context, "UPDATE rehearsal SET beat_at = $1 WHERE state = 'running'", wall_ms() - module.DEAD_MS - 1)
        told = await over(jobs, name)
        assert (told["state"], lost) == ("failed", 2) and "each time" in told["why"]
        monkeypatch.setattr(module, "FORGET", "SELECT $1::bigint")
        await rows(context, "UPDATE rehearsal SET asked_at = $1 WHERE id = $2", wall_ms() - module.KEPT_MS - 1, done)
        assert await jobs.read(done) is None, "nobody is told of it, whether it is deleted yet or not"
        monkeypatch.undo()
        await until(lambda: gone(context, done), 15)


async def gone(context: Context, name: str) -> bool:
    return not await rows(context, "SELECT FROM rehearsal WHERE id = $1", name)


async def test_who_was_thought_dead_says_nothing_of_what_another_one_plays(config):
    context = await open_context(SERVICE, config)
    try:
        jobs = Jobs()
        jobs._context = context
        name = (await jobs.ask(ASKED, None))["id"]
        first = await jobs._take()
        await rows(context, "UPDATE rehearsal SET beat_at = $1", wall_ms() - module.DEAD_MS - 1)
        then = await jobs._take()
        assert (first["id"], then["id"]) == (name, name)
        old, new = (module._Job(context, name, one["started_at"]) for one in (first, then))
        assert not await old.say(5, 9)
        await old.end("failed", why="late")
        assert (await jobs.read(name))["state"] == "running"
        assert await new.say(3, 9)
        assert (await jobs.read(name))["done"] == 3
        for _ in range(module.MOST_OPEN - 1):
            await jobs.ask(ASKED, None)
        with pytest.raises(Busy):
            await jobs.ask(ASKED, None)
        await jobs.ask(ASKED, "shop")
        await new.end("failed", why="x")
        await jobs.ask(ASKED, None)
    finally:
        await context.clock.stop()
        await context.db.close()


async def test_one_that_waits_is_stopped_at_once(config):
    async with playing(config) as (jobs, context):
        await over(jobs, (await jobs.ask(ASKED, None))["id"])
    context = await open_context(SERVICE, config)
    try:
        idle = Jobs()
        idle._context = context  # takes jobs in and plays none
        name = (await idle.ask(ASKED, None))["id"]
        told = await idle.stop(name)
        assert (told["state"], told["report"], told["ended_at"] is not None) == ("stopped", None, True)
    finally:
        await context.clock.stop()
        await context.db.close()


async def test_a_draft_that_cannot_be_played_is_told_and_the_next_one_is_played(config, tmp_path):
    async with playing(config) as (jobs, _):
        told = await over(jobs, (await jobs.ask(Asked("journey", "bad", {"key": "bad"}), None))["id"])
        assert (told["state"], told["why"]) == ("failed", "ValidationError")
        (tmp_path / "lake").rmdir()
        told = await over(jobs, (await jobs.ask(ASKED, None))["id"])
        assert told["state"] == "failed" and "OTKLIK_HOME" in told["why"]
        (tmp_path / "lake").mkdir()
        assert (await over(jobs, (await jobs.ask(ASKED, None))["id"]))["state"] == "done"
