"""The installation that the demo plays in: brought up, empty, under the driven clock, with the demo's documents."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from deploy.demo.faults import DemoError
from deploy.demo.reading import Tables
from deploy.demo.ways import Ways
from deploy.local import run
from deploy.local.settings import LocalSettings

DOCUMENTS = Path(__file__).with_name("documents")
DATA = ("kafka", "postgres", "mail", "lake", "fakes")  # of a home: all that is not a key, a password or a log
Say = Callable[[str], None]


def documents() -> list[dict[str, Any]]:
    """`[{"kind", "body"}]` of the folder, in the order of the files: what POST /api/documents/import takes."""
    files = sorted(DOCUMENTS.glob("*.yaml"))
    return [document for file in files for document in yaml.safe_load_all(file.read_text(encoding="utf-8")) if document]


def brought_up(settings: LocalSettings, say: Say) -> LocalSettings:
    """Everything runs; the settings with which it does."""
    run.up(settings, say)
    return run.recorded(settings)


async def played_before(settings: LocalSettings) -> bool:
    """Whether a demo was played here. Raises DemoError where the installation is somebody's own: that one is never touched."""
    async with Ways(settings) as ways:
        if (await ways.clock())["driven"]:
            return True
        own = [kind for kind in ("segments", "journeys") if (await ways.get(f"/api/{kind}"))["items"]]
        async with Tables(settings) as tables:
            profiles, _ = await tables.profiles()
        if own or profiles:
            raise DemoError(
                f"{settings.home} is in use (its clock is live and it has {' and '.join(own) or 'facts'}), and the demo would drive its "
                "clock to 2010. Mend: give the demo a home of its own, OTKLIK_HOME=/some/folder make demo (with other ports, or after make down)"
            )
        return False


def wiped(settings: LocalSettings, say: Say) -> LocalSettings:
    """Stop, forget what the last demo left, start again. Keys and ports stay."""
    if settings.database_url is not None:
        raise DemoError(
            "a demo was played in the PostgreSQL that DATABASE_URL names, and the demo wipes only what it started itself. "
            "Mend: drop that database and make it anew, or unset DATABASE_URL"
        )
    say("wiping the last demo")
    run.down(settings, say)
    for name in DATA:
        shutil.rmtree(settings.home / name, ignore_errors=True)
    return brought_up(settings, say)


async def publish(ways: Ways) -> int:
    """Put the demo's documents in force. Returns how many."""
    answer = await ways.post("/api/documents/import", {"documents": documents()})
    return len(answer["documents"])


def recorded(settings: LocalSettings) -> LocalSettings:
    """With which settings the installation in this home runs."""
    return run.recorded(settings)
