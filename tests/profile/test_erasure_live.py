"""Erasure at its edges, on real Kafka and PostgreSQL: what comes between, what comes late, and what other rules would give back."""

import asyncio

import pytest

from runtime.db import Again
from runtime.settings import Settings
from services.profile import store
from services.profile.__main__ import service
from services.profile.handler.erasure import locked
from tests.profile.test_identity_live import rule
from tests.profile.test_profile_live import handled, people
from tests.support.live import T0, driven, fact, publish, read, rows, running, settings, until

MAIL = "email:x@example.org"


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return settings(kafka, database, topic_prefix)


def erase(person: str, at: int = T0 + 1000, message: str = "erase", **more):
    return fact(message, about=person, type="erase", event="", properties={"reason": "asked", **more}, at=at)


async def names(context) -> set[str]:
    return {row["key"] for row in await rows(context, "SELECT key FROM identifier")}


async def test_a_name_that_came_while_he_was_waited_for_is_not_left_behind(config):
    await publish(config, [fact("1", "user_id:a")])
    async with running(config, service()) as (context,):
        await handled(context, 1)
        (person,) = await people(context)
        async with context.db.transaction() as linking:
            # A batch has given him an address and holds his row; its commit comes while the erasure waits for that.
            await linking.execute("SELECT FROM identifier WHERE profile = $1 FOR UPDATE", person)
            await linking.execute("SELECT FROM profile WHERE id = $1 FOR UPDATE", person)
            erasing = asyncio.create_task(_locked(context, person))
            waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            await until(lambda: _any(context, waits))
            await linking.execute("INSERT INTO identifier (key, profile) VALUES ($1, $2)", MAIL, person)
        with pytest.raises(Again):
            await erasing
        assert (await _locked(context, person)).homes.keys() == {"user_id:a", MAIL}


async def _locked(context, person):
    async with context.db.transaction() as connection:
        return await locked(connection, person)


async def _any(context, query):
    return bool(await rows(context, query))


async def test_late_facts_do_not_bring_an_erased_address_back(config):
    await publish(config, [fact("1", "user_id:a", MAIL, attributes={"email": "x@example.org"})])
    async with running(config, service()) as (context,):
        await handled(context, 1)
        (person,) = await people(context)
        await publish(config, [erase(person, only=["email"])])
        await handled(context, 2)
        late = {"type": "identify", "event": "", "attributes": {"email": "x@example.org", "city": "Omsk"}}
        await publish(config, [fact("2", MAIL, at=T0 + 1, **late), fact("3", "user_id:a", MAIL, at=T0 + 2, **late)], key="late")
        await handled(context, 4)
        assert await names(context) >= {"user_id:a"} and MAIL not in await names(context)
        states = await rows(context, "SELECT state FROM profile")
        assert not any(b"x@example.org" in row["state"] for row in states)
    told = [f for f in await read(config, "facts") if f["received_at"] in (T0 + 1, T0 + 2)]
    assert told and not any("x@example.org" in str(f) for f in told)
    assert all(f["attributes"]["city"] == "Omsk" for f in told if f["type"] == "identify")


@pytest.mark.parametrize("keep", [False, True])
async def test_who_has_nothing_else_goes_whole_unless_he_is_to_be_kept(config, keep):
    await publish(config, [fact("1", MAIL, "anonymous_id:d")])
    async with running(config, service()) as (context,):
        await handled(context, 1)
        (person,) = await people(context)
        await publish(config, [erase(person, only=["email"], keep=keep)])
        await handled(context, 2)
        left = await rows(context, "SELECT id::text AS id FROM profile WHERE erased_at IS NULL")
        assert [row["id"] for row in left] == ([person] if keep else [])
        assert MAIL not in await names(context)


