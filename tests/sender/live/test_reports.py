"""What SMSC tells of a message afterwards becomes a fact, once, and settles doubt."""

import httpx
import pytest

from schemas.facts import PROFILE_CHANGED, Fact
from schemas.ids import derive
from schemas.topics import DEFINITIONS, FACTS, messages
from services.sender.__main__ import service
from services.sender.channels.fakes.smsc import SmscFake
from services.sender.settings import SenderSettings
from tests.conftest import free_ports
from tests.sender.live import test_sender_live as kit
from tests.support.live import T0, driven, read, rows, settings, until

SECRET = "the end of an address"


@pytest.fixture
def config(kafka, database, topic_prefix):
    return settings(kafka, database, topic_prefix)


async def sms(config, context_of):
    """An SMS to a person with a phone, sent through the fake."""
    import msgspec

    from runtime.kafka import Producer, create_topics
    from schemas.definitions import Published
    from schemas.facts import Seq, encode
    from schemas.ids import partition_of

    one = msgspec.structs.replace(kit.intent(1, cls="service"), channel="sms", src="orch", seq=Seq(0, 1, 0))
    common = {"brand": "shop", "source": "site", "occurred_at": T0, "received_at": T0, "profile": kit.person(1)}
    told = Fact(id=derive("c", 1), type=PROFILE_CHANGED, identifiers=("phone:+79161234567",), src="t", seq=Seq(0, 1, 0), **common)
    topic = messages("sms", "service")
    await create_topics(config, [FACTS, DEFINITIONS, topic])
    producer = await Producer(config, "test").start()
    place = partition_of(kit.person(1), config.partitions)
    await producer.send("facts", place, [(kit.person(1).encode(), encode(told), [("t", PROFILE_CHANGED.encode())])])
    body = msgspec.Raw(msgspec.json.encode({"key": "hello", "channel": "sms", "text": "Your code"}))
    document = Published(kind="template", key="hello", version=1, body=body, pointer=True, received_at=T0)
    await producer.send("definitions", 0, [(b"template:hello@1", msgspec.json.encode(document), [])])
    await producer.send(topic.name, place, [(kit.person(1).encode(), msgspec.json.encode(one), [])])
    await producer.stop()
    return one


async def test_a_report_becomes_a_fact_once_and_strangers_are_turned_away(config):
    fake = SmscFake()
    url = f"http://127.0.0.1:{await fake.start()}"
    port = free_ports(1)[0]
    made = service(SenderSettings(public_port=port, smsc_apikey="k", smsc_url=url, smsc_report_secret=SECRET), config)
    one = await sms(config, made)
    try:
        async with driven(config, made) as ((context,), conductor), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            await conductor.settle()
            assert [r["state"] for r in await rows(context, "SELECT state FROM attempt")] == ["accepted"]
            form = {"id": one.id, "phone": "79161234567", "status": "1", "time": "x", "err": "0"}
            path = f"/hooks/smsc/{SECRET}"
            assert (await http.post("/hooks/smsc/guessed", data=form)).status_code == 404
            assert (await http.post(path, content=b"\xff\xfe")).status_code == 400
            assert (await http.post(path, data={**form, "id": derive("nobody", 1)})).status_code == 404
            for _ in range(2):  # a report that comes twice
                assert (await http.post(path, data=form)).status_code == 204
            assert (await http.post(path, data={**form, "status": "-1"})).status_code == 204  # on its way: no news

            async with context.db.transaction() as connection:  # and had it been in doubt
                await connection.execute("UPDATE attempt SET state = 'in_doubt', owner = NULL, started_at = $1", T0)
            assert (await http.post(path, data={**form, "status": "22"})).status_code == 204

            async def settled():
                return [r["state"] for r in await rows(context, "SELECT state FROM attempt")] == ["accepted"]

            await until(settled)
    finally:
        await fake.stop()
    facts = await read(config, "facts.raw.bulk")
    assert len({f["id"] for f in facts}) == 2 and len(facts) == 3
    assert {f["event"] for f in facts} == {"SMS Delivered", "SMS Failed"}
    assert all(f["identifiers"] == ["phone:+79161234567"] and f["properties"]["intent"] == one.id for f in facts)


async def test_a_channel_without_credentials_sends_nothing_anywhere(config):
    made = service(SenderSettings(public_port=free_ports(1)[0]), config)
    await sms(config, made)
    async with driven(config, made) as ((context,), conductor):
        await conductor.settle()
        assert [r["state"] for r in await rows(context, "SELECT state FROM attempt")] == ["failed"]
    (told,) = await read(config, "decisions")
    assert (told["verdict"], told["rule"]) == ("failed", "provider:not_configured")
