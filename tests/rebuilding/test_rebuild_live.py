"""Live is rebuilt: a history with all that can happen to people, on real Kafka and PostgreSQL; and a row that was spoilt is named."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from deploy.cli import main
from deploy.local.errors import LocalRunError
from deploy.rebuilding.run import Rebuilt, rebuild, report
from runtime.clock import wall_ms
from runtime.drive import Conductor, set_clock
from runtime.process import Context
from runtime.settings import Settings
from schemas.facts import Fact
from services.profile.__main__ import service as profile
from services.segmenter.__main__ import service as segmenter
from services.segmenter.domain import state
from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.state import State
from services.warehouse.__main__ import service as warehouse
from tests.profile.test_profile_live import people
from tests.segmenter.live.test_segmenter_live import define
from tests.support import live
from tests.support.live import T0, driven, fact, publish, read, rows, running, until
from tests.support.reachable import reachable

DAY = 86_400_000
HOUR = 3_600_000
BUY = "Order Completed"


def bought(op: str, value: int, **more: Any) -> dict[str, Any]:
    return {"kind": "did", "event": BUY, "op": op, "value": value, **more}


FIRST = {
    "two": bought("ge", 2),
    "fresh": bought("ge", 1, within=DAY),
    "asleep": {"kind": "not", "of": bought("ge", 1, within=2 * DAY)},
    "kazan": {"kind": "attribute", "name": "city", "op": "eq", "value": "Kazan"},
    "ann": {"kind": "attribute", "name": "first_name", "op": "eq", "value": "Ann"},
    "mail": {"kind": "identifier", "has": "email"},
    "half": {"kind": "bucket", "salt": "s", "start": 0, "end": 5000},
    "agreed": {"kind": "consent", "channel": "email", "topic": "news", "state": "granted"},
}
LATER = {
    "spent": {"kind": "total", "event": BUY, "sum": "total.minor", "op": "ge", "value": 500, "within": 3 * DAY},
    "books": bought("ge", 1, where=[{"path": "products", "op": "contains", "value": "book"}]),
    "kinds": {"kind": "distinct", "event": BUY, "of": "sku", "op": "ge", "value": 2},
    "sleepy": {"kind": "all", "of": [{"kind": "segment", "key": "asleep"}, {"kind": "segment", "key": "mail"}]},
    "visited": {"kind": "did", "event": "page", "op": "ge", "value": 1},
}


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str, tmp_path: Path) -> Settings:
    return live.settings(kafka, database, topic_prefix, home=tmp_path)


class Shop:
    """A story of some people, drawn from a seed."""

    def __init__(self, config: Settings, context: Context, conductor: Conductor, seed: int) -> None:
        self._config, self._context, self._conductor = config, context, conductor
        self._draw, self._told, self.now = random.Random(seed), 0, T0

    async def at(self, after: int, *facts: Fact) -> None:
        self.now += after
        await set_clock(self._context.db, self.now)
        for topic, lane in (("facts.raw", "live"), ("facts.raw.bulk", "bulk")):
            await publish(self._config, [one for one in facts if one.lane == lane], topic)
        await self._conductor.settle()

    def fact(self, *names: str, late: int = 0, **more: Any) -> Fact:
        self._told += 1
        return fact(f"f{self._told}", *names, at=self.now - late, received_at=self.now, **more)

    def names(self, n: int) -> tuple[str, ...]:
        every = (f"anonymous_id:v{n}", f"user_id:u{n}", f"email:p{n}@e.org")
        return tuple(self._draw.sample(every, self._draw.choice([1, 1, 2])))

    def something(self, n: int) -> Fact:
        draw = self._draw
        match draw.choice(["buy", "buy", "buy", "page", "say", "word"]):
            case "buy":
                said = {"total": {"minor": draw.choice([100, 300, 600]), "currency": "RUB"}, "sku": draw.choice(["a", "b", "c"])}
                more = {"products": draw.choice([["book"], ["pen", "book"], ["pen"]])}
                late = draw.choice([0, 0, HOUR, 2 * DAY])
                lane = draw.choice(["live", "bulk"])
                return self.fact(*self.names(n), late=late, lane=lane, event=BUY, properties={**said, **more})
            case "page":
                return self.fact(f"anonymous_id:v{n}", type="page", event="")
            case "say":
                told = {"city": draw.choice(["Kazan", "Omsk", None]), "first_name": draw.choice(["Ann", "Bob"])}
                return self.fact(*self.names(n), type="identify", event="", attributes=told, late=draw.choice([0, HOUR]))
            case _:
                yes = draw.choice(["Consent Granted", "Consent Withdrawn"])
                said = {"channel": "email", "topic": "news", "evidence": {"form": "f"}, "basis": "consent"}
                return self.fact(f"email:p{n}@e.org", event=yes, properties=said)

    async def day(self, crowd: int) -> None:
        for _ in range(3):
            facts = [self.something(n) for n in range(crowd) if self._draw.random() < 0.6]
            await self.at(self._draw.choice([HOUR, 7 * HOUR]), *facts)


async def whose(context: Context) -> dict[str, str]:
    return {name: person for person, names in (await people(context)).items() for name in names}


@asynccontextmanager
async def lived(config: Settings, seed: int) -> AsyncIterator[tuple[Shop, Context]]:
    """An installation with a history: late facts, merges, an unmerge, an erasure, timers, conditions that came in the middle."""
    await define(config, FIRST)
    async with AsyncExitStack() as stack:
        started = driven(config, profile(), segmenter(config), warehouse(pace_s=0))
        (context, seg, _), conductor = await stack.enter_async_context(started)
        await stack.enter_async_context(reachable(context))
        await conductor.settle()
        shop = Shop(config, context, conductor, seed)
        await shop.day(8)
        # Everybody but the last is known by all his names by now: people of before become one.
        await shop.at(HOUR, *(shop.fact(f"anonymous_id:v{n}", f"user_id:u{n}", f"email:p{n}@e.org") for n in range(7)))
        await shop.at(HOUR, shop.fact("user_id:u0", "phone:+79160000001"), shop.fact("email:p1@e.org", "phone:+79160000001"))
        await define(config, LATER)
        await shop.day(8)
        found = await whose(context)
        await shop.at(HOUR, shop.fact(about=found["user_id:u0"], type="unmerge", event="", properties={"apart": ["user_id:u0"]}))
        await shop.at(HOUR, shop.fact(about=found["user_id:u2"], type="erase", event="", properties={"reason": "asked"}))
        await shop.day(8)
        await shop.at(30 * HOUR)
        yield shop, seg


async def made(config: Settings, *, keep: bool = False) -> Rebuilt:
    return await rebuild(config, seconds=20, keep=keep)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1, 2, pytest.param(10, marks=pytest.mark.long)])
async def test_live_is_rebuilt(config: Settings, seed: int) -> None:
    async with lived(config, seed) as (_, seg):
        done = await made(config, keep=True)
        assert done.differing == {} and done.into
        assert list(report(done))[-1] == "live and rebuilt are equal"
        found, held = done.segmenter, await rows(seg, HELD)
        assert (found.people, found.moving, found.under_way, found.segments) == (len(held), 0, 0, len(FIRST | LATER))
        states = [state.decode(row["state"]) for row in held]
        assert found.memberships == sum(len(one.members) for one in states) > 20
        ((merged, erased, parted),) = await rows(seg, HAPPENED)
        assert merged and erased and parted, "the story must be worth the name"
        assert found.rows == len(held) + merged + erased
        who = done.profile
        assert (who.people, who.missing, who.changed, who.buried) == (len(held), {}, False, 0) and who.records > 50
        again = {row["id"]: set(state.decode(row["state"]).members) for row in await in_the_new_one(config, done.into, HELD)}
        assert again == {row["id"]: set(one.members) for row, one in zip(held, states, strict=True)}


HELD = "SELECT id::text AS id, state FROM segmenter.person WHERE merged_into IS NULL AND erased_at IS NULL ORDER BY id"
HAPPENED = """
SELECT (SELECT count(*) FROM segmenter.person WHERE merged_into IS NOT NULL AND erased_at IS NULL),
    (SELECT count(*) FROM segmenter.person WHERE erased_at IS NOT NULL), (SELECT count(*) FROM segmenter.parted)
