"""R1 to R4: what is never sent, or not now, whichever chain wants to send it."""

import hashlib
from collections import Counter

import pytest

from tests.support.shop import DAY, HOUR, MINUTE, Shop, journey, once, send, template

VLADIVOSTOK, KAMCHATKA, KALININGRAD, BOGOTA = 10, 12, 2, -5  # hours ahead of UTC, winter and summer
EVENTS = {"digest": "Digest Issued", "cart": "Cart Left", "receipt": "Order Completed"}
CLASSES = {"digest": "mass", "cart": "triggered", "receipt": "service"}


async def letters(shop: Shop, expires: str = "7d") -> None:
    """A mass, a triggered and a service letter, each for every fact that asks for it."""
    for key, event in EVENTS.items():
        step = send(key, shop.brand, expires=expires, **{"class": CLASSES[key]})
        await shop.publish(template(key, shop.brand), journey(key, shop.brand, event, step, reentry={"mode": "always"}))


async def asks(shop: Shop, who: str, *keys: str) -> None:
    await shop.post(*(shop.did(who, EVENTS[key]) for key in keys))


@pytest.mark.case("R1")
async def test_three_mass_mails_a_week_of_his_own_and_the_others_wait_for_the_next_one(shop: Shop):
    await letters(shop)
    await shop.post(shop.is_("ann", timezone="Asia/Vladivostok"), shop.agrees("ann"))
    await shop.next(0, 9, VLADIVOSTOK)
    monday = shop.now
    async with shop.rule(caps=[{"name": "mass a week", "class": "mass", "most": 3, "per": "week"}]):
        came = []
        for day in range(5):
            await shop.until(monday + day * DAY)
            await asks(shop, "ann", "digest")
            came.append(sum((await shop.came()).values()))
        assert came == [1, 1, 1, 0, 0]
        await asks(shop, "ann", "receipt", "cart")
        assert await shop.came() == once(("ann", "receipt"), ("ann", "cart")), "the cap is of mass mails"
        midnight = monday + 7 * DAY - 9 * HOUR  # a Sunday afternoon in UTC
        await shop.until(midnight - MINUTE)
        assert await shop.came() == Counter()
        await shop.until(midnight)
        assert await shop.came() == Counter({("ann", "digest"): 2})
        for _ in range(2):  # two of this week's three are gone
            await asks(shop, "ann", "digest")
        assert await shop.came() == once(("ann", "digest"))
    assert Counter(await shop.decisions("ann"))["digest", "deferred", "cap:mass:week"] == 3


@pytest.mark.case("R1")
async def test_the_cap_counts_over_all_brands_or_in_each_as_the_rule_says(shop: Shop, sister: Shop):
    for one in (shop, sister):
        await letters(one, expires="1d")
        who = {"userId": shop.user("ann")}
        await one.post(one.call("identify", "ann", traits={"email": shop.address("ann")}, **who), one.agrees("ann", **who))

    async def issued(one: Shop) -> int:
        await one.post(one.call("track", "ann", userId=shop.user("ann"), event=EVENTS["digest"]))
        return sum((await one.came()).values())

    await shop.next(0, 9)
    async with shop.rule(caps=[{"name": "all brands", "class": "mass", "most": 3, "per": "week"}]):
        assert [await issued(one) for one in (shop, sister, shop, sister, shop)] == [1, 1, 1, 0, 0]
    await shop.next(0, 9)
    each = [{"name": one.brand, "class": "mass", "most": 3, "per": "week", "brand": one.brand} for one in (shop, sister)]
    async with shop.rule(caps=each):
        assert [await issued(shop) for _ in range(4)] == [1, 1, 1, 0]
        assert [await issued(sister) for _ in range(4)] == [1, 1, 1, 0]


