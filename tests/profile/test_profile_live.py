"""The profile service alone on real Kafka and PostgreSQL: who is whom, and what must hold around it."""

from collections import Counter

import pytest

from runtime.settings import Settings
from schemas.facts import encode, extend
from schemas.nesting import MAX_DEPTH
from services.profile.__main__ import service
from tests.support.live import T0, fact, publish, read, rows, running, until


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    from tests.support.live import settings

    return settings(kafka, database, topic_prefix)


async def people(context) -> dict[str, set[str]]:
    """Canonical profile -> its identifiers."""
    found = await rows(context, "SELECT i.key, i.profile::text AS profile FROM identifier i")
    stones = dict(await rows(context, "SELECT id::text, merged_into::text FROM profile WHERE merged_into IS NOT NULL"))
    groups: dict[str, set[str]] = {}
    for row in found:
        person = row["profile"]
        while person in stones:
            person = stones[person]
        groups.setdefault(person, set()).add(row["key"])
    return groups


async def handled(context, count: int) -> None:
    query = "SELECT coalesce(sum(next_offset), 0)::int AS n FROM watermark WHERE topic LIKE 'facts.raw%' AND next_offset > 0"

    async def enough():
        return (await rows(context, query))[0]["n"] >= count and await context.relay.drained()

    await until(enough)


async def test_two_registrations_with_one_email_are_one_profile(config):
    await publish(
        config,
        [
            fact("1", "user_id:a", "email:ann@example.org", source="site"),
            fact("2", "user_id:b", "email:ann@example.org", source="crm"),
            fact("3", "user_id:a", source="site"),
        ],
    )
    async with running(config, service()) as (context,):
        await handled(context, 3)
        groups = await people(context)
    assert list(groups.values()) == [{"user_id:a", "user_id:b", "email:ann@example.org"}]
    told = [f for f in await read(config, "facts") if f["type"] == "profile.merged"]
    assert len(told) <= 1  # none if the e-mail came second to a profile that already had it


async def test_a_bot_player_who_gives_an_email_stays_one_person_with_one_history(config):
    early, late = T0, T0 + 1000
    await publish(config, [fact("1", "telegram_id:7", at=early, source="bot"), fact("2", "email:b@example.org", at=late)])
    async with running(config, service()) as (context,):
        await handled(context, 2)
        assert len(await people(context)) == 2
        await publish(config, [fact("3", "email:b@example.org", "telegram_id:7", at=late + 1)])
        await handled(context, 3)
        ((owner, identifiers),) = (await people(context)).items()
    assert identifiers == {"telegram_id:7", "email:b@example.org"}
    merged = [f for f in await read(config, "facts") if f["type"] == "profile.merged"]
    first = next(f for f in await read(config, "facts") if f["identifiers"] == ["telegram_id:7"])
    assert [(f["properties"]["winner"], f["profile"]) for f in merged] == [(owner, owner)]
    assert owner == first["profile"]  # the survivor is the one who came first
    assert merged[0]["bucketed_at"] == early  # and keeps the smallest bucketing pair


async def test_an_anonymous_visitor_becomes_known_and_a_second_login_on_the_device_is_somebody_else(config):
    await publish(config, [fact(f"view{n}", "anonymous_id:dev", event="Page Viewed") for n in range(3)])
    async with running(config, service()) as (context,):
        await handled(context, 3)
        await publish(
            config, [fact("id1", "user_id:u1", "anonymous_id:dev", at=T0 + 10, type="identify", attributes={"plan": "x"})]
        )
        await handled(context, 4)
        assert list((await people(context)).values()) == [{"user_id:u1", "anonymous_id:dev"}]
        await publish(config, [fact("id2", "user_id:u2", "anonymous_id:dev", at=T0 + 20)])
        await handled(context, 5)
        assert sorted(map(sorted, (await people(context)).values())) == [["anonymous_id:dev", "user_id:u1"], ["user_id:u2"]]


async def test_a_fact_counts_once_however_often_it_comes_and_across_a_restart(config):
    facts = [fact(f"m{n}", f"user_id:{n % 5}") for n in range(50)]
    await publish(config, [*facts, *facts])
    async with running(config, service()) as (context,):
        await handled(context, 100)
    await publish(config, facts)
    async with running(config, service()) as (context,):
        await handled(context, 150)
    seen = Counter(f["id"] for f in await read(config, "facts") if f["type"] == "track")
    assert seen == Counter(f.id for f in facts)


async def test_attributes_are_last_write_wins_by_occurred_at_in_any_order(config):
    person = "user_id:1"
    newer = fact("2", person, at=T0 + 2000, type="identify", attributes={"city": "Kazan", "tier": 1})
    older = fact("1", person, at=T0 + 1000, type="identify", attributes={"city": "Omsk", "age": 30})
    await publish(config, [newer, older])
    async with running(config, service()) as (context,):
        await handled(context, 2)
    state: dict[str, object] = {}
    for told in await read(config, "facts"):
        if told["type"] == "profile.changed":
            state.update(told["attributes"])
    assert state == {"city": [T0 + 2000, "Kazan"], "tier": [T0 + 2000, 1], "age": [T0 + 1000, 30]}


async def test_two_identifiers_on_two_partitions_in_the_same_second_end_as_one_profile(config):
    facts = []
    for n in range(40):
        facts.append(fact(f"a{n}", f"user_id:u{n}", source="site"))
        facts.append(fact(f"b{n}", f"email:p{n}@example.org", source="crm"))
        facts.append(fact(f"c{n}", f"user_id:u{n}", f"email:p{n}@example.org", source="till"))
    await publish(config, facts)
    one = config.model_copy(update={"instance": "profile-0"})
    two = config.model_copy(update={"instance": "profile-1"})
    async with running(one, service()) as (context,), running(two, service()):
        await handled(context, 120)
        groups = await people(context)
    assert sorted(map(sorted, groups.values())) == sorted([f"email:p{n}@example.org", f"user_id:u{n}"] for n in range(40))


