"""Charges through the profile service on real Kafka and PostgreSQL: one fact a day, exact whatever comes between."""

from collections import Counter

import httpx
import msgspec
import pytest

from runtime import health, internal
from runtime.batch import Item, Tx
from runtime.drive import Conductor, set_clock
from runtime.process import secret
from runtime.settings import Settings
from schemas.charges import CHARGE, ROLLED_UP
from schemas.definitions import Published
from schemas.facts import Fact, encode
from schemas.ids import derive
from services.profile.__main__ import service
from services.profile.domain.charges import GRACE_MS
from services.profile.handler.charges import Charged, Charges
from tests.profile.test_profile_live import handled
from tests.support.live import driven, fact, publish, read, rows, running, settings

HOUR, DAY = 3_600_000, 86_400_000
T0 = 1_798_761_600_000  # 2027-01-01 00:00 UTC


@pytest.fixture
def config(kafka: str, database: str, topic_prefix: str) -> Settings:
    return settings(kafka, database, topic_prefix)


def charge(name: str, who: str, at: int, minor: int = 100, product: str = "vm", received_at: int | None = None, **more) -> Fact:
    amount = {"minor": minor, "currency": "RUB"}
    given = {"event": CHARGE, "source": "billing", "properties": {"product": product, "amount": amount}, **more}
    return fact(name, who, at=at, **{**given, "received_at": at if received_at is None else received_at})


def hourly(who: str, days: int, minor: int = 100, product: str = "vm") -> list[Fact]:
    return [charge(f"{who}-{product}-{n}", who, T0 + n * HOUR, minor, product) for n in range(24 * days)]


def told(facts: list[dict]) -> list[tuple]:
    """(profile, product, day, minor, count) of what was told of charges."""
    said = [(f["profile"], f["properties"]) for f in facts if f.get("event") == ROLLED_UP]
    return sorted((who, p["product"], p["day"], p["amount"]["minor"], p["count"]) for who, p in said)


async def pass_to(config: Settings, conductor: Conductor, contexts, at: int) -> None:
    await set_clock(contexts[0].db, at)
    await conductor.settle()


async def profile_of(context, identifier: str) -> str:
    return (await rows(context, "SELECT profile::text AS id FROM identifier WHERE key = $1", identifier))[0]["id"]


async def test_a_fact_a_product_and_day_when_the_day_is_over_and_none_of_the_charges(config):
    await publish(config, [*hourly("user_id:a", 2), *hourly("user_id:b", 2, 5, "disk")])
    async with driven(config, service(), at=T0 + 2 * DAY + GRACE_MS - 1) as (contexts, conductor):
        await conductor.settle()
        a, b = [await profile_of(contexts[0], f"user_id:{who}") for who in "ab"]
        first = await read(config, "facts")
        assert told(first) == sorted([(a, "vm", "2027-01-01", 2400, 24), (b, "disk", "2027-01-01", 120, 24)])
        assert not [f for f in first if f.get("event") == CHARGE]
        assert len(await rows(contexts[0], "SELECT FROM charge")) == 2, "the second day is open"
        await pass_to(config, conductor, contexts, T0 + 2 * DAY + GRACE_MS)
        second = await read(config, "facts")
        assert not await rows(contexts[0], "SELECT FROM charge")
    assert len(told(second)) == 4 and sum(minor for *_, minor, _ in told(second)) == 2 * (2400 + 120)
    one = next(f for f in second if f.get("event") == ROLLED_UP and f["profile"] == a)
    assert (one["brand"], one["type"]) == ("shop", "track")
    assert one["occurred_at"] == one["properties"]["last_at"] == T0 + 23 * HOUR and one["received_at"] == T0 + DAY + GRACE_MS


async def test_the_day_is_of_the_brands_time_zone(config):
    body = msgspec.Raw(b'{"key":"shop","name":"Shop","time_zone":"Asia/Omsk"}')
    brand = Published(
        kind="brand",
        key="shop",
        version=1,
        body=body,
        pointer=True,
        received_at=1,
    )
    await publish(config, [encode(brand)], topic="definitions")
    async with driven(config, service(), at=T0) as (contexts, conductor):
        await conductor.settle()
        await publish(
            config, [charge("1", "user_id:a", T0 + 17 * HOUR), charge("2", "user_id:a", T0 + 18 * HOUR)]
        )  # Omsk: UTC + 6 h
        await pass_to(config, conductor, contexts, T0 + 18 * HOUR + GRACE_MS)
        assert [one[2:] for one in told(await read(config, "facts"))] == [("2027-01-01", 100, 1)]


