"""M1, M2, R1, R2, R4: mass mailings, from their pilot to their report. A3: what applicants get links no product's landing."""

from collections import Counter
from typing import Any

import pytest

from tests.support.shop import DAY, HOUR, MINUTE, Shop, once, segment, template


async def people(shop: Shop, count: int, **traits: Any) -> list[str]:
    """Customers who agreed, with an attribute of this brand's own by which they are an audience."""
    who = [f"p{number}" for number in range(count)]
    await shop.post(*(shop.is_(one, **{f"{shop.brand}_base": "yes"}, **traits) for one in who), *(shop.agrees(one) for one in who))
    return who


def base(shop: Shop) -> dict[str, Any]:
    return {"kind": "attribute", "name": f"{shop.brand}_base", "op": "eq", "value": "yes"}


async def write(shop: Shop, key: str = "news", **more: Any) -> str:
    """A campaign as a draft; its address."""
    given = {} if "variants" in more else {"template": f"{shop.brand}-{key}"}
    body = {"key": f"{shop.brand}-{key}", "brand": shop.brand, "audience": base(shop), **given, **more}
    await shop.publish(*(template(name, shop.brand) for name in {key, "a", "b"}))
    await shop.api("PUT", f"/api/campaigns/{shop.brand}-{key}", json=body)
    return f"/api/campaigns/{shop.brand}-{key}"


async def act(shop: Shop, address: str, verb: str, **body: Any) -> dict[str, Any]:
    found = await shop.api("POST", f"{address}/{verb}", **({"json": body} if body else {}))
    await shop.settle()
    return found


async def report(shop: Shop, address: str) -> tuple[int, Counter[tuple[str, str]]]:
    """(audience, people by verdict and rule), which must add up."""
    found = await shop.api("GET", f"{address}/report")
    told = Counter({(one["verdict"], one["rule"]): one["people"] for one in found["people"]})
    assert sum(told.values()) == found["audience"] and found["complete"]
    return found["audience"], told


@pytest.mark.case("M2")
async def test_a_pilot_by_chance_then_its_response_then_the_others_once_each(shop: Shop):
    await people(shop, 30)
    address = await write(shop)
    done = await act(shop, address, "pilot", size=10)
    assert done["launch"]["stage"] == "pilot" and (await act(shop, address, "pilot", size=10))["changed"] is False
    pilot = await shop.came()
    assert sum(pilot.values()) == len(pilot) == 10
    seen = await shop.api("GET", f"{address}/report")
    assert seen["audience"] == 30 and seen["pilot"]["audience"] == 10
    assert seen["pilot"]["people"] == [{"verdict": "accepted", "rule": "", "people": 10}]
    await act(shop, address, "rollout")
    rest = await shop.came()
    assert len(rest) == 20 and not rest & pilot and max(rest.values()) == 1
    assert await report(shop, address) == (30, Counter({("accepted", ""): 30}))
    assert (await act(shop, address, "publish"))["changed"] is False
    assert await shop.came() == once(), "it was launched already"
    await write(shop, topic="*", expires="2d")
    again = await shop.installation.api.post(f"{address}/publish")
    assert again.status_code == 409 and again.json()["code"] == "campaign_launched"
    await act(shop, address, "publish", again=True)
    assert len(await shop.came()) == 30


@pytest.mark.case("M2")
async def test_a_pilot_that_nobody_likes_is_stopped_and_the_others_are_told_so(shop: Shop):
    await people(shop, 8)
    address = await write(shop)
    await act(shop, address, "pilot", size=3)
    pilot = await shop.mails()
    await shop.press_unsubscribe(await shop.letter(pilot[0]))
    await shop.settle()
    assert [one["left"] for one in (await shop.api("GET", f"{address}/report"))["pilot"]["variants"]] == [1]
    await act(shop, address, "stop")
    assert await shop.came() == once()
    assert await report(shop, address) == (8, Counter({("accepted", ""): 3, ("skipped", "stopped"): 5}))
    refused = await shop.installation.api.post(f"{address}/rollout")
    assert refused.status_code == 409 and refused.json()["code"] == "launch_stopped"


