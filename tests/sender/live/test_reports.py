"""What SMSC tells of a message afterwards becomes a fact, once, and settles doubt."""

import httpx
import msgspec

from schemas.facts import PROFILE_CHANGED, Fact
from schemas.ids import derive
from services.sender.__main__ import service
from services.sender.channels.fakes.smsc import SmscFake
from services.sender.settings import SenderSettings
from tests.conftest import free_ports
from tests.sender.live import kit
from tests.support.live import T0, driven, read, rows, until

SECRET = "the end of an address"


async def sms(config, context_of):
    """An SMS to a person with a phone, sent through the fake."""
    one = msgspec.structs.replace(kit.intent(1, cls="service"), channel="sms")
    common = {"brand": "shop", "source": "site", "occurred_at": T0, "received_at": T0, "profile": kit.person(1)}
    told = Fact(id=derive("c", 1), type=PROFILE_CHANGED, identifiers=("phone:+79161234567",), **common)
    await kit.put(config, [told], [one], documents=False)
    await kit.publish(config, ("template", {"key": "hello", "channel": "sms", "text": "Your code"}))
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
