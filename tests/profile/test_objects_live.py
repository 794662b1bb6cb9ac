"""Companies and deals on real Kafka and PostgreSQL: who belongs, what everybody is told, whatever the order and whoever is merged."""

import itertools
import json

import pytest

from runtime.settings import Settings
from schemas.ids import derive
from services.profile.__main__ import service
from services.profile.domain.accounts import account_id
from tests.profile.test_profile_live import handled
from tests.support.live import T0, driven, fact, publish, read, rows, running, settings, until

ANN, BOB, CEO = "user_id:ann", "user_id:bob", "user_id:ceo"


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return settings(kafka, database, topic_prefix)


def group(message: str, who: str, key: str = "acme", at: int = T0, brand: str = "shop", **traits):
    return fact(message, who, at=at, brand=brand, type="group", event="", properties={**traits, "group_id": key})


def deal(message: str, who: str, at: int = T0, key: str = "7", **said):
    return fact(message, who, at=at, event="Deal Updated", source="crm", properties={"deal_id": key, **said})


async def known(context, name: str, attribute: str = "account"):
    """What stands in the profile of whom this identifier names."""
    import msgspec

    from services.profile.domain import Profile

    query = """SELECT p.state, w.state AS winner FROM identifier i JOIN profile p ON p.id = i.profile
               LEFT JOIN profile w ON w.id = p.merged_into WHERE i.key = $1"""
    (row,) = await rows(context, query, name)
    profile = msgspec.msgpack.Decoder(Profile).decode(row["winner"] or row["state"])
    return profile.attributes.get(attribute, (0, None))[1]


async def told(config, event: str) -> list[dict]:
    return [one for one in await read(config, "facts") if event in (one.get("event"), one["type"])]


async def test_every_member_knows_the_company_and_his_own_role_whoever_tells_of_it(config):
    async with driven(config, service()) as ((context,), conductor):
        await publish(config, [group("1", ANN, role="buyer", name="Acme", employees=5)])
        await publish(config, [group("2", CEO, at=T0 + 1, role="director", kind="legal", email="office@acme.example")])
        await conductor.settle()
        common = {"id": "acme", "kind": "legal", "name": "Acme", "employees": 5}
        assert await known(context, ANN) == {**common, "role": "buyer"}
        assert await known(context, CEO) == {**common, "role": "director"}, "an address of the company is no member's attribute"
        await publish(config, [group("3", CEO, at=T0 + 2, employees=6, kind="galaxy")])
        await publish(config, [group("4", CEO, at=T0 + 1, employees=9, name=None)], key="late")
        await conductor.settle()
        assert await known(context, ANN) == {"id": "acme", "kind": "legal", "employees": 6, "role": "buyer"}
        left = fact("5", ANN, at=T0 + 3, event="Account Left", properties={"group_id": "acme"})
        await publish(config, [left])
        await conductor.settle()
        assert await known(context, ANN) is None
        (row,) = await rows(context, "SELECT told FROM affiliate WHERE told LIKE '%director%'")
        assert json.loads(row["told"])["account"]["employees"] == 6
    changes = await told(config, "belonging.changed")
    assert all(one["profile"] and not one.get("identifiers") for one in changes)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_of_two_companies_the_one_that_was_named_last_counts_in_any_order(config, order):
    facts = [
        group("1", ANN, "old", T0 + 1, name="Old"),
        group("2", ANN, "new", T0 + 2, name="New"),
        group("3", BOB, "old", T0 + 3, name="Older", city="Omsk"),
        group("4", BOB, "new", T0 + 1, name="Newer", city="Kazan"),
    ]
    async with driven(config, service()) as ((context,), conductor):
        for number in order:
            await publish(config, [facts[number]])
            await conductor.settle()
        assert await known(context, ANN) == {"id": "new", "kind": "unknown", "name": "New", "city": "Kazan"}
        assert await known(context, BOB) == {"id": "old", "kind": "unknown", "name": "Older", "city": "Omsk"}


async def test_people_who_become_one_belong_once_and_are_told_what_is_true_then(config):
    async with driven(config, service()) as ((context,), conductor):
        await publish(config, [group("1", "user_id:a", role="buyer", name="Acme"), group("2", BOB)])
        await publish(config, [group("3", "email:a@example.org", "globex", T0 + 5, role="director", name="Globex")])
        await publish(config, [group("4", "email:a@example.org", "acme", T0 + 1, role="owner")])
        await conductor.settle()
        await publish(config, [fact("5", "user_id:a", "email:a@example.org", at=T0 + 10)])
        await conductor.settle()
        assert await known(context, "user_id:a") == {"id": "globex", "kind": "unknown", "name": "Globex", "role": "director"}
        await publish(config, [fact("6", "user_id:a", at=T0 + 11, event="Account Left", properties={"group_id": "globex"})])
        await conductor.settle()
        assert await known(context, "user_id:a") == {"id": "acme", "kind": "unknown", "name": "Acme", "role": "owner"}
        members = await rows(context, "SELECT profile FROM belonging WHERE object = $1", account_id("acme"))
        assert len(members) == 2
        assert len(await rows(context, "SELECT FROM affiliate")) == 2