async def test_what_comes_twice_counts_once_and_what_comes_late_is_told_by_itself(config):
    day = hourly("user_id:a", 1)
    await publish(config, [*day, *day])
    async with driven(config, service(), at=T0 + DAY + GRACE_MS) as (contexts, conductor):
        await conductor.settle()
        a = await profile_of(contexts[0], "user_id:a")
        late = [charge(f"late{n}", "user_id:a", T0 + n, 7, received_at=T0 + DAY + 2 * HOUR) for n in range(3)]
        await publish(config, [*late, *day])
        await pass_to(config, conductor, contexts, T0 + DAY + 2 * HOUR)
        assert told(await read(config, "facts")) == [(a, "vm", "2027-01-01", 2400, 24)]
        await pass_to(config, conductor, contexts, T0 + DAY + 2 * HOUR + GRACE_MS)
        assert told(await read(config, "facts")) == [(a, "vm", "2027-01-01", 21, 3), (a, "vm", "2027-01-01", 2400, 24)]


async def test_a_merge_brings_what_is_open_to_the_winner(config):
    facts = [
        charge("1", "user_id:a", T0),
        charge("2", "email:a@example.org", T0 + 1, 7),
        charge("3", "email:a@example.org", T0 + 2, 9, "disk"),
    ]
    await publish(config, facts, key="one")
    async with driven(config, service(), at=T0 + HOUR) as (contexts, conductor):
        await conductor.settle()
        a = await profile_of(contexts[0], "user_id:a")
        assert len(await rows(contexts[0], "SELECT FROM charge WHERE profile <> $1::uuid", a)) == 2
        link = fact("4", "user_id:a", "email:a@example.org", at=T0 + HOUR, source="billing")
        await publish(config, [link, charge("5", "email:a@example.org", T0 + HOUR, 1)], key="one")
        await pass_to(config, conductor, contexts, T0 + HOUR)
        assert not await rows(contexts[0], "SELECT FROM charge WHERE profile <> $1::uuid", a)
        await pass_to(config, conductor, contexts, T0 + DAY + GRACE_MS)
    assert told(await read(config, "facts")) == [(a, "disk", "2027-01-01", 9, 1), (a, "vm", "2027-01-01", 108, 3)]


async def test_a_charge_that_found_somebody_while_he_was_merged_away_is_told_as_the_winners(config):
    facts = [
        charge("1", "user_id:a", T0),
        fact("2", "email:a@example.org", at=T0 + 1),
        fact("3", "user_id:a", "email:a@example.org", at=T0 + 2),
    ]
    await publish(config, facts, key="one")
    async with driven(config, service(), at=T0 + HOUR) as (contexts, conductor):
        await conductor.settle()
        a = await profile_of(contexts[0], "user_id:a")
        stone = (await rows(contexts[0], "SELECT id::text AS id FROM profile WHERE merged_into IS NOT NULL"))[0]["id"]
        stray = "INSERT INTO charge SELECT $1::uuid, brand, product, currency, day, lane, partition, $2::uuid, 5, 1, first_at, last_at, due_at FROM charge"
        await rows(contexts[0], stray + " RETURNING 1", stone, derive("stray"))
        shown = (await ask(contexts[0], f"/internal/profiles/{a}"))["charges"]
        assert [(one["amount"], one["count"]) for one in shown] == [({"minor": 105, "currency": "RUB"}, 2)]
        await pass_to(config, conductor, contexts, T0 + DAY + GRACE_MS)
        assert not await rows(contexts[0], "SELECT FROM charge")
    assert told(await read(config, "facts")) == [(a, "vm", "2027-01-01", 105, 2)]


async def test_of_somebody_who_is_erased_nothing_is_told_any_more(config):
    await publish(config, [charge("1", "user_id:a", T0), charge("2", "user_id:b", T0, 7)])
    async with driven(config, service(), at=T0 + HOUR) as (contexts, conductor):
        await conductor.settle()
        a, b = [await profile_of(contexts[0], f"user_id:{who}") for who in "ab"]
        erase = fact("3", at=T0 + HOUR, type="erase", event="", about=a, properties={"reason": "asked"})
        await publish(config, [erase, charge("4", "user_id:b", T0 + HOUR, 1)], key="one")
        await pass_to(config, conductor, contexts, T0 + HOUR)
        assert {row["id"] for row in await rows(contexts[0], "SELECT profile::text AS id FROM charge")} == {b}
        stray = "INSERT INTO charge SELECT $1::uuid, brand, product, currency, day, lane, partition, $2::uuid, 5, 1, first_at, last_at, due_at FROM charge"
        await rows(contexts[0], stray + " RETURNING 1", a, derive("stray"))  # it found him while he was being erased
        await pass_to(config, conductor, contexts, T0 + DAY + GRACE_MS)
        assert not await rows(contexts[0], "SELECT FROM charge")
    assert told(await read(config, "facts")) == [(b, "vm", "2027-01-01", 8, 2)]