@pytest.mark.case("R2")
@pytest.mark.parametrize(("first", "second"), [("digest", "cart"), ("cart", "digest")])
async def test_a_mass_and_a_triggered_message_never_share_a_day_of_his_whichever_is_first(shop: Shop, first: str, second: str):
    await letters(shop)
    await shop.post(shop.is_("ann", timezone="Asia/Vladivostok"), shop.agrees("ann"))
    await shop.next(2, 22, VLADIVOSTOK)  # noon in UTC, where the next day is still twelve hours away
    evening = shop.now
    async with shop.rule(exclusive_day=["triggered", "mass"]):
        await asks(shop, "ann", first)
        assert await shop.came() == once(("ann", first))
        await shop.until(evening + HOUR)
        await asks(shop, "ann", second, "receipt")
        assert await shop.came() == once(("ann", "receipt")), "what he asked for passes"
        await asks(shop, "ann", first)
        assert await shop.came() == once(("ann", first)), "two of one class may share a day"
        await shop.until(evening + 2 * HOUR - MINUTE)
        assert await shop.came() == Counter()
        await shop.until(evening + 2 * HOUR)
        assert await shop.came() == once(("ann", second)), "his midnight"
        await asks(shop, "ann", first)
        await shop.until(evening + 26 * HOUR - MINUTE)
        assert await shop.came() == Counter(), "the new day belongs to the other class"
        await shop.until(evening + 26 * HOUR)
        assert await shop.came() == once(("ann", first))
    assert Counter(await shop.decisions("ann"))[second, "deferred", "same_day"] == 1


@pytest.mark.case("R3")
async def test_nobody_is_woken_each_by_his_own_clock_and_service_passes(shop: Shop):
    await shop.open(time_zone="America/Bogota")
    await letters(shop)
    zones = {"east": {"timezone": "Asia/Kamchatka"}, "west": {"timezone": "Europe/Kaliningrad"}, "home": {}}
    for who, zone in zones.items():
        await shop.post(shop.is_(who, **zone), shop.agrees(who))
    await shop.next(1, 10)  # 22:00 in Kamchatka, noon in Kaliningrad, 5:00 where the brand lives
    start = shop.now
    async with shop.rule(quiet_hours={"from": "21:00", "to": "09:00"}):
        for who in zones:
            await asks(shop, who, "digest", "cart", "receipt")
        at_once = [("west", "digest"), ("west", "cart"), *((who, "receipt") for who in zones)]
        assert await shop.came() == once(*at_once)
        for who, hours in (("home", 9 - BOGOTA - 10), ("east", 24 + 9 - KAMCHATKA - 10)):
            await shop.until(start + hours * HOUR - MINUTE)
            assert await shop.came() == Counter(), f"{who} sleeps"
            await shop.until(start + hours * HOUR)
            assert await shop.came() == once((who, "digest"), (who, "cart"))
        await shop.next(3, 21, KALININGRAD)
        await asks(shop, "west", "digest")
        assert await shop.came() == Counter(), "quiet from the first minute on"
    assert Counter(await shop.decisions("east"))["digest", "deferred", "quiet_hours"] == 1


def stands_in(salt: str, bucketing_id: str) -> int:
    """The bucket (of 10,000) as the definition says: the first eight bytes of sha256, scaled."""
    return int.from_bytes(hashlib.sha256(f"{salt}:{bucketing_id}".encode()).digest()[:8], "big") * 10_000 // 2**64


@pytest.mark.case("R4")
async def test_the_control_group_gets_no_marketing_is_counted_is_served_and_stays_subscribed(shop: Shop):
    await letters(shop)
    people = [f"p{number}" for number in range(24)]
    await shop.post(*(call for who in people for call in (shop.is_(who), shop.agrees(who))))
    salt = f"season-{shop.brand}"
    control = []
    for who in people:
        if stands_in(salt, (await shop.profile(f"email:{shop.address(who)}"))["bucketing_id"]) < 5000:
            control.append(who)
    others = [who for who in people if who not in control]
    assert control and others
    async with shop.rule(global_control={"share": 5000, "salt": salt}):
        await shop.post(*(shop.did(who, event) for who in people for event in EVENTS.values()))
        expected = [(who, "receipt") for who in people] + [(who, key) for who in others for key in ("digest", "cart")]
        assert await shop.came() == once(*expected)
    told = Counter(await shop.decisions(*people))
    assert told["digest", "would_have_sent", "global_control"] == told["cart", "would_have_sent", "global_control"] == len(control)
    assert told["digest", "accepted", ""] == told["cart", "accepted", ""] == len(others)
    await shop.post(*(shop.did(who, EVENTS["digest"]) for who in control))  # the season is over
    assert await shop.came() == once(*((who, "digest") for who in control)), "nobody was unsubscribed for it"
