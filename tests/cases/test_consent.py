"""R5: nothing without consent for that brand, channel and topic, checked at the last moment."""

from collections import Counter

import pytest

from tests.support.shop import DAY, MINUTE, Shop, journey, once, send, template


async def letters(shop: Shop) -> None:
    """A letter on sales, one on events, and a receipt, an hour after they are asked for."""
    topics = [
        {"kind": "topic", "body": {"key": f"{shop.brand}-{key}", "brand": shop.brand, "name": {"en": key}}}
        for key in ("sales", "events")
    ]
    await shop.publish(*topics, *(template(key, shop.brand) for key in ("sales", "events", "receipt")))
    for key, more in {
        "sales": {"class": "mass", "topic": f"{shop.brand}-sales"},
        "events": {"class": "triggered", "topic": f"{shop.brand}-events"},
        "receipt": {"class": "service"},
    }.items():
        await shop.publish(journey(key, shop.brand, "Asked", {"id": "hour", "wait": "1h"}, send(key, shop.brand, **more)))


@pytest.mark.case("R5")
async def test_only_what_he_agreed_to_of_this_brand_on_this_channel_and_topic(shop: Shop, sister: Shop):
    await letters(shop)
    sales, events = f"{shop.brand}-sales", f"{shop.brand}-events"
    people = ("all", "sales", "events", "silent", "phone", "sister")
    await shop.post(*(shop.is_(who) for who in people))
    await shop.post(
        shop.agrees("all"),
        shop.agrees("sales", topic=sales),
        shop.agrees("events", topic=events),
        shop.agrees("phone", channel="sms"),
    )
    await sister.post(sister.agrees("sister", userId=shop.user("sister")))
    await shop.post(*(shop.did(who, "Asked") for who in people))
    await shop.until(shop.now + 60 * MINUTE)
    marketing = [("all", "sales"), ("all", "events"), ("sales", "sales"), ("events", "events")]
    assert await shop.came() == once(*((who, "receipt") for who in people), *marketing)
    refused = Counter((step, verdict, rule) for step, verdict, rule in await shop.decisions(*people) if verdict == "skipped")
    assert refused == {("sales", "skipped", "consent"): 4, ("events", "skipped", "consent"): 4}


@pytest.mark.case("R5")
async def test_it_is_checked_at_the_last_moment_and_the_last_word_counts_in_whatever_order_it_comes(shop: Shop):
    await letters(shop)
    start = shop.now
    await shop.until(start + DAY)
    now = shop.now
    taken = {"event": "Consent Withdrawn", "properties": {"channel": "email", "topic": "*"}}
    people = ("stays", "leaves", "left", "back")
    await shop.post(*(call for who in people for call in (shop.is_(who), shop.agrees(who, now - 2 * MINUTE))))
    await shop.post(shop.call("track", "left", now - MINUTE, **taken), shop.call("track", "back", now - MINUTE, **taken))
    await shop.post(
        shop.agrees("left", now - 3 * MINUTE), shop.agrees("back", now)
    )  # the one is older than the no, the other newer
    await shop.post(*(shop.did(who, "Asked") for who in people))
    await shop.until(now + 59 * MINUTE)
    await shop.post(shop.call("track", "leaves", **taken))  # the letters are decided, and a minute away
    await shop.until(now + 60 * MINUTE)
    kept = [(who, key) for who in ("stays", "back") for key in ("sales", "events")]
    assert await shop.came() == once(*((who, "receipt") for who in people), *kept)


@pytest.mark.case("R5")
async def test_an_unsubscribe_by_the_link_stops_every_topic_of_the_brand_and_no_other_brand(shop: Shop, sister: Shop):
    for one in (shop, sister):
        await letters(one)
        who = {"userId": shop.user("ann")}
        await one.post(one.call("identify", "ann", traits={"email": shop.address("ann")}, **who), one.agrees("ann", **who))
    await shop.post(shop.did("ann", "Asked"))
    await shop.until(shop.now + 60 * MINUTE)
    mails = {mail["subject"]: mail for mail in await shop.mails()}
    assert sorted(mails) == ["events", "receipt", "sales"]
    assert (await shop.press_unsubscribe(await shop.letter(mails["sales"]))).status_code == 200
    # "Asked" starts each chain once in a life: a second pair of chains asks again.
    for one in (shop, sister):
        await one.publish(
            *(
                journey(f"{key}2", one.brand, "Asked Again", send(key, one.brand, **more))
                for key, more in (
                    ("sales", {"class": "mass"}),
                    ("events", {"class": "triggered"}),
                    ("receipt", {"class": "service"}),
                )
            )
        )
        await one.post(one.call("track", "ann", userId=shop.user("ann"), event="Asked Again"))
    assert await shop.came() == once(("ann", "receipt"))
    assert {subject for _, subject in await sister.came()} == {"sales", "events", "receipt"}
