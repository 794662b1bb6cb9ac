"""Who was erased is hidden at once, written out of the files later, and never written again."""

import duckdb

from runtime.lake import Snapshot
from schemas.facts import PROFILE_ERASED, encode
from schemas.ids import derive
from schemas.memberships import Membership
from services.warehouse import store
from services.warehouse.__main__ import service
from services.warehouse.handler import Handler
from services.warehouse.settings import LakeSettings
from tests.support.live import T0, publish, rows, running
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
