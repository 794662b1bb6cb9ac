"""The fakes of messengers as a bot's owner and its users see them: updates go to the webhook as the real ones tell them."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from schemas.bots import Shown
from services.sender.channels.fakes.http_server import Answer, HttpFake, Request
from services.sender.channels.fakes.telegram import TelegramFake
from services.sender.channels.fakes.vk import VkFake
from services.sender.channels.telegram import TelegramChannel, TelegramSettings
from services.sender.channels.vk import VkChannel, VkSettings

BUTTONS = (Shown("Play", "s:quiz"), Shown("Site", url="https://x.example/"))


class Bot:
    """A webhook: what it was told, and what it answers next."""

    def __init__(self) -> None:
        self.heard: list[Request] = []
        self.answers: list[Answer] = []
        self.server = HttpFake(self.handle)
        self.url = ""

    async def handle(self, request: Request) -> Answer:
        self.heard.append(request)
        return self.answers.pop(0) if self.answers else Answer(200, b"ok", {"content-type": "text/plain"})


@pytest.fixture
async def bot() -> AsyncIterator[Bot]:
    made = Bot()
    made.url = f"http://127.0.0.1:{await made.server.start()}/hooks"
    yield made
    await made.server.stop()


@pytest.fixture
async def telegram(bot) -> AsyncIterator[TelegramFake]:
    fake = TelegramFake("1:t", clock=lambda: 1_795_341_600_500)
    fake.port = await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def vk(bot) -> AsyncIterator[VkFake]:
    fake = VkFake("token", clock=lambda: 1_795_341_600_500)
    fake.port = await fake.start()
    yield fake
    await fake.stop()


async def test_telegram_tells_the_webhook_that_was_set_with_its_secret(telegram, bot, message):
    channel = TelegramChannel(TelegramSettings("1:t", f"http://127.0.0.1:{telegram.port}"))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{telegram.port}", trust_env=False) as http:
        assert (await http.post("/play", json={"chat_id": 77, "text": "hi"})).json() == {"status": 0}, (
            "nobody has asked for updates"
        )
        told = {"url": bot.url, "secret_token": "s3cret"}
        assert (await http.post("/bot1:t/setWebhook", json=told)).json() == {"ok": True, "result": True}
        await http.post("/play", json={"chat_id": 77, "text": "/start quiz"})
        await channel.send(message("77", buttons=BUTTONS))
        assert telegram.record.accepted[0]["buttons"] == [
            {"text": "Play", "callback_data": "s:quiz"},
            {"text": "Site", "url": "https://x.example/"},
        ]
        bot.answers = [Answer(200, {"method": "answerCallbackQuery", "callback_query_id": "3"})]
        await http.post("/play", json={"chat_id": 77, "press": "Play"})
        await http.post("/play", json={"chat_id": 77, "block": True})
    await channel.close()
    start, press, block = (request.json() for request in bot.heard)
    assert {request.headers["x-telegram-bot-api-secret-token"] for request in bot.heard} == {"s3cret"}
    assert (start["message"]["text"], start["message"]["date"], start["message"]["chat"]["type"]) == (
        "/start quiz", 1_795_341_600, "private",
    )  # fmt: skip
    assert press["callback_query"]["data"] == "s:quiz" and telegram.answered == ["3"]
    assert block["my_chat_member"]["new_chat_member"]["status"] == "kicked"
    assert [one["update_id"] for one in (start, press, block)] == [1001, 1002, 1003]
    assert await telegram.webhook.again() == [200] * 4
    assert bot.heard[-1].body == bot.heard[2].body, "told again it is the same"
    with pytest.raises(LookupError, match="Nothing"):
        await telegram.press(77, "Nothing")


async def test_an_update_is_told_until_it_is_taken(telegram, bot):
    telegram.listen(bot.url, "s")
    bot.answers = [Answer(503, b""), Answer(fault="drop")]
    assert await telegram.write(77, "hi") == 200
    assert len(bot.heard) == 3 and len({request.body for request in bot.heard}) == 1


async def test_telegram_refuses_a_keyboard_that_it_cannot_show(telegram, message):
    channel = TelegramChannel(TelegramSettings("1:t", f"http://127.0.0.1:{telegram.port}"))
    for bad in (Shown("x", "y" * 65), Shown("", "y"), Shown("x")):
        assert (await channel.send(message("77", buttons=(bad,)))).outcome == "permanent_content"
    assert (await channel.send(message("77", buttons=(Shown("x", "y" * 64),)))).outcome == "accepted"
    await channel.close()


async def test_vk_tells_only_who_gives_the_confirmation(vk, bot, message):
    bot.answers = [Answer(200, b"wrong"), Answer(200, b"5bb2")]
    assert not await vk.connect(bot.url, "s3cret", 5, "5bb2") and await vk.write(88, "hi") == 0
    assert await vk.connect(bot.url, "s3cret", 5, "5bb2")
    assert [json.loads(request.body) for request in bot.heard] == [{"type": "confirmation", "group_id": 5}] * 2
    channel = VkChannel(VkSettings("token", f"http://127.0.0.1:{vk.port}"))
    await channel.send(message("88", buttons=BUTTONS))
    await channel.close()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{vk.port}", trust_env=False) as http:
        for act in ({"text": "hi", "ref": "quiz"}, {"press": "Play"}, {"block": True}, {"block": False}):
            assert (await http.post("/play", json={"user_id": 88, **act})).json() == {"status": 200}
    came, pressed, denied, allowed = (request.json() for request in bot.heard[2:])
    assert {one["secret"] for one in (came, pressed, denied, allowed)} == {"s3cret"}
    assert len({one["event_id"] for one in (came, pressed, denied, allowed)}) == 4
    assert came["object"]["message"]["ref"] == "quiz"
    assert (
        json.loads(pressed["object"]["message"]["payload"]) == {"press": "s:quiz"}
        and pressed["object"]["message"]["text"] == "Play"
    )
    assert [denied["type"], allowed["type"]] == ["message_deny", "message_allow"]
    bot.answers = [Answer(200, b"Ok!")] * 5
    assert await vk.write(88, "hi") == 0, "VK wants `ok` and nothing else"
    with pytest.raises(LookupError, match="Site"):
        await vk.press(88, "Site")
