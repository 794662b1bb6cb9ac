from collections.abc import AsyncIterator

import httpx
import pytest

from services.sender.channels.contract import Outcome
from services.sender.channels.fakes.telegram import TelegramFake
from services.sender.channels.http_client import HttpSettings, client
from services.sender.channels.telegram import TelegramChannel, TelegramSettings, read_answer

TOKEN = "123:secret-token"
QUICK = HttpSettings(connections=4, connect_s=2, answer_s=0.3)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def fake() -> AsyncIterator[TelegramFake]:
    fake = TelegramFake(TOKEN)
    fake.port = await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def channel(fake, clock) -> AsyncIterator[TelegramChannel]:
    channel = TelegramChannel(TelegramSettings(TOKEN, f"http://127.0.0.1:{fake.port}", QUICK), clock)
    yield channel
    await channel.close()


@pytest.mark.parametrize(
    ("address", "outcome", "code", "accepted"),
    [
        ("1001", Outcome.ACCEPTED, "", 1),
        ("-1001", Outcome.ACCEPTED, "", 1),
        ("79000004031", Outcome.BLOCKED_BY_USER, "telegram:403 blocked", 0),
        ("79000004101", Outcome.PERMANENT_ADDRESS, "telegram:403 deactivated", 0),
        ("79000004001", Outcome.PERMANENT_ADDRESS, "telegram:400 chat_not_found", 0),
        ("79000004131", Outcome.PERMANENT_CONTENT, "telegram:400 bad_request", 0),
        ("79000004291", Outcome.THROTTLED, "telegram:429", 0),
        ("79000005001", Outcome.TRANSIENT, "telegram:500", 0),
        ("79000005021", Outcome.UNKNOWN, "telegram:502 unreadable", 0),
        ("79000004081", Outcome.UNKNOWN, "ReadTimeout", 0),
        ("79000004981", Outcome.UNKNOWN, "RemoteProtocolError", 0),
        ("79000004991", Outcome.UNKNOWN, "RemoteProtocolError", 1),
    ],
)
async def test_each_outcome(fake, channel, message, started, address, outcome, code, accepted):
    result = await channel.send(message(address), started)
    assert (result.outcome, result.code, len(fake.record.accepted), started.count) == (outcome, code, accepted, 1)
    if outcome is Outcome.ACCEPTED:
        assert (result.provider_id, fake.record.accepted[0]["chat_id"]) == ("1", address)


async def test_a_429_stops_the_whole_token_until_it_is_over(fake, channel, clock, message, started):
    first = await channel.send(message("79000004291"))
    assert first.retry_after_ms == 1000
    held = await channel.send(message("1001"), started)
    assert (held.outcome, held.code, started.count, fake.server.requests) == (Outcome.THROTTLED, "telegram:pause", 0, 1)
    assert 0 < held.retry_after_ms <= 1001
    clock.now += 1.001
    assert (await channel.send(message("1001"), started)).outcome is Outcome.ACCEPTED


async def test_a_wrong_token_stops_the_channel(fake, message):
    channel = TelegramChannel(TelegramSettings("9:wrong", f"http://127.0.0.1:{fake.port}", QUICK))
    assert (await channel.send(message("1001"))).outcome is Outcome.AUTH
    await channel.close()


async def test_nobody_listens(unused_port, message):
    channel = TelegramChannel(TelegramSettings(TOKEN, f"http://127.0.0.1:{unused_port}", QUICK))
    assert (await channel.send(message("1001"))).outcome is Outcome.TRANSIENT
    await channel.close()


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"address": "@ann"}, Outcome.PERMANENT_ADDRESS),
        ({"address": "1", "text": " "}, Outcome.PERMANENT_CONTENT),
        ({"address": "1", "text": "😀" * 2049}, Outcome.PERMANENT_CONTENT),
        ({"address": "1", "options": {"chat_id": 5}}, Outcome.PERMANENT_CONTENT),
    ],
)
async def test_what_is_not_even_asked(fake, channel, message, started, changes, outcome):
    assert (await channel.send(message(**changes), started)).outcome is outcome
    assert (fake.server.requests, started.count) == (0, 0)


async def test_nothing_is_sent_when_the_start_cannot_be_recorded(fake, channel, message, failing_start):
    with pytest.raises(RuntimeError, match="ledger"):
        await channel.send(message("1001"), failing_start)
    assert fake.server.requests == 0


async def test_the_token_is_in_no_log_and_no_repr(fake, channel, message, caplog):
    with caplog.at_level("INFO"):
        await channel.send(message("1001"))
        await channel.send(message("79000004081"))
    assert "secret-token" not in caplog.text
    assert "secret-token" not in repr(TelegramSettings(TOKEN))


def test_answers_that_are_none():
    assert read_answer(302, None).outcome is Outcome.POLICY
    assert read_answer(200, {"something": 1}).outcome is Outcome.UNKNOWN
    assert read_answer(418, {"ok": False, "error_code": 418}).outcome is Outcome.PERMANENT_CONTENT


def test_only_https_and_only_one_host():
    with pytest.raises(ValueError, match="https"):
        client("http://api.telegram.example", QUICK)
    made = client("https://api.telegram.example", QUICK)
    assert isinstance(made, httpx.AsyncClient)
    assert made.follow_redirects is False
    assert made.trust_env is False
