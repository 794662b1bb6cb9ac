"""C8: a copy of all that is kept of a person; erasure that reaches every store, file, log and topic; a proof of both."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import duckdb
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas.ids import derive
from tests.cases.conftest import new_brand
from tests.support.installation import Installation, installed
from tests.support.shop import DAY, HOUR, MINUTE, Shop, journey, once, one_address_one_person, send, template

KEPT_OUTSIDE = ("mail",)  # the catcher stands for people's own mailboxes


@pytest.fixture(scope="module")
async def installation(local_settings, kafka: str, postgres: str) -> AsyncIterator[Installation]:
    """Its own, as all of it is searched. Files that were replaced in the lake go at once instead of after 15 minutes."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTKLIK_LAKE_GRACE_S", "0")
        async with installed(local_settings, kafka, postgres) as found:
            yield found


@pytest.fixture
async def shop(installation: Installation) -> Shop:
    return await Shop(installation, new_brand()).open()


async def welcome(shop: Shop) -> None:
    """A letter at once and another one a day later, each naming what he ordered."""
    letters = (template(key, shop.brand, text="{{ event.note }} {{ person.firstName }}") for key in ("first", "second"))
    topic = {"kind": "topic", "body": {"key": f"{shop.brand}-all", "brand": shop.brand, "name": {"en": "all"}}}
    first, second = (send(key, shop.brand, topic=f"{shop.brand}-all", **{"class": "triggered"}) for key in ("first", "second"))
    await shop.publish(topic, *letters, journey("welcome", shop.brand, "Asked", first, {"id": "day", "wait": "1d"}, second))


async def backend(shop: Shop, who: str, occurred_at: int, received_at: int, **fact) -> None:
    """A fact that a backend writes to the log itself."""
    about = {"brand": shop.brand, "source": "crm", "identifiers": [f"user_id:{shop.user(who)}"]}
    times = {"occurred_at": occurred_at, "received_at": received_at}
    told = {"id": derive("crm", shop.user(who), occurred_at, received_at), **about, **times, **fact}
    await shop.installation.log.write("facts.raw", f"crm|{who}", json.dumps(told).encode())


async def forget(shop: Shop, who: str, **more) -> dict:
    found = await shop.profile(f"user_id:{shop.user(who)}")
    return await shop.api("DELETE", f"/api/profiles/{found['id']}", json={"reason": "he asked for it", **more})


@pytest.mark.case("C8")
async def test_somebody_erased_in_the_middle_of_a_journey_and_of_a_merge_is_nowhere(shop: Shop):
    await shop.publish(one_address_one_person())
    await welcome(shop)
    everybody = ("ann", "bob", "zoe")
    for who in everybody:
        await shop.post(shop.is_(who, phone=phone(who), lastName=f"{who}-of-{shop.brand}"), shop.agrees(who))
        await shop.post(shop.did(who, "Asked", note=f"secret-{who}-{shop.brand}"), shop.did(who, "Order Completed", total="19.99"))
    assert await shop.came() == once(*((who, "first") for who in everybody))
    ids = {who: (await shop.profile(f"user_id:{shop.user(who)}"))["id"] for who in everybody}
    # Bob comes by another name, and asks to be forgotten before anybody has understood that the two are one.
    await shop.post(shop.call("identify", "bobby", traits={"phone": phone("bobby")}))
    ids["bobby"] = (await shop.profile(f"user_id:{shop.user('bobby')}"))["id"]
    await shop.post(shop.call("identify", "bobby", shop.now - 1, traits={"email": shop.address("bob")}), settle=False)
    acts = [await forget(shop, "ann"), await forget(shop, "bob")]
    await shop.settle()
    erased = await log_ends(shop.installation)
    gone = ("ann", "bob", "bobby")
    for who in gone:
        assert (await shop.installation.api.get(f"/api/profiles/{ids[who]}")).status_code == 404
    await shop.until(shop.now + DAY)
    assert await shop.came() == once(("zoe", "second"))

    # The stated times pass.
    await shop.until(shop.now + HOUR)
    later = f"later-{shop.brand}"
    await shop.post(shop.did("zoe", "Seen", note=later))
    await expire_log(shop.installation, erased)
    proofs = [await shop.api("GET", f"/api/erasures/{act['act']}") for act in acts]
    for proof in proofs:
        assert proof["done"] and proof["steps"].keys() == {"profile", "segmenter", "orchestrator", "sender", "warehouse"}
        assert all(at is not None for step in proof["steps"].values() for at in step.values()), proof["steps"]
    assert {proof["reason"] for proof in proofs} == {"he asked for it"}
    assert ids["bobby"] in (proofs[1]["profile"], *proofs[1]["others"])

    words = [
        word for who in gone for word in (shop.address(who), phone(who), f"{who}-of-{shop.brand}", f"secret-{who}-{shop.brand}")
    ]
    assert await found(shop.installation, [*words, *(shop.user(who) for who in gone)]) == []
    assert rows_in_lake(shop.installation, [ids[who] for who in gone]) == 0
    assert rows_in_lake(shop.installation, [ids["zoe"]]) > 0
    # Else the search finds nothing whatever there is.
    there = {place.split()[0] for place in await found(shop.installation, [shop.address("zoe"), later])}
    assert there == {"table", "file", "topic"}, there
    assert (await shop.api("GET", "/api/consents/verify"))["broken"] == []


