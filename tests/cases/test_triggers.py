"""J3, J8, J15, J17, C12: one document for many courses, deals and answers that lead on, and what comes by the calendar."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.shop import DAY, HOUR, Shop, journey, once, send, template


@pytest.mark.case("J15", "J3")
async def test_one_document_leads_through_three_courses_and_what_changes_in_it_changes_in_each(shop: Shop):
    b = shop.brand
    viewed, paid = f"Viewed {b}", f"Paid {b}"
    warm = {
        "key": f"{b}-warm", "brand": b,
        "parameters": [
            {"name": "course", "type": "text"}, {"name": "first", "type": "text"},
            {"name": "pause", "type": "duration", "default": "1d"},
        ],
        "trigger": {"event": viewed, "where": [{"path": "course", "op": "eq", "value": {"param": "course"}}]},
        "goal": {"event": paid, "where": [{"path": "course", "op": "eq", "value": {"param": "course"}}]},
        "steps": [
            {"id": "first", "template": {"param": "first"}}, {"id": "pause", "wait": {"param": "pause"}},
            {"id": "more", "template": f"{b}-more"}, {"id": "note", "set": {"warmed": {"param": "course"}}},
        ],
    }  # fmt: skip

    def course(name: str, **values: Any) -> dict[str, Any]:
        return {
            "kind": "journey",
            "body": {"key": f"{b}-{name}", "brand": b, "of": f"{b}-warm", "with": {"course": name, **values}},
        }

    first = {"first": f"{b}-first"}
    await shop.publish(
        template("first", b, subject="{{ param.course }} 1"), template("own", b, subject="1C itself"),
        template("more", b, subject="{{ param.course }} 2"), {"kind": "journey", "body": warm},
        course("python", **first), course("1c", first=f"{b}-own", pause="3d"), course("sql", **first),
    )  # fmt: skip
    start = shop.now
    for who, name in (("ann", "python"), ("bob", "1c"), ("eve", "sql"), ("max", "chess")):
        await shop.post(shop.is_(who), shop.agrees(who), shop.did(who, viewed, course=name))
    assert await shop.came() == once(("ann", "python 1"), ("bob", "1C itself"), ("eve", "sql 1"))
    await shop.post(shop.did("eve", paid, course="sql"), shop.did("ann", paid, course="1c"))
    await shop.through(start + DAY, start + 3 * DAY)
    assert await shop.came() == once(("ann", "python 2"), ("bob", "1c 2")), "who has paid for the course is left alone"
    assert (await shop.profile(f"user_id:{shop.user('bob')}"))["attributes"]["warmed"] == "1c"

    changed = {**warm, "parameters": [*warm["parameters"], {"name": "teacher", "type": "text"}]}
    await shop.api("PUT", f"/api/journeys/{b}-warm", json=changed)
    refused = await shop.installation.api.post(f"/api/journeys/{b}-warm/publish")
    assert (refused.status_code, refused.json()["code"]) == (409, "used_otherwise")
    assert refused.json()["errors"][0] == {
        "path": f"journeys.{b}-1c.with.teacher", "code": "missing", "message": "this field is needed",
        "in": f"journeys.{b}-warm.parameters.3",
    }  # fmt: skip
    steps = [{"id": "first", "template": f"{b}-more"}]
    await shop.api("PUT", f"/api/journeys/{b}-warm", json={**warm, "steps": steps})
    await shop.api("POST", f"/api/journeys/{b}-warm/publish")
    await shop.settle()
    for who, name in (("ida", "python"), ("joe", "1c")):
        await shop.post(shop.is_(who), shop.agrees(who), shop.did(who, viewed, course=name))
    assert await shop.came() == once(("ida", "python 2"), ("joe", "1c 2"))


@pytest.mark.case("J8", "C12")
async def test_a_lost_deal_leads_on_by_its_reason_and_an_answer_by_what_was_said(shop: Shop):
    b = shop.brand
    await shop.source("crm")
    dear = {"deal_stage": {"pipeline": f"{b}-sales", "lost_reason": ["too expensive", "no budget"]}}
    bank = {"deal_stage": {"pipeline": f"{b}-sales", "lost_reason": "bank refused"}}
    critic = {"survey": {"key": f"{b}-nps", "question": "score", "at_most": 6}}
    yes = {"id": "yes", "subscribe": {"channel": "email", "basis": "contract", "text_id": "offer-7"}}
    await shop.publish(
        *(template(name, b) for name in ("discount", "again", "sorry")),
        journey("dear", b, dear, yes, {"id": "pause", "wait": "1m"}, send("discount", b)),
        journey("bank", b, bank, {"id": "month", "wait": "30d"}, send("again", b)),
        journey("critic", b, critic, send("sorry", b)),
    )
    start = shop.now
    await shop.post(*(shop.is_(who) for who in ("ann", "bob", "eve", "max")), *(shop.agrees(who) for who in ("bob", "eve", "max")))

    def lost(who: str, reason: str) -> dict[str, Any]:
        said = {"pipeline": f"{b}-sales", "stage": "end", "status": "lost", "reason_lost": reason}
        return shop.did(who, "Deal Updated", deal_id=f"{b}-{who}", **said)

    await shop.post(lost("ann", "too expensive"), lost("bob", "bank refused"), lost("max", "moved away"), source="crm")
    await shop.post(
        *(
            shop.did(who, "Survey Answered", survey=f"{b}-nps", question="score", answer=score)
            for who, score in (("eve", 3), ("max", 9))
        )
    )
    await shop.until(start + HOUR)
    assert await shop.came() == once(("ann", "discount"), ("eve", "sorry"))
    ann = (await shop.profile(f"user_id:{shop.user('ann')}"))["id"]
    (word,) = (await shop.api("GET", f"/api/profiles/{ann}/consents"))["items"]
    assert (word["action"], word["basis"], word["source"]) == ("granted", "contract", "journeys")
    await shop.until(start + 30 * DAY + HOUR)
    assert await shop.came() == once(("bob", "again"))


@pytest.mark.case("J17")
async def test_by_the_calendar_and_by_the_api(shop: Shop):
    b = shop.brand
    joined, ordered = f"Joined {b}", f"Ordered {b}"
    monday = await shop.next(0, 0)
    gone = {"kind": "age", "event": ordered, "op": "older", "age": 180 * DAY}
    never = {
        "kind": "all",
        "of": [
            {"kind": "age", "event": joined, "op": "older", "age": 30 * DAY},
            {"kind": "not", "of": {"kind": "did", "event": ordered}},
        ],
    }
    weekly = {"schedule": {"every": "week", "on": ["mon"], "at": "10:00"}}
    cake = {"date": {"attribute": f"born_{b}", "every": "year", "at": "10:00"}}
    zones = {"ann": "Europe/Moscow", "bob": "Asia/Kolkata", "eve": "UTC", "new": "UTC"}
    today = datetime.fromtimestamp((monday + DAY) / 1000, UTC).strftime("1990-%m-%d")
    for who, zone in zones.items():
        born = {f"born_{b}": today} if who != "eve" else {}
        await shop.post(shop.is_(who, time_zone=zone, **born), shop.agrees(who))
    await shop.post(
        shop.did("ann", ordered, monday - 200 * DAY), shop.did("eve", ordered, monday - DAY), shop.did("bob", joined, monday - 40 * DAY),
        shop.did("new", joined, monday - 10 * DAY),
    )  # fmt: skip
    await shop.publish(
        *(template(name, b) for name in ("back", "cake")), template("call", b, subject="{{ event.order }}"),
        journey("back", b, weekly, send("back", b), audience={"kind": "any", "of": [gone, never]}),
        journey("cake", b, cake, send("cake", b, **{"class": "service"})),
        journey("call", b, {"api": True}, send("call", b, **{"class": "service"})),
    )  # fmt: skip
    assert await shop.came() == once(), "what was so before starts nobody"
    await shop.until(monday + 5 * HOUR)
    assert await shop.came() == once(("bob", "back")), "ten in Kolkata"
    await shop.until(monday + 8 * HOUR)
    assert await shop.came() == once(("ann", "back"))
    await shop.post(shop.did("ann", ordered))
    await shop.through(monday + DAY + 5 * HOUR, monday + DAY + 8 * HOUR, monday + DAY + 12 * HOUR)
    assert await shop.came() == once(("bob", "cake"), ("ann", "cake"), ("new", "cake"))
    await shop.until(monday + 7 * DAY + 12 * HOUR)
    assert await shop.came() == once(("bob", "back")), "ann has come back by herself"

    path, people = (
        f"/api/journeys/{b}-call/start",
        [{"identifier": f"user_id:{shop.user(who)}", "data": {"order": who}} for who in ("ann", "eve")],
    )
    again = [await shop.api("POST", path, json={"people": people}, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert again[0] == again[1]
    profile = (await shop.profile(f"user_id:{shop.user('bob')}"))["id"]
    started = await shop.api("POST", path, json={"profile": profile, "data": {"order": "one"}})
    await shop.settle()
    assert await shop.came() == once(("ann", "ann"), ("eve", "eve"), ("bob", "one"))
    decided = await shop.api("GET", f"/api/profiles/{profile}/decisions")
    assert {one["verdict"] for one in decided["items"] if one.get("occurrence") == started["id"]} >= {"entered", "sent"}
    told = await shop.api("GET", f"/api/profiles/{profile}/timeline")
    assert started["id"] in {one.get("id") for one in told["items"]}
