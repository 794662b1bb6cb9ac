"""The rules of identity in the service: what stays apart, what is junk, and what is told of it."""

import msgspec
import pytest

from runtime.kafka import Producer, create_topics
from runtime.settings import Settings
from schemas.definitions import Published
from schemas.facts import encode
from schemas.topics import DEFINITIONS
from services.profile.__main__ import service
from tests.profile.test_profile_live import handled, people
from tests.support.live import T0, fact, publish, read, rows, running, settings, until

MAIL, PHONE = "email:x@example.org", "phone:+79160000001"


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return settings(kafka, database, topic_prefix)


async def rule(config: Settings, context, version: int = 1, **body: object) -> None:
    """Put rules in force."""
    raw = msgspec.Raw(msgspec.json.encode({"key": "rules", **body}))
    document = Published(kind="identity", key="rules", version=version, body=raw, pointer=True)
    await create_topics(config, [DEFINITIONS])
    producer = await Producer(config, "rules").start()
    await producer.send(DEFINITIONS.name, 0, [(b"identity:rules", encode(document), [])])
    await producer.stop()

    async def there():
        found = await rows(context, "SELECT version FROM definition_current WHERE kind = 'identity'")
        return found and found[0]["version"] == version

    await until(there)


async def told(config, kind="track"):
    return {f["id"]: f for f in await read(config, "facts") if f["type"] == kind}


async def test_an_address_of_somebody_else_stays_his_and_is_nobody_elses_to_write_to(config):
    facts = [fact("1", "user_id:a", MAIL, at=T0), fact("2", "user_id:b", MAIL, at=T0 + 1), fact("3", "user_id:b", MAIL, at=T0 + 2)]
    await publish(config, facts, key="one")
    async with running(config, service()) as (context,):
        await handled(context, 3)
        groups = await people(context)
    assert sorted(map(sorted, groups.values())) == [[MAIL, "user_id:a"], ["user_id:b"]]
    seen = await told(config)
    assert [seen[f.id]["identifiers"] for f in facts] == [["user_id:a", MAIL], ["user_id:b"], ["user_id:b"]]
    assert [seen[f.id].get("contested") for f in facts] == [None, [MAIL], [MAIL]]
    changed = [i for f in await read(config, "facts") if f["type"] == "profile.changed" for i in f.get("identifiers", ())]
    assert sorted(changed) == sorted([MAIL, "user_id:a", "user_id:b"])
    refused = (await told(config, "profile.refused")).values()
    a, b = (person for name in ("user_id:a", "user_id:b") for person, names in groups.items() if name in names)
    assert {(f["profile"], f["properties"]["other"]) for f in refused} == {(a, b), (b, a)}, "of both people, once"
    assert [(f["properties"]["rule"], f["properties"]["by"], f["cause"]) for f in refused] == [
        ("never_merge", "email", facts[1].id)
    ] * 2


async def test_a_contradiction_that_is_known_locks_nobody(config):
    await publish(config, [fact("1", "user_id:a", MAIL), fact("2", "user_id:b", MAIL)], key="one")
    async with running(config, service()) as (context,):
        await handled(context, 2)
        async with context.db.transaction() as other:
            await other.execute("SELECT FROM identifier FOR UPDATE")
            await other.execute("SELECT FROM profile FOR UPDATE")
            await publish(config, [fact("3", "user_id:b", MAIL)], key="one")
            await handled(context, 3)
    assert (await told(config))[fact("3").id]["contested"] == [MAIL]


async def test_other_rules_judge_anew(config):
    await publish(config, [fact("1", "user_id:a", MAIL), fact("2", "user_id:b", MAIL, at=T0 + 1)], key="one")
    async with running(config, service()) as (context,):
        await handled(context, 2)
        await rule(config, context, kinds=[{"kind": "user_id"}])
        await publish(config, [fact("3", "user_id:b", MAIL)], key="one")
        await handled(context, 3)
        assert list((await people(context)).values()) == [{"user_id:a", "user_id:b", MAIL}]
    (merged,) = (await told(config, "profile.merged")).values()
    assert (merged["properties"]["by"], merged["cause"]) == ("user_id+email", fact("3").id)


