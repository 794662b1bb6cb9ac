from collections.abc import AsyncIterator

import pytest

from services.sender.channels.contract import Delivery, DeliveryStatus, Outcome
from services.sender.channels.fakes.smsc import SmscFake
from services.sender.channels.http_client import HttpSettings
from services.sender.channels.smsc import SmscChannel, SmscSettings, parse_callback, provider_id, read_answer, read_status

QUICK = HttpSettings(connections=4, connect_s=2, answer_s=0.3)


@pytest.fixture
async def fake() -> AsyncIterator[SmscFake]:
    fake = SmscFake(apikey="key")
    fake.port = await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def channel(fake) -> AsyncIterator[SmscChannel]:
    channel = SmscChannel(SmscSettings(apikey="key", base_url=f"http://127.0.0.1:{fake.port}", http=QUICK))
    yield channel
    await channel.close()


@pytest.mark.parametrize(
    ("address", "outcome", "code", "accepted"),
    [
        ("+79161234567", Outcome.ACCEPTED, "", 1),
        ("+79000000011", Outcome.PERMANENT_CONTENT, "smsc:1 parameters", 0),
        ("+79000000021", Outcome.AUTH, "smsc:2 login", 0),
        ("+79000000031", Outcome.POLICY, "smsc:3 no_funds", 0),
        ("+79000000061", Outcome.PERMANENT_CONTENT, "smsc:6 forbidden_text_or_sender", 0),
        ("+79000000071", Outcome.PERMANENT_ADDRESS, "smsc:7 phone_format", 0),
        ("+79000000081", Outcome.PERMANENT_ADDRESS, "smsc:8 undeliverable", 0),
        ("+79000000091", Outcome.THROTTLED, "smsc:9 too_many_requests", 0),
        ("+79000004081", Outcome.UNKNOWN, "ReadTimeout", 0),
        ("+79000005021", Outcome.UNKNOWN, "smsc:http 502 unreadable", 0),
        ("+79000004991", Outcome.UNKNOWN, "RemoteProtocolError", 1),
    ],
)
async def test_each_outcome(fake, channel, message, started, address, outcome, code, accepted):
    sms = message(address, sender="SHOP")
    result = await channel.send(sms, started)
    assert (result.outcome, result.code, len(fake.record.accepted), started.count) == (outcome, code, accepted, 1)
    if outcome is Outcome.ACCEPTED:
        assert result.provider_id == sms.key
        assert fake.record.accepted == [{"id": sms.key, "phone": address[1:], "text": sms.text, "sender": "SHOP"}]
    if outcome is Outcome.THROTTLED:
        assert result.retry_after_ms == 60_000


async def test_no_funds_stops_the_channel_and_not_the_address(fake, channel, message):
    fake.script.put("*", ["003"])
    assert (await channel.send(message("+79161234567"))).outcome is Outcome.POLICY
    assert (await channel.send(message("+79161234567"))).outcome is Outcome.ACCEPTED


async def test_an_unanswered_send_is_settled_by_a_poll(fake, channel, message):
    lost, never = message("+79000004991"), message("+79000004081")
    assert (await channel.send(lost)).outcome is (await channel.send(never)).outcome is Outcome.UNKNOWN
    assert (await channel.poll(lost.key, lost.address)).status is DeliveryStatus.DELIVERED
    assert (await channel.poll(never.key, never.address)).code == "smsc:-3 not_found"


@pytest.mark.parametrize(
    ("address", "status", "outcome"),
    [
        ("+79000002201", DeliveryStatus.FAILED, Outcome.TRANSIENT),
        ("+79000002221", DeliveryStatus.FAILED, Outcome.PERMANENT_ADDRESS),
    ],
)
async def test_what_became_of_it(channel, message, address, status, outcome):
    sms = message(address)
    assert (await channel.send(sms)).outcome is Outcome.ACCEPTED
    found = await channel.poll(sms.key, address)
    assert (found.status, found.outcome, found.at_ms) == (status, outcome, 1_700_000_000_000)


async def test_a_poll_with_a_wrong_key_says_nothing_about_the_message(fake, message):
    stranger = SmscChannel(SmscSettings(apikey="wrong", base_url=f"http://127.0.0.1:{fake.port}", http=QUICK))
    assert (await stranger.send(message("+79161234567"))).outcome is Outcome.AUTH
    assert await stranger.poll("x", "+79161234567") is None
    await stranger.close()


async def test_nobody_listens(unused_port, message):
    channel = SmscChannel(SmscSettings(apikey="key", base_url=f"http://127.0.0.1:{unused_port}", http=QUICK))
    assert (await channel.send(message("+79161234567"))).outcome is Outcome.TRANSIENT
    await channel.close()


@pytest.mark.parametrize(
    ("address", "text", "outcome"), [("8 916", "x", Outcome.PERMANENT_ADDRESS), ("+79161234567", " ", Outcome.PERMANENT_CONTENT)]
)
async def test_what_is_not_even_asked(fake, channel, message, started, address, text, outcome):
    assert (await channel.send(message(address, text=text), started)).outcome is outcome
    assert (fake.server.requests, started.count) == (0, 0)


@pytest.mark.parametrize(
    ("status", "expected", "outcome"),
    [
        ("-3", DeliveryStatus.PENDING, None),
        ("-1", DeliveryStatus.PENDING, None),
        ("0", DeliveryStatus.PENDING, None),
        ("1", DeliveryStatus.DELIVERED, None),
        ("2", DeliveryStatus.READ, None),
        ("3", DeliveryStatus.FAILED, Outcome.TRANSIENT),
        ("20", DeliveryStatus.FAILED, Outcome.TRANSIENT),
        ("22", DeliveryStatus.FAILED, Outcome.PERMANENT_ADDRESS),
        ("23", DeliveryStatus.FAILED, Outcome.POLICY),
        ("24", DeliveryStatus.FAILED, Outcome.POLICY),
        ("25", DeliveryStatus.FAILED, Outcome.TRANSIENT),
        ("77", DeliveryStatus.PENDING, None),
        ("rubbish", DeliveryStatus.PENDING, None),
    ],
)
def test_callbacks(status, expected, outcome):
    found = parse_callback({"id": "k-1", "phone": "79161234567", "status": status, "time": "x", "err": "0"})
    assert (found.provider_id, found.status, found.outcome, found.at_ms) == ("k-1", expected, outcome, None)
    assert parse_callback({"id": "k-1", "status": status}) == found  # repeated: the same event


def test_callbacks_that_are_none():
    assert parse_callback({"id": "k-1"}) is None
    assert parse_callback({"status": "1"}) is None


def test_reading_and_naming():
    assert read_answer(200, {"error": "new", "error_code": 99}).outcome is Outcome.POLICY
    assert read_answer(200, None).outcome is Outcome.UNKNOWN
    assert read_answer(404, None).outcome is Outcome.POLICY
    assert read_answer(429, None).outcome is Outcome.THROTTLED
    assert read_status("k", {"status": 1, "last_timestamp": 5}) == Delivery("k", DeliveryStatus.DELIVERED, 5000, "smsc:1 delivered")
    assert provider_id("a/b я") == "a-b--"
    with pytest.raises(ValueError, match="40"):
        provider_id("x" * 41)
    assert "key" not in repr(SmscSettings(apikey="the-key", password="the-key")).replace("apikey", "")
