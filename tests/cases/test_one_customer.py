"""C1, C2, C3: whoever he was at first, he is one person, with one history, and nothing reaches him twice."""

import asyncio
from collections import Counter

import pytest

from tests.support.shop import DAY, HOUR, MINUTE, Shop, journey, once, segment, send, template


@pytest.mark.case("C1")
async def test_two_registrations_with_one_address_are_one_profile_and_get_one_mail(shop: Shop):
    b = shop.brand
    await shop.source("crm")
    await shop.source("till")
    await shop.publish(template("hello", b), journey("hello", b, "Registered", send("hello", b)))

    def registers(who: str, address: str) -> list[dict]:
        known = shop.call("identify", who, traits={"email": shop.address(address)})
        return [known, shop.agrees(who), shop.did(who, "Registered")]

    for address in ("ann", "bob"):  # both at once, on two ways; neither source knows of the other
        site, crm = registers(f"{address}-site", address), registers(f"{address}-crm", address)
        await asyncio.gather(shop.post(*site), shop.post(*crm, source="crm"))
    assert await shop.came() == once(("ann", "hello"), ("bob", "hello"))
    till = shop.call("identify", "", userId=None, traits={"email": shop.address("ann").upper(), "phone": "+7 916 765-43-21"})
    await shop.post(till, source="till")
    ann = await shop.profile("phone:+79167654321")
    assert ann["identifiers"] == sorted(
        [
            f"email:{shop.address('ann')}",
            "phone:+79167654321",
            f"user_id:{shop.user('ann-crm')}",
            f"user_id:{shop.user('ann-site')}",
        ]
    )
    assert ann["id"] != (await shop.profile(f"email:{shop.address('bob')}"))["id"]


@pytest.mark.case("C1")
async def test_a_fact_that_a_source_repeats_counts_once(shop: Shop):
    b = shop.brand
    twice = segment("regulars", b, {"kind": "did", "event": "Order Completed", "op": "ge", "value": 2})
    entered = journey("regulars", b, {"segment": f"{b}-regulars"}, send("thanks", b))
    await shop.publish(template("thanks", b), twice, entered)
    order = shop.did("ann", "Order Completed", order_id="1")
    await shop.post(shop.is_("ann"), shop.agrees("ann"), order, order)
    await shop.post(order)
    await shop.until(shop.now + DAY - MINUTE)
    await shop.post(order)  # almost a day later, beyond a midnight
    await shop.until(shop.now + HOUR)
    assert await shop.came() == Counter()
    await shop.post(shop.did("ann", "Order Completed", order_id="2"))
    assert await shop.came() == once(("ann", "thanks"))