async def test_a_chain_of_merges_in_one_batch_ends_in_one_profile(config):
    await publish(
        config,
        [
            fact("1", "user_id:a", source="s"),
            fact("2", "email:b@example.org", source="s"),
            fact("3", "phone:+79161234567", source="s"),
            fact("4", "email:b@example.org", "phone:+79161234567", source="s"),
            fact("5", "user_id:a", "phone:+79161234567", source="s"),
        ],
        key="one partition",
    )
    async with running(config, service()) as (context,):
        await handled(context, 5)
        groups = await people(context)
    assert len(groups) == 1
    facts = await read(config, "facts")
    assert {f["profile"] for f in facts if f["id"] == fact("5").id} == set(groups)


async def test_poison_put_straight_into_the_topic_is_buried_and_its_neighbours_go_on(config):
    bad = [b"\xff\x00", b"{}", b'{"id":"x"}', b"[" * 2000, b'"text"', b"\x00", b'{"id":1}']
    good = [fact(f"g{n}", "user_id:1") for n in range(3)]
    await publish(config, [good[0], *bad, good[1], *bad, good[2]], key="one partition")
    async with running(config, service()) as (context,):
        await handled(context, 3 + 2 * len(bad))
        buried = await rows(context, "SELECT reason, detail FROM dead_letter ORDER BY id")
    assert len(buried) == 2 * len(bad)
    assert {row["reason"] for row in buried} == {"undecodable"}
    assert [f["id"] for f in await read(config, "facts") if f["type"] == "track"] == [g.id for g in good]


async def test_unknown_fields_of_a_later_version_are_passed_on(config):
    raw = fact("1", "user_id:1")
    await publish(config, [extend(encode(raw), b'"later":{"x":[1]}')], key="k")
    async with running(config, service()) as (context,):
        await handled(context, 1)
    (passed, *_) = await read(config, "facts")
    assert passed["later"] == {"x": [1]}
    assert passed["src"].startswith("profile:facts.raw-")


async def test_a_fact_that_makes_somebody_contactable_carries_his_bucketing_pair(config):
    """Who reacts to a registration must know from it where he can be reached and in which group he is."""
    await publish(config, [fact("1", "user_id:a"), fact("2", "user_id:a", "email:a@example.org")])
    async with running(config, service()) as (context,):
        await handled(context, 2)
    told = {f["id"]: f for f in await read(config, "facts")}
    assert "bucketing_id" not in told[fact("1").id]
    changed = next(f for f in told.values() if f["type"] == "profile.changed" and f["cause"] == fact("2").id)
    registered = told[fact("2").id]
    assert registered["identifiers"] == ["user_id:a", "email:a@example.org"]
    assert (registered["bucketing_id"], registered["bucketed_at"]) == (changed["bucketing_id"], changed["bucketed_at"])


async def test_the_second_lane_is_history_whatever_its_facts_say(config):
    await publish(config, [fact("1", "user_id:a")], topic="facts.raw.bulk")
    async with running(config, service()) as (context,):
        await handled(context, 1)
    assert {f["lane"] for f in await read(config, "facts.bulk") if f["type"] == "track"} == {"bulk"}


async def test_a_clock_that_is_far_ahead_fires_nothing_before_its_time(config):
    """received_at of a backend is taken for what it is worth: nobody has received what is still to come."""
    await publish(config, [fact("1", "user_id:a", at=4_000_000_000_000)])
    async with running(config, service()) as (context,):
        await handled(context, 1)
    (passed,) = [f for f in await read(config, "facts") if f["type"] == "track"]
    assert passed["occurred_at"] == passed["received_at"] < 4_000_000_000_000 - 1_000_000


async def test_a_number_that_no_state_can_hold_is_undecodable_and_the_rest_goes_on(config):
    await publish(config, [fact("1", "user_id:a", properties={"n": 2**70}), fact("2", "user_id:a", properties={"n": 2**62})])
    async with running(config, service()) as (context,):
        await handled(context, 2)
        (buried,) = await rows(context, "SELECT reason, detail FROM dead_letter")
    assert buried["reason"] == "undecodable" and "64 bits" in buried["detail"]
    assert [f["properties"] for f in await read(config, "facts") if f["type"] == "track"] == [{"n": 2**62}]


async def test_what_no_reader_bears_is_undecodable_by_its_field_and_the_rest_goes_on(config):
    deep = b"[" * 900 + b"1" + b"]" * 900
    one = encode(fact("1", "user_id:a"))
    bad = [extend(one, b'"properties":{"a":%b}' % deep), extend(one, b'"later":%b' % deep)]
    await publish(config, [*bad, fact("2", "user_id:a", properties=nested(MAX_DEPTH))], key="one partition")
    async with running(config, service()) as (context,):
        await handled(context, 3)
        buried = await rows(context, "SELECT reason, detail FROM dead_letter ORDER BY id")
    assert [row["reason"] for row in buried] == ["undecodable"] * 2
    assert [row["detail"].split(",")[0] for row in buried] == [
        "properties: nested deeper than 32 levels",
        "later: nested deeper than 32 levels",
    ]
    assert [f["id"] for f in await read(config, "facts") if f["type"] == "track"] == [fact("2").id]


def nested(levels: int) -> dict[str, object]:
    """An object of so many levels."""
    found: dict[str, object] = {"n": 1}
    for _ in range(levels - 1):
        found = {"a": found}
    return found
