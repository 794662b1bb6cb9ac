"""G4: people enter and leave by time alone, to the minute, and a chain follows."""

from collections import Counter

import pytest

from tests.support.shop import DAY, HOUR, MINUTE, Shop, journey, once, segment, send, template


@pytest.mark.case("G4")
async def test_a_month_without_an_order_starts_a_chain_and_an_order_stops_it(shop: Shop):
    b = shop.brand
    absent = {
        "kind": "all",
        "of": [
            {"kind": "did", "event": "Order Completed"},
            {"kind": "not", "of": {"kind": "did", "event": "Order Completed", "within": 30 * DAY}},
        ],
    }
    chain = (send("miss", b), {"id": "week", "wait": "7d"}, send("offer", b))
    await shop.publish(
        *(template(key, b) for key in ("miss", "offer", "back")),
        segment("absent", b, absent),
        journey("absent", b, {"segment": f"{b}-absent"}, *chain, exit_segment=f"{b}-absent", reentry={"mode": "always"}),
        journey("back", b, {"segment": f"{b}-absent", "change": "left"}, send("back", b)),
    )
    start = shop.now
    await shop.post(*(call for who in ("ann", "bob", "new") for call in (shop.is_(who), shop.agrees(who))))
    await shop.post(shop.did("ann", "Order Completed"), shop.did("bob", "Order Completed"))
    await shop.until(start + 10 * DAY)
    await shop.post(shop.did("bob", "Order Completed"))
    await shop.until(start + 30 * DAY - MINUTE)
    assert await shop.came() == Counter()
    await shop.until(start + 30 * DAY)
    assert await shop.came() == once(("ann", "miss"))
    await shop.until(start + 33 * DAY)
    await shop.post(shop.did("ann", "Order Completed"))
    assert await shop.came() == once(("ann", "back"))
    await shop.until(start + 37 * DAY)
    assert await shop.came() == Counter(), "her chain is over"
    await shop.until(start + 40 * DAY)
    assert await shop.came() == once(("bob", "miss"))
    await shop.until(start + 47 * DAY)
    assert await shop.came() == once(("bob", "offer"))
    await shop.until(start + 63 * DAY)
    assert await shop.came() == once(("ann", "miss")), "a month after the second order"


@pytest.mark.case("G4")
async def test_who_leaves_a_segment_by_time_alone_is_written_to_at_that_minute(shop: Shop):
    b = shop.brand
    fresh = segment("fresh", b, {"kind": "did", "event": "Order Completed", "op": "ge", "value": 2, "within": 2 * HOUR})
    left = journey("cooled", b, {"segment": f"{b}-fresh", "change": "left"}, send("cooled", b))
    await shop.publish(template("cooled", b), fresh, left)
    start = shop.now
    await shop.post(shop.is_("ann"), shop.agrees("ann"), shop.did("ann", "Order Completed"))
    await shop.until(start + HOUR)
    await shop.post(shop.did("ann", "Order Completed"))
    await shop.until(start + 2 * HOUR - MINUTE)
    assert await shop.came() == Counter()
    await shop.until(start + 2 * HOUR)
    assert await shop.came() == once(("ann", "cooled")), "the first of the two orders is two hours old"
    await shop.until(start + 9 * HOUR)
    assert await shop.came() == Counter()
