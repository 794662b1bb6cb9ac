"""`make demo` as its user runs it, for a shorter story: a whole installation of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.demo import pictures
from deploy.local import processes, run
from deploy.local.settings import ROOT, LocalSettings

ADMINS = 10  # processes of a run have admin ports side by side


def row_of_ports(count: int) -> int:
    """The first of `count` free ports in a row."""
    return next(base for base in range(27_000, 32_000, 50) if all(processes.is_free(base + n) for n in range(count)))


@pytest.fixture
def settings(local_settings) -> Iterator[LocalSettings]:
    # Not pytest's own folder: that one is closed to every other user, and so to PostgreSQL's.
    with tempfile.TemporaryDirectory(prefix="otklik-demo-", ignore_cleanup_errors=True) as folder:
        base = row_of_ports(ADMINS + 2)
        ports = {"admin_port": base, "ingest_port": base + ADMINS, "public_port": base + ADMINS + 1}
        chosen = local_settings(Path(folder), kafka_heap_mb=384, postgres_fsync=False, **ports)
        try:
            yield chosen
        finally:
            processes.end_run(chosen.home)


def demo(settings: LocalSettings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, with these settings as its environment."""
    given = {
        f"OTKLIK_{name.upper()}": str(value) for name, value in settings.model_dump(exclude={"workers", "database_url"}).items()
    }
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | given
    words = (sys.executable, "-m", "deploy.demo", *arguments)
    return subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_two_plays_with_one_seed_decide_the_same(settings):
    ended = demo(settings, "--days", "1", "--twice")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "two runs, the same decisions" in ended.stdout
    run.down(settings, say=lambda _: None)


@pytest.mark.timeout(900)
def test_the_demo_plays_counts_compares_and_never_touches_what_is_not_its_own(settings):
    ended = demo(settings, "--days", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    numbers = json.loads((settings.home / "demo.json").read_text())
    for key in ("facts.lost", "intents.sent_twice", "intents.lost", "intents.in_doubt"):
        assert numbers[key] == 0, key
    for key in (
        "facts.in",
        "facts.duplicates",
        "dead.identifiers_missing",
        "profiles",
        "merges",
        "messages.sent",
        "sent.welcome.hello",
    ):
        assert numbers[key] > 0, key
    for key in ("latency.p50_ms", "latency.p99_ms", "facts_per_s", "wall_s"):
        assert numbers[key] > 0, key
    assert numbers["facts.in"] == numbers["facts.stored"] + numbers["facts.dead"] + numbers["facts.duplicates"]
    plots = sorted(one.name for one in (settings.home / pictures.FOLDER).glob("*.png"))
    assert plots == ["attribution.png", "experiment.png", "funnel-and-cohorts.png", "letters.png"]
    shown = demo(settings, "--keep")
    assert shown.returncode == 0 and numbers["decisions.sha256"] in shown.stdout

    key = json.loads(settings.keys_file.read_text())["api_key"]
    base, bearer = f"http://127.0.0.1:{settings.port}", {"Authorization": f"Bearer {key}"}
    httpx.put(f"{base}/api/clock", json={"now": None}, headers=bearer, trust_env=False).raise_for_status()
    refused = demo(settings)
    assert refused.returncode == 1 and "Mend" in refused.stdout
    assert run.status(settings)[0].state == "RUNNING"
    run.down(settings, say=lambda _: None)
