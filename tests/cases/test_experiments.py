"""A2: experiments on what an installation sends: a split that is ramped, merged across and stopped, and the global control group."""

import math
from collections import Counter
from typing import Any

import pytest

from tests.cases.test_rules import stands_in
from tests.support.shop import DAY, HOUR, MINUTE, Shop, iso, journey, send, template

BOUGHT = "Order Completed"
TARGET = {"event": BOUGHT, "value": "total", "window": "2d"}
MONEY = {"key": "money", "kind": "mean", "name": "revenue per person", "target": TARGET}


def hello(shop: Shop, plain: int) -> dict[str, Any]:
    arms = [{"name": "plain", "share": plain}, {"name": "rich", "share": 100 - plain}]
    return journey("hello", shop.brand, f"Joined {shop.brand}", {"id": "words", "split": arms}, send("hello", shop.brand))


def phone(shop: Shop, number: int) -> str:
    return f"+7916{(int(shop.brand[1:], 16) + number) % 10_000_000:07d}"


async def join(shop: Shop, *who: str) -> dict[str, str]:
    """Customers of the site; name -> id."""
    joined = f"Joined {shop.brand}"
    await shop.post(*(call for one in who for call in (shop.is_(one), shop.agrees(one), shop.did(one, joined))))
    return {one: (await shop.profile(f"user_id:{shop.user(one)}"))["id"] for one in who}


async def join_at_the_till(shop: Shop, count: int) -> list[str]:
    """People who are known by phone and address alone; their ids."""
    calls = []
    for number in range(count):
        his = {"context": {"traits": {"phone": phone(shop, number)}}, "userId": None}
        traits = {"phone": phone(shop, number), "email": shop.address(f"till{number}")}
        calls += [shop.call("identify", "", userId=None, traits=traits), shop.agrees("", **his)]
        calls.append(shop.call("track", "", event=f"Joined {shop.brand}", **his))
    await shop.post(*calls, source="till")
    return [(await shop.profile(f"phone:{phone(shop, number)}"))["id"] for number in range(count)]


async def exposed(shop: Shop, version: int) -> dict[str, str]:
    """id -> arm, as verdicts about this version of the journey tell."""
    told = [one for one in await shop.installation.log.records("decisions") if one["brand"] == shop.brand]
    return {
        one["profile"]: one["rule"].removeprefix("arm:")
        for one in told
        if (one["verdict"], one.get("step"), one.get("version")) == ("exposed", "words", version)
    }


@pytest.mark.case("A2")
async def test_a_split_is_ramped_two_people_of_both_arms_become_one_and_it_is_stopped(shop: Shop):
    key = f"{shop.brand}-words"
    await shop.source("till")
    await shop.publish(template("hello", shop.brand), hello(shop, 50))
    of = {"kind": "split", "journey": f"{shop.brand}-hello", "step": "words"}
    body = {"key": key, "brand": shop.brand, "of": of, "control": "plain", "primary": {"key": "bought", "target": TARGET}}
    await shop.publish({"kind": "experiment", "body": {**body, "secondary": [MONEY]}})
    await join(shop, *(f"a{number}" for number in range(10)))
    first = await exposed(shop, 1)

    # A ramp is a version with other shares: its people are counted apart.
    await shop.until(shop.now + HOUR)
    await shop.publish(hello(shop, 40))
    site = await join(shop, *(f"b{number}" for number in range(20)))
    await shop.until(shop.now + HOUR)
    tills = await join_at_the_till(shop, 4)
    second = await exposed(shop, 2)
    assert (len(first), set(second)) == (10, {*site.values(), *tills})

    # One of each arm turn out to be one person: he stays in the arm of the older of them, with what both bought.
    older, other = next((who, n) for who in site for n, till in enumerate(tills) if second[site[who]] != second[till])
    arm, gone = second[site[older]], second[tills[other]]
    another = next(who for who in site if second[site[who]] == gone)
    await shop.until(shop.now + HOUR)
    his = {"context": {"traits": {"phone": phone(shop, other)}}, "userId": None}
    await shop.post(
        shop.did(older, BOUGHT, total="10.00", currency="RUB"), shop.did(another, BOUGHT, total="7.00", currency="RUB"),
        shop.call("track", "", event=BOUGHT, properties={"total": "5.50", "currency": "RUB"}, **his),
    )  # fmt: skip
    await shop.post(shop.call("identify", older, traits={"phone": phone(shop, other)}))
    assert (await shop.profile(f"phone:{phone(shop, other)}"))["id"] == (await shop.profile(f"user_id:{shop.user(older)}"))["id"]

    await shop.until(shop.now + HOUR)
    await shop.api("POST", f"/api/experiments/{key}/stop")
    await join(shop, "late")
    assert set((await exposed(shop, 2)).values()) == {"plain", "rich"} and len(await exposed(shop, 2)) == 25
    results = await shop.api("GET", f"/api/experiments/{key}/results")
    before, after = results["periods"]
    assert (results["state"], results["people"]) == ("stopped", 10 + 20 + 4 - 1)
    assert (before["shares"], after["shares"]) == ({"plain": 50.0, "rich": 50.0}, {"plain": 40.0, "rich": 60.0})
    assert {name: one["people"] for name, one in before["arms"].items() if one["people"]} == Counter(first.values())
    people = Counter(second.values()) - Counter([gone])
    assert {name: one["people"] for name, one in after["arms"].items()} == people
    stands = {
        name: (one["contaminated"], one["merged"], one["measures"]["money"]["all"]["sum_y"]) for name, one in after["arms"].items()
    }
    assert stands == {arm: (1, 1, 1550), gone: (0, 0, 700)}
    judged = results["judged"]["metrics"][0]
    assert judged["key"] == "bought" and {one["arm"]: (one["x"], one["n"]) for one in judged["rates"]} == {
        name: (1, people[name]) for name in ("plain", "rich")
    }
    refused = await shop.installation.api.post(f"/api/experiments/{key}/stop")
    assert (refused.status_code, refused.json()["code"]) == (409, "experiment_not_running")