async def test_the_phone_of_the_till_is_junk_in_the_end_and_nobodys_address(config):
    facts = [fact(f"{n}", f"user_id:u{n}", PHONE, at=T0 + n) for n in range(8)]
    async with running(config, service()) as (context,):
        await rule(config, context, junk_after=3)
        await publish(config, facts, key="one")
        await handled(context, 8)
        async with context.db.transaction() as other:
            await other.execute("SELECT FROM identifier WHERE key = $1 FOR UPDATE", PHONE)
            await publish(config, [fact("new", "user_id:new", PHONE), fact("alone", PHONE)], key="one")
            await handled(context, 10)
        people_ = await people(context)
        found = await rows(context, f"SELECT junk_at, profile::text AS owner FROM identifier WHERE key = '{PHONE}'")
    assert found[0]["junk_at"] == T0 + 3
    seen = await told(config)
    assert seen[fact("new").id]["identifiers"] == ["user_id:new"]
    assert seen[fact("alone").id]["identifiers"] == [f"anonymous_id:{fact('alone').id}"], "nobody we could know again"
    lost = [(f["profile"], f["lost"]) for f in (await told(config, "profile.changed")).values() if "lost" in f]
    assert lost == [(found[0]["owner"], [PHONE])]
    assert {f"user_id:u{n}" for n in range(8)} <= {name for names in people_.values() for name in names}


async def test_refused_values_name_nobody(config):
    async with running(config, service()) as (context,):
        await rule(config, context, kinds=[{"kind": "email", "refused": [" Till@Shop.example "]}])
        await publish(config, [fact("1", "user_id:a", "email:till@shop.example"), fact("2", "email:till@shop.example")], key="one")
        await handled(context, 2)
        names = {name for names in (await people(context)).values() for name in names}
    assert names == {"user_id:a", f"anonymous_id:{fact('2').id}"}


async def test_an_address_over_the_limit_is_a_person_of_its_own_with_a_place_in_the_groups(config):
    async with running(config, service()) as (context,):
        await rule(config, context, kinds=[{"kind": "email", "limit": 1}])
        await publish(config, [fact("1", "user_id:a", "email:a@example.org"), fact("2", "user_id:a", MAIL)], key="one")
        await publish(config, [fact("3", MAIL)], key="one")
        await handled(context, 3)
        groups = await people(context)
    apart = next(person for person, names in groups.items() if names == {MAIL})
    assert (await told(config))[fact("3").id]["profile"] == apart
    (news,) = [f for f in (await told(config, "profile.changed")).values() if f["profile"] == apart]
    assert news["identifiers"] == [MAIL] and news["bucketing_id"]


async def test_people_of_before_the_rules_are_decided_about_by_the_names_in_the_table(config):
    await publish(config, [fact("1", "user_id:a", MAIL), fact("2", "telegram_id:7")], key="one")
    async with running(config, service()) as (context,):
        await handled(context, 2)
        async with context.db.transaction() as connection:
            for row in await connection.fetch("SELECT id, state FROM profile"):
                old = msgspec.msgpack.encode(msgspec.msgpack.decode(row["state"])[:5])
                await connection.execute("UPDATE profile SET state = $2 WHERE id = $1", row["id"], old)
        await rule(config, context, kinds=[{"kind": "email", "limit": 1}])
        await publish(config, [fact("3", "user_id:a", "telegram_id:7"), fact("4", "user_id:a", "email:y@example.org")], key="one")
        await handled(context, 4)
        groups = await people(context)
    assert sorted(map(sorted, groups.values())) == [sorted([MAIL, "telegram_id:7", "user_id:a"]), ["email:y@example.org"]]


async def test_an_alias_joins_a_device_and_no_two_users_and_makes_nobody_of_an_id_that_no_user_has(config):
    def alias(number, new, old):
        return fact(number, f"user_id:{new}", f"user_id:{old}", f"anonymous_id:{old}", type="alias", event="")

    told_ = [fact("1", "anonymous_id:dev"), fact("2", "user_id:a"), fact("3", "user_id:b")]
    await publish(config, [*told_, alias("4", "a", "dev"), alias("5", "a", "b"), alias("6", "new", "never")], key="one")
    async with running(config, service()) as (context,):
        await handled(context, 6)
        groups = await people(context)
    found = sorted(map(sorted, groups.values()))
    assert found == sorted([["anonymous_id:dev", "user_id:a"], ["user_id:b"], ["anonymous_id:never", "user_id:new"]])


