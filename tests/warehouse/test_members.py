"""Who is in a segment now stands in a table that is right with each batch: after merges, unmerges, erasures, and in one that is made later."""

from schemas.facts import PROFILE_ERASED, PROFILE_MERGED, encode
from schemas.ids import derive
from schemas.memberships import Membership
from services.warehouse.__main__ import service
from services.warehouse.api import members
from services.warehouse.standing import NEVER
from tests.support.live import T0, publish, rows, running, until
from tests.warehouse.conftest import passed, stored

ann, bob, cid, dan = (derive("profile", who) for who in ("ann", "bob", "cid", "dan"))


def change(person: str, segment: str, at: int, kind: str = "entered", **more) -> bytes:
    record = Membership(
        type=kind, received_at=T0 + at, at=T0 + at, id=derive("m", person, segment, at), profile=person, segment=segment, **more
    )
    return encode(record)


def merged(loser: str, at: int):
    """Into ann."""
    return stored(f"merged {loser}", "ann", T0 + at, type=PROFILE_MERGED, event="", properties={"winner": ann, "loser": loser})


async def now(context, segment: str) -> list[str]:
    async with context.db.connection() as connection:
        found = await members.now(connection, segment, members.BEFORE_ALL, 100)
    assert found["count"] == len(found["items"])
    return [item["profile"] for item in found["items"]]


async def in_lake(snapshot, segment: str) -> list[str]:
    return [
        item["profile"] for item in (await members.page(snapshot, members.Asked(segment, NEVER, members.BEFORE_ALL, 100)))["items"]
    ]


STORY = [
    change(bob, "vip", 1, cause="f1"),
    change(ann, "new", 1),
    change(cid, "vip", 2),
    change(cid, "vip", 3, "left"),
    change(dan, "vip", 3),
    change(bob, "~journey.x", 4),
]


AFTERWARDS = [change(ann, "vip", 5, why="merge", carried=True), change(bob, "vip", 1, cause="late")]
GONE = stored("erased", "dan", T0 + 6, type=PROFILE_ERASED, event="", properties={"act": derive("act"), "reason": "", "others": []})


async def tell(config, context) -> None:
    await publish(config, STORY, "memberships", key="k")
    await passed(context, len(STORY))
    assert await now(context, "vip") == sorted([bob, dan])
    (held,) = await rows(context, "SELECT segment, since, cause, why FROM member WHERE profile = $1", bob)
    assert tuple(held) == ("vip", T0 + 1, "f1", "fact"), "and no condition of a journey"
    await publish(config, [merged(bob, 5)], "facts", key="k")
    await passed(context, len(STORY) + 1)
    assert await now(context, "vip") == [dan]
    await publish(config, AFTERWARDS, "memberships", key="k")
    await publish(config, [GONE], "facts", key="k")
    await passed(context, len(STORY) + 4)


async def test_the_table_is_the_end_of_what_the_lake_tells(config, lake):
    async with running(config, service(pace_s=0)) as (context,):
        await tell(config, context)
        assert await now(context, "vip") == await now(context, "new") == [ann]
        snapshot = await lake(context, merges=True)
        assert await in_lake(snapshot, "vip") == await in_lake(snapshot, "new") == [ann]
        assert [row["profile"] for row in await rows(context, "SELECT DISTINCT profile::text FROM member")] == [ann]


async def test_a_table_that_is_made_later_is_filled_from_the_lake_once(config):
    async with running(config, service(pace_s=0)) as (context,):
        await tell(config, context)
        kept = await rows(context, "SELECT * FROM member ORDER BY segment, profile")
        await rows(context, "WITH gone AS (DELETE FROM filled), few AS (DELETE FROM member) DELETE FROM merged")
    async with running(config, service(pace_s=0)) as (context,):
        await until(context.ready.is_set)
        assert await rows(context, "SELECT * FROM member ORDER BY segment, profile") == kept
        assert [tuple(row) for row in await rows(context, "SELECT loser::text, winner::text, at FROM merged")] == [
            (bob, ann, T0 + 5)
        ]
        await rows(context, "DELETE FROM member")
    async with running(config, service(pace_s=0)) as (context,):
        await until(context.ready.is_set)
        assert not await rows(context, "SELECT FROM member"), "what is filled is not filled again"


async def test_a_row_that_is_written_beside_the_batch_that_hears_of_a_merge_counts_for_nothing(config):
    async with running(config, service(pace_s=0)) as (context,):
        await publish(config, [merged(bob, 5)], "facts", key="k")
        await passed(context, 1)
        for person in (bob, cid):
            await rows(context, "INSERT INTO member VALUES ('vip', $1, 1, 1, 'fact', NULL)", person)
        assert await now(context, "vip") == [cid]