@pytest.mark.case("M1")
async def test_a_throttled_launch_is_paused_and_goes_on_where_it_was(shop: Shop):
    await people(shop, 12)
    address = await write(shop, throttle={"most": 60, "per": "hour"})
    start = shop.now
    await act(shop, address, "publish")
    await shop.until(start + 3 * MINUTE)
    first = await shop.came()
    assert 0 < len(first) < 12
    await act(shop, address, "pause")
    await shop.until(start + HOUR)
    assert await shop.came() == once()
    await act(shop, address, "resume")
    for minute in range(1, 60):
        await shop.until(start + HOUR + minute * MINUTE)
    rest = await shop.came()
    assert len(rest) + len(first) == 12 and not rest & first and max(rest.values()) == 1
    assert await report(shop, address) == (12, Counter({("accepted", ""): 12}))


@pytest.mark.case("R2")
async def test_rules_and_control_groups_hold_for_a_mailing_and_its_report_says_for_whom(shop: Shop):
    who = await people(shop, 12)
    await shop.post(shop.is_("mute", **{f"{shop.brand}_base": "yes"}))  # never agreed
    address = await write(shop, control=50, variants=[
        {"name": "a", "template": f"{shop.brand}-a", "share": 50}, {"name": "b", "template": f"{shop.brand}-b", "share": 50},
    ])  # fmt: skip
    first = await write(shop, "early")
    await shop.next(0, 9)
    async with shop.rule(caps=[{"name": "one a day", "class": "mass", "most": 1, "per": "day"}]):
        await act(shop, first, "publish")
        assert len(await shop.came()) == len(who)
        await act(shop, address, "publish")
        assert await shop.came() == once(), "it is their day's second"
        audience, told = await report(shop, address)
        assert audience == 13 and set(told) <= {
            ("deferred", "cap:mass:day"), ("would_have_sent", "local_control"), ("skipped", "consent"),
        }  # fmt: skip
        await shop.until(shop.now + DAY)
        came = await shop.came()
        assert {subject for _, subject in came} <= {"a", "b"} and max(came.values()) == 1
        audience, told = await report(shop, address)
        assert told["accepted", ""] == len(came) and told["accepted", ""] + told["would_have_sent", "local_control"] >= 12


@pytest.mark.case("M1", "A3")
async def test_a_check_before_the_launch_tells_every_fault_at_once_and_sends_nothing(shop: Shop):
    await people(shop, 3)
    await shop.post(shop.is_("mute", **{f"{shop.brand}_base": "yes"}), shop.is_("p1", **{f"{shop.brand}_applies": "yes"}))
    applicants = {"kind": "attribute", "name": f"{shop.brand}_applies", "op": "eq", "value": "yes"}
    html = (
        '<p>{{ profile.firstName }} {{ profile.car }}</p><a href="https://shop.example/product/1">x</a><a href="shop.example">y</a>'
    )
    await shop.publish(segment("applicants", shop.brand, applicants))
    address = await write(shop, "bare")
    await shop.publish(template("bare", shop.brand, text=None, html=html))
    links = [{"name": "no product", "links": ["shop.example/product"], "segment": f"{shop.brand}-applicants", "brand": shop.brand}]
    async with shop.rule(links=links, caps=[{"name": "one", "class": "mass", "most": 1, "per": "day"}]):
        found = await shop.api("POST", f"{address}/preflight")
        assert found["audience"] == {"count": 4, "tried": 4} and not found["ok"]
        told = Counter(one["code"] for one in found["errors"])
        assert told == Counter(["variable_missing", "no_unsubscribe", "broken_link", "link_not_for_them"])
        (consent,) = found["warnings"]
        assert consent["code"] == "forbidden" and "consent" in consent["message"] and consent["message"].startswith("1 of 4")
        await shop.publish(template("bare", shop.brand, text=None, html="<p>hello</p><a href='{{ unsubscribe_url }}'>no more</a>"))
        await act(shop, address, "publish")
        assert len(await shop.came()) == 3
        again = await shop.api("POST", f"{address}/preflight", headers={"Accept-Language": "ru"})
        assert again["errors"] == [] and {one["code"] for one in again["warnings"]} == {"forbidden", "displaced"}
        assert any("cap:mass:day" in one["message"] and "людей" in one["message"] for one in again["warnings"])