@pytest.mark.parametrize("size", [1, 4])
async def test_a_source_that_repeats_what_another_has_told_contradicts_itself_all_the_same(config, size):
    """A site and its backend tell the same ids; which of them was first is chance. size: how many facts come at once."""
    facts = [
        fact("1", "user_id:42", MAIL, source="site"),
        fact("2", "user_id:42", source="backend"),
        fact("3", "user_id:43", MAIL, source="backend"),
        fact("4", "user_id:42", source="backend"),
    ]
    async with running(config, service()) as (context,):
        for first in range(0, 4, size):
            await publish(config, facts[first : first + size], key="one")
            await handled(context, first + size)
        assert sorted(map(sorted, (await people(context)).values())) == [[MAIL, "user_id:42"], ["user_id:43"]]


async def test_what_an_hour_refuses_another_hour_may_join(config):
    told_ = [fact(f"p{n}", f"email:m{n}@example.org", at=T0 + n) for n in range(4)]
    links = [fact(f"l{n}", "user_id:a", f"email:m{n}@example.org", at=T0 + 10 + n) for n in range(4)]
    again = fact("again", "user_id:a", "email:m3@example.org", at=T0 + 3_700_000)
    async with running(config, service()) as (context,):
        await rule(config, context, merges_per_hour=2)
        await publish(config, [*told_, *links], key="one")
        await handled(context, 8)
        assert sorted(map(len, (await people(context)).values())) == [1, 4]
        await publish(config, [again], key="one")
        await handled(context, 9)
        assert sorted(map(len, (await people(context)).values())) == [5]


async def test_devices_are_no_merges_and_aliases_make_nobody_junk(config):
    devices = [fact(f"d{n}", f"anonymous_id:d{n}", at=T0 + n) for n in range(4)]
    logins = [fact(f"l{n}", "user_id:a", f"anonymous_id:d{n}", at=T0 + 10 + n) for n in range(4)]
    mine = fact("v", "user_id:victim", at=T0)
    aliases = [
        fact(f"a{n}", f"user_id:fake{n}", "user_id:victim", "anonymous_id:victim", type="alias", event="", at=T0 + 20 + n)
        for n in range(5)
    ]
    async with running(config, service()) as (context,):
        await rule(config, context, merges=1, merges_per_hour=1, junk_after=3)
        await publish(config, [*devices, *logins, mine, *aliases, fact("order", "user_id:victim", at=T0 + 99)], key="one")
        await handled(context, 15)
        groups = list((await people(context)).values())
    assert {"user_id:a", *(f"anonymous_id:d{n}" for n in range(4))} in groups and {"user_id:victim"} in groups
    assert (await told(config))[fact("order").id]["identifiers"] == ["user_id:victim"]


async def test_an_alias_meets_a_user_whom_its_own_batch_has_made_known(config):
    alias = fact("2", "user_id:42", "user_id:7", "anonymous_id:7", source="shop", type="alias", event="")
    await publish(config, [fact("1", "user_id:7", source="crm"), alias], key="one")
    async with running(config, service()) as (context,):
        await handled(context, 2)
        assert list((await people(context)).values()) == [{"user_id:42", "user_id:7"}]


async def test_the_same_row_under_rules_that_refuse_its_name_is_another_person_and_harms_nobody(config):
    row = fact("F", "email:till@shop.example", at=T0)
    async with running(config, service()) as (context,):
        await publish(
            config, [row, fact("1", "user_id:a", "email:till@shop.example", at=T0, attributes={"city": "Omsk"})], key="one"
        )
        await handled(context, 2)
        await rule(config, context, kinds=[{"kind": "email", "refused": ["till@shop.example"]}])
        await rows(context, "TRUNCATE seen")
        await publish(config, [row, fact("2", "user_id:a", at=T0 + 5, attributes={"age": 30})], key="one")
        await handled(context, 4)
        states = [
            msgspec.msgpack.decode(r["state"])[1]
            for r in await rows(context, "SELECT state FROM profile WHERE merged_into IS NULL")
        ]
    assert sorted(map(sorted, states)) == [[], ["age", "city"]]
