"""What every channel behind a token keeps to, whoever the messenger is."""

import pytest

from services.sender.channels.contract import Outcome
from tests.sender.channels.messengers import TELEGRAM, VK, Clock


@pytest.fixture(params=[TELEGRAM, VK], ids=lambda one: one.name)
def messenger(request):
    return request.param


@pytest.mark.parametrize(
    ("messenger", "address", "outcome", "code", "accepted"),
    [
        (TELEGRAM, "1001", Outcome.ACCEPTED, "", 1),
        (TELEGRAM, "-1001", Outcome.ACCEPTED, "", 1),
        (TELEGRAM, "79000004031", Outcome.BLOCKED_BY_USER, "telegram:403 blocked", 0),
        (TELEGRAM, "79000004101", Outcome.PERMANENT_ADDRESS, "telegram:403 deactivated", 0),
        (TELEGRAM, "79000004001", Outcome.PERMANENT_ADDRESS, "telegram:400 chat_not_found", 0),
        (TELEGRAM, "79000004131", Outcome.PERMANENT_CONTENT, "telegram:400 bad_request", 0),
        (TELEGRAM, "79000004291", Outcome.THROTTLED, "telegram:429", 0),
        (TELEGRAM, "79000005001", Outcome.TRANSIENT, "telegram:500", 0),
        (TELEGRAM, "79000005021", Outcome.UNKNOWN, "telegram:502 unreadable", 0),
        (TELEGRAM, "79000004081", Outcome.UNKNOWN, "ReadTimeout", 0),
        (TELEGRAM, "79000004981", Outcome.UNKNOWN, "RemoteProtocolError", 0),
        (TELEGRAM, "79000004991", Outcome.UNKNOWN, "RemoteProtocolError", 1),
        (VK, "88", Outcome.ACCEPTED, "", 1),
        (VK, "79000009011", Outcome.BLOCKED_BY_USER, "vk:901 no_permission", 0),
        (VK, "79000009021", Outcome.BLOCKED_BY_USER, "vk:902 privacy", 0),
        (VK, "79000000141", Outcome.POLICY, "vk:14 captcha", 0),
        (VK, "79000000051", Outcome.AUTH, "vk:5 authorization", 0),
        (VK, "79000000061", Outcome.THROTTLED, "vk:6 too_many", 0),
        (VK, "79000000091", Outcome.THROTTLED, "vk:9 flood", 0),
        (VK, "79000000101", Outcome.TRANSIENT, "vk:10 internal", 0),
        (VK, "79000001131", Outcome.PERMANENT_ADDRESS, "vk:113 user_id", 0),
        (VK, "79000005021", Outcome.UNKNOWN, "vk:502 unreadable", 0),
        (VK, "79000004081", Outcome.UNKNOWN, "ReadTimeout", 0),
        (VK, "79000004991", Outcome.UNKNOWN, "RemoteProtocolError", 1),
    ],
)
async def test_each_outcome(messenger, fake, channel, message, started, address, outcome, code, accepted):
    result = await channel.send(message(address), started)
    assert (result.outcome, result.code, len(fake.record.accepted), started.count) == (outcome, code, accepted, 1)
    if outcome is Outcome.ACCEPTED:
        assert (result.provider_id, fake.record.accepted[0][messenger.to]) == ("1", address)


@pytest.mark.parametrize(
    ("messenger", "address", "ms"), [(TELEGRAM, "79000004291", 1_000), (VK, "79000000061", 1_000), (VK, "79000000091", 60_000)]
)
async def test_too_many_stops_the_whole_token_until_it_is_over(messenger, fake, channel, clock, message, started, address, ms):
    assert (await channel.send(message(address))).retry_after_ms == ms
    held = await channel.send(message("1001"), started)
    assert (held.outcome, held.code, started.count) == (Outcome.THROTTLED, f"{messenger.name}:pause", 0)
    assert fake.server.requests == 1 and 0 < held.retry_after_ms <= ms + 1
    clock.now += ms / 1000 + 0.001
    assert (await channel.send(message("1001"), started)).outcome is Outcome.ACCEPTED


async def test_a_wrong_token_stops_the_channel(messenger, fake, message):
    channel = messenger.channel(fake.port, Clock(), "9:wrong")
    assert (await channel.send(message("1001"))).outcome is Outcome.AUTH
    await channel.close()


async def test_nobody_listens(messenger, unused_port, message):
    channel = messenger.channel(unused_port, Clock())
    assert (await channel.send(message("1001"))).outcome is Outcome.TRANSIENT
    await channel.close()


@pytest.mark.parametrize(
    ("messenger", "changes", "outcome"),
    [
        (TELEGRAM, {"address": "@ann"}, Outcome.PERMANENT_ADDRESS),
        (TELEGRAM, {"address": "1", "text": " "}, Outcome.PERMANENT_CONTENT),
        (TELEGRAM, {"address": "1", "text": "😀" * 2049}, Outcome.PERMANENT_CONTENT),
        (TELEGRAM, {"address": "1", "options": {"chat_id": 5}}, Outcome.PERMANENT_CONTENT),
        (VK, {"address": "-88"}, Outcome.PERMANENT_ADDRESS),
        (VK, {"address": "ann"}, Outcome.PERMANENT_ADDRESS),
        (VK, {"address": "1", "text": " "}, Outcome.PERMANENT_CONTENT),
        (VK, {"address": "1", "text": "x" * 4097}, Outcome.PERMANENT_CONTENT),
        (VK, {"address": "1", "options": {"peer_id": 5}}, Outcome.PERMANENT_CONTENT),
    ],
)
async def test_what_is_not_even_asked(messenger, fake, channel, message, started, changes, outcome):
    assert (await channel.send(message(**changes), started)).outcome is outcome
    assert (fake.server.requests, started.count) == (0, 0)


async def test_nothing_is_sent_when_the_start_cannot_be_recorded(fake, channel, message, failing_start):
    with pytest.raises(RuntimeError, match="ledger"):
        await channel.send(message("1001"), failing_start)
    assert fake.server.requests == 0


async def test_the_token_is_in_no_log_and_no_repr(messenger, channel, message, caplog):
    with caplog.at_level("INFO"):
        await channel.send(message("1001"))
        await channel.send(message("79000004081"))
    assert "secret-token" not in caplog.text and "secret-token" not in repr(messenger.settings(messenger.token))
