"""J10 and the SMS of J1: one message over the first channel that reaches somebody. WhatsApp and Viber are no channels here yet."""

import re
from collections import Counter
from typing import Any

import pytest

from tests.cases.welcome import welcome
from tests.support.installation import REPORTS
from tests.support.shop import DAY, HOUR, MINUTE, Shop, journey, once, send, template

PAGE = "https://shop.example/lesson"


class Seen:
    """What the fakes of Telegram and SMSC have of the people of one test."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.number = shop, int(shop.brand[1:], 16)

    def chat(self, place: int) -> str:
        return str(10**10 + self.number * 10 + place)

    def phone(self, place: int, operator: str = "7701") -> str:
        return f"+{operator}{(self.number * 10 + place) % 10**7:07}"

    def chats(self, place: int) -> list[dict[str, Any]]:
        return [one for one in self.shop.installation.telegram.record.accepted if one["chat_id"] == self.chat(place)]

    def texts(self, place: int, operator: str = "7701") -> list[dict[str, Any]]:
        phone = self.phone(place, operator).lstrip("+")
        return [one for one in self.shop.installation.sms.record.accepted if one["phone"] == phone]

    async def clicks(self, text: str) -> None:
        (way,) = re.findall(r"/c/[\w-]+", text)
        assert (await self.shop.installation.public.get(way, follow_redirects=False)).status_code == 302
        await self.shop.settle()

    async def reports(self, text: dict[str, Any], status: int) -> None:
        form = {"id": text["id"], "phone": text["phone"], "status": str(status), "err": "0", "time": "x"}
        assert (await self.shop.installation.public.post(f"/hooks/smsc/{REPORTS}", data=form)).status_code == 204
        await self.shop.settle()


def lesson(b: str) -> list[dict[str, Any]]:
    """A lesson begins: told where he reads it."""
    attempts = [
        {"channel": "telegram", "template": f"{b}-chat", "read_within": "2h"},
        {"channel": "sms", "template": f"{b}-text", "delivered_within": "10m"},
        {"channel": "email", "template": f"{b}-mail"},
    ]
    return [
        template("chat", b, channel="telegram", subject="", text=f"Your lesson: {PAGE}"),
        template("text", b, channel="sms", subject="", text="Your lesson begins"),
        template("mail", b),
        template("offer", b),
        journey("lesson", b, "Lesson Near", {"id": "near", "cascade": attempts, "expires": "1d"}),
        journey("offer", b, "Offer Made", send("offer", b, expires="1h")),
    ]


@pytest.mark.case("J10")
async def test_telegram_else_sms_else_mail_his_own_channel_first(shop: Shop):
    """In the order of the case, over the channels that there are; Telegram to people in Russia is off by law and is passed by."""
    await shop.publish(*lesson(shop.brand))
    seen, start = Seen(shop), shop.now
    names = ("reads", "silent", "lost", "texts", "here", "mails")
    more: dict[str, dict[str, Any]] = {"texts": {"preferred_channel": "sms"}, "here": {"phone": seen.phone(4, "7916")}}
    for place, who in enumerate(names[:5]):
        given = {"telegram_id": seen.chat(place), "phone": seen.phone(place), **more.get(who, {})}
        await shop.post(shop.is_(who, **given), shop.agrees(who, channel="*"))
    await shop.post(shop.is_("mails", telegram_id=seen.chat(5), phone=seen.phone(5)), shop.agrees("mails"))
    async with shop.rule(caps=[{"name": "one", "class": "triggered", "most": 1, "per": "week"}]):
        await shop.post(*(shop.did(who, "Lesson Near") for who in names))
        assert [len(seen.chats(place)) for place in range(6)] == [1, 1, 1, 0, 0, 0]
        assert [len(seen.texts(place)) for place in range(6)] == [0, 0, 0, 1, 0, 0] and len(seen.texts(4, "7916")) == 1
        assert await shop.came() == once(("mails", "mail")), "he agreed to letters alone"
        await seen.reports(seen.texts(3)[0], 1)
        await seen.reports(seen.texts(4, "7916")[0], 1)
        await shop.until(start + HOUR)
        await seen.clicks(seen.chats(0)[0]["text"])
        await shop.until(start + 2 * HOUR - MINUTE)
        assert [len(seen.texts(place)) for place in range(3)] == [0, 0, 0]
        await shop.until(start + 2 * HOUR)
        assert [len(seen.texts(place)) for place in range(3)] == [0, 1, 1]
        await seen.reports(seen.texts(1)[0], 1)
        await shop.until(start + 2 * HOUR + 10 * MINUTE)
        assert await shop.came() == once(("lost", "mail"))
        await shop.post(*(shop.did(who, "Offer Made") for who in names))
        await shop.until(start + 2 * DAY)
        assert await shop.came() == Counter(), "each has had his one message of the week, over however many channels"
    assert [len(seen.chats(place)) for place in range(6)] == [1, 1, 1, 0, 0, 0]
    told = [one for one in await shop.decisions("lost") if one[0] == "near" and one[1] != "sent"]
    assert told == [
        ("near", "accepted", ""), ("near", "fallback", "not_read"), ("near", "accepted", ""), ("near", "fallback", "not_delivered"),
        ("near", "accepted", ""), ("near", "left", "end"),
    ]  # fmt: skip
    assert ("near", "skipped", "policy:RU:telegram") in await shop.decisions("here")
    assert ("near", "skipped", "consent") in await shop.decisions("mails")


@pytest.mark.case("J1")
async def test_a_letter_of_the_welcome_chain_that_is_not_read_is_followed_by_a_text(shop: Shop):
    """The chain is that of J1; its fourth letter is a cascade, which a top-up ends at once, as it ends the chain."""
    b, seen = shop.brand, Seen(shop)
    documents = welcome(b)
    steps = documents[-1]["body"]["steps"]
    (fourth,) = [place for place, step in enumerate(steps) if step["id"] == "letter4"]
    attempts = [{"channel": "email", "template": f"{b}-letter4", "read_within": "12h"}, {"channel": "sms", "template": f"{b}-sms"}]
    steps[fourth : fourth + 2] = [{"id": "letter4", "cascade": attempts}]
    for document in documents:
        if document["body"]["key"] == f"{b}-letter4":
            document["body"]["html"] = f'<p>Look <a href="{PAGE}">here</a></p>'
    await shop.publish(*documents)
    start = shop.now
    names = ("reads", "silent", "pays")
    for place, who in enumerate(names):
        await shop.post(
            shop.is_(who, kind="natural", phone=seen.phone(place)), shop.agrees(who, channel="*"), shop.did(who, "Registered")
        )
    sent = start + 6 * HOUR + 4 * DAY
    for at in (6 * HOUR, *(6 * HOUR + days * DAY for days in (1, 3))):
        await shop.until(start + at)
    await shop.mails()
    await shop.until(sent)
    mails = {mail["to"][0].partition("@")[0]: mail for mail in await shop.mails()}
    assert {mail["subject"] for mail in mails.values()} == {"letter4"} and set(mails) == set(names)
    await seen.clicks((await shop.letter(mails["reads"]))["html"])
    await shop.until(sent + 6 * HOUR)
    await shop.post(shop.did("pays", "Balance Topped Up"))
    await shop.until(sent + 12 * HOUR - MINUTE)
    assert [len(seen.texts(place)) for place in range(3)] == [0, 0, 0]
    await shop.until(sent + 12 * HOUR)
    assert [len(seen.texts(place)) for place in range(3)] == [0, 1, 0]
    assert seen.texts(1)[0]["text"] == "Silent, look into your mail"
    await shop.until(sent + 2 * DAY)
    assert await shop.came() == once(("reads", "letter5")), "who read it goes on at once"
    await shop.until(sent + 2 * DAY + 12 * HOUR)
    assert await shop.came() == once(("silent", "letter5")), "the pause of the others begins with the text"
    assert ("letter4", "goal", "goal") in await shop.decisions("pays")
