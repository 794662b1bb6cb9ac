from collections.abc import AsyncIterator

import pytest

from schemas.bots import Shown
from services.sender.channels.contract import Outcome
from services.sender.channels.fakes.vk import VkFake
from services.sender.channels.http_client import HttpSettings
from services.sender.channels.vk import VkChannel, VkSettings, random_id, read_answer

TOKEN = "vk1.secret-token"
QUICK = HttpSettings(connections=4, connect_s=2, answer_s=0.3)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def fake() -> AsyncIterator[VkFake]:
    fake = VkFake(TOKEN)
    fake.port = await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def channel(fake, clock) -> AsyncIterator[VkChannel]:
    channel = VkChannel(VkSettings(TOKEN, f"http://127.0.0.1:{fake.port}", QUICK), clock)
    yield channel
    await channel.close()


@pytest.mark.parametrize(
    ("address", "outcome", "code", "accepted"),
    [
        ("88", Outcome.ACCEPTED, "", 1),
        ("79000009011", Outcome.BLOCKED_BY_USER, "vk:901 no_permission", 0),
        ("79000009021", Outcome.BLOCKED_BY_USER, "vk:902 privacy", 0),
        ("79000000141", Outcome.POLICY, "vk:14 captcha", 0),
        ("79000000051", Outcome.AUTH, "vk:5 authorization", 0),
        ("79000000061", Outcome.THROTTLED, "vk:6 too_many", 0),
        ("79000000091", Outcome.THROTTLED, "vk:9 flood", 0),
        ("79000000101", Outcome.TRANSIENT, "vk:10 internal", 0),
        ("79000001131", Outcome.PERMANENT_ADDRESS, "vk:113 user_id", 0),
        ("79000005021", Outcome.UNKNOWN, "vk:502 unreadable", 0),
        ("79000004081", Outcome.UNKNOWN, "ReadTimeout", 0),
        ("79000004991", Outcome.UNKNOWN, "RemoteProtocolError", 1),
    ],
)
async def test_each_outcome(fake, channel, message, started, address, outcome, code, accepted):
    result = await channel.send(message(address), started)
    assert (result.outcome, result.code, len(fake.record.accepted), started.count) == (outcome, code, accepted, 1)
    if outcome is Outcome.ACCEPTED:
        assert (result.provider_id, fake.record.accepted[0]["user_id"]) == ("1", address)


async def test_what_went_and_was_not_answered_is_one_message_when_it_is_sent_again(fake, channel, message):
    letter = message("79000004991")
    assert (await channel.send(letter)).outcome is Outcome.UNKNOWN
    assert (await channel.send(letter)).provider_id == "1"
    assert len(fake.record.accepted) == 1
    assert (await channel.send(message("88", key="another"))).provider_id == "2"


def test_the_key_of_a_message_is_a_number_as_vk_takes_one():
    numbers = {random_id(f"key {n}") for n in range(10_000)}
    assert len(numbers) > 9_995 and all(0 < number < 2**31 for number in numbers)


@pytest.mark.parametrize(("address", "ms"), [("79000000061", 1_000), ("79000000091", 60_000)])
async def test_too_many_stops_the_whole_token_for_a_time(fake, channel, clock, message, started, address, ms):
    assert (await channel.send(message(address))).retry_after_ms == ms
    held = await channel.send(message("88"), started)
    assert (held.outcome, held.code, started.count, fake.server.requests) == (Outcome.THROTTLED, "vk:pause", 0, 1)
    clock.now += ms / 1000 + 0.001
    assert (await channel.send(message("88"), started)).outcome is Outcome.ACCEPTED


async def test_buttons_are_a_keyboard_that_vk_takes(fake, channel, message):
    page = Shown("The site", url="https://shop.example/c/x")
    for count in (1, 6, 10):
        buttons = (*(Shown(f"Answer {n}", f"a:00000000:quiz:q1:{n}") for n in range(count - 1)), page)
        assert (await channel.send(message("88", buttons=buttons))).outcome is Outcome.ACCEPTED
        sent = fake.record.accepted[-1]["buttons"]
        assert [button["label"] for button in sent] == [button.text for button in buttons]
        assert sent[-1] == {"type": "open_link", "label": "The site", "link": page.url}
    too_many = tuple(Shown(str(n), f"s:{n}") for n in range(11))
    assert (await channel.send(message("88", buttons=too_many))).outcome is Outcome.PERMANENT_CONTENT


async def test_a_wrong_token_stops_the_channel(fake, message):
    channel = VkChannel(VkSettings("wrong", f"http://127.0.0.1:{fake.port}", QUICK))
    assert (await channel.send(message("88"))).outcome is Outcome.AUTH
    await channel.close()


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"address": "-88"}, Outcome.PERMANENT_ADDRESS),
        ({"address": "ann"}, Outcome.PERMANENT_ADDRESS),
        ({"address": "1", "text": " "}, Outcome.PERMANENT_CONTENT),
        ({"address": "1", "text": "x" * 4097}, Outcome.PERMANENT_CONTENT),
        ({"address": "1", "options": {"peer_id": 5}}, Outcome.PERMANENT_CONTENT),
    ],
)
async def test_what_is_not_even_asked(fake, channel, message, started, changes, outcome):
    assert (await channel.send(message(**changes), started)).outcome is outcome
    assert (fake.server.requests, started.count) == (0, 0)


async def test_the_token_is_in_no_log_and_no_repr(channel, message, caplog):
    with caplog.at_level("INFO"):
        await channel.send(message("88"))
        await channel.send(message("79000004081"))
    assert "secret-token" not in caplog.text and "secret-token" not in repr(VkSettings(TOKEN))


def test_answers_that_are_none():
    assert read_answer(302, None).outcome is Outcome.POLICY
    assert read_answer(200, {"response": "?"}).outcome is Outcome.UNKNOWN
    assert read_answer(200, {"error": {"error_code": 100}}).outcome is Outcome.PERMANENT_CONTENT
    assert read_answer(200, {"error": {}}).outcome is Outcome.PERMANENT_CONTENT
