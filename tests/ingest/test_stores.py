"""What PostgreSQL keeps of payloads and of imports: what is told apart, and what goes when."""

from collections.abc import AsyncIterator

import pytest

from runtime.db import Database
from runtime.migrate import migrate
from runtime.poison import Vault
from runtime.settings import Settings
from services.ingest.store import Payloads
from tests.support.live import T0

VAULT = Vault("secret")
FORM = ("form", "shop")
BODY = b'{"email": "ann@example.org"}'


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    config = Settings(kafka="", DATABASE_URL=database)
    await migrate(config, "ingest", "runtime.sql", "services.ingest.migrations")
    opened = await Database(config, "ingest").open()
    yield opened
    await opened.close()


async def heard(db: Database, seconds: int, body: bytes = BODY) -> int:
    """How many seconds after T0 the same came first that comes now."""
    kept = await Payloads(db, VAULT).add(*FORM, T0 + seconds * 1_000, "application/json", {}, body)
    return (kept.first_at - T0) // 1_000


async def test_repeats_of_a_form_are_one_and_what_comes_every_minute_is_not(db):
    assert [await heard(db, seconds) for seconds in (0, 65, 130)] == [0, 0, 0]
    assert await heard(db, 140, b"{}") == 140
    beats = [await heard(db, seconds) for seconds in range(1_000, 2_000, 60)]
    assert len(set(beats)) > 4
    assert all(0 <= at - first < 150 for at, first in zip(range(1_000, 2_000, 60), beats, strict=True))


async def test_what_tells_repeats_can_be_made_by_nobody_without_the_secret(db):
    await heard(db, 0)
    await Payloads(db, Vault("other")).add(*FORM, T0, "application/json", {}, BODY)
    async with db.connection() as connection:
        one, other = await connection.fetch("SELECT digest FROM hook_payload")
    assert one["digest"] != other["digest"]


async def test_a_replay_makes_no_more_facts(db):
    payloads = Payloads(db, VAULT)
    kept = await payloads.add(*FORM, T0, "application/json", {}, BODY)
    for facts in (2, 2, 0):
        await payloads.note(kept.id, facts, [])
    (found,) = await payloads.page("form", 2**62, 10, None, T0)
    assert found.facts == 2