@pytest.mark.case("A2")
async def test_the_global_control_group_tells_what_all_marketing_is_worth(shop: Shop):
    b, half = shop.brand, 32
    await shop.publish(template("digest", b), journey("digest", b, f"Digest {b}", send("digest", b, **{"class": "mass"})))
    people = [f"p{number}" for number in range(2 * half)]
    await shop.post(*(call for who in people for call in (shop.is_(who), shop.agrees(who))))
    ids = {who: (await shop.profile(f"user_id:{shop.user(who)}"))["bucketing_id"] for who in people}
    # A season whose draw is even, so that chance decides nothing here.
    salts = (f"{b}-{number}" for number in range(10_000))
    salt = next(one for one in salts if sum(stands_in(one, of) < 5000 for of in ids.values()) == half)
    held = [who for who in people if stands_in(salt, ids[who]) < 5000]
    await shop.until(shop.now + MINUTE)
    async with shop.rule(global_control={"share": 5000, "salt": salt}):
        body = {"key": f"{b}-all", "brand": b, "of": {"kind": "global"}, "primary": MONEY, "looks": {"kind": "fixed"}, "days": 3}
        await shop.publish({"kind": "experiment", "body": body})
        await shop.post(*(shop.did(who, f"Digest {b}") for who in people))
        assert {who for who, _ in await shop.came()} == set(people) - set(held)
        await shop.until(shop.now + HOUR)
        # Whoever got letters spends 10 to 41 roubles, who got none 5 to 20.5.
        places = {who: (place, "5.00") for place, who in enumerate(held)}
        places |= {who: (place, "10.00") for place, who in enumerate(who for who in people if who not in held)}
        spent = {who: round(float(least) * (1 + place / 10), 2) for who, (place, least) in places.items()}
        await shop.post(*(shop.did(who, BOUGHT, total=f"{amount:.2f}", currency="RUB") for who, amount in spent.items()))
        early = await shop.api("GET", f"/api/experiments/{b}-all/results")
        assert (early["judged"], early["why"][0]["code"]) == (None, "no_look_yet") and early["next_look"]["at"]
        await shop.until(shop.now + 6 * DAY)
        results = await shop.api("GET", f"/api/experiments/{b}-all/results")
        question = {"kind": "mean", "base": 2000, "deviation": 900, "effect": {"relative": 0.2}}
        plan = await shop.api("POST", f"/api/experiments/{b}-all/plan", json=question)
    assert (plan["flow"]["people"], plan["flow"]["per_day"]) == (2 * half, 2 * half / plan["flow"]["days"])
    assert plan["needed"]["days"] == math.ceil(plan["needed"]["people"] / plan["flow"]["per_day"])
    period = next(one for one in results["periods"] if sum(arm["people"] for arm in one["arms"].values()))
    assert {name: arm["people"] for name, arm in period["arms"].items()} == {"control": half, "treatment": half}
    assert period["shares"] == {"control": 50.0, "treatment": 50.0}
    (comparison,) = results["judged"]["metrics"][0]["comparisons"]
    mean = sum(spent[who] for who in held) / half * 100  # of the control; whoever got letters spends twice as much
    reading = comparison["reading"]
    assert (reading["control"], reading["value"], reading["lift"]) == pytest.approx((mean, 2 * mean, 1.0))
    assert results["judged"]["verdict"] == "more" and results["look"]["final"]
    assert "revenue per person: between" in results["judged"]["text"]["en"].replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.case("A2")
async def test_people_who_are_not_in_the_arms_as_configured_block_the_verdict_however_good_it_looks(shop: Shop):
    key, document = f"{shop.brand}-old", f"campaign:{shop.brand}-old"
    people = {"control": [f"c{number}" for number in range(30)], "letters": [f"l{number}" for number in range(80)]}
    await shop.post(
        *(
            shop.did(who, "Arm Assigned", document=document, arm=arm, channel="email")
            for arm, all_ in people.items()
            for who in all_
        )
    )
    body = {"key": key, "brand": shop.brand, "of": {"kind": "imported", "document": document}, "start": iso(shop.now - HOUR),
            "arms": [{"name": arm, "share": 50} for arm in people], "primary": {"key": "bought", "target": TARGET}, "looks": {"kind": "fixed"}, "days": 1}  # fmt: skip
    await shop.publish({"kind": "experiment", "body": body})
    await shop.until(shop.now + HOUR)
    buyers = people["letters"][:60] + people["control"][:3]
    await shop.post(*(shop.did(who, BOUGHT, total="10.00", currency="RUB") for who in buyers))
    await shop.until(shop.now + 4 * DAY)
    results = await shop.api("GET", f"/api/experiments/{key}/results")
    assert {name: arm["people"] for name, arm in results["periods"][-1]["arms"].items()} == {"control": 30, "letters": 80}
    judged = results["judged"]
    assert judged["verdict"] == "blocked" and {one["verdict"] for one in judged["metrics"][0]["comparisons"]} == {"blocked"}
    assert judged["text"]["en"].startswith("No verdict: people did not fall into the arms as configured: ")
    assert judged["text"]["ru"].startswith("Вывода нет")