"""


async def in_the_new_one(config: Settings, name: str, query: str) -> list[Any]:
    connection = await asyncpg.connect(config.database_url, database=name)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


def without_a_purchase(one: State) -> State:
    series = dict(one.series)
    id_ = next(id_ for id_, held in series.items() if held.times and not held.amounts)
    held = series[id_]
    series[id_] = msgspec.structs.replace(held, count=held.count - 1, times=held.times[1:])
    return msgspec.structs.replace(one, series=series)


def elsewhere(one: State) -> State:
    return msgspec.structs.replace(one, members={**dict.fromkeys(FIRST, T0)})


def without_its_timers(one: State) -> State:
    return msgspec.structs.replace(one, horizons={}, due=NEVER)


def of_another_town(one: State) -> State:
    return msgspec.structs.replace(one, attributes={**one.attributes, "city": (T0 + 10**9, "Tver")})


@pytest.mark.timeout(180)
async def test_whoever_was_spoilt_is_named_with_what_differs_and_mended(
    config: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"KAFKA": config.kafka, "TOPIC_PREFIX": config.topic_prefix, "PARTITIONS": config.partitions, "HOME": config.home}
    for name, value in ({f"OTKLIK_{name}": value for name, value in given.items()} | {"DATABASE_URL": config.database_url}).items():
        monkeypatch.setenv(name, str(value))
    out = config.home / "differ.jsonl"
    ways = {
        without_a_purchase: f"segmenter: counts of {BUY}",
        elsewhere: "segmenter: segment kazan",
        without_its_timers: "segmenter: segment fresh, to come",
        of_another_town: "segmenter: attribute city",
    }
    async with lived(config, 4) as (shop, seg):
        await shop.at(HOUR, *(shop.fact(f"user_id:u{n}", event=BUY, properties={"sku": "a"}) for n in range(8)))
        good = {row["id"]: row["state"] for row in await rows(seg, HELD)}
        spoilt: dict[str, str] = {}
        moved = ""
        for spoil, what in ways.items():
            ones = ((one, state.decode(raw)) for one, raw in good.items() if one not in spoilt)
            person, one = next(pair for pair in ones if spoil is not without_its_timers or "fresh" in pair[1].members)
            spoilt[person] = what
            moved = person if spoil is elsewhere else moved
            async with seg.db.transaction() as connection:
                await connection.execute("UPDATE person SET state = $2 WHERE id = $1", person, state.encode(spoil(one)))
        assert await asyncio.to_thread(main, ["rebuild", "--out", str(out)]) == 1
        named = {one["id"]: one["differs"] for one in map(json.loads, out.read_text().splitlines())}
        assert named.keys() == spoilt.keys()
        for person, what in spoilt.items():
            assert what in named[person]
        told = capsys.readouterr().out.splitlines()
        assert told[-1] == "4 differ"
        assert all(any(line.startswith(f"{person} differs: ") for line in told) for person in spoilt)
        assert await asyncio.to_thread(main, ["rebuild", "--mend"]) == 1
        assert "4 people were mended" in capsys.readouterr().out
        assert not await rows(seg, "SELECT FROM pg_database WHERE datname = current_database() || '_rebuilt'")
        await shop.at(0)
        assert await asyncio.to_thread(main, ["rebuild"]) == 0
        told_of_him = [m for m in await read(config, "memberships") if m.get("profile") == moved and m["at"] == shop.now]
        assert {m["why"] for m in told_of_him} == {"backfill"}


@pytest.mark.timeout(180)
async def test_of_whom_live_has_not_heard_all_nothing_is_said(config: Settings) -> None:
    """The segmenter stands while profile and the lake go on: what it had is compared as of where it stands."""
    now = wall_ms()

    def said(n: int, who: str, **more: Any) -> Fact:
        return fact(f"s{n}", f"user_id:{who}", at=now - 1000 + n, **more)

    await define(config, FIRST)
    bought_once = [said(n, f"u{n}", event=BUY, properties={"sku": "a"}) for n in range(6)]
    async with running(config, profile(), segmenter(config), warehouse(pace_s=0)) as (_, seg, _):
        await publish(config, bought_once)

        async def all_heard() -> bool:
            return len(await rows(seg, HELD)) == 6 and all(
                any(series.count for series in state.decode(row["state"]).series.values()) for row in await rows(seg, HELD)
            )

        await until(all_heard, 60)
    async with running(config, profile(), warehouse(pace_s=0)) as (context, _):
        later = [
            said(10, "u0", event=BUY),
            said(11, "u1", type="identify", event="", attributes={"first_name": "Ann"}),
            said(12, "new"),
        ]
        await publish(config, later)

        async def all_told() -> bool:
            return bool((await rows(context, "SELECT count(*) = 7 FROM profile"))[0][0])

        await until(all_told, 60)
        done = await made(config)
        assert (done.differing, done.segmenter.people, done.segmenter.moving) == ({}, 4, 3)


@pytest.mark.timeout(120)
async def test_what_profile_has_yet_to_tell_is_not_compared_and_what_was_erased_is_gone_in_both(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Personal attributes that a segment begins to ask for live has when profile has told them."""
    monkeypatch.setattr("services.segmenter.hearing.AGAIN_S", 0.05)
    late = {"ann": FIRST["ann"], "at home": {"kind": "attribute", "name": "email", "op": "exists"}}
    await define(config, {"two": FIRST["two"]})
    async with driven(config, profile(), segmenter(config), warehouse(pace_s=0)) as ((context, *_), conductor):
        await conductor.settle()
        shop = Shop(config, context, conductor, 0)
        names = ("user_id:a", "email:a@e.org")
        await shop.at(HOUR, shop.fact(*names, type="identify", event="", attributes={"first_name": "Ann", "plan": "x"}))
        await define(config, late)
        await shop.at(HOUR, shop.fact(*names, type="identify", event="", attributes={"email": "a@e.org"}))
        (ann,) = await people(context)
        done = await made(config)
        assert (done.differing, done.segmenter.unasked) == ({}, {"ann", "at home"})
        async with reachable(context):

            async def told() -> bool:
                await conductor.settle()
                return not (await made(config)).segmenter.unasked

            await until(told, 60)
        done = await made(config)
        assert (done.differing, done.segmenter.memberships) == ({}, 2)
        await shop.at(HOUR, shop.fact(about=ann, type="erase", event="", properties={"only": ["email"]}))
        done = await made(config)
        assert (done.differing, done.segmenter.memberships) == ({}, 1), "he is no longer at home"


