"""A warehouse on the real Kafka and PostgreSQL, with a home of the test's own."""

from collections.abc import Iterable
from typing import Any

import pytest

from runtime.lake import Lake, Snapshot
from runtime.process import Context
from runtime.settings import Settings
from schemas.facts import Fact
from schemas.ids import derive
from tests.support.live import T0, fact, rows, until


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str, tmp_path) -> Settings:
    from tests.support.live import settings

    return settings(kafka, database, topic_prefix, home=tmp_path)


@pytest.fixture
async def lake(config):
    """Opens snapshots for a context; all are closed at the end."""
    opened: list[Any] = []

    async def snapshot(context: Context, *, merges: bool = False) -> Snapshot:
        if not opened:
            opened.append(Lake(config.home, context.db, threads=1))
        opened.append(await opened[0].snapshot(merges=merges))
        return opened[-1]

    yield snapshot
    for one in reversed(opened):
        one.close()


def stored(message: Any, person: Any = 1, at: int = T0, **more: Any) -> Fact:
    """A fact as profile leaves it: with its person."""
    return fact(str(message), f"user_id:u{person}", at=at, profile=derive("profile", str(person)), **more)


async def passed(context: Context, count: int, topics: Iterable[str] = ("facts", "facts.bulk", "memberships", "decisions")) -> None:
    """Until the warehouse has handled so many records."""
    query = "SELECT coalesce(sum(next_offset), 0)::int FROM watermark WHERE topic = ANY($1) AND next_offset > 0"

    async def enough():
        return (await rows(context, query, list(topics)))[0][0] >= count

    await until(enough)


def on_disk(config: Settings) -> set[str]:
    lake = config.home / "lake"
    return {str(path.relative_to(lake)) for path in lake.rglob("*.parquet")}