async def ask(context, path: str) -> dict:
    given = secret(context.settings)
    headers = {"authorization": f"Bearer {internal.token(given)}"}
    transport = httpx.ASGITransport(health.app([context], given))
    async with httpx.AsyncClient(transport=transport, base_url="http://inside", headers=headers) as client:
        return (await client.get(path)).json()


async def test_the_open_days_of_a_person_are_shown(config):
    await publish(config, hourly("user_id:a", 1)[:5])
    async with driven(config, service(), at=T0 + 5 * HOUR) as (contexts, conductor):
        await conductor.settle()
        found = await ask(contexts[0], "/internal/profiles?identifier=user_id:a")
    (day,) = found["charges"]
    assert day == {
        "brand": "shop", "product": "vm", "day": "2027-01-01", "lane": "live", "amount": {"minor": 500, "currency": "RUB"},
        "count": 5, "first_at": T0, "last_at": T0 + 4 * HOUR,
    }  # fmt: skip


async def test_history_is_told_over_the_second_lane(config):
    await publish(config, hourly("user_id:a", 1), topic="facts.raw.bulk")
    async with driven(config, service(), at=T0 + DAY + GRACE_MS) as (_, conductor):
        await conductor.settle()
    assert [one[2:] for one in told(await read(config, "facts.bulk"))] == [("2027-01-01", 2400, 24)]
    assert [f["lane"] for f in await read(config, "facts.bulk") if f.get("event") == ROLLED_UP] == ["bulk"]
    assert not told(await read(config, "facts"))


async def test_two_processes_that_charge_the_same_people_lose_nothing(config):
    sources = [f"billing-{n}" for n in range(8)]  # each with a partition of its own
    made = [charge(f"{source}-{n}", f"user_id:{n % 3}", T0, minor=n % 89, source=source) for n in range(300) for source in sources]
    await publish(config, made)
    small = config.model_copy(update={"batch_rows": 10})
    one, two = [small.model_copy(update={"instance": f"profile-{n}"}) for n in range(2)]
    async with running(one, service()) as (context,), running(two, service()):
        await handled(context, len(made))
        (found,) = await rows(context, "SELECT sum(minor)::bigint AS minor, sum(counted)::bigint AS counted FROM charge")
    assert (found["counted"], found["minor"]) == (len(made), sum(one.properties["amount"]["minor"] for one in made))


async def test_a_charge_that_cannot_be_added_up_is_buried_with_its_field_and_the_rest_goes_on(config):
    bad = charge("1", "user_id:a", T0, properties={"product": "vm", "amount": 5})
    await publish(config, [bad, charge("2", "user_id:a", T0)], key="one")
    async with running(config, service()) as (context,):
        await handled(context, 2)
        (buried,) = await rows(context, "SELECT reason, detail FROM dead_letter")
        assert len(await rows(context, "SELECT FROM charge")) == 1
    assert buried["reason"] == "undecodable" and buried["detail"].startswith("properties.amount: money")


class Counting:
    """A connection that counts what it is asked."""

    def __init__(self, connection) -> None:
        self._connection, self.asked = connection, Counter()

    def __getattr__(self, name: str):
        self.asked[name] += 1
        return getattr(self._connection, name)


async def test_a_batch_of_thousands_of_charges_takes_a_handful_of_statements(config):
    folding = Charges()
    made = [charge(f"{n}", f"user_id:{n % 100}", T0 + n) for n in range(5000)]
    items = [Item(("facts.raw", 0), n, one, b"", None, None, one.received_at) for n, one in enumerate(made)]
    taken = [Charged(item, item.value, derive("p", item.value.identifiers[0])) for item in items]
    async with running(config, service()) as (context,):
        for _ in range(2):  # what is new, and what is there
            async with context.db.transaction() as connection:
                counting = Counting(connection)
                await folding.fold(Tx(counting, T0, 1, "profile", {}), taken, {}, items)
            assert counting.asked.total() <= 4
        (found,) = await rows(
            context, "SELECT count(*) AS rows, sum(minor)::bigint AS minor, sum(counted)::bigint AS counted FROM charge"
        )
    assert (found["rows"], found["minor"], found["counted"]) == (100, 1_000_000, 10_000)
