"""After an unmerge each is in the segments that his own facts say: profile, segmenter and warehouse on real Kafka and PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from runtime.batch import Emit
from runtime.drive import set_clock
from runtime.process import Context
from runtime.property_columns import Source, properties
from runtime.settings import Settings
from schemas.facts import PROFILE_CHANGED, PROFILE_MERGED, PROFILE_SPLIT, Fact, Split, SplitPart
from schemas.ids import derive, partition_of
from schemas.paths import steps_of
from services.profile.__main__ import service as profile
from services.segmenter.__main__ import service as segmenter
from services.segmenter.domain import state
from services.warehouse.__main__ import service as warehouse
from tests.profile.test_profile_live import people
from tests.segmenter.live.by_hand import Process, publish
from tests.segmenter.live.test_segmenter_live import define
from tests.support import live
from tests.support.live import T0, driven, fact, read, rows
from tests.support.live import publish as send

MINUTE = 60_000
BUY: dict[str, Any] = {"event": "Order Completed"}


def bought(op: str, value: int, **more: Any) -> dict[str, Any]:
    return {"kind": "did", "event": "Order Completed", "op": op, "value": value, **more}


SEGMENTS = {
    "three": bought("ge", 3),
    "two": bought("eq", 2),
    "one": bought("eq", 1),
    "spent": {"kind": "total", "event": "Order Completed", "sum": "total.minor", "op": "ge", "value": 500},
    "never": {"kind": "not", "of": bought("ge", 1)},
    "kazan": {"kind": "attribute", "name": "city", "op": "eq", "value": "Kazan"},
}


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str, tmp_path: Any) -> Settings:
    return live.settings(kafka, database, topic_prefix, home=tmp_path)


async def test_who_bought_for_another_by_mistake_has_his_own_purchases(config: Settings) -> None:
    await define(config, SEGMENTS)
    ann, bob = "user_id:ann", "email:bob@e.org"
    async with driven(config, profile(), segmenter(config), warehouse(pace_s=0)) as ((context, seg, _), conductor):
        await conductor.settle()

        async def at(instant: int, *facts: Fact) -> None:
            await set_clock(context.db, instant)
            await send(config, facts)
            await conductor.settle()

        def buy(n: int, who: str, minor: int, when: int) -> Fact:
            return fact(f"b{n}", who, at=when, properties={"total": {"minor": minor, "currency": "RUB"}}, **BUY)

        await at(T0 + 10, buy(1, ann, 100, T0 + 1), buy(2, bob, 300, T0 + 2))
        await at(T0 + 20, fact("link", ann, bob, at=T0 + 20, type="identify", event="", attributes={"city": "Kazan"}))
        await at(T0 + 30, buy(3, bob, 400, T0 + 30))
        (one,) = await people(context)
        assert (await standing(seg))[one] == {"three", "spent", "kazan"}
        await at(T0 + 40, fact("part", about=one, type="unmerge", event="", properties={"apart": [bob]}, at=T0 + 40))
        whose = {name: person for person, names in (await people(context)).items() for name in names}
        assert await standing(seg) == {whose[ann]: {"one", "kazan"}, whose[bob]: {"two", "spent"}}
        await at(T0 + 50, buy(4, bob, 1, T0 + 50))
        assert await standing(seg) == {whose[ann]: {"one", "kazan"}, whose[bob]: {"three", "spent"}}
        assert await rows(seg, "SELECT * FROM rebuild") == []
    told = [m for m in await read(config, "memberships") if m["type"] == "entered" and m["profile"] == whose[bob]]
    late = [m for m in told if m["at"] >= T0 + 40]
    loud = [
        m["segment"] for m in late if m.get("why", "fact") in ("fact", "time") or (m["why"] == "merge" and not m.get("carried"))
    ]
    assert loud == ["three"], "nothing but his next purchase starts a journey"
    assert "never" not in {m["segment"] for m in late}


async def standing(context: Context) -> dict[str, set[str]]:
    found = await rows(context, "SELECT id::text AS id, state FROM person WHERE merged_into IS NULL AND erased_at IS NULL")
    return {row["id"]: set(state.decode(row["state"]).members) for row in found}


# ---- by hand: whatever comes first, wherever it is heard


PAT, NED, OLD, HOME = (derive("id", name) for name in ("pat", "ned", "old", "home"))


def split(at: int = T0 + MINUTE, person: str = PAT, **more: Any) -> Fact:
    said = Split(act=derive("act"), parts=(SplitPart(profile=NED, homes=(HOME, OLD), others=(OLD,)),))
    return fact("split", type=PROFILE_SPLIT, event="", profile=person, at=at, properties=msgspec.to_builtins(said), **more)


def news(at: int = T0 + MINUTE) -> Fact:
    said = {"act": derive("act"), "of": PAT}
    return fact("news", "email:n@e.org", type=PROFILE_CHANGED, event="", profile=NED, at=at, properties=said)


def merged(winner: str, loser: str, at: int = T0) -> Fact:
    pair = {"winner": winner, "loser": loser}
    return fact(f"m{loser}", type=PROFILE_MERGED, event="", profile=winner, at=at, properties=pair)


def order(n: int, who: str = PAT, home: str | None = None, at: int = T0 + 1) -> Fact:
    return fact(f"o{n}", at=at, profile=who, home=home, **BUY)


def said(emits: Sequence[Emit]) -> list[tuple[str, str, str, str, bool]]:
    found = [(emit.key, msgspec.json.decode(emit.value)) for emit in emits if emit.type != "mark"]
    return sorted((p, m["segment"], m["type"], m.get("why", "fact"), m.get("carried", False)) for p, m in found)


async def opened(context: Context) -> Process:
    process = Process(context)
    for key in ("three", "one", "never"):
        await publish(context, "segment", key, condition=SEGMENTS[key])
    await process.fire()
    process.now = T0 + 2 * MINUTE
    return process


@pytest.mark.parametrize("split_first", [True, False])
async def test_he_is_told_of_once_both_are_heard_and_starts_nothing(context: Context, split_first: bool) -> None:
    process = await opened(context)
    await process.take(merged(PAT, OLD), order(1), order(2, home=HOME), order(3, OLD))
    halves = [split(), news()] if split_first else [news(), split()]
    assert said(await process.take(halves[0])) == []
    assert said(await process.take(order(4, NED, at=T0 + MINUTE))) == []
    assert said(await process.take(halves[1])) == [(NED, "three", "entered", "merge", True)]
    tombstone = await rows(context, "SELECT merged_into::text AS at FROM person WHERE id = $1", OLD)
    assert tombstone[0]["at"] == NED
    (his,) = await rows(context, "SELECT ids::text[] AS ids, partition FROM rebuild WHERE person = $1", NED)
    assert (sorted(his["ids"]), his["partition"]) == (sorted([NED, OLD]), partition_of(NED, context.settings.partitions))


async def test_what_is_heard_late_goes_to_whom_its_home_says(context: Context) -> None:
    """From the second lane, or told by a process of profile that had not heard: also in the batch of the split itself."""
    process = await opened(context)
    await process.take(merged(PAT, OLD), order(1))
    await process.take(split(), order(2, home=HOME))
    await process.take(news(), order(3, home=HOME), order(4, OLD), order(5, OLD, home=derive("pat's")), order(6))
    counts = {
        row["id"]: sum(s.count for s in state.decode(row["state"]).since.values())
        for row in await rows(context, "SELECT id::text AS id, state FROM person WHERE merged_into IS NULL")
    }
    assert counts == {PAT: 2, NED: 3}


async def test_who_became_one_with_another_meanwhile_is_parted_as_the_other(context: Context) -> None:
    process, (rex, sue) = await opened(context), (derive("id", "rex"), derive("id", "sue"))
    await process.take(merged(PAT, OLD), order(1), order(2, home=HOME), order(7, rex))
    await process.take(news(), merged(rex, PAT), merged(sue, NED))
    await process.take(split())
    waiting = {row["person"]: sorted(row["ids"]) for row in await rows(context, "SELECT person::text, ids::text[] FROM rebuild")}
    assert waiting == {rex: sorted([rex, PAT]), sue: sorted([sue, NED, OLD])}
    aliases = dict(await rows(context, "SELECT id::text, merged_into::text FROM person WHERE merged_into IS NOT NULL"))
    assert aliases == {PAT: rex, NED: sue, OLD: NED} or aliases == {PAT: rex, NED: sue, OLD: sue}


async def test_an_erased_one_is_not_counted_and_a_second_unmerge_asks_anew(context: Context) -> None:
    process = await opened(context)
    await process.take(order(1), order(2, home=HOME), split(), news())
    other = Split(act=derive("more"), parts=(SplitPart(profile=derive("id", "x"), homes=(derive("h"),)),))
    again = fact("again", type=PROFILE_SPLIT, event="", profile=PAT, at=T0 + 2 * MINUTE, properties=msgspec.to_builtins(other))
    await process.take(again)
    gone = {"act": derive("e"), "reason": "", "others": []}
    await process.take(fact("gone", type="profile.erased", event="", profile=NED, at=T0 + 2 * MINUTE, properties=gone))
    waiting = dict(await rows(context, "SELECT person::text, act::text FROM rebuild"))
    assert waiting == {PAT: derive("more"), derive("id", "x"): derive("more")}


def test_properties_come_back_from_their_columns() -> None:
    kinds = {
        "a.b": "int",
        r"k\.1.v": "string",
        "big": "big",
        "gone": "null",
        "o": "object",
        "n": "bool",
        "list": "plain",
        "a.c": "plain",
    }
    values = [1, "s", str(2**70), True, True, None, [1], {"d": []}]
    assert properties([Source("", kind, steps_of(path)) for path, kind in kinds.items()], values) == {
        "a": {"b": 1, "c": {"d": []}},
        "k.1": {"v": "s"},
        "big": 2**70,
        "gone": None,
        "o": {},
        "list": [1],
    }
    assert steps_of("\\\\.x") == ("\\", "x")
