"""G1, G4, G6: contacts come with birthdays from a file, and the birthday segment is thought of afterwards."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cases.test_counts import ids, standing
from tests.support.shop import DAY, Shop, iso, journey, once, segment, send, template


@pytest.mark.case("G1", "G4", "G6")
async def test_who_brought_his_birthday_along_is_congratulated(shop: Shop) -> None:
    b, start = shop.brand, shop.now
    days = {"ann": 0, "bob": 3, "cid": 100}
    born = {who: f"1990-{datetime.fromtimestamp((start + ahead * DAY) / 1000, UTC):%m-%d}" for who, ahead in days.items()}
    lines = [
        f"{shop.user(who)},{shop.address(who)},{day},yes,{iso(start - DAY)},https://shop.example/form" for who, day in born.items()
    ]
    mapping = {
        "call": "identify", "brand": b, "source": f"{b}-crm", "identifiers": {"user_id": "id", "email": "email"},
        "attributes": {"birthday": {"column": "born", "as": "date"}},
        "consents": [{"answer": {"column": "agreed"}, "timestamp": "since", "evidence": {"page": "page"}}],
    }  # fmt: skip
    await shop.api(
        "POST", "/api/imports", params={"mapping": json.dumps(mapping), "name": "crm.csv"}, headers={"Content-Type": "text/csv"},
        content="\n".join(["id,email,born,agreed,since,page", *lines, ""]).encode(),
    )  # fmt: skip
    await shop.settle()
    await shop.post(shop.is_("dee"), shop.agrees("dee"))

    async def ask(question: str, **body: Any) -> Any:
        return await shop.api("POST", f"/api/segments/{question}", json={"brand": b, **body})

    today = {"kind": "anniversary", "name": "birthday", "zone": "UTC"}
    known = {"kind": "attribute", "name": "birthday", "op": "exists"}
    assert (await ask("preview", condition=today))["sample"] == await ids(shop, "ann")
    assert (await ask("preview", condition={"kind": "not", "of": known}))["sample"] == await ids(shop, "dee")

    congratulates = journey("cake", b, {"segment": f"{b}-born"}, send("cake", b))
    await shop.publish(template("cake", b), segment("born", b, today), segment("known", b, known), congratulates)
    progress = await shop.api("GET", f"/api/segments/{b}-born/progress")
    assert (progress["complete"], progress["attributes"]["state"]) == (True, "complete"), progress
    assert await standing(shop, "born") == await ids(shop, "ann")
    assert set(await ids(shop, "ann", "bob", "cid")) <= set(await standing(shop, "known")), "and other shops' customers"
    assert await shop.came() == Counter(), "what was so before starts nothing"
    (bob,) = await ids(shop, "bob")
    told = await ask(f"{b}-born/explain", profile=bob)
    assert (told["truth"], told["tree"]["facts"]) == (False, {"value": born["bob"]})
    told = await ask(f"{b}-born/diff", condition=known)
    assert (told["before"], told["after"], told["enter"]["count"]) == (1, 3, 2)

    midnight = start - start % DAY
    await shop.until(midnight + DAY)
    assert await standing(shop, "born") == [] and await shop.came() == Counter()
    await shop.until(midnight + 3 * DAY)
    assert await standing(shop, "born") == [bob]
    assert await shop.came() == once(("bob", "cake"))
    await shop.post(shop.is_("dee", birthday=born["bob"]))
    assert await shop.came() == once(("dee", "cake"))
    assert (await ask("preview", condition=today))["count"] == len(await standing(shop, "born")) == 2
    await shop.api("DELETE", f"/api/profiles/{bob}", json={"reason": "asked"})
    await shop.settle()
    assert (await ask("preview", condition=today))["sample"] == await ids(shop, "dee")
