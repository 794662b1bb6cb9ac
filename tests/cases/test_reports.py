"""A1, A2: a campaign, what it was worth beside its control group, the people behind each figure, and its experiment."""

import pytest

from tests.cases.test_campaigns import act, people, write
from tests.support.shop import DAY, HOUR, MINUTE, Shop

TARGET = {"event": "Order Completed", "value": "total", "window": "2d"}


@pytest.mark.case("A1")
async def test_what_a_campaign_was_worth_beside_its_control_group_with_the_people_behind_each_figure(shop: Shop):
    who = await people(shop, 24)
    address = await write(shop, control=50, variants=[
        {"name": "a", "template": f"{shop.brand}-a", "share": 50}, {"name": "b", "template": f"{shop.brand}-b", "share": 50},
    ])  # fmt: skip
    key = f"{shop.brand}-news"
    experiment = {"key": key, "brand": shop.brand, "of": {"kind": "control", "campaign": key}, "primary": {"key": "bought", "target": TARGET},
                  "secondary": [{"key": "money", "kind": "mean", "target": TARGET}]}  # fmt: skip
    await shop.publish({"kind": "experiment", "body": experiment})
    await act(shop, address, "publish")
    mails = await shop.mails()
    got = {mail["to"][0].partition("@")[0] for mail in mails}
    assert 0 < len(got) < 24
    left, others = sorted(got), sorted(set(who) - got)
    await shop.until(shop.now + HOUR)
    assert (await shop.press_unsubscribe(await shop.letter(mails[0]))).is_success
    for buyer, amount in ((left[0], "10.00"), (left[0], "5.50"), (others[0], "7.00")):
        await shop.post(shop.did(buyer, "Order Completed", total=amount, currency="RUB"))
        await shop.until(shop.now + MINUTE)
    await shop.until(shop.now + 3 * DAY)
    await shop.post(shop.did(left[-1], "Order Completed", total="99.00", currency="RUB"))  # too late

    asked = {"campaign": key, "by": "variant", "event": TARGET["event"], "value": "total", "window": "2d"}
    found = await shop.api("GET", "/api/reports/outcomes", params=asked)
    total = found["total"]
    assert total["sent"] == {"messages": len(got), "people": len(got)} and total["unsubscribed"]["people"] == 1
    assert (total["converted"]["people"], total["credited"]["actions"], total["revenue"]["minor"]) == (1, 2, 1550)
    control = total["control"]["local"]
    assert (control["would_have_sent"]["people"], control["converted"]["people"], control["revenue"]["minor"]) == (
        len(others),
        1,
        700,
    )
    assert {row["variant"] for row in found["rows"]} <= {"a", "b"}
    assert sum(row["sent"]["messages"] for row in found["rows"]) == len(got)
    assert sum(row["revenue"]["minor"] for row in found["rows"]) == 1550
    behind = await shop.api("GET", total["people"].replace("{figure}", "converted"))
    assert behind["items"] == [(await shop.profile(f"user_id:{shop.user(left[0])}"))["id"]]

    results = await shop.api("GET", f"/api/experiments/{key}/results")
    (period,) = results["periods"]
    assert {name: arm["people"] for name, arm in period["arms"].items()} == {"control": len(others), "treatment": len(got)}
    assert period["arms"]["treatment"]["measures"]["money"]["all"]["sum_y"] == 1550
    assert results["judged"]["metrics"][0]["key"] == "bought"
