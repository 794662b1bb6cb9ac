"""G2, G5, G7: the segments that are shipped, on a customer's life of a year."""

from typing import Any

import pytest

from tests.cases.ready import SEGMENTS, ready
from tests.support.shop import DAY, HOUR, Shop, iso


async def moves(shop: Shop, who: str) -> list[tuple[str, str, int, str]]:
    """(segment, entered or left, when, why) of one person, in the order of time, and of one instant first what he left."""
    profile = (await shop.profile(f"user_id:{shop.user(who)}"))["id"]
    told = [m for m in await shop.installation.log.records("memberships") if m.get("profile") == profile and m["type"] != "mark"]
    named = [(m["segment"].removeprefix(f"{shop.brand}-"), m) for m in told if m["segment"].startswith(shop.brand)]
    return sorted(
        ((key, m["type"], m["at"], m.get("why", "fact")) for key, m in named), key=lambda one: (one[2], one[1] == "entered", one[0])
    )


def of(told: list[tuple[str, str, int, str]], *keys: str) -> list[tuple[str, str, int, str]]:
    return [one for one in told if one[0] in keys]


@pytest.mark.case("G2")
async def test_stages_of_life_and_the_average_order_move_a_customer_and_the_matrix_shows_it(shop: Shop):
    b, start = shop.brand, shop.now
    await shop.publish(*ready("lifecycle-average-order", b, SEGMENTS))

    def order(who: str, minor: int) -> dict[str, Any]:
        return shop.did(who, "Order Completed", total={"minor": minor, "currency": "RUB"})

    await shop.post(shop.is_("ann"), shop.is_("bob"))
    await shop.until(start + HOUR)
    await shop.post(order("ann", 30_000))
    await shop.until(start + 10 * DAY)
    await shop.post(order("ann", 500_000))
    await shop.until(start + 200 * DAY)

    told = await moves(shop, "ann")
    second = start + 10 * DAY
    assert of(told, "stage-lead", "stage-new", "stage-active", "stage-cooling", "stage-lost") == [
        ("stage-lead", "entered", start, "fact"),
        ("stage-lead", "left", start + HOUR, "fact"),
        ("stage-new", "entered", start + HOUR, "fact"),
        ("stage-new", "left", second, "fact"),
        ("stage-active", "entered", second, "fact"),
        ("stage-active", "left", second + 90 * DAY, "time"),
        ("stage-cooling", "entered", second + 90 * DAY, "time"),
        ("stage-cooling", "left", second + 180 * DAY, "time"),
        ("stage-lost", "entered", second + 180 * DAY, "time"),
    ]
    crossed = [key for key, what, _, _ in told if what == "entered" and key.rpartition("-")[2] in ("micro", "middle")]
    assert crossed == ["new-micro", "tier-micro", "active-middle", "tier-middle", "cooling-middle", "lost-middle"]

    keys = ",".join(f"{b}-stage-{name}" for name in ("new", "active", "cooling", "lost"))
    ends = {"from": start + DAY, "to": iso(start + 200 * DAY)}
    table = await shop.api("GET", "/api/segments/flows", params={"keys": keys, **ends})
    at = table["states"].index
    assert table["matrix"][at(f"{b}-stage-new")][at(f"{b}-stage-lost")] >= 1, "others of this installation may have ordered too"
    assert [sum(row) for row in table["matrix"]] == table["totals"]["from"]
    assert [sum(column) for column in zip(*table["matrix"], strict=True)] == table["totals"]["to"]


@pytest.mark.case("G2", "G7")
async def test_who_is_worth_a_manager_and_which_leads_are_hot(shop: Shop):
    b, start = shop.brand, shop.now
    await shop.publish(*ready("profit-tiers", b, SEGMENTS), *ready("scoring", b, SEGMENTS))
    money = {"currency": "RUB"}
    await shop.post(
        shop.is_("small", expected_profit={"minor": 4_999_999, **money}),
        shop.is_("middle", expected_profit={"minor": 5_000_000, **money}, trial_ends_at=iso(start + 14 * DAY)),
        shop.is_("large", expected_profit={"minor": 50_000_000, **money}, trial_ends_at=iso(start + 14 * DAY)),
        shop.is_("free", plan="free"),
        shop.is_("scored", score=69),
    )
    await shop.until(start + DAY)
    looks = [shop.call("page", "signs", name="Prices", properties={"path": "/en/pricing"}) for _ in range(3)]
    await shop.post(shop.is_("scored", score=70), *looks, shop.did("asks", "Demo Requested"))
    await shop.until(start + 20 * DAY)

    assert [key for key, *_ in of(await moves(shop, "small"), "mail-only", "mail-and-manager", "manager-only")] == ["mail-only"]
    assert [key for key, *_ in of(await moves(shop, "free"), "mail-only", "mail-and-manager", "manager-only")] == ["mail-only"]
    assert of(await moves(shop, "middle"), "mail-and-manager", "manager-only", "manager-now") == [
        ("mail-and-manager", "entered", start, "fact"),
        ("manager-now", "entered", start + 14 * DAY, "time"),
        ("manager-now", "left", start + 15 * DAY, "time"),
    ]
    assert of(await moves(shop, "large"), "mail-only", "manager-only", "manager-now") == [
        ("manager-only", "entered", start, "fact")
    ]

    leads = ("lead-hot", "lead-warm", "lead-cold")
    assert of(await moves(shop, "scored"), *leads) == [
        ("lead-warm", "entered", start, "fact"),
        ("lead-warm", "left", start + DAY, "fact"),
        ("lead-hot", "entered", start + DAY, "fact"),
    ]
    warm, cold = ("lead-warm", "left", start + 15 * DAY, "time"), ("lead-cold", "entered", start + 15 * DAY, "time")
    assert set(of(await moves(shop, "signs"), *leads)[-2:]) == {warm, cold}, "signs grow old"
    hot, cooled = of(await moves(shop, "asks"), *leads)[0], of(await moves(shop, "asks"), *leads)[-1]
    assert (hot, cooled) == (("lead-hot", "entered", start + DAY, "fact"), ("lead-cold", "entered", start + 15 * DAY, "time"))
