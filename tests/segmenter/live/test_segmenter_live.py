"""profile and segmenter together on real Kafka and PostgreSQL, under the driven clock."""

import msgspec
import pytest

from runtime.kafka import Producer, create_topics
from runtime.settings import Settings
from schemas.definitions import Published
from schemas.facts import PROFILE_MERGED
from schemas.ids import derive, partition_of
from schemas.topics import DEFINITIONS
from services.profile.__main__ import service as profile
from services.segmenter.__main__ import service as segmenter
from tests.support import live
from tests.support.live import T0, driven, fact, publish, read

DAY = 86_400_000
SEGMENTS = {
    "buyers": {"kind": "did", "event": "Order Completed", "op": "ge", "value": 2, "within": 7 * DAY},
    "quiet": {"kind": "not", "of": {"kind": "did", "event": "Order Completed", "op": "ge", "value": 1, "within": 7 * DAY}},
    "kazan": {"kind": "attribute", "name": "city", "op": "eq", "value": "Kazan"},
}


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return live.settings(kafka, database, topic_prefix)


async def define(config: Settings, segments: dict, version: int = 1) -> None:
    await create_topics(config, [DEFINITIONS])
    producer = await Producer(config, "test").start()
    for key, condition in segments.items():
        body = msgspec.Raw(msgspec.json.encode({"key": key, "condition": condition}))
        document = Published(kind="segment", key=key, version=version, body=body, pointer=True, received_at=T0)
        await producer.send("definitions", 0, [(f"segment:{key}@{version}".encode(), msgspec.json.encode(document), [])])
    await producer.stop()


async def story(config: Settings) -> list[tuple]:
    """(segment, change, at, why) of all memberships, without marks."""
    found = [m for m in await read(config, "memberships") if m["type"] != "mark"]
    return sorted((m["segment"], m["at"], m["type"], m.get("why", "fact")) for m in found)


async def play(config: Settings, services, inputs) -> None:
    await define(config, SEGMENTS)
    async with driven(config, *services) as ((context, *_), conductor):
        from runtime.drive import set_clock

        await conductor.settle()
        for at, facts in inputs:
            await set_clock(context.db, at)
            if facts:
                await publish(config, facts)
            await conductor.settle()


async def test_people_enter_and_leave_by_facts_and_by_time_alone(config):
    buy = {"event": "Order Completed"}
    inputs = [
        (T0 + 1000, [fact("1", "user_id:a", at=T0 + 500, **buy)]),
        (T0 + DAY, [fact("2", "user_id:a", at=T0 + DAY, **buy)]),
        (T0 + 2 * DAY, [fact("3", "user_id:a", at=T0 + 2 * DAY, type="identify", event="", attributes={"city": "Kazan"})]),
        (T0 + 12 * DAY, []),
    ]
    await play(config, (profile(), segmenter(config)), inputs)
    assert await story(config) == [
        ("buyers", T0 + DAY, "entered", "fact"),
        ("buyers", T0 + 500 + 7 * DAY, "left", "time"),
        ("kazan", T0 + 2 * DAY, "entered", "fact"),
        ("quiet", T0 + 8 * DAY, "entered", "time"),
    ]


@pytest.mark.long
async def test_two_runs_give_the_same_memberships_byte_for_byte(config):
    buy = {"event": "Order Completed"}
    inputs = []
    for step in range(1, 30):
        at = T0 + step * 2 * DAY
        facts = [fact(f"{step}.{n}", f"user_id:u{(n * step) % 17}", at=at - n, **buy) for n in range(12)]
        facts += [fact(f"v{step}.{n}", f"anonymous_id:d{n}", f"user_id:u{n}", at=at - 50 + n) for n in range(5)]
        inputs.append((at, facts))
    stories = []
    for run in ("one.", "two."):
        one = config.model_copy(update={"topic_prefix": config.topic_prefix + run})
        import asyncpg

        connection = await asyncpg.connect(config.database_url)
        for schema in ("runtime", "profile", "segmenter"):
            await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        await connection.close()
        await play(one, (profile(), segmenter(one)), inputs)
        stories.append(sorted(await read(one, "memberships"), key=lambda m: (m["_partition"], m["_offset"])))
    assert len(stories[0]) > 50
    assert stories[0] == stories[1]


async def test_a_new_version_of_a_segment_moves_everybody_quietly(config):
    await define(config, {"kazan": SEGMENTS["kazan"]})
    async with driven(config, profile(), segmenter(config)) as (_, conductor):
        await conductor.settle()
        say = [
            fact(f"c{n}", f"user_id:u{n}", type="identify", event="", attributes={"city": "Omsk" if n % 2 else "Kazan"})
            for n in range(20)
        ]
        await publish(config, say)
        await conductor.settle()
        await define(config, {"kazan": {**SEGMENTS["kazan"], "value": "Omsk"}}, version=2)
        await conductor.settle()
    told = [(m["type"], m.get("why", "fact"), m["version"]) for m in await read(config, "memberships") if m["type"] != "mark"]
    assert {t: told.count(t) for t in told} == {
        ("entered", "fact", 1): 10,
        ("left", "backfill", 2): 10,
        ("entered", "backfill", 2): 10,
    }


async def test_late_news_of_somebody_merged_is_marked_where_it_was_told(config):
    """It changes where the survivor stands, which is told in his partition: the mark of the fact stands behind that too."""
    names = [derive("person", n) for n in range(20)]
    elder = names[0]
    younger = next(name for name in names if partition_of(name, config.partitions) != partition_of(elder, config.partitions))
    own, his = (partition_of(name, config.partitions) for name in (younger, elder))
    await define(config, {"~journey.j.1.b": SEGMENTS["kazan"]})
    merged = fact("m", at=T0, type=PROFILE_MERGED, event="", profile=elder, properties={"winner": elder, "loser": younger})
    late = fact("f", at=T0, type="identify", event="", profile=younger, attributes={"city": "Kazan"})
    async with driven(config, segmenter(config)) as (_, conductor):
        await conductor.settle()
        await publish(config, [merged], "facts", elder)
        await conductor.settle()
        await publish(config, [late], "facts", younger)
        await conductor.settle()
    told = [
        m for m in await read(config, "memberships") if (m["type"], m.get("topic"), m.get("partition")) == ("mark", "facts", own)
    ]
    assert sorted((m["_partition"], m["parts"], m["offset"]) for m in told) == sorted(
        (p, sorted([own, his]), 1) for p in (own, his)
    )
    there = [m for m in await read(config, "memberships") if (m["_partition"] == his and m["type"] == "entered") or m in told]
    behind = [m["type"] for m in sorted(there, key=lambda m: m["_offset"]) if m["_partition"] == his]
    assert behind == ["entered", "mark"]
    others = [m for m in await read(config, "memberships") if m["type"] == "mark" and m not in told]
    assert others and not any("parts" in m for m in others)
