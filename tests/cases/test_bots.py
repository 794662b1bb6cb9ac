"""P5, P2, C2: the ready bots, from a link to a segment, by what a player does in the messenger and what he is answered there."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.live import until
from tests.support.shop import DAY, HOUR, Shop, journey, once, send, template

READY = Path(__file__).parents[2] / "deploy" / "bots"
WRONG = "Похоже, в адресе опечатка. Напишите его, пожалуйста, ещё раз: например, anna@example.ru"


class Chat:
    """Somebody in a messenger, and the bot that he talks with there."""

    def __init__(self, shop: Shop, key: str, number: int) -> None:
        self.shop, self.key, self.number = shop, key, number
        self.fake: Any = None

    async def telegram(self) -> "Chat":
        """Asks for updates as its owner does."""
        self.fake = self.shop.installation.telegram
        self.fake.clock = lambda: self.shop.now
        told = await self._told()
        self.fake.listen(told["url"], told["secret"])
        return self

    async def vk(self, group: int, confirmation: str) -> "Chat":
        self.fake = self.shop.installation.vk
        self.fake.clock = lambda: self.shop.now
        told = await self._told()

        async def connected() -> bool:
            return await self.fake.connect(told["url"], told["secret"], group, confirmation)

        assert await until(connected)
        return self

    async def writes(self, text: str, **more: Any) -> list[str]:
        """The texts that he is answered with."""
        return await self._answered(self.fake.write(self.number, text, **more))

    async def presses(self, label: str) -> list[str]:
        return await self._answered(self.fake.press(self.number, label))

    def texts(self) -> list[str]:
        return [one["text"] for one in self.messages()]

    def messages(self) -> list[dict[str, Any]]:
        mine = str(self.number)
        return [one for one in self.fake.record.accepted if mine in (one.get("chat_id"), one.get("user_id"))]

    async def _told(self) -> dict[str, str]:
        return await self.shop.api("GET", f"/api/bots/{self.key}/url")

    async def _answered(self, act: Any) -> list[str]:
        before = len(self.messages())
        assert await act == 200
        await self.shop.settle()
        return self.texts()[before:]


def ready(shop: Shop, name: str, **changed: Any) -> list[dict[str, Any]]:
    """The documents of a ready bot, with the brand and keys of the test."""
    text = (READY / f"{name}.yaml").read_text(encoding="utf-8")
    found = yaml.safe_load(text)["documents"]
    for one in found:
        body = one["body"]
        body["brand"], body["key"] = shop.brand, f"{shop.brand}-{body['key']}"
        if one["kind"] == "bot":
            body |= changed
            for step in (step for dialogue in body["dialogues"] for step in dialogue["steps"]):
                for word in ("subscribe", "unsubscribe"):
                    if step.get(word, "*") != "*":
                        step[word] = f"{shop.brand}-{step[word]}"
    return found


def number_of(shop: Shop) -> int:
    return int(shop.brand[1:], 16) + 10**10


@pytest.mark.case("P2", "C2")
async def test_a_player_of_the_quiz_gives_his_address_and_is_the_visitor_of_the_site(shop: Shop):
    b, device = shop.brand, f"device-{shop.brand}"
    won = {"event": "Survey Completed", "where": [{"path": "survey", "op": "eq", "value": "english-quiz"}]}
    await shop.publish(*ready(shop, "quiz"), template("prize", b), journey("prize", b, won, send("prize", b)))
    chat = await Chat(shop, f"{b}-quiz", number_of(shop)).telegram()
    await shop.post(shop.is_("ann"), shop.agrees("ann"))
    await shop.post(shop.call("page", "", userId=None, anonymousId=device, name="Prices"))
    await shop.until(shop.now + HOUR)
    (first,) = await chat.writes(f"/start quiz__a-{device}")
    assert first.startswith("Восемь тем") and first.endswith("I saw ___ interesting film yesterday.")
    visitor = await shop.profile(f"anonymous_id:{device}")
    assert visitor["identifiers"] == [f"anonymous_id:{device}", f"telegram_id:{chat.number}"], (
        "the visitor of the site is the player"
    )
    for label in ("an", "has lived", "at", "бросить", "am", "очень просто", "точный", "успеть к сроку"):
        (question,) = await chat.presses(label)
    assert question.startswith("Вопросы закончились!")
    assert await chat.writes("что это?") == [f"{WRONG}\n\n{question}"]
    (result,) = await chat.writes(shop.address("ann").upper())
    assert result == "10 из 11: отличный результат! Вам подойдёт разговорный клуб."
    ann = await shop.profile(f"telegram_id:{chat.number}")
    assert ann == await shop.profile(f"user_id:{shop.user('ann')}") == await shop.profile(f"anonymous_id:{device}")
    assert (ann["attributes"]["quiz_points"], ann["attributes"]["quiz_level"]) == (10, "high")
    assert await shop.came() == once(("ann", "prize")), "a journey began with the end of the quiz, and goes on by mail"

    said = len(chat.texts())
    assert set(await chat.fake.webhook.again()) == {200}, "Telegram tells all of it once more"
    await shop.settle()
    assert len(chat.texts()) == said and await shop.came() == once()
    facts = [fact for fact in await shop.installation.log.records("facts") if fact["brand"] == b]
    answered = [fact["properties"] for fact in facts if fact.get("event") == "Survey Answered"]
    assert [one["points"] for one in answered] == [1, 1, 1, 1, 0, 1, 1, 1, 3] and answered[-1]["answer"] == "given"
    (completed,) = [fact["properties"] for fact in facts if fact.get("event") == "Survey Completed"]
    assert (completed["survey"], completed["points"], completed["result"]) == ("english-quiz", 10, "high")
    assert len(chat.fake.answered) == 8, "no button is left looking as if it were pressed"


@pytest.mark.case("P2")
async def test_a_branching_test_gives_a_segment_and_an_offer_whose_link_is_counted(shop: Shop):
    b = shop.brand
    await shop.publish(*ready(shop, "course-test"))
    await shop.publish(
        {
            "kind": "template",
            "body": {"key": f"{b}-offer", "brand": b, "channel": "telegram", "text": "Offer: https://shop.example/x"},
        },
        journey(
            "offer", b, {"segment": f"{b}-wants-travel-english"}, {**send("offer", b), "channel": "telegram", "class": "service"}
        ),
    )
    chat = await Chat(shop, f"{b}-course-test", number_of(shop)).telegram()
    assert await chat.writes("привет") == ["Подберём курс за минуту?"], "what nobody knows gets the menu"
    assert await chat.presses("Пройти тест") == ["Зачем вам английский?"]
    assert await chat.writes("для поездок") == ["Как часто вы ездите?"]
    result, offer = sorted(await chat.presses("Постоянно"), reverse=True)
    assert result.startswith("Вам подойдёт английский для путешествий") and offer.startswith("Offer: ")
    player = await shop.profile(f"telegram_id:{chat.number}")
    assert (player["attributes"]["course_goal"], player["attributes"]["course_detail"]) == ("travel", "often")
    for text, target in ((result, "https://shop.example/courses/travel"), (offer, "https://shop.example/x")):
        link = text[text.index("http") :]
        answer = await shop.installation.public.get(link[link.index("/c/") :])
        assert (answer.status_code, answer.headers["location"]) == (302, target)
    await shop.settle()
    clicks = [
        f for f in await shop.installation.log.records("facts") if f["brand"] == b and f.get("event") == "Telegram Link Clicked"
    ]
    assert len(clicks) == 2 and {f["profile"] for f in clicks} == {player["id"]}


@pytest.mark.case("P5")
@pytest.mark.parametrize("channel", ["telegram", "vk"])
async def test_the_menu_registers_for_an_event_and_a_subscription_is_a_consent_with_its_evidence(shop: Shop, channel: str):
    b, number = shop.brand, number_of(shop)
    group, identifier = number % 10**8 + 1, f"{channel}_id:{number}"
    more = {"channel": "vk", "group": group, "confirmation": "5bb2"} if channel == "vk" else {}
    await shop.publish(
        *ready(shop, "menu", **more), template("news", b, channel=channel, subject=""),
        journey("news", b, "News Issued", {**send("news", b), "channel": channel, "topic": f"{b}-events"}, reentry={"mode": "always"}),
    )  # fmt: skip
    chat = Chat(shop, f"{b}-school", number)
    await (chat.vk(group, "5bb2") if channel == "vk" else chat.telegram())
    named = {"userId": None, "context": {"externalIds": [{"type": f"{channel}_id", "id": number}]}}

    async def news() -> int:
        before = len(chat.texts())
        await shop.post(shop.call("track", "", event="News Issued", **named))
        return len(chat.texts()) - before

    assert await chat.writes("/menu") == ["Чем помочь?"]
    assert await news() == 0, "nobody has agreed to it"
    assert (await chat.presses("Ближайшие события"))[0].startswith("Ближайшие события:")
    await chat.presses("Разговорный клуб")
    await chat.writes("Учитель")
    assert await chat.presses("Пишите сюда") == ["Вы записаны! Приглашать вас на следующие события?"]
    assert await chat.presses("Да") == ["Спасибо, до встречи! Отписаться можно в меню: /menu"]
    facts = [f for f in await shop.installation.log.records("facts") if f["brand"] == b]
    (registered,) = [f["properties"] for f in facts if f.get("event") == "Event Registered"]
    assert (registered["event"], registered["role"]) == ("club-0312", "Учитель")
    player = await shop.profile(identifier)
    (word,) = (await shop.api("GET", f"/api/profiles/{player['id']}/consents"))["items"]
    assert (word["action"], word["channel"], word["topic"]) == ("granted", channel, f"{b}-events")
    assert word["proof"]["identifiers"] == [identifier]
    evidence = word["proof"]["evidence"]
    assert (evidence["wording"], evidence["chosen"]) == ("Вы записаны! Приглашать вас на следующие события?", "Да")
    assert await news() == 1
    assert await chat.writes("/stop") == ["Хорошо, больше не пишем."], "an answer to what he wrote needs no consent"
    assert await news() == 0
    await shop.until(shop.now + DAY)
    assert await chat.fake.block(number) == 200
    await shop.settle()
    newest = (await shop.api("GET", f"/api/profiles/{player['id']}/consents"))["items"][0]
    assert (newest["action"], newest["channel"], newest["topic"]) == ("withdrawn", channel, "*")


@pytest.mark.case("C2", "P2")
async def test_who_follows_the_link_of_his_letter_into_the_bot_is_known_there(shop: Shop):
    b = shop.brand
    play = "Play: https://t.me/b?start=quiz{{ chat_start }}"
    await shop.publish(
        *ready(shop, "quiz"), template("play", b, text=play, html=None), journey("play", b, "Invited", send("play", b))
    )
    await shop.post(shop.is_("ann"), shop.agrees("ann"), shop.did("ann", "Invited"))
    (mail,) = await shop.mails()
    text = (await shop.letter(mail))["text"]
    payload = text[text.index("start=") + 6 :].split()[0]
    assert len(payload) <= 64
    chat = await Chat(shop, f"{b}-quiz", number_of(shop)).telegram()
    assert (await chat.writes(f"/start {payload}"))[0].startswith("Восемь тем")
    ann = await shop.profile(f"user_id:{shop.user('ann')}")
    assert f"telegram_id:{chat.number}" in ann["identifiers"]
    told = await shop.api("GET", f"/api/bots/{b}-quiz/start", params={"profile": ann["id"], "dialogue": "quiz"})
    assert told["start"].startswith("quiz__p") and len(told["start"]) <= 64
    other = Chat(shop, f"{b}-quiz", chat.number + 1)
    other.fake = chat.fake
    forged = payload[:-1] + ("a" if payload[-1] != "a" else "b")
    assert len(await other.writes(f"/start {forged}")) == 1
    assert (await shop.profile(f"telegram_id:{other.number}"))["id"] != ann["id"], "a forged link makes nobody known"
    await shop.until(shop.now + 31 * DAY)
    late = Chat(shop, f"{b}-quiz", chat.number + 2)
    late.fake = chat.fake
    await late.writes(f"/start {payload}")
    assert (await shop.profile(f"telegram_id:{late.number}"))["id"] != ann["id"], "nor does an old one"