@pytest.mark.case("C8")
async def test_a_fact_of_before_is_dropped_and_who_comes_again_starts_clean_but_for_his_no(shop: Shop):
    await welcome(shop)
    start = shop.now
    no = {"event": "Consent Withdrawn", "properties": {"channel": "email", "topic": "*"}}
    for who in ("eve", "dan"):
        await shop.post(shop.is_(who, city="Omsk"), shop.agrees(who))
    await shop.post(shop.call("track", "eve", **no))
    await shop.until(start + MINUTE)
    before = {who: await shop.profile(f"user_id:{shop.user(who)}") for who in ("eve", "dan")}
    for who in ("eve", "dan"):
        await forget(shop, who)
    await shop.settle()
    # What a backend wrote to the log before, and nobody has read until now.
    await backend(shop, "dan", start, start, type="identify", attributes={"city": "Perm"})
    await shop.settle()
    assert (
        await shop.installation.api.get("/api/profiles", params={"identifier": f"user_id:{shop.user('dan')}"})
    ).status_code == 404
    await shop.until(start + 2 * MINUTE)
    for who in ("eve", "dan"):
        await shop.post(shop.is_(who))
    # An old list is imported again: his yes of before is older than her no.
    for who in ("eve", "dan"):
        word = {"event": "Consent Granted", "properties": {"channel": "email", "topic": "*"}}
        await backend(shop, who, start, shop.now, type="track", **word)
    await shop.settle()
    after = {who: await shop.profile(f"user_id:{shop.user(who)}") for who in ("eve", "dan")}
    for who in ("eve", "dan"):
        assert after[who]["id"] != before[who]["id"] and "city" not in after[who]["attributes"]
    await shop.post(shop.did("eve", "Asked", note="x"), shop.did("dan", "Asked", note="x"))
    assert await shop.came() == once(("dan", "first"))
    await shop.post(shop.agrees("eve"))
    await shop.post(shop.did("eve", "Seen"))
    timeline = await shop.api("GET", f"/api/profiles/{after['eve']['id']}/timeline")
    assert all(item["received_at"] >= start + 2 * MINUTE for item in timeline["items"])


@pytest.mark.case("C8")
async def test_his_copy_holds_what_every_service_keeps(shop: Shop):
    await welcome(shop)
    await shop.post(shop.is_("ann"), shop.agrees("ann", evidence={"form": "footer"}))
    await shop.post(shop.did("ann", "Asked", note="a red kettle"))
    person = await shop.profile(f"user_id:{shop.user('ann')}")
    copy = await shop.api("GET", f"/api/profiles/{person['id']}/export")
    assert copy["profile"]["attributes"]["email"] == shop.address("ann")
    assert [word["action"] for word in copy["consents"]] == ["granted"]
    assert copy["sender"]["addresses"]["email"] == shop.address("ann")
    assert [message["step"] for message in copy["sender"]["messages"]] == ["first"]
    assert [run["journey"] for run in copy["orchestrator"]["runs"]] == [f"{shop.brand}-welcome"]
    assert {item["name"] for item in copy["timeline"] if item["kind"] == "fact" and "name" in item} >= {"Asked", "Consent Granted"}
    for language, title in (("ru", "Что о вас хранится"), ("en", "What is kept about you")):
        answer = await shop.installation.api.get(
            f"/api/profiles/{person['id']}/export", params={"format": "html"}, headers={"Accept-Language": language}
        )
        assert answer.status_code == 200 and title in answer.text and shop.address("ann") in answer.text


