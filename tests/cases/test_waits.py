"""J4, J7, R4: runs that wait for what happens or does not, for an hour of his own day or an event's, and go by chance."""

import pytest

from tests.support.shop import DAY, HOUR, Shop, iso, journey, once, send, template


@pytest.mark.case("J7")
async def test_an_abandoned_basket_is_written_about_once_and_a_bought_one_never(shop: Shop):
    b, start = shop.brand, shop.now
    added, ordered = f"Added {b}", f"Ordered {b}"
    waits = {
        "id": "bought",
        "until": {"fact": {"event": ordered, "same": "cart"}},
        "at_most": "1h",
        "then": "said",
        "else": "basket",
    }
    said = {"id": "said", "set": {"last_cart": {"data": "event.cart"}}}
    await shop.publish(
        template("basket", b, text="{{ event.goods }}"),
        journey("basket", b, added, waits, send("basket", b), {"id": "end", "end": True}, said, reentry={"mode": "always"}),
    )
    for who in ("ann", "bob", "eve"):
        await shop.post(shop.is_(who, email=shop.address(who)), shop.agrees(who))
    await shop.post(*(shop.did(who, added, cart=f"{who}-1", goods="two records") for who in ("ann", "bob", "eve")))
    await shop.until(start + HOUR // 2)
    await shop.post(shop.did("bob", ordered, cart="bob-1"), shop.did("eve", ordered, cart="another"))
    await shop.until(start + 2 * HOUR)
    assert await shop.came() == once(("ann", "basket"), ("eve", "basket"))
    await shop.post(shop.did("ann", ordered, cart="ann-1"))
    await shop.until(start + DAY)
    assert await shop.came() == once()
    assert (await shop.profile(f"user_id:{shop.user('bob')}"))["attributes"]["last_cart"] == "bob-1"


@pytest.mark.case("J4")
async def test_who_registers_for_an_event_is_reminded_by_its_time_and_who_comes_late_only_of_what_is_to_come(shop: Shop):
    b = shop.brand
    start = await shop.next(0, 9)
    registered, at = f"Registered {b}", start + 5 * DAY
    event = {"data": "event.starts_at"}
    await shop.publish(
        template("day", b), template("hour", b),
        journey(
            "event", b, registered,
            {"id": "a_day", "wait": {**event, "offset": "-1d"}, "missed": "an_hour"}, send("day", b, **{"class": "service"}),
            {"id": "an_hour", "wait": {**event, "offset": "-1h"}, "missed": "end"}, send("hour", b, **{"class": "service"}),
            {"id": "end", "end": True},
        ),
    )  # fmt: skip
    await shop.post(shop.is_("ann", email=shop.address("ann")), shop.did("ann", registered, starts_at=iso(at)))
    await shop.until(start + 4 * DAY)
    assert await shop.came() == once(("ann", "day"))
    await shop.until(at - 2 * HOUR)
    await shop.post(shop.is_("bob", email=shop.address("bob")), shop.did("bob", registered, starts_at=iso(at)))
    await shop.until(at - HOUR)
    assert await shop.came() == once(("ann", "hour"), ("bob", "hour"))
    await shop.until(at - HOUR // 2)
    await shop.post(shop.is_("eve", email=shop.address("eve")), shop.did("eve", registered, starts_at=iso(at)))
    await shop.until(at + DAY)
    assert await shop.came() == once(), "who comes in the last hour is reminded of nothing"


@pytest.mark.case("R4")
async def test_a_chains_own_control_group_is_sent_nothing_and_told_as_such(shop: Shop):
    b = shop.brand
    joined = f"Joined {b}"
    arms = [{"name": "control", "share": 50, "control": True}, {"name": "sent", "share": 50}]
    await shop.publish(
        template("hello", b), journey("hello", b, joined, {"id": "half", "split": arms, "salt": "autumn"}, send("hello", b))
    )
    people = [f"p{n}" for n in range(12)]
    for who in people:
        await shop.post(shop.is_(who, email=shop.address(who)), shop.agrees(who), shop.did(who, joined))
    await shop.until(shop.now + HOUR)
    sent = {who for who, _ in await shop.came()}
    for who in people:
        verdicts = await shop.decisions(who)
        assert any("exposed" in verdict for verdict in verdicts)
        assert any("would_have_sent" in verdict for verdict in verdicts) is (who not in sent), verdicts
    assert 0 < len(sent) < len(people)