async def test_a_batch_in_which_somebody_joins_leaves_and_is_merged(config):
    facts = [
        group("1", "user_id:a", name="Acme"),
        group("2", "email:a@example.org", at=T0 + 1, role="director"),
        fact("3", "user_id:a", "email:a@example.org", at=T0 + 2),
        group("4", BOB, at=T0 + 3, city="Omsk"),
    ]
    async with driven(config, service()) as ((context,), conductor):
        await publish(config, facts, key="one")
        await conductor.settle()
        expected = {"id": "acme", "kind": "unknown", "name": "Acme", "city": "Omsk"}
        assert await known(context, "user_id:a") == {**expected, "role": "director"}
        assert await known(context, BOB) == expected


async def test_two_processes_that_hear_of_the_same_companies_at_once_tell_everybody_the_same(config):
    """Members of two companies, merges among them, and news of both, on all partitions."""
    facts = []
    for n in range(30):
        at, other = T0 + 10 * n, "ab"[n % 2]
        facts.append(group(f"j{n}", f"user_id:u{n}", "a", at, role=f"r{n}"))
        facts.append(group(f"k{n}", f"email:p{n}@example.org", "b", at + 5))
        facts.append(fact(f"m{n}", f"user_id:u{n}", f"email:p{n}@example.org", at=at + 6, source="till"))
        facts.append(group(f"n{n}", f"user_id:u{29 - n}", other, at + 7, name=f"{other}{n}", rank=n))
    last = {"a": {"name": "a28", "rank": 28}, "b": {"name": "b29", "rank": 29}}
    # Of the one at n the fact `n` is the later one where n >= 15, else that of his address.
    expected = {f"user_id:u{29 - n}": "ab"[n % 2] if n >= 15 else "b" for n in range(30)}
    one, two = (config.model_copy(update={"instance": f"profile-{n}"}) for n in range(2))
    async with running(one, service()) as (context,), running(two, service()):
        await publish(config, facts)
        for name, key in expected.items():

            async def as_it_should_be(name=name, key=key):
                found = await known(context, name) if await rows(context, "SELECT FROM identifier WHERE key = $1", name) else None
                return found is not None and {n: found.get(n) for n in ("id", "name", "rank")} == {"id": key, **last[key]}

            await until(as_it_should_be, 60)
        assert await rows(context, "SELECT FROM dead_letter") == []
        assert len(await rows(context, "SELECT FROM affiliate")) == 30


async def test_what_a_colleague_bought_is_told_to_the_others_once(config):
    bought = fact("9", ANN, at=T0 + 5, event="Order Completed", properties={"total": 5}, context={"groupId": "acme"})
    async with driven(config, service()) as ((context,), conductor):
        await publish(config, [group("1", ANN), group("2", BOB), group("3", CEO)])
        await publish(config, [fact("4", CEO, at=T0 + 1, event="Account Left", properties={"group_id": "acme"})])
        await conductor.settle()
        await publish(config, [bought, bought])
        await conductor.settle()
        bob = (await rows(context, "SELECT profile::text AS p FROM identifier WHERE key = $1", BOB))[0]["p"]
    (copy,) = await told(config, "Account Order Completed")
    assert (copy["profile"], copy["type"], copy["cause"], copy["occurred_at"]) == (bob, "account", bought.id, T0 + 5)
    assert copy["properties"] == {"total": 5, "group_id": "acme"}


async def test_a_deal_out_of_order_ends_the_same_with_a_sorted_history_and_each_change_is_told_once(config):
    facts = [
        deal("1", ANN, T0 + 1, pipeline="sales", stage="new", amount={"minor": 100, "currency": "RUB"}),
        deal("2", ANN, T0 + 2, stage="offer", manager="Igor"),
        deal("3", ANN, T0 + 3, stage="offer", product="course"),
        deal("4", ANN, T0 + 4, stage="closed", status="lost", reason_lost="too expensive"),
    ]
    async with driven(config, service()) as ((context,), conductor):
        for number in (3, 0, 2, 1):
            await publish(config, [facts[number]])
            await conductor.settle()
        summary = await known(context, ANN, "deals")
        assert (summary["lost"], summary["open"], summary["stages"], summary["reasons"]) == (1, 0, [], ["too expensive"])
        assert summary["last"]["amount"] == {"minor": 100, "currency": "RUB"} and summary["last"]["manager"] == "Igor"
        await publish(config, [deal("5", ANN, T0 + 5, "8", pipeline="sales", stage="new")])
        await publish(config, [deal("6", ANN, T0 + 6, "9", pipeline="corp", stage="call")])
        await conductor.settle()
        summary = await known(context, ANN, "deals")
        assert (summary["open"], summary["stages"], summary["manager"]) == (2, ["corp/call", "sales/new"], {})
    moves = [(one["properties"]["deal_id"], one["properties"]["stage"]) for one in await told(config, "Deal Stage Changed")]
    assert sorted(moves) == [("7", "closed"), ("7", "new"), ("7", "offer"), ("8", "new"), ("9", "call")]
    (lost,) = await told(config, "Deal Lost")
    assert lost["properties"]["reason_lost"] == "too expensive" and lost["properties"]["of"] == "person"
    assert (lost["occurred_at"], lost["cause"]) == (T0 + 4, facts[3].id)


