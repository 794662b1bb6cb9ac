"""G1, G6: what a marketer sees of a condition before he publishes it is what becomes of it."""

from typing import Any

import pytest

from tests.support.shop import DAY, HOUR, Shop, segment


async def ids(shop: Shop, *who: str) -> list[str]:
    return sorted([(await shop.profile(f"user_id:{shop.user(one)}"))["id"] for one in who])


async def standing(shop: Shop, key: str) -> list[str]:
    """Who stands in a segment by what the log tells."""
    members: dict[str, str] = {}
    for record in sorted(await shop.installation.log.records("memberships"), key=lambda record: record.get("at", 0)):
        if record.get("segment") == f"{shop.brand}-{key}":
            members[record["profile"]] = record["type"]
    return sorted(person for person, change in members.items() if change == "entered")


@pytest.mark.case("G1", "G6")
async def test_a_condition_is_counted_compared_and_explained_before_and_after_it_is_in_force(shop: Shop) -> None:
    b, start = shop.brand, shop.now
    bought = f"Order {b}"  # history counts, and others' customers have bought too
    buyers = {"kind": "did", "event": bought, "value": 2, "within": 30 * DAY}
    spent = {"kind": "total", "event": bought, "sum": "total.minor", "op": "ge", "value": 5000}

    async def ask(question: str, **body: Any) -> Any:
        return await shop.api("POST", f"/api/segments/{question}", json={"brand": b, **body})

    await shop.post(*(shop.is_(who) for who in ("ann", "bob", "cid")))
    await shop.post(shop.did("ann", bought, total=30, currency="EUR"), shop.did("bob", bought, total=60, currency="EUR"))
    await shop.until(start + 10 * DAY)
    await shop.post(shop.did("ann", bought, total=30, currency="EUR"))

    told = await ask("preview", condition=buyers)
    assert (told["count"], told["sample"], told["as_of"]) == (1, await ids(shop, "ann"), shop.now)
    await shop.publish(segment("buyers", b, buyers))
    assert await standing(shop, "buyers") == await ids(shop, "ann"), "by what she did before"
    await shop.post(shop.did("bob", bought), shop.did("bob", bought))
    assert (await ask("preview", condition={"kind": "segment", "key": f"{b}-buyers"}))["count"] == 2

    told = await ask(f"{b}-buyers/diff", condition={"kind": "all", "of": [spent, {"kind": "reachable", "channel": "email"}]})
    assert (told["before"], told["after"]) == (2, 2) and told["stay"] == 2
    told = await ask(
        "overlap",
        sets=[
            {"key": f"{b}-buyers"},
            {"name": "spent", "condition": spent},
            {"name": "all", "condition": {"kind": "all", "of": []}},
        ],
    )
    assert {tuple(one["of"]): one["only"] for one in told["intersections"]}[("all",)] == 1
    told = await ask(f"{b}-buyers/explain", profile=(await ids(shop, "bob"))[0])
    assert told["truth"] and told["tree"]["facts"] == {
        "count": 3, "first": start, "last": shop.now, "newest": [shop.now, shop.now, start],
    }  # fmt: skip

    await shop.until(start + 30 * DAY)
    members = await standing(shop, "buyers")
    assert members == await ids(shop, "bob")
    assert sorted((await ask("preview", condition=buyers))["sample"]) == members, "ann's first order is thirty days old"
    await shop.until(start + 40 * DAY)
    assert (await ask("preview", condition=buyers))["count"] == len(await standing(shop, "buyers")) == 0
    assert (await ask("preview", condition=buyers, as_of=shop.now - HOUR))["count"] == 1


@pytest.mark.case("G1")
async def test_a_faulty_condition_is_refused_with_the_place_of_each_fault(shop: Shop) -> None:
    asked = {
        "kind": "all",
        "of": [{"kind": "did", "event": "x", "op": "near"}, {"kind": "attribute", "name": "a", "op": "gt", "value": "b"}],
    }
    answer = await shop.installation.api.post("/api/segments/preview", json={"condition": asked})
    assert answer.status_code == 422 and {one["path"] for one in answer.json()["errors"]} == {
        "condition.of.0.op",
        "condition.of.1.op",
    }
    asked = {"kind": "not", "of": {"kind": "attribute", "name": "email", "op": "exists"}}
    answer = await shop.installation.api.post("/api/segments/preview", json={"condition": asked}, headers={"Accept-Language": "ru"})
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["path"], fault["code"]) == ("condition.of.name", "not_in_lake") and "озере" in fault["message"]
    unknown = await shop.installation.api.post("/api/segments/none/explain", json={"profile": "x"})
    assert unknown.status_code == 404