async def test_junk_goes_too_and_other_rules_give_nobody_back(config):
    rules = {"kinds": [{"kind": "user_id", "never_merge": True}], "junk_after": 2}
    async with running(config, service()) as (context,):
        await rule(config, context, **rules)
        await publish(config, [fact(str(n), f"user_id:u{n}", MAIL, at=T0 + n) for n in range(3)], key="one")
        await handled(context, 3)
        assert (await rows(context, "SELECT junk_at FROM identifier WHERE key = $1", MAIL))[0]["junk_at"] is not None
        async with context.db.connection() as connection:
            assert await store.owner_of(connection, MAIL) is None
        person = (await rows(context, "SELECT profile::text FROM identifier WHERE key = 'user_id:u0'"))[0]["profile"]
        await publish(config, [erase(person)])
        await handled(context, 4)
        assert MAIL not in await names(context)
        await rule(config, context, version=2, **rules)
        await publish(config, [fact("new", MAIL, at=T0 + 5000, type="identify", attributes={"city": "Omsk"})])
        await handled(context, 5)
        (owner,) = [p for p, some in (await people(context)).items() if MAIL in some]
        assert owner != person


async def test_what_was_junk_is_found_again_under_other_rules(config):
    rules = {"kinds": [{"kind": "user_id", "never_merge": True}], "junk_after": 2}
    async with running(config, service()) as (context,):
        await rule(config, context, **rules)
        await publish(config, [fact(str(n), f"user_id:u{n}", MAIL, at=T0 + n) for n in range(3)], key="one")
        await handled(context, 3)
        await rule(config, context, version=2, **rules)
        async with context.db.connection() as connection:
            owner = await store.owner_of(connection, MAIL)
            assert owner is not None and MAIL in (await store.person(connection, owner))[1]


async def test_a_batch_that_finds_junk_gives_its_later_facts_to_nobody_as_the_next_batch_would(config):
    rules = {"kinds": [{"kind": "user_id", "never_merge": True}], "junk_after": 2}
    said = fact("said", MAIL, at=T0 + 9, type="identify", event="", attributes={"city": "Omsk"})
    facts = [*(fact(str(n), f"user_id:u{n}", MAIL, at=T0 + n) for n in range(3)), said]
    async with running(config, service()) as (context,):
        await rule(config, context, **rules)
        await publish(config, facts, key="one")
        await handled(context, 4)
        first = (await rows(context, "SELECT profile::text FROM identifier WHERE key = 'user_id:u0'"))[0]["profile"]
        nobody = f"anonymous_id:{said.id}"
        assert {nobody} in (await people(context)).values()
        states = await rows(context, "SELECT state FROM profile WHERE id = $1", first)
        assert b"Omsk" not in states[0]["state"]
    places = [f["_offset"] for f in await read(config, "facts") if f["id"] in {one.id for one in facts}]
    assert len(places) == 4


def deal(message: str, who: str, key: str, at: int = T0, **said):
    return fact(message, who, at=at, event="Deal Updated", source="crm", properties={"deal_id": key, **said})


async def test_a_deal_that_is_somebody_elses_too_stays_without_its_name_and_his_own_goes(config):
    await publish(
        config, [deal("1", "user_id:a", "own", name="Kitchen of Anna"), deal("2", "user_id:a", "both", name="Car of Anna")]
    )
    await publish(config, [deal("3", "user_id:b", "both", at=T0 + 1, product="Lada")])
    await publish(config, [deal("4", "user_id:a", "firm", name="Roof of Anna", account="acme")])
    async with driven(config, service()) as ((context,), conductor):
        await conductor.settle()
        (row,) = await rows(context, "SELECT profile::text AS person FROM identifier WHERE key = 'user_id:a'")
        assert len(await rows(context, "SELECT FROM object WHERE kind = 'deal'")) == 3
        await publish(config, [erase(row["person"])])
        await conductor.settle()
        left = await rows(context, "SELECT state FROM object WHERE kind = 'deal'")
    assert len(left) == 2 and not any(b"Anna" in row["state"] for row in left)
    assert any(b"Lada" in row["state"] for row in left), "what the deal is about is still known to the other one"
