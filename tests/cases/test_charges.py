"""C9: hourly and monthly charges reach segments and journeys as one fact a product and day, to the penny."""

from collections import Counter
from typing import Any

import pytest

from tests.support.shop import DAY, HOUR, MINUTE, Shop, iso, journey, once, segment, send, template

DAYS = 30
RATES = {("ann", "vm"): 1.25, ("ann", "disk"): 0.07, ("bob", "vm"): 1.24}  # roubles an hour
SERVER = 4990  # a month


@pytest.mark.case("C9")
async def test_a_month_of_hourly_charges_is_a_fact_a_day_and_product_and_who_was_charged_enough_is_found(shop: Shop):
    b = shop.brand
    last_30_days = {"kind": "total", "event": "Charges Rolled Up", "sum": "amount.minor", "op": "ge", "within": DAYS * DAY}
    vm = [{"path": "product", "op": "eq", "value": "vm"}]
    enough = DAYS * 24 * 125
    await shop.source("billing", currency="RUB")
    await shop.publish(
        template("thanks", b), template("server", b),
        segment("large", b, {**last_30_days, "where": vm, "value": enough}), journey("large", b, {"segment": f"{b}-large"}, send("thanks", b)),
        journey("server", b, {"event": "Charges Rolled Up", "where": [{"path": "product", "op": "eq", "value": "server"}]}, send("server", b)),
    )  # fmt: skip
    start = -(-(shop.now + 1) // DAY) * DAY
    await shop.until(start)
    await shop.post(*(call for who in ("ann", "bob") for call in (shop.is_(who), shop.agrees(who))))
    for day in range(DAYS):
        now = start + day * DAY
        await shop.until(now + 23 * HOUR + MINUTE)
        hours = [charge(shop, who, product, rate, now + n * HOUR) for (who, product), rate in RATES.items() for n in range(24)]
        more = [charge(shop, "ann", "server", SERVER, now, period="month")] if day == 0 else []
        await shop.post(*hours, *more, source="billing")
        if day in (0, DAYS - 1):
            await shop.post(*hours[:5], source="billing")  # billing is not sure that we have them
            assert await shop.came() == Counter(), "a charge starts nothing"
            assert await unfinished(shop, "ann") == {("vm", iso(now)[:10], 3000, 24), ("disk", iso(now)[:10], 168, 24)} | (
                {("server", iso(now)[:10], 499_000, 1)} if day == 0 else set()
            )
        await shop.until(now + DAY + HOUR)
        came = once(("ann", "server")) if day == 0 else once(("ann", "thanks")) if day == DAYS - 1 else Counter()
        assert await shop.came() == came, "bob paid a kopeck an hour less"
    assert await unfinished(shop, "ann") == set()
    late = charge(shop, "bob", "vm", 0.03, start + 5 * HOUR)
    await shop.post(
        {**late, "timestamp": iso(shop.now), "properties": {**late["properties"], "charged_at": iso(start)}}, source="billing"
    )
    await shop.until(shop.now + HOUR)
    told = await rolled_up(shop)
    assert Counter((f["properties"]["product"], f["properties"]["day"]) for f in told)["vm", iso(start)[:10]] == 3, (
        "two, and one late"
    )
    assert len(told) == DAYS * len(RATES) + 2
    sums = Counter[str]()
    for fact in told:
        sums[fact["properties"]["product"]] += fact["properties"]["amount"]["minor"]
    assert sums == {"vm": DAYS * 24 * (125 + 124) + 3, "disk": DAYS * 24 * 7, "server": SERVER * 100}


def charge(shop: Shop, who: str, product: str, amount: float, at: int, **more: Any) -> dict[str, Any]:
    return shop.did(who, "Charge", at, product=product, amount=amount, **more)


async def unfinished(shop: Shop, who: str) -> set[tuple[str, str, int, int]]:
    found = await shop.profile(f"user_id:{shop.user(who)}")
    return {(one["product"], one["day"], one["amount"]["minor"], one["count"]) for one in found["charges"]}


async def rolled_up(shop: Shop) -> list[dict[str, Any]]:
    """As the log has it; the charges themselves are not in it."""
    facts = [fact for fact in await shop.installation.log.records("facts") if fact["brand"] == shop.brand]
    assert not [fact for fact in facts if fact.get("event") == "Charge"]
    return [fact for fact in facts if fact.get("event") == "Charges Rolled Up"]