@pytest.mark.case("C8")
async def test_only_an_address_goes_and_the_person_stays(shop: Shop):
    await welcome(shop)
    await shop.post(shop.is_("ann", phone=phone("ann")), shop.agrees("ann"))
    await forget(shop, "ann", only=["email"])
    await shop.settle()
    person = await shop.profile(f"user_id:{shop.user('ann')}")
    assert shop.address("ann") not in json.dumps(person) and f"phone:{phone('ann')}" in person["identifiers"]
    await shop.post(shop.did("ann", "Asked", note="x"))
    assert await shop.came() == once()
    assert await found(shop.installation, [shop.address("ann")], topics=False) == []


def phone(who: str) -> str:
    return f"+7916{sum(ord(letter) * 31**place for place, letter in enumerate(who)) % 10_000_000:07d}"


@asynccontextmanager
async def outside(installation: Installation) -> AsyncIterator[tuple[AIOKafkaAdminClient, AIOKafkaConsumer, list[TopicPartition]]]:
    """Kafka as an operator has it: an admin, a reader, and every partition of the installation."""
    kafka, prefix = installation.log._kafka, installation.log._prefix
    admin, consumer = AIOKafkaAdminClient(bootstrap_servers=kafka), AIOKafkaConsumer(bootstrap_servers=kafka)
    await admin.start()
    await consumer.start()
    try:
        described = await admin.describe_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
        yield admin, consumer, [TopicPartition(one["topic"], part["partition"]) for one in described for part in one["partitions"]]
    finally:
        await consumer.stop()
        await admin.close()


async def log_ends(installation: Installation) -> dict[TopicPartition, int]:
    """Where the topics of people end now."""
    async with outside(installation) as (_, consumer, places):
        ends = await consumer.end_offsets([place for place in places if not place.topic.endswith("definitions")])
        return {place: end for place, end in ends.items() if end > 0}


async def expire_log(installation: Installation, ends: dict[TopicPartition, int]) -> None:
    """What Kafka's retention does a week later: everything goes that stood in the topics when the act was done."""
    async with outside(installation) as (admin, _, _):
        await admin.delete_records({place: RecordsToDelete(end) for place, end in ends.items()})


async def found(installation: Installation, words: list[str], *, topics: bool = True) -> list[str]:
    """Where any of these words stands: tables of the database, files of the home folder, rows of the lake, records of the log."""
    places = await in_tables(installation, words)
    for path in installation.settings.home.rglob("*"):
        inside = path.relative_to(installation.settings.home)
        if path.is_file() and inside.parts[0] not in KEPT_OUTSIDE:
            raw = path.read_bytes()
            text = " ".join(map(str, lake_rows([path]))).encode() if path.suffix == ".parquet" else b""
            places += [f"file {inside}: {word}" for word in words if word.encode() in raw or word.encode() in text]
    if topics:
        places += await in_topics(installation, words)
    return places


async def in_tables(installation: Installation, words: list[str]) -> list[str]:
    connection = await asyncpg.connect(installation.settings.database_url)
    places = []
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        for (table,) in tables:
            for (text,) in await connection.fetch(f"SELECT t::text FROM {table} t"):  # bytes stand there as hexadecimal digits
                places += [f"table {table}: {word}" for word in words if word in text or word.encode().hex() in text]
    finally:
        await connection.close()
    return places


async def in_topics(installation: Installation, words: list[str]) -> list[str]:
    found = []
    async with outside(installation) as (_, consumer, places):
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while behind := [place for place in places if await consumer.position(place) < ends[place]]:
            for place, records in (await consumer.getmany(*behind, timeout_ms=200)).items():
                texts = [(record.key or b"") + (record.value or b"") for record in records]
                found += [f"topic {place.topic}: {word}" for word in words for text in texts if word.encode() in text]
    return found


def lake_rows(files: list[Path]) -> list[tuple]:
    return (
        duckdb.connect().execute("SELECT * FROM read_parquet(?, union_by_name = true)", [[str(file) for file in files]]).fetchall()
    )


def rows_in_lake(installation: Installation, people: list[str]) -> int:
    files = list(installation.settings.home.rglob("*.parquet"))
    return sum(any(str(cell) in people for cell in row) for row in lake_rows(files))
