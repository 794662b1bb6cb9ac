"""The walk to everybody who is inside a journey, on a real PostgreSQL."""

import asyncio

import pytest

from runtime.db import Database
from runtime.migrate import migrate
from runtime.watermark import ensure
from schemas.ids import derive
from services.orchestrator.domain.book import build
from services.orchestrator.domain.state import Person, Run, encode
from services.orchestrator.walking import Walk, is_due, standing
from tests.orchestrator.world import journey, published, wait
from tests.support.live import settings

J = published("journey", journey("j", wait("w", "1d")))
ORDER = published("migration", {"key": "j", "to": 1, "moves": {"1": {"w": "leave"}}, "at": 5})
CONTROLS = build([J, ORDER]).controls
PERSON = "INSERT INTO person (id, partition, state) VALUES ($1, 0, $2)"
DEFINE = "INSERT INTO definition (kind, key, version, body) VALUES ('migration', 'j', 1, '')"
WATERMARK = "SELECT FROM watermark FOR UPDATE"


def inside(key: str, **more) -> bytes:
    return encode(Person(runs=[Run(key, 1, derive(key), "shop", 1, 1, "w", due_at=9, **more)]))


@pytest.fixture
async def db(database: str):
    config = settings("", database, "")  # of Kafka nothing is asked
    await migrate(config, "runtime", "runtime.clocksql")
    await migrate(config, "orchestrator", "runtime.sql", "services.orchestrator.migrations")
    found = await Database(config, "orchestrator").open()
    async with found.transaction() as connection:
        await ensure(connection, [("facts", 0)])
        for n in range(10):
            await connection.execute(PERSON, derive("walk", n), inside(("j", "other")[n % 2]))
    yield found
    await found.close()


async def walked(db: Database, walk: Walk, limit: int = 3) -> list[str]:
    found: list[str] = []
    while True:
        async with db.transaction() as connection:
            step = await walk.step(connection, CONTROLS, limit, 1)
        found += [profile for profile, _ in step.people]
        if not step.more:
            return found


async def test_it_comes_to_all_who_are_inside_once_and_to_nobody_else(db):
    async with db.transaction() as connection:
        assert not await is_due(connection)
        await connection.execute(DEFINE)
        assert await is_due(connection)
    assert await walked(db, Walk()) == sorted(derive("walk", n) for n in range(0, 10, 2))
    async with db.transaction() as connection:
        assert not await is_due(connection)
        found = await standing(connection, "j")
    assert (found.versions, found.held) == ({1: {"w": 5}}, 0)
    assert await walked(db, Walk()) == []


async def test_once_nothing_is_left_of_some_documents_they_are_not_asked_about_again(db):
    async with db.transaction() as connection:
        await connection.execute(DEFINE)
    for seen in ("in a walk", "by a look"):
        walk = Walk()
        if seen == "in a walk":
            await walked(db, walk)
        async with db.transaction() as connection:
            assert not await walk.due(connection, 1)
            await connection.execute("UPDATE walk SET done = false")
            assert not await walk.due(connection, 1) and not (await walk.step(connection, CONTROLS, 9, 1)).more
            assert await walk.due(connection, 2) and (await walk.step(connection, CONTROLS, 9, 2)).more
            await connection.execute("UPDATE walk SET done = true")


async def test_it_waits_for_batches_that_may_not_know_of_it_and_for_no_later_ones(db):
    walk = Walk()
    async with db.connection() as before:
        batch = before.transaction()
        await batch.start()
        await before.execute(WATERMARK)
        async with db.transaction() as connection:
            await connection.execute(DEFINE)
        assert await walked(db, walk) == []
        async with db.transaction() as later:
            await later.execute("LOCK TABLE watermark IN ROW SHARE MODE")
            assert await walked(db, walk) == []
            await batch.rollback()
            assert len(await walked(db, walk)) == 5


async def test_it_waits_for_a_book_that_knows_what_it_walks_for(db):
    async with db.transaction() as connection:
        await connection.execute(DEFINE)
    async with db.transaction() as connection:
        another = published("migration", {"key": "other", "to": 1, "moves": {"1": {"w": "leave"}}, "at": 5})
        step = await Walk().step(connection, build([J, another]).controls, 9, 1)
        assert not step.more
    async with db.transaction() as connection:
        assert await is_due(connection)


async def test_two_processes_do_not_walk_at_once(db):
    async with db.transaction() as connection:
        await connection.execute(DEFINE)
    walk, other = Walk(), Walk()
    async with db.transaction() as connection:
        assert len((await walk.step(connection, CONTROLS, 3, 1)).people) == 3
        async with db.transaction() as beside:
            step = await asyncio.wait_for(other.step(beside, CONTROLS, 3, 1), 5)
            assert not step.more
    assert len(await walked(db, walk)) == 2