async def test_where_nothing_can_be_compared_it_says_why(config: Settings) -> None:
    with pytest.raises(LocalRunError, match="does not answer"):
        await made(config.model_copy(update={"database_url": "postgresql://a@127.0.0.1:9/a"}))
    with pytest.raises(LocalRunError, match="is DATABASE_URL right"):
        await made(config)
    await define(config, FIRST)
    async with driven(config, profile(), segmenter(config), warehouse(pace_s=0)) as ((context, *_), conductor):
        await conductor.settle()
        await publish(config, [fact("1", "user_id:a", event=BUY)])
        await conductor.settle()
        async with context.db.transaction() as connection:
            marks = await connection.fetch("SELECT topic, partition, next_offset FROM warehouse.watermark WHERE topic = 'facts'")
            await connection.execute("UPDATE warehouse.watermark SET next_offset = 0 WHERE topic = 'facts'")
        with pytest.raises(LocalRunError, match=r"the lake stands at 0 of \d+ in facts-\d: is warehouse running"):
            await rebuild(config, seconds=0)
        async with context.db.transaction() as connection:
            put_back = "UPDATE warehouse.watermark SET next_offset = $3 WHERE topic = $1 AND partition = $2"
            await connection.executemany(put_back, [tuple(row) for row in marks])
        with pytest.raises(LocalRunError, match="that `otklik rebuild` has not made"):
            await rebuild(config, into="postgres", seconds=0)
        with pytest.raises(LocalRunError, match="letters, digits"):
            await rebuild(config, into='a"b', seconds=0)
