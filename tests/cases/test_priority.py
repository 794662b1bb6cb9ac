"""R3, R4 and what is between the rules: of several messages the most important, in the hours that each may go, and who gets none for comparison."""

from collections import Counter

import pytest

from tests.cases.test_rules import VLADIVOSTOK, stands_in
from tests.support.shop import DAY, HOUR, MINUTE, Shop, journey, once, send, template

ALWAYS = {"reentry": {"mode": "always"}}


async def letters(shop: Shop, **own: dict) -> None:
    """A letter for each name, sent for the event of that name."""
    for key, more in own.items():
        step = send(key, shop.brand, expires="7d", **more.pop("step", {}))
        await shop.publish(template(key, shop.brand), journey(key, shop.brand, key.capitalize(), step, **ALWAYS, **more))


async def asks(shop: Shop, who: str, *keys: str) -> None:
    await shop.post(*(shop.did(who, key.capitalize()) for key in keys))


@pytest.mark.case("R2")
async def test_the_most_important_goes_first_and_the_others_one_at_a_time(shop: Shop):
    await letters(
        shop,
        digest={"priority": "low", "step": {"class": "mass"}},
        offer={},
        cart={"priority": "high"},
        code={"step": {"class": "service"}},
    )
    await shop.post(shop.is_("ann"), shop.agrees("ann"))
    await shop.next(1, 9)
    start = shop.now
    async with shop.rule(compete={"within": "2h"}):
        await asks(shop, "ann", "digest", "offer", "code")
        assert await shop.came() == once(("ann", "code")), "others wait for what may outdo them"
        await shop.until(start + HOUR)
        await asks(shop, "ann", "cart")
        assert await shop.came() == once(("ann", "cart"))
        for hours, letter in ((3, "offer"), (5, "digest")):
            await shop.until(start + hours * HOUR - MINUTE)
            assert await shop.came() == Counter()
            await shop.until(start + hours * HOUR + MINUTE)
            assert await shop.came() == once(("ann", letter))
    told = Counter(await shop.decisions("ann"))
    assert told["digest", "deferred", "priority"] >= 2 and told["offer", "deferred", "priority"] >= 1
    assert all(told[key, "accepted", ""] == 1 for key in ("digest", "offer", "cart", "code"))


@pytest.mark.case("R3")
async def test_a_letter_keeps_to_the_hours_of_its_journey_and_of_the_rules_in_his_zone_and_both_are_told_in_words(shop: Shop):
    await letters(shop, digest={"windows": [{"days": ["tue", "thu"], "from": "10:00", "to": "12:00"}]})
    await shop.post(shop.is_("ann", timezone="Asia/Vladivostok"), shop.agrees("ann"))
    await shop.next(0, 9, VLADIVOSTOK)
    monday = shop.now
    async with shop.rule(windows=[{"class": "triggered", "brand": shop.brand, "from": "11:00", "to": "20:00"}]):
        told = await shop.api("GET", "/api/rules/effective", params={"brand": shop.brand}, headers={"Accept-Language": "ru"})
        said = {one["path"]: one["text"] for one in told["rules"] if one["rule"] == f"rule-{shop.brand}"}
        assert said["windows.0"].startswith("Триггерные сообщения") and "11:00-20:00" in said["windows.0"]
        assert [one["path"] for one in told["journeys"]] == ["windows"]
        await asks(shop, "ann", "digest")
        await shop.until(monday + DAY + 2 * HOUR - MINUTE)
        assert await shop.came() == Counter()
        await shop.until(monday + DAY + 2 * HOUR)
        assert await shop.came() == once(("ann", "digest")), "at eleven on Tuesday"
    assert Counter(await shop.decisions("ann"))["digest", "deferred", "send_window"] == 1


@pytest.mark.case("R4")
async def test_a_journey_has_a_control_group_of_its_own_which_is_told_and_counted(shop: Shop):
    salt = f"worth-{shop.brand}"
    await letters(shop, digest={"control": {"share": 5000, "salt": salt}}, other={}, receipt={"step": {"class": "service"}})
    people = [f"p{number}" for number in range(16)]
    await shop.post(*(call for who in people for call in (shop.is_(who), shop.agrees(who))))
    ids = {who: (await shop.profile(f"email:{shop.address(who)}"))["bucketing_id"] for who in people}
    control = [who for who in people if stands_in(salt, ids[who]) < 5000]
    others = [who for who in people if who not in control]
    assert control and others
    await shop.post(*(shop.did(who, event) for who in people for event in ("Digest", "Other", "Receipt")))
    expected = [(who, key) for who in people for key in ("other", "receipt")] + [(who, "digest") for who in others]
    assert await shop.came() == once(*expected)
    told = Counter(await shop.decisions(*people))
    assert told["digest", "exposed", "arm:control"] == told["digest", "would_have_sent", "local_control"] == len(control)
    assert told["digest", "exposed", "arm:treatment"] == told["digest", "accepted", ""] == len(others)
