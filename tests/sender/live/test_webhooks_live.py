"""A sender that dies in the middle of a call: the call comes again where its class allows it, under the id that it had."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from runtime.clock import wall_ms
from runtime.settings import Settings
from services.sender import domain, shelves
from services.sender.channels.fakes.webhook import WebhookFake
from services.sender.delivery import Delivery
from services.sender.shelves import Shelves
from tests.sender.live.kit import contact, intent, publish, put, sender, states
from tests.support.live import read, rows, running, until

JOURNEY = {"key": "welcome", "steps": [{"id": "s1", "webhook": "crm", "type": "trial.ended"}]}


@pytest.fixture
def config(config: Settings) -> Settings:
    return config.model_copy(update={"webhook_http": True})


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookFake]:
    fake = WebhookFake()
    fake.port = await fake.start()
    yield fake
    await fake.stop()


@pytest.mark.parametrize(("cls", "ends", "repeats"), [("service", "accepted", 1), ("triggered", "in_doubt", 0)])
async def test_a_call_whose_sender_died_is_repeated_under_its_id_if_its_class_may(
    config, smtp, receiver, monkeypatch, cls, ends, repeats
):
    one, _ = sender(config, smtp, webhook_allow="127.0.0.1/32")
    now = wall_ms()
    call = replace(intent(1, at=now, cls=cls), channel="webhook", template="crm", template_version=0)
    await publish(
        config, ("webhook", {"key": "crm", "brand": "shop", "url": f"http://127.0.0.1:{receiver.port}/"}), ("journey", JOURNEY)
    )
    everything = {**contact(1, at=now)[1].properties, "channel": "*"}
    known, agrees = contact(1, at=now)

    async def dies(_self, _record) -> None:
        return None

    async def ended() -> bool:
        return await states(context) == {ends: 1}

    async with running(config, one) as (context,):
        with monkeypatch.context() as patch:
            patch.setattr(Delivery, "_record", dies)
            await put(config, [known, replace(agrees, properties=everything)], [call])
            await until(lambda: receiver.record.accepted)
            await until(lambda: rows(context, "SELECT FROM attempt WHERE state = 'started'"))
        async with context.db.transaction() as connection:  # it was another process, and it is gone
            await connection.execute("UPDATE attempt SET owner = 7")
        await until(ended)
    assert [one["id"] for one in receiver.record.accepted] == [call.id], "who drops ids that he knows acts once"
    assert receiver.repeats == [call.id] * repeats
    told = [d["verdict"] for d in await read(config, "decisions") if d["intent"] == call.id]
    assert told == [ends]


async def test_a_receiver_that_is_away_fills_no_memory_and_gets_all_when_it_is_back_also_from_a_sender_that_was_begun_anew(
    config, smtp, receiver, monkeypatch
):
    monkeypatch.setattr(shelves, "HELD", 4)
    monkeypatch.setattr(domain, "WEBHOOK_PAUSES_MS", (500,) * 10)
    most, hold = [0], Shelves.hold

    def watched(self, job, at, now) -> bool:
        kept = hold(self, job, at, now)
        most.append(max(map(len, self._held.values()), default=0))
        return kept

    monkeypatch.setattr(Shelves, "hold", watched)
    now = wall_ms()
    await publish(
        config, ("webhook", {"key": "crm", "brand": "shop", "url": f"http://127.0.0.1:{receiver.port}/"}), ("journey", JOURNEY)
    )
    given = {"channel": "webhook", "template": "crm", "template_version": 0}
    calls = [replace(intent(n, at=now, cls="service"), **given) for n in range(30)]
    receiver.script.put("*", ["503"] * 30)
    away, _ = sender(config, smtp, webhook_allow="127.0.0.1/32")
    async with running(config, away) as (context,):
        await put(config, [fact for n in range(30) for fact in contact(n, at=now)], calls)
        await until(lambda: receiver.record.refused["503"] >= 20)
    back, _ = sender(config, smtp, webhook_allow="127.0.0.1/32")
    async with running(config, back) as (context,):

        async def through() -> bool:
            return await states(context) == {"accepted": 30}

        await until(through, 40)
    assert sorted(one["id"] for one in receiver.record.accepted) == sorted(one.id for one in calls)
    assert (receiver.repeats, receiver.record.refused["503"], max(most)) == ([], 30, 4)
