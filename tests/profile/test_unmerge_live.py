"""A wrong merge is taken back on real Kafka and PostgreSQL: whose identifiers, facts and ids are whose afterwards."""

import pytest

from runtime.settings import Settings
from services.profile import store
from services.profile.__main__ import service
from tests.profile.test_charges_live import ask
from tests.profile.test_profile_live import handled, people
from tests.support.live import T0, fact, publish, read, rows, running, settings


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return settings(kafka, database, topic_prefix)


def parting(person: str, *apart: str, message: str = "part", at: int = T0 + 100):
    return fact(message, about=person, type="unmerge", event="", properties={"apart": apart, "reason": "a slip"}, at=at)


async def test_who_was_merged_by_mistake_is_two_again_and_no_fact_makes_them_one(config):
    ann, bob = "user_id:ann", "email:bob@e.org"
    await publish(
        config, [fact("1", ann, at=T0, attributes={"city": "Omsk"}), fact("2", bob, at=T0 + 1, attributes={"plan": "pro"})]
    )
    async with running(config, service()) as (context,):
        await handled(context, 2)
        whose = {next(iter(names)): person for person, names in (await people(context)).items()}
        await publish(config, [fact("3", ann, bob, at=T0 + 2), fact("4", bob, at=T0 + 3, attributes={"city": "Perm"})])
        await handled(context, 4)
        (one,) = await people(context)
        assert one == whose[ann]
        await publish(config, [parting(one, bob)])
        await handled(context, 5)
        groups = await people(context)
        assert sorted(map(sorted, groups.values())) == [[bob], [ann]]
        other = next(person for person, names in groups.items() if bob in names)
        # The link comes again: it is refused, on both timelines; each has his own facts.
        await publish(
            config, [fact("5", ann, bob, at=T0 + 200), fact("6", bob, at=T0 + 201), fact("7", about=whose[bob], at=T0 + 202)]
        )
        await handled(context, 8)
        assert await people(context) == groups
        homes = {row["key"]: row["home"] for row in await rows(context, "SELECT key, home::text AS home FROM identifier")}
    told = await read(config, "facts")
    by_id = {f["id"]: f for f in told}
    seen = {n: by_id[fact(str(n)).id] for n in (1, 2, 3, 4, 5, 6, 7)}
    assert [seen[n]["profile"] for n in (5, 6, 7)] == [one, other, other]
    assert [seen[n].get("home", seen[n]["profile"]) for n in (1, 3, 4, 5, 6)] == [homes[n] for n in (ann, ann, bob, ann, bob)]
    (split,) = [f for f in told if f["type"] == "profile.split"]
    assert split["profile"] == one and split["lost"] == [bob] and split["attributes"] == {"city": [T0, "Omsk"]}
    assert split["properties"]["stay"] == [] and split["properties"]["parts"] == [
        {"profile": other, "homes": [homes[bob]], "others": [whose[bob]], "words": {}}
    ]
    (fresh,) = [f for f in told if f["type"] == "profile.changed" and f["profile"] == other and f["identifiers"]]
    assert fresh["properties"] == {"act": fact("part").id, "of": one}
    assert fresh["attributes"] == {"plan": [T0 + 1, "pro"], "city": [T0 + 3, "Perm"]}
    refused = [f for f in told if f["type"] == "profile.refused"]
    assert {f["profile"] for f in refused} == {one, other} and {f["properties"]["rule"] for f in refused} == {"unmerged"}


async def test_the_parts_can_be_parted_once_more(config):
    names = ("user_id:a", "email:b@e.org", "phone:+79160000001")
    await publish(config, [fact(str(n), *pair, at=T0 + n) for n, pair in enumerate(((names[0],), names[:2], names[1:]))], key="k")
    async with running(config, service()) as (context,):
        await handled(context, 3)
        (one,) = await people(context)
        await publish(config, [parting(one, *names[1:])])
        await handled(context, 4)
        groups = await people(context)
        assert sorted(map(sorted, groups.values())) == [sorted(names[1:]), [names[0]]]
        other = next(person for person in groups if person != one)
        await publish(config, [parting(other, names[2], message="again", at=T0 + 300)])
        await handled(context, 5)
        assert sorted(map(sorted, (await people(context)).values())) == sorted([name] for name in names)
        await publish(config, [fact("x", names[0], names[2], at=T0 + 400), fact("y", names[1], names[2], at=T0 + 401)], key="k")
        await handled(context, 7)
        assert len(await people(context)) == 3


async def test_nothing_is_told_where_nothing_is_to_be_parted(config):
    await publish(config, [fact("1", "user_id:a", "email:a@e.org")])
    async with running(config, service()) as (context,):
        await handled(context, 1)
        (one,) = await people(context)
        await publish(config, [parting(one, "user_id:a", "email:a@e.org"), parting(one, "phone:+79160000001", message="other")])
        await handled(context, 3)
        assert list(await people(context)) == [one]
    assert not [f for f in await read(config, "facts") if f["type"] == "profile.split"]


async def test_words_of_consent_go_to_whom_they_are_of_and_the_ledger_stays_whole(config):
    ann, bob = "user_id:ann", "email:bob@e.org"
    grants, refuses = {"event": "Consent Granted"}, {"event": "Consent Withdrawn"}
    news, sms = {"properties": {"channel": "email", "topic": "news"}}, {"properties": {"channel": "sms", "topic": "*"}}
    await publish(config, [fact("1", ann, at=T0, **grants, **news), fact("2", bob, at=T0 + 1, **refuses, **sms)], key="k")
    async with running(config, service()) as (context,):
        await handled(context, 2)
        before = {next(iter(names)): person for person, names in (await people(context)).items()}
        words = [fact("4", bob, at=T0 + 3, **refuses, **news), fact("5", ann, at=T0 + 4, **grants, **sms)]
        await publish(config, [fact("3", ann, bob, at=T0 + 2), *words], key="k")
        await handled(context, 5)
        (one,) = await people(context)
        await publish(config, [parting(one, bob)])
        await handled(context, 6)
        other = next(person for person, names in (await people(context)).items() if bob in names)
        ids = {"ann": [one], "bob": [other, before[bob]]}
        async with context.db.connection() as connection:
            kept = {who: [entry.fact for entry in await store.entries(connection, of, 10)] for who, of in ids.items()}
        rows_ = await rows(context, "SELECT partition FROM consent")
        verified = await ask(context, "/internal/consents/verify")
    assert kept == {"ann": [fact("5").id, fact("1").id], "bob": [fact("4").id, fact("2").id]}
    assert len(rows_) == 4 and verified["broken"] == []
    (split,) = [f for f in await read(config, "facts") if f["type"] == "profile.split"]
    said = split["properties"]
    assert {key: word[:2] for key, word in said["words"].items()} == {"shop|email|news": [T0, -1], "shop|sms|*": [T0 + 4, -1]}
    assert {key: word[:2] for key, word in said["parts"][0]["words"].items()} == {
        "shop|email|news": [-1, T0 + 3],
        "shop|sms|*": [-1, T0 + 1],
    }
    assert split["identifiers"] == [ann]
