"""Who was erased is hidden at once, written out of the files later, and never written again."""

import asyncio

import duckdb
import msgspec
import pytest

from runtime.batch import Item, Tx
from runtime.lake import Snapshot
from schemas.facts import PROFILE_ERASED, encode
from schemas.ids import derive
from schemas.memberships import Membership
from services.warehouse import erasure, store
from services.warehouse.__main__ import service
from services.warehouse.domain.walk import Stored
from services.warehouse.files import ALL_OF_IT, Files, TooLarge
from services.warehouse.handler import Handler
from services.warehouse.settings import LakeSettings
from tests.support.live import T0, publish, rows, running, until
from tests.warehouse.conftest import on_disk, passed, stored

AT_ONCE = LakeSettings(rewrite_s=0, grace_s=0)
ann, alias, zoe = (derive("profile", str(person)) for person in ("ann", "alias", "zoe"))


def erased():
    said = {"act": derive("act"), "reason": "", "others": [alias]}
    return stored("erased", "ann", type=PROFILE_ERASED, event="", properties=said)


def entered(person: str) -> Membership:
    return Membership(type="entered", received_at=T0, id=derive("m", person), profile=person, segment="s", at=T0)


async def seen(snapshot: Snapshot) -> set[str]:
    """Everybody of whom any table of the lake has a row."""
    tables = (snapshot.table(name) for name in ("facts", "memberships", "decisions"))
    union = " UNION ALL ".join(f"SELECT profile::VARCHAR FROM {table}" for table in tables)
    views = " UNION ALL ".join(f"SELECT profile::VARCHAR FROM {name}" for name in ("facts", "memberships", "decisions"))
    return {row[0] for row in await snapshot.query(f"{union} UNION ALL {views}")}


def kept(config) -> set[str]:
    """The same of what stands in the files, whoever may read it."""
    files = [str(config.home / "lake" / file) for file in on_disk(config)]
    return {
        str(row[0])
        for row in duckdb.connect().execute("SELECT profile FROM read_parquet(?, union_by_name = true)", [files]).fetchall()
    }


async def test_he_is_hidden_at_once_then_nowhere_and_nothing_of_others_is_lost(config, lake):
    people = ("ann", "alias", "zoe")
    async with running(config, service(pace_s=0)) as (context,):
        for part in range(3):
            await publish(config, [stored(f"{part}-{who}", who, event=f"E{part}") for who in people], "facts", key="k")
            await passed(context, 3 * (part + 1))
        await publish(config, [encode(entered(person)) for person in (ann, zoe)], "memberships", key="k")
        await passed(context, 11)
        old = await lake(context)
        assert await seen(old) == {ann, alias, zoe}
        await publish(config, [erased(), stored("late", "alias"), stored("more", "zoe")], "facts", key="k")
        await passed(context, 14)
        assert await seen(await lake(context)) == {zoe}
        assert kept(config) == {ann, alias, zoe}  # the files are as they were
        keeper = Handler(0, AT_ONCE)
        async with keeper.life(context):
            run = store.Run("facts", None, None, 0, [f.file for f in old.files if f.dataset == "facts"])
            await keeper._merge(run)  # a merge keeps what is hidden: it is not its matter
            assert await keeper.rewrite() > 0
            assert await keeper.rewrite() == 0
            await keeper.sweep()
        assert kept(config) == {zoe}
        assert await (await lake(context)).query("SELECT (SELECT count(*) FROM facts), (SELECT count(*) FROM memberships)") == [
            (4, 1)
        ]
        assert [tuple(row) for row in await rows(context, "SELECT count(*), count(rewritten_at) FROM hidden")] == [(2, 2)]


