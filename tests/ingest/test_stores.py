"""What PostgreSQL keeps of payloads and of imports: what is told apart, and what goes when."""

from collections.abc import AsyncIterator

import pytest

from runtime.db import Database
from runtime.migrate import migrate
from runtime.poison import Vault
from runtime.settings import Settings
from schemas.ids import derive
from services.ingest.domain import Malformed, Mapping, Refused, Shape
from services.ingest.handler.upload import Upload
from services.ingest.store import Imports, Payloads
from services.ingest.store.imports import ABANDONED_MS, FACTS_KEEP_MS, KEEP_MS, Step
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


async def begun(imports: Imports, key: str | None = None, **more) -> str:
    """An import that runs."""
    job, _ = await imports.create("x.csv", key, T0, **more)
    await imports.start(job, Mapping(identifiers={}), Shape(format="csv", delimiter=","), T0)
    return job


@pytest.mark.parametrize("goes_on", [False, True])
async def test_a_failed_import_can_be_asked_for_again_and_one_that_is_done_cannot(db, goes_on):
    imports = Imports(db, VAULT)
    failed = await begun(imports, "k", goes_on=goes_on)
    assert await imports.create("x.csv", "k", T0, goes_on=goes_on) == (failed, False), "it runs"
    await imports.end(failed, T0, "The file is broken.")
    again = await begun(imports, "k", goes_on=goes_on)
    assert again != failed
    assert (await imports.one(failed, None))["error"]
    await imports.end(again, T0)
    assert await imports.create("x.csv", "k", T0, goes_on=goes_on) == (again, False)


async def test_an_upload_counts_as_abandoned_from_its_last_piece_on(db):
    imports = Imports(db, VAULT)
    slow, _ = await imports.create("x.csv", None, T0, goes_on=True)
    await imports.create("y.csv", None, T0, goes_on=True)
    await imports.add_part(slow, 0, b"abc", T0 + ABANDONED_MS)
    await imports.clean(T0 + ABANDONED_MS + 1)
    assert [one["name"] for one in await imports.page(2**62, 10, None)] == ["x.csv"]
    await imports.clean(T0 + 2 * ABANDONED_MS + 1)
    assert await imports.page(2**62, 10, None) == []


async def test_what_imports_leave_goes_when_its_time_has_come_some_at_a_time(db):
    imports = Imports(db, VAULT)
    async with imports.claim(await begun(imports)) as job:
        facts = [derive("n", number) for number in range(12_000)]
        refused = [Refused(2, "bad", "x", "")]
        await imports.note(job, Step(rows=1, accepted=0, facts=facts, repeats=0, refused=refused, seen_bytes=1, busy_ms=1), T0)
    for now, blocks, left in ((T0 + KEEP_MS, 1, 12_000), (T0 + KEEP_MS + 1, 0, 12_000), (T0 + FACTS_KEEP_MS + 1, 0, 2_000)):
        await imports.clean(now)
        assert len([block async for block in imports.refused(job.id)]) == blocks
        assert len(await imports.known(facts)) == left
    await imports.clean(now)
    assert await imports.known(facts) == set()


async def test_of_a_file_that_is_too_large_no_more_is_kept_than_is_allowed(db):
    imports = Imports(db, VAULT)
    job, _ = await imports.create("x.csv", None, T0, goes_on=True)
    upload = Upload(imports, job, 10, T0)
    await upload.feed(b"12345678")
    with pytest.raises(Malformed):
        await upload.feed(b"9" * 100)
    await upload.flush()
    assert (upload.kept, (await imports.upload(job, None)).size) == (8, 8)
