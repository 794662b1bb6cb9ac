"""After an unmerge each has his own facts of the time when they were one: in every table, on both timelines, and in an erasure."""

import duckdb
import msgspec
import pyarrow.parquet as parquet
import pytest

from runtime import parted
from runtime.lake import TABLES
from schemas.facts import PROFILE_ERASED, PROFILE_SPLIT, Split, SplitPart, encode
from schemas.ids import derive
from schemas.memberships import Membership
from services.warehouse import files
from services.warehouse.__main__ import service
from services.warehouse.api import decisions, timeline
from services.warehouse.api.cursor import LATEST
from services.warehouse.domain import sheets
from services.warehouse.handler import Handler
from services.warehouse.settings import LakeSettings
from tests.support.live import T0, publish, rows, running
from tests.warehouse.conftest import on_disk, passed, stored

pat, ned, old, zoe = (derive("profile", who) for who in ("pat", "ned", "old", "zoe"))
HOME = derive("home", "ned")


def split(at: int = T0 + 50):
    said = Split(act=derive("act"), parts=(SplitPart(profile=ned, homes=(HOME, old), others=(old,)),))
    return stored("split", "pat", at, type=PROFILE_SPLIT, event="", properties=msgspec.to_builtins(said))


def entered(person: str) -> Membership:
    return Membership(type="entered", received_at=T0, id=derive("m", person), profile=person, segment="s", at=T0)


TOLD = [
    stored("pat's", "pat", T0 + 1),
    stored("ned's as pat", "pat", T0 + 2, home=HOME, properties={"total": 5}),
    stored("ned's as old", "old", T0 + 3),
    stored("pat's as old", "old", T0 + 4, home=derive("home", "pat")),
    stored("zoe's", "zoe", T0 + 5, home=derive("home", "zoe")),
]


async def story(snapshot, *people: str) -> list[str]:
    found = await timeline.page(snapshot, people, (), 100, LATEST)
    names = {fact.id: name for name, fact in zip(("P1", "N2", "N3", "P4", "Z5"), TOLD, strict=True)}
    return sorted(names.get(item["id"], item["type"]) for item in found["items"])


async def whole(config, context, facts=TOLD):
    await publish(config, facts, "facts", key="k")
    await publish(config, [encode(entered(person)) for person in (pat, old, zoe)], "memberships", key="k")
    await passed(context, len(facts) + 3)


async def test_each_has_his_own_on_his_timeline_and_in_every_table(config, lake):
    async with running(config, service(pace_s=0)) as (context,):
        await whole(config, context)
        before = await lake(context)
        assert await story(before, pat, old) == ["N2", "N3", "P1", "P4", "entered", "entered"]
        await publish(config, [split()], "facts", key="k")
        await passed(context, len(TOLD) + 4)
        snapshot = await lake(context)
        assert await story(snapshot, pat) == ["P1", "P4", "entered", "profile.split"]
        assert await story(snapshot, ned, old) == ["N2", "N3", "entered"]
        assert await story(snapshot, zoe) == ["Z5", "entered"]
        assert "parted" not in snapshot.table("facts", people=frozenset([zoe])), "nobody else pays for it"
        (his,) = [i for i in (await timeline.page(snapshot, [ned], (), 9, LATEST))["items"] if i["id"] == TOLD[1].id]
        assert his["properties"] == {"total": 5} and his["profile"] == ned
        counted = dict(await snapshot.query("SELECT profile::VARCHAR, count(*) FROM facts GROUP BY 1"))
        assert counted == {pat: 3, ned: 2, zoe: 1}
        assert (await decisions.page(snapshot, [ned], (), 9, LATEST))["items"] == []


async def test_what_is_heard_late_is_his_whose_home_it_has(config, lake):
    async with running(config, service(pace_s=0)) as (context,):
        await publish(config, [split()], "facts", key="k")
        await passed(context, 1)
        await publish(config, TOLD, "facts.bulk", key="k")
        await passed(context, 1 + len(TOLD))
        assert await story(await lake(context), ned) == ["N2", "N3"]


async def test_files_of_before_have_no_home_and_are_the_profiles(config, lake, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(files, "TABLES", {name: [c for c in columns if c[0] != "home"] for name, columns in TABLES.items()})
        before.setattr(sheets, "_FACT", sheets._FACT[:-1])
        async with running(config, service(pace_s=0)) as (context,):
            await publish(config, TOLD, "facts", key="k")
            await passed(context, len(TOLD))
    assert not any("home" in parquet.ParquetFile(config.home / "lake" / f).schema.names for f in on_disk(config))
    async with running(config, service(pace_s=0)) as (context,):
        assert await (await lake(context)).query("SELECT count(*), count(home) FROM facts") == [(5, 0)]
        await publish(config, [split()], "facts", key="k")
        await passed(context, len(TOLD) + 1)
        snapshot = await lake(context)
        assert await story(snapshot, ned) == ["N3", "P4"] and await story(snapshot, pat) == ["N2", "P1", "profile.split"]


@pytest.mark.parametrize("first", ["split", "erasure"])
async def test_an_erasure_reaches_all_of_his_and_nothing_of_the_others(config, lake, first):
    """The two stand in different partitions: the erasure may be heard first, and files looked through before the split came."""
    gone = stored(
        "gone", "ned", T0 + 60, type=PROFILE_ERASED, event="", properties={"act": derive("e"), "reason": "", "others": [old]}
    )
    async with running(config, service(pace_s=0)) as (context,):
        await whole(config, context)
        keeper = Handler(0, LakeSettings(rewrite_s=0, grace_s=0))
        async with keeper.life(context):
            for n, one in enumerate([split(), gone] if first == "split" else [gone, split()]):
                await publish(config, [one], "facts", key="k")
                await passed(context, len(TOLD) + 4 + n)
                await keeper._house()
                await keeper.sweep()
            snapshot = await lake(context)
            assert await story(snapshot, ned, old) == []
            assert "P1" in await story(snapshot, pat) and await story(snapshot, zoe) == ["Z5", "entered"]
        stand = [str(config.home / "lake" / file) for file in on_disk(config)]
        kept = {
            str(r[0]) for r in duckdb.connect().execute("SELECT id FROM read_parquet(?, union_by_name = true)", [stand]).fetchall()
        }
        assert TOLD[1].id not in kept and TOLD[0].id in kept
        assert (TOLD[3].id in kept) == (first == "split"), "told as somebody who was erased before it was known whose it is"
        assert [row[0] for row in await rows(context, "SELECT count(*) FROM hidden WHERE rewritten_at IS NULL")] == [0]


async def test_who_is_erased_takes_nothing_of_whom_was_parted_from_him(config, lake):
    gone = stored(
        "gone", "pat", T0 + 60, type=PROFILE_ERASED, event="", properties={"act": derive("e"), "reason": "", "others": []}
    )
    async with running(config, service(pace_s=0)) as (context,):
        await publish(config, [*TOLD, split(), gone], "facts", key="k")
        await passed(context, len(TOLD) + 2)
        await publish(config, [stored("late", "pat", T0 + 3, home=HOME), stored("later", "pat")], "facts.bulk", key="k")
        await passed(context, len(TOLD) + 4)
        snapshot = await lake(context)
        assert await snapshot.query("SELECT profile::VARCHAR, count(*) FROM facts GROUP BY 1 ORDER BY 2") == [(zoe, 1), (ned, 3)]
        async with context.db.connection() as connection:
            assert len(await parted.everything(connection)) == 2