async def test_a_deal_of_a_company_is_told_to_its_members_and_seen_in_the_company(config):
    async with driven(config, service()) as ((context,), conductor):
        await publish(config, [group("1", ANN, role="buyer"), group("2", CEO, role="director")])
        await conductor.settle()
        await publish(config, [deal("3", "user_id:agent", T0 + 1, account="acme", pipeline="b2b", stage="new")])
        await conductor.settle()
        for who in (ANN, CEO):
            assert (await known(context, who))["deals"]["stages"] == ["b2b/new"]
            assert await known(context, who, "deals") is None
        await publish(config, [deal("4", "user_id:agent", T0 + 2, account="globex", stage="offer")])
        await conductor.settle()
        assert "deals" not in await known(context, ANN), "the deal went to another company"
    assert sorted(one["properties"]["of"] for one in await told(config, "Deal Stage Changed")) == [
        "account",
        "account",
        "person",
        "person",
    ]


async def test_a_fact_that_says_nothing_of_a_company_or_deal_is_buried_with_the_mend_and_loses_no_other(config):
    bad = [
        fact("1", ANN, type="group", event="", properties={"name": "Acme"}),
        deal("2", ANN, key=""),
        deal("3", ANN, status="sold"),
        fact("4", ANN, event="Account Left"),
    ]
    async with driven(config, service()) as ((context,), conductor):
        await publish(config, [*bad, group("5", ANN)], key="one")
        await conductor.settle()
        await handled(context, 5)
        letters = await rows(context, "SELECT detail FROM dead_letter ORDER BY id")
        assert await known(context, ANN) == {"id": "acme", "kind": "unknown"}
    details = " ".join(letter["detail"] for letter in letters)
    assert len(letters) == 4 and all(field in details for field in ("group_id", "deal_id", "open, won, lost"))


async def test_of_somebody_erased_no_place_no_deal_and_no_brand_is_left(config):
    async with driven(config, service()) as ((context,), conductor):
        await publish(config, [group("1", ANN, name="Acme", role="buyer"), group("2", BOB)])
        await publish(config, [deal("3", ANN, stage="new"), deal("4", ANN, key="8"), deal("5", BOB, key="8", account="acme")])
        await conductor.settle()
        (row,) = await rows(context, "SELECT profile::text AS p FROM identifier WHERE key = $1", ANN)
        erase = fact("6", at=T0 + 1, type="erase", event="", about=row["p"], properties={"reason": "asked"})
        await publish(config, [erase], key="one")
        await conductor.settle()
        await publish(config, [group("7", BOB, at=T0 + 2, city="Omsk")])
        await conductor.settle()
        for table in ("belonging", "affiliate", "profile_brand"):
            assert await rows(context, f"SELECT FROM {table} WHERE profile = $1", row["p"]) == []
        assert [one["key"] for one in await rows(context, "SELECT key FROM object WHERE kind = 'deal'")] == ["8"]
        assert (await known(context, BOB))["city"] == "Omsk"


async def test_brands_in_which_somebody_was_seen_are_known_and_inherited(config):
    async with driven(config, service()) as ((context,), conductor):
        await publish(config, [fact("1", ANN, brand="a"), fact("2", "email:a@example.org", brand="b"), fact("3", BOB, brand="b")])
        await publish(config, [group("4", ANN, brand="a"), group("5", BOB, brand="b", at=T0 + 1, name="Acme")])
        await conductor.settle()
        await publish(config, [fact("6", ANN, "email:a@example.org", brand="a", at=T0 + 2)])
        await conductor.settle()
        query = (
            "SELECT b.brand FROM profile_brand b JOIN profile p ON p.id = b.profile WHERE p.merged_into IS NULL AND p.id = $1::uuid"
        )
        found = {}
        for name in (ANN, BOB):
            (row,) = await rows(
                context,
                "SELECT coalesce(p.merged_into, p.id)::text AS p FROM identifier i JOIN profile p ON p.id = i.profile WHERE i.key = $1",
                name,
            )
            found[name] = sorted(one["brand"] for one in await rows(context, query, row["p"]))
    assert found == {ANN: ["a", "b"], BOB: ["b"]}, "what a company's fact of another brand made be told of him does not count"
    assert derive("account", "acme") == account_id("acme")