@pytest.mark.case("C2")
async def test_a_player_known_by_telegram_who_gives_an_address_stays_one_person_in_everything(shop: Shop):
    b, chat = shop.brand, str(int(shop.brand[1:], 16) + 10**10)
    await shop.source("bot")
    views = {"kind": "did", "event": "Course Viewed", "op": "ge", "value": 3}
    has_mail = {"kind": "reachable", "channel": "email"}
    gift = (
        send("result", b, channel="telegram"),
        {"id": "day", "wait": "1d"},
        {"id": "reach", "if": has_mail, "then": "gift", "else": "chat-gift"},
        send("gift", b, next="end"),
        send("chat-gift", b, channel="telegram"),
        {"id": "end", "end": True},
    )
    bot = {"channel": "telegram", "subject": ""}
    await shop.publish(
        template("result", b, **bot), template("chat-gift", b, **bot), template("gift", b), template("warm", b), template("digest", b),
        segment("warm", b, views), journey("warm", b, {"segment": f"{b}-warm"}, send("warm", b)),
        journey("quiz", b, "Quiz Finished", *gift),
        journey("digest", b, "Digest Issued", send("digest", b, **{"class": "mass"}), reentry={"mode": "always"}),
    )  # fmt: skip
    player = {"userId": None, "context": {"traits": {"telegram_id": chat}}}
    await shop.next(0, 9)
    start = shop.now
    async with shop.rule(caps=[{"name": "mass a week", "class": "mass", "most": 3, "per": "week"}]):
        await shop.post(
            shop.agrees("", channel="telegram", **player), shop.call("track", "", event="Course Viewed", **player),
            shop.call("track", "", event="Quiz Finished", **player), source="bot",
        )  # fmt: skip
        assert [one["text"] for one in shop.installation.telegram.record.accepted if one["chat_id"] == chat] == ["result"]
        # Meanwhile somebody looks at courses on the site, plays the quiz there too and gets the mailing.
        await shop.until(start + MINUTE)
        await shop.post(shop.is_("ann"), shop.agrees("ann"), *(shop.did("ann", "Course Viewed", number=n) for n in range(2)))
        for _ in range(2):
            await shop.post(shop.did("ann", "Digest Issued"))
        await shop.until(start + HOUR)
        await shop.post(shop.did("ann", "Quiz Finished"))
        assert await shop.came() == Counter({("ann", "digest"): 2})
        two = [await shop.profile(f"telegram_id:{chat}"), await shop.profile(f"user_id:{shop.user('ann')}")]
        assert len({one["id"] for one in two}) == len({one["bucketing_id"] for one in two}) == 2
        await shop.until(start + 2 * HOUR)
        given = shop.call("identify", "", userId=None, traits={"telegram_id": chat, "email": shop.address("ann")})
        await shop.post(given, source="bot")
        one = await shop.profile(f"telegram_id:{chat}")
        assert one == await shop.profile(f"email:{shop.address('ann')}")
        assert one["bucketing_id"] == two[0]["bucketing_id"], "in experiments he stays who he was at first"
        assert await shop.came() == once(("ann", "warm")), "three views: one in the chat, two on the site"
        for _ in range(2):
            await shop.post(shop.did("ann", "Digest Issued"))
        assert await shop.came() == once(("ann", "digest")), "two of three were sent when they were two"
        await shop.until(start + DAY)
        assert await shop.came() == once(("ann", "gift")), "the run of the chat goes on by mail"
        await shop.until(start + DAY + 2 * HOUR)
        assert await shop.came() == Counter(), "and the one of the site is the same run"
    assert [one["text"] for one in shop.installation.telegram.record.accepted if one["chat_id"] == chat] == ["result"]


@pytest.mark.case("C3")
@pytest.mark.parametrize("known", [False, True])
async def test_what_a_visitor_did_is_his_when_he_is_recognised(shop: Shop, known: bool):
    b, device = shop.brand, f"device-{shop.brand}"
    read = {
        "kind": "all",
        "of": [
            {"kind": "did", "event": "Page Viewed", "op": "ge", "value": 3},
            {"kind": "total", "event": "Page Viewed", "sum": "engaged_s", "op": "ge", "value": 180},
            {"kind": "did", "event": "Page Viewed", "where": [{"path": "utm_source", "op": "eq", "value": "yandex"}]},
        ],
    }
    steps = (
        {"id": "read", "if": read, "then": "reader", "else": "stranger"},
        send("reader", b, next="end"),
        send("stranger", b),
        {"id": "end", "end": True},
    )
    await shop.publish(template("reader", b), template("stranger", b), journey("hello", b, "Logged In", *steps))
    start = shop.now
    if known:
        await shop.post(shop.is_("ann"), shop.agrees("ann"))
    campaign = {"campaign": {"source": "yandex", "name": "winter"}}
    pages = [
        shop.call(
            "page",
            "",
            userId=None,
            anonymousId=device,
            name=f"page {n}",
            properties={"engaged_s": 70, "utm_source": "yandex"},
            context=campaign,
        )
        for n in range(3)
    ]
    await shop.post(*pages)
    await shop.until(start + HOUR)
    assert await shop.came() == Counter()
    for login in ({**shop.is_("ann"), "anonymousId": device}, shop.is_("bob")):
        who = "ann" if "anonymousId" in login else "bob"
        await shop.post(login, shop.agrees(who), shop.did(who, "Logged In"))
    assert await shop.came() == once(("ann", "reader"), ("bob", "stranger"))
    person = await shop.profile(f"anonymous_id:{device}")
    assert f"email:{shop.address('ann')}" in person["identifiers"]
    told = [
        fact for fact in await shop.installation.log.records("facts") if fact.get("event") == "Page Viewed" and fact["brand"] == b
    ]
    ids = {person["id"], *person["merged"]}
    assert len(told) == 3 and {fact["profile"] for fact in told} <= ids
    assert [fact["context"]["campaign"] for fact in told] == [campaign["campaign"]] * 3
