"""Rehearsals as jobs: taken in once, played by one, begun anew where whoever played died, stopped, and their failure told."""

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.clock import wall_ms
from runtime.process import open_context
from runtime.service import Service
from runtime.settings import Settings
from services.orchestrator.rehearsal import jobs as module
from services.orchestrator.rehearsal.jobs import Jobs
from services.orchestrator.rehearsal.playing import Asked
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
