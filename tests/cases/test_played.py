"""J6, J14, J16, R8: ready-made mechanics, installed and played, each with the delays of its row."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cases.mechanics import in_force
from tests.cases.test_telling import calls, receiver
from tests.support.shop import DAY, HOUR, MINUTE, Shop, journey, once, send, template

ASKED, BYE = "Two questions to you", "One question before you go"


async def comes(shop: Shop, who: str, **traits: Any) -> None:
    """Somebody who reads English and agrees to whatever the brand writes."""
    await shop.post(shop.is_(who, language="en", **traits), shop.agrees(who), shop.did(who, "Registered"))


async def texts(shop: Shop) -> dict[tuple[str, str], str]:
    """(whom, subject) -> text, of what came since the last look."""
    return {(mail["to"][0].partition("@")[0], mail["subject"]): (await shop.letter(mail))["text"] for mail in await shop.mails()}


def survey_link(text: str) -> str:
    """The path of his own page in a letter's text."""
    link = re.search(r"/s/[a-z0-9-]+/[A-Za-z0-9_-]{42}", text)
    assert link, text
    return link[0]


@pytest.mark.case("J6")
async def test_who_cancels_is_asked_why_the_product_team_is_told_and_no_letter_wants_him_back(shop: Shop):
    start, public = shop.now, shop.installation.public
    async with in_force(shop, "churn-survey", "win-back"):
        path = await receiver(shop, "product-team")
        for who in ("ann", "bob", "eve", "max", "ida"):
            await comes(shop, who)
        await shop.post(*(shop.did(who, "Order Completed") for who in ("ann", "bob", "ida")))
        await shop.post(*(shop.did(who, "Subscription Cancelled") for who in ("ann", "eve")))
        asked = await texts(shop)
        assert asked.keys() == {("ann", BYE), ("eve", BYE)}
        page, said = survey_link(asked["ann", BYE]), {"q.reason": "price", "q.words": "Too much for two of us"}
        await public.post(page, data={"at": "reason", "q.reason": "price"})
        await shop.settle()
        assert calls(shop, path) == [], "before he has answered the rest"
        assert (await public.post(page, data={"at": "words", **said})).status_code == 200
        await shop.settle()
        (call,) = calls(shop, path)
        assert json.loads(call["body"]) == {"reason": "price", "words": "Too much for two of us"}

        await shop.until(start + 30 * DAY)  # eve, who never bought either, has said good-bye
        assert await shop.came() == once(("max", "Your first order"))
        await shop.through(start + 37 * DAY, start + 182 * DAY - MINUTE)
        assert await shop.came() == once(("max", "Shall we help you to choose?"))
        await shop.until(start + 182 * DAY)
        assert await shop.came() == once(("bob", "We miss you"), ("ida", "We miss you")), "ann has said good-bye"
        await shop.post(shop.did("bob", "Subscription Cancelled"))
        await shop.until(start + 189 * DAY)
        assert await shop.came() == once(("bob", BYE), ("ida", "A reason to come back"))
        assert len(calls(shop, path)) == 1


@pytest.mark.case("J14")
async def test_the_unknown_are_asked_by_letters_and_on_the_site_and_warmed_by_what_they_answer_and_do(shop: Shop):
    """A pop-up is not there yet: what is answered in one comes as the facts that it will raise."""
    b, start = shop.brand, shop.now
    both = {"kind": "natural", "interest": "cloud"}
    people = {"ann": {}, "bob": {}, "eve": {}, "max": {"kind": "legal"}, "joe": {"interest": "cloud"}, "ida": both}
    async with in_force(shop, "discovery"):
        for who, known in people.items():
            await comes(shop, who, **known)
        asked = await texts(shop)
        assert asked.keys() == {(who, ASKED) for who in ("ann", "bob", "eve", "max", "joe")}, "of ida both are known"
        await shop.until(start + DAY)
        assert await shop.came() == once(("joe", "What you asked for")), "his kind alone was not known"
        await shop.until(start + 2 * DAY)
        page = survey_link(asked["ann", ASKED])
        await shop.installation.public.post(page, data={"at": "interest", "q.interest": "cloud"})
        await shop.installation.public.post(page, data={"at": "kind", "q.interest": "cloud", "q.kind": "legal"})
        answers = {"interest": "servers", "kind": "natural"}
        said = [shop.did("bob", "Survey Answered", survey=f"{b}-discovery", question=q, answer=a) for q, a in answers.items()]
        await shop.post(*said, shop.did("bob", "Survey Completed", survey=f"{b}-discovery"))
        for who, kind in (("ann", "legal"), ("bob", "natural")):
            assert (await shop.profile(f"user_id:{shop.user(who)}"))["attributes"]["kind"] == kind, "as every mechanic asks for it"
        await shop.until(start + 3 * DAY - MINUTE)
        assert await shop.came() == once()
        await shop.until(start + 3 * DAY)
        came = await texts(shop)
        assert came.keys() == {("ann", "What you asked for"), ("bob", "What you asked for")}
        assert "On cloud" in came["ann", "What you asked for"] and "On servers" in came["bob", "What you asked for"]
        await shop.through(start + 4 * DAY, start + 6 * DAY)
        came = await texts(shop)
        assert came.keys() == {(who, "More of it") for who in ("ann", "bob", "joe")}
        assert "How companies use it" in came["ann", "More of it"] and "How people use it" in came["bob", "More of it"]

        await shop.until(start + 7 * DAY)
        assert await shop.came() == once(("eve", "Still two questions"), ("max", "Still two questions"))
        await shop.until(start + 9 * DAY)
        await shop.post(shop.did("eve", "Product Viewed", product_type="servers"))
        await shop.until(start + 10 * DAY)
        came = await texts(shop)
        assert came.keys() == {("eve", "What you asked for")} and "On servers" in came["eve", "What you asked for"]
        await shop.until(start + 13 * DAY)
        assert await shop.came() == once(("eve", "More of it"))
        await shop.until(start + 30 * DAY)
        assert await shop.came() == once(), "who neither answers nor looks is asked twice, and that is all"