async def test_what_comes_after_the_rewriting_is_not_written(config, lake):
    async with running(config, service(pace_s=0)) as (context,):
        await publish(config, [stored(1, "ann"), erased()], "facts", key="k")
        await passed(context, 2)
        keeper = Handler(0, AT_ONCE)
        async with keeper.life(context):
            await keeper.rewrite()
        await publish(config, [stored(2, "ann"), stored(3, "alias"), stored(4, "zoe")], "facts.bulk", key="k")
        await passed(context, 5)
        assert await seen(await lake(context)) == kept(config) == {zoe}


async def test_he_is_written_out_when_the_files_that_had_him_are_off_the_disk(config):
    async with running(config, service(pace_s=0)) as (context,):
        await publish(config, [stored(1, "ann"), stored(2, "zoe")], "facts", key="k")
        await passed(context, 2)
        await publish(config, [erased()], "facts", key="k")
        await passed(context, 3)
        keeper = Handler(0, LakeSettings(rewrite_s=0, grace_s=7200))
        async with keeper.life(context):
            assert await keeper.rewrite() == 1 and await keeper.rewrite() == 0
            await keeper.sweep()
            assert ann in kept(config)
            assert await told(context) == (True, False), "the file that had him is there"
            assert await keeper.rewrite() == 0, "and is not asked about again"
            keeper._settings = AT_ONCE
            await keeper.sweep()
        assert kept(config) == {zoe}
        assert await told(context) == (True, True)


async def told(context) -> tuple[bool, bool]:
    async with context.db.connection() as connection:
        said = await erasure.erased(connection, ann)
    return said["hidden"] is not None, said["rewritten"] is not None


async def test_a_batch_that_did_not_know_of_the_erasure_is_waited_for(config):
    """It looked before the erasure was committed, and lists its file after the keeper began."""
    async with running(config, service(pace_s=0)) as (context,):
        keeper = Handler(0, AT_ONCE)
        async with keeper.life(context):
            late = msgspec.json.decode(encode(stored(1, "ann")), type=Stored)
            item = Item(("facts", 0), 0, late, b"", None, None, T0)
            async with context.db.transaction() as connection:
                await keeper(Tx(connection, T0, 0, "warehouse", {}), [item])
                await publish(config, [erased()], "facts", key="k")
                await passed(context, 1)
                writing = asyncio.create_task(keeper.rewrite())
                await until(lambda: waiting(context))
            assert await writing == 1
            await keeper.sweep()
        assert on_disk(config) == set() and await told(context) == (True, True)


WAITING = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


async def waiting(context) -> bool:
    return bool((await rows(context, WAITING))[0][0])


@pytest.mark.parametrize("parts", [4, 1000])
async def test_a_file_too_large_for_memory_is_written_anew_in_parts_and_stops_nothing(config, lake, monkeypatch, parts):
    real = Files.merge

    def small(self, dataset, sources, target, besides=(), sieve=ALL_OF_IT):
        if dataset == "facts" and sieve.part[1] < parts:
            raise TooLarge("no room")
        return real(self, dataset, sources, target, besides, sieve)

    monkeypatch.setattr(Files, "merge", small)
    async with running(config, service(pace_s=0)) as (context,):
        await publish(config, [stored(n, "ann" if n % 3 else "zoe") for n in range(10)], "facts", key="k")
        await publish(config, [encode(entered(person)) for person in (ann, zoe)], "memberships", key="k")
        await passed(context, 12)
        await publish(config, [erased()], "facts", key="k")
        await passed(context, 13)
        keeper = Handler(0, AT_ONCE)
        async with keeper.life(context):
            await keeper._house()
            await keeper._house()
        snapshot = await lake(context)
        assert await snapshot.query("SELECT (SELECT count(*) FROM facts), (SELECT count(*) FROM memberships)") == [(4, 1)]
        listed = [dict(row) for row in await rows(context, "SELECT dataset, removed_at FROM manifest")]
        assert all(row["removed_at"] is None for row in listed), "what was replaced is off the disk, whatever could not be written"
        enough = parts == 4
        assert (ann not in kept(config), await told(context)) == (enough, (True, enough))
