"""Somebody who was erased leaves an empty row, and whatever comes later for him or his aliases changes nothing."""

import pytest

from runtime import people
from runtime.people import Saved
from tests.runtime.test_people import merge, save
from tests.runtime.toys import census, opened, person_id
from tests.support.live import T0, rows


@pytest.fixture
async def context(config):
    async with opened(census(), config) as context:
        yield context


async def erase(context, *names: str) -> None:
    async with context.db.transaction() as connection:
        ids = [person_id(name) for name in names]
        folk = await people.load(connection, ids)
        folk.erase(ids, T0)
        await folk.save(connection, [Saved(folk.canonical(one), 0, b"late", T0) for one in ids])


async def left(context) -> list[tuple[bytes, int | None, bool]]:
    found = await rows(context, "SELECT state, due_at, erased_at IS NOT NULL AS gone FROM person ORDER BY id")
    return [tuple(row) for row in found]


async def test_nothing_is_left_of_him_and_of_those_who_became_one_with_him(context):
    await save(context, "ann", due_at=T0)
    await save(context, "bob")
    await merge(context, "ann", "bob")
    await erase(context, "ann", "bob")
    assert await left(context) == [(b"", None, True)] * 2


@pytest.mark.parametrize("name", ["ann", "bob"])
async def test_what_is_saved_later_by_any_of_his_names_is_not(context, name):
    await save(context, "ann")
    await save(context, "bob")
    await merge(context, "ann", "bob")
    await erase(context, "ann")
    async with context.db.transaction() as connection:
        folk = await people.load(connection, {person_id(name)})
        assert folk.gone(person_id(name))
        await folk.save(connection, [Saved(folk.canonical(person_id(name)), 0, b"late", T0)])
    assert {state for state, _, _ in await left(context)} == {b""}


async def test_one_whom_nobody_knew_leaves_a_row_so_that_late_news_of_him_find_it(context):
    await erase(context, "ann")
    assert await left(context) == [(b"", None, True)]
    assert await people_gone(context, "ann")


async def test_a_merge_with_somebody_who_is_gone_is_none(context):
    await save(context, "ann")
    await save(context, "bob")
    await erase(context, "ann")
    await merge(context, "ann", "bob")
    assert not await people_gone(context, "bob")
    assert sorted(await left(context)) == [(b"", None, True), (b"bob", None, False)]


async def people_gone(context, name: str) -> bool:
    async with context.db.transaction() as connection:
        return (await people.load(connection, {person_id(name)})).gone(person_id(name))