@pytest.mark.case("J16")
async def test_buyers_of_a_marketplace_are_reminded_by_their_profile_and_told_of_the_supplier_whom_they_left(shop: Shop):
    async with in_force(shop, "marketplace"):
        midnight = await shop.next(0)

        def day(number: int) -> str:
            return datetime.fromtimestamp(midnight / 1000 + number * 86_400, UTC).strftime("%Y-%m-%d")

        moscow = {"timezone": "Europe/Moscow", "usual_supplier": "The Mill"}
        await comes(shop, "ann", trade="bakeries", next_purchase_at=day(5), **moscow)
        await comes(shop, "bob", trade="hotels", usual_supplier="Linen & Co")
        await shop.post(*(shop.did(who, "Order Completed", usual_supplier=True) for who in ("ann", "bob")))
        await shop.until(midnight + 2 * DAY + 7 * HOUR - MINUTE)
        assert await shop.came() == once()
        await shop.until(midnight + 2 * DAY + 7 * HOUR)  # ten in Moscow, three days before
        (reminder,) = (await texts(shop)).items()
        assert reminder[0] == ("ann", "Time to order again") and "A selection for bakeries" in reminder[1]

        await shop.until(midnight + 20 * DAY)
        await shop.post(
            shop.did("ann", "Order Completed", usual_supplier=False), shop.did("bob", "Order Completed", usual_supplier=True)
        )
        await shop.post(shop.is_("ann", next_purchase_at=day(28)), shop.is_("bob", next_purchase_at=day(28)))
        await shop.through(midnight + 25 * DAY + 7 * HOUR, midnight + 25 * DAY + 10 * HOUR)
        came = await texts(shop)
        assert came.keys() == {(who, "Time to order again") for who in ("ann", "bob")}, "each next purchase is a day of its own"
        assert "A selection for hotels" in came["bob", "Time to order again"]
        await shop.until(midnight + 30 * DAY - MINUTE)
        assert await shop.came() == once()
        await shop.until(midnight + 30 * DAY)
        (letter,) = (await texts(shop)).items()
        assert letter[0] == ("ann", "News of your supplier") and "The Mill: goods and terms." in letter[1]
        await shop.until(midnight + 50 * DAY)
        assert await shop.came() == once(("bob", "News of your supplier")), "a month after his last order there"


@pytest.mark.case("R8")
async def test_a_cold_lead_gets_fewer_of_the_same_letters_until_he_orders(shop: Shop):
    b = shop.brand
    issue = send("digest", b, expires="1d", **{"class": "mass"})
    await shop.publish(template("digest", b), journey("digest", b, "Digest Issued", issue, reentry={"mode": "always"}))
    for who, score in (("ann", 10), ("bob", 50)):
        await shop.post(shop.is_(who, score=score), shop.agrees(who))

    async def issued() -> Counter[tuple[str, str]]:
        await shop.post(*(shop.did(who, "Digest Issued") for who in ("ann", "bob")))
        return await shop.came()

    monday = await shop.next(0, 12)
    both, warm = once(("ann", "digest"), ("bob", "digest")), once(("bob", "digest"))
    async with in_force(shop, "caps"):
        came = []
        for number in range(4):
            await shop.until(monday + number * DAY)
            came.append(await issued())
        assert came == [both, warm, warm, once()], "one in 30 days to who is cold, three a week to the others"
        told = Counter(await shop.decisions("ann", own=True)), Counter(await shop.decisions("bob", own=True))
        print(told)
        await shop.until(monday + 30 * DAY)
        assert await issued() == both
        await shop.until(monday + 31 * DAY)
        assert await issued() == warm
        await shop.post(shop.did("ann", "Order Completed"))
        await shop.until(monday + 32 * DAY)
        assert await issued() == both, "who has bought is no lead any more"
