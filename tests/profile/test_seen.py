"""Ids of facts: each counts once, whoever looks, today and yesterday."""

import asyncio

import pytest

from runtime.db import Again
from runtime.process import open_context
from schemas.ids import derive
from services.profile.__main__ import service
from services.profile.store import DAY_MS, Seen
from tests.support.live import settings

NOW = 20_000 * DAY_MS + 5


@pytest.fixture
async def db(kafka, database, topic_prefix):
    context = await open_context(service(), settings(kafka, database, topic_prefix))
    yield context.db
    await context.clock.stop()
    await context.db.close()


def ids(*names):
    return [derive("seen", name) for name in names]


async def test_an_id_is_new_once_within_two_days(db):
    seen = Seen()
    async with db.transaction() as connection:
        assert await seen.new(connection, ids("a", "b"), NOW) == set(ids("a", "b"))
    seen.committed()
    async with db.transaction() as connection:
        assert await seen.new(connection, ids("b", "c"), NOW + DAY_MS) == set(ids("c"))
    async with db.transaction() as connection:
        assert await seen.new(connection, ids("a", "c"), NOW + 2 * DAY_MS) == set(ids("a"))


async def test_what_was_seen_in_a_transaction_that_failed_is_new_again(db):
    seen = Seen()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  (the transaction is what raises)
        async with db.transaction() as connection:
            await seen.new(connection, ids("a"), NOW)
            raise ZeroDivisionError
    async with db.transaction() as connection:
        assert await seen.new(connection, ids("a"), NOW) == set(ids("a"))


async def test_two_processes_that_look_at_once_do_not_both_have_it(db):
    """The second waits for the first, and runs its batch again: then it finds the id."""
    first, second = Seen(), Seen()
    async with db.transaction() as connection:
        await first.new(connection, ids("z"), NOW)  # makes the day
    second._made = {NOW // DAY_MS}
    async with db.transaction() as one:
        assert await first.new(one, ids("a"), NOW) == set(ids("a"))

        async def other():
            async with db.transaction() as two:
                return await second.new(two, ids("a", "b"), NOW)

        waiting = asyncio.create_task(other())
        await asyncio.wait({waiting}, timeout=0.3)
        assert not waiting.done()
    with pytest.raises(Again):
        await waiting
    async with db.transaction() as connection:
        assert await second.new(connection, ids("a", "b"), NOW) == set(ids("b"))
