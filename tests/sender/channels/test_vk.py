import pytest

from schemas.bots import Shown
from services.sender.channels.contract import Outcome
from services.sender.channels.vk import random_id, read_answer
from tests.sender.channels.messengers import VK, Messenger


@pytest.fixture
def messenger() -> Messenger:
    return VK


async def test_what_went_and_was_not_answered_is_one_message_when_it_is_sent_again(fake, channel, message):
    letter = message("79000004991")
    assert (await channel.send(letter)).outcome is Outcome.UNKNOWN
    assert (await channel.send(letter)).provider_id == "1"
    assert len(fake.record.accepted) == 1
    assert (await channel.send(message("88", key="another"))).provider_id == "2"


def test_the_key_of_a_message_is_a_number_as_vk_takes_one():
    numbers = {random_id(f"key {n}") for n in range(10_000)}
    assert len(numbers) > 9_995 and all(0 < number < 2**31 for number in numbers)


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


def test_answers_that_are_none():
    assert read_answer(302, None).outcome is Outcome.POLICY
    assert read_answer(200, {"response": "?"}).outcome is Outcome.UNKNOWN
    assert read_answer(200, {"error": {"error_code": 100}}).outcome is Outcome.PERMANENT_CONTENT
    assert read_answer(200, {"error": {}}).outcome is Outcome.PERMANENT_CONTENT
