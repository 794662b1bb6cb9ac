"""J4, J12: events with seats, from the registration to who came."""

import re
from typing import Any

import pytest

from tests.support.shop import DAY, HOUR, Shop, iso, journey, once, send, template

END = {"id": "end", "end": True}


def event(key: str, brand: str, at: int, **more: Any) -> dict[str, Any]:
    times = {"starts_at": iso(at), "ends_at": iso(at + 2 * HOUR)}
    body = {"key": f"{brand}-{key}", "brand": brand, "title": key, "format": "offline", **times, **more}
    return {"kind": "event", "body": body}


def before(step: str, offset: str, missed: str = "end") -> dict[str, Any]:
    return {"id": f"to-{step}", "wait": {"data": "event.starts_at", "offset": f"-{offset}"}, "missed": missed}


def place(key: str, brand: str, said: str, attend: str, *steps: dict[str, Any]) -> dict[str, Any]:
    """A chain about somebody's place."""
    where = [{"path": "attend", "op": "eq", "value": attend}]
    more = {"reentry": {"mode": "per", "per": "properties.registration"}}
    return journey(key, brand, {"event": said, "where": where}, *steps, END, **more)


def registers(shop: Shop, who: str, key: str, **answers: str) -> dict[str, Any]:
    return shop.call("track", who, event="Event Registered", properties={"event": f"{shop.brand}-{key}", **answers})


async def statuses(shop: Shop, key: str) -> dict[str, int]:
    found: dict[str, int] = (await shop.api("GET", f"/api/events/{shop.brand}-{key}/stats"))["statuses"]
    return found


async def listed(shop: Shop, key: str, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await shop.api("GET", f"/api/events/{shop.brand}-{key}/registrations", params=asked))["items"]
    return found


async def press(shop: Shop, mail: dict[str, Any]) -> None:
    link = re.search(r"/e/[A-Za-z0-9_-]{42}", (await shop.letter(mail))["text"])
    assert link
    assert (await shop.installation.public.get(link[0])).status_code == 200, "and looking at it says nothing"
    assert (await shop.installation.public.post(link[0])).status_code == 200


@pytest.mark.case("J4", "J12")
async def test_a_room_with_seats_is_filled_reminded_confirmed_and_moved_online(shop: Shop):
    b = shop.brand
    noon = shop.now - shop.now % DAY + DAY + 12 * HOUR
    await shop.until(noon)
    at = noon + 5 * DAY
    offline = [
        before("two-days", "2d", "to-come"),
        send("two-days", b),
        before("come", "1d", "to-six-hours"),
        send("come", b),
        before("six-hours", "6h"),
        send("six-hours", b),
    ]
    online = [before("one-hour", "1h"), send("one-hour", b)]
    await shop.publish(
        *(template(name, b) for name in ("two-days", "six-hours", "one-hour", "full", "moved")),
        template("come", b, text="{{ event.title }} {{ event.local_date }} {{ attend_url }}"),
        event("meetup", b, at, format="both", seats=2, confirm_until="12h", questions=[{"name": "role"}],
              funnel={"paid": {"event": "Course Paid"}}),
        place("offline", b, "Event Seat Confirmed", "offline", *offline),
        place("online", b, "Event Moved Online", "online", *online),
        journey("full", b, "Event Waitlisted", send("full", b), reentry={"mode": "always"}),
        journey("moved", b, "Event Rescheduled", send("moved", b), reentry={"mode": "always"}),
    )  # fmt: skip
    for who in ("ann", "bob", "cid"):
        await shop.post(shop.is_(who), shop.agrees(who), registers(shop, who, "meetup", role="qa"))
    assert await statuses(shop, "meetup") == {"confirmed": 2, "waitlisted": 1}
    assert await shop.came() == once(("cid", "full"))
    assert ("", "deferred", "event_full") in await shop.decisions("cid")

    await shop.publish(event("meetup", b, at + DAY, format="both", seats=2, confirm_until="12h", questions=[{"name": "role"}],
                             funnel={"paid": {"event": "Course Paid"}}))  # fmt: skip
    assert await shop.came() == once(("ann", "moved"), ("bob", "moved"), ("cid", "moved"))
    await shop.until(at - 2 * DAY)
    assert await shop.came() == once(), "the reminders have moved with it"
    at += DAY
    await shop.until(at - 2 * DAY)
    assert await shop.came() == once(("ann", "two-days"), ("bob", "two-days"))
    await shop.until(at - DAY)
    mails = await shop.mails()
    assert sorted(mail["to"][0].partition("@")[0] for mail in mails) == ["ann", "bob"]
    await press(shop, next(mail for mail in mails if mail["to"][0].startswith("ann")))
    await shop.settle()
    await shop.until(at - 12 * HOUR)
    assert await statuses(shop, "meetup") == {"confirmed": 2, "moved_online": 1}, "his seat is the next one's"
    assert ("", "moved", "attendance_unconfirmed") in await shop.decisions("bob")
    await shop.until(at - 6 * HOUR)
    assert await shop.came() == once(("ann", "six-hours"), ("cid", "six-hours"))
    await shop.until(at - HOUR)
    assert await shop.came() == once(("bob", "one-hour"))

    await shop.until(at)
    people = await listed(shop, "meetup", status="confirmed", limit=1)
    assert people[0]["answers"] == {"role": "qa"} and people[0]["coming"]
    await shop.api("POST", f"/api/events/{b}-meetup/check-in", json={"code": people[0]["code"]})
    await shop.settle()
    await shop.until(at + 2 * HOUR)
    assert await statuses(shop, "meetup") == {"attended": 1, "no_show": 2}
    await shop.post(shop.did("ann", "Course Paid"))
    told = await shop.api("GET", f"/api/events/{b}-meetup/stats")
    assert told["funnel"] == {"registered": 3, "attended": 1, "paid": 1}
    assert told["rates"] == {"registration": None, "attendance": 0.3333, "payment": 1.0}
    missed = {"kind": "did", "event": "Event Missed"}
    assert (await shop.api("POST", "/api/segments/preview", json={"brand": b, "condition": missed}))["count"] == 2


@pytest.mark.case("J4")
async def test_seats_by_selection_and_an_event_that_is_cancelled(shop: Shop):
    b, at = shop.brand, shop.now + 3 * DAY
    dinner = {"seats": 2, "selection": "by_selection", "questions": [{"name": "company", "required": False}]}
    await shop.publish(
        template("day", b), template("off", b), event("dinner", b, at, **dinner),
        place("chain", b, "Event Seat Confirmed", "offline", before("day", "1d"), send("day", b)),
        journey("off", b, "Event Cancelled", send("off", b), reentry={"mode": "always"}),
    )  # fmt: skip
    names = ("ann", "bob", "cid", "dan")
    for score, who in enumerate(names):
        await shop.post(shop.is_(who, score=score), shop.agrees(who))
    path = f"/api/events/{b}-dinner"
    people = [{"identifier": f"user_id:{shop.user(who)}", "answers": {"company": "=ACME"}} for who in names]
    assert len((await shop.api("POST", f"{path}/registrations", json={"people": people}))["ids"]) == 4
    await shop.settle()
    assert await statuses(shop, "dinner") == {"requested": 4}
    asked = {"top": {"n": 3, "by": "score"}, "rest": "decline"}
    assert await shop.api("POST", f"{path}/select", json=asked) == {"selected": 3, "rest": 1}
    await shop.settle()
    assert await statuses(shop, "dinner") == {"waitlisted": 3, "declined": 1}
    await shop.until(shop.now + 10_000)
    assert await statuses(shop, "dinner") == {"confirmed": 2, "waitlisted": 1, "declined": 1}
    assert [("", "deferred", "event_full") in await shop.decisions(who) for who in names[1:]] == [True, False, False]
    gone = {"identifier": f"user_id:{shop.user('dan')}", "status": "cancelled"}
    await shop.api("POST", f"{path}/registrations", json=gone)
    await shop.settle()
    assert await statuses(shop, "dinner") == {"confirmed": 2, "cancelled": 1, "declined": 1}
    answer = await shop.installation.api.get(f"{path}/registrations", params={"format": "csv"})
    assert answer.text.splitlines()[0] == "profile,status,attend,coming,code,company" and "'=ACME" in answer.text
    await shop.publish(event("dinner", b, at, cancelled=True, **dinner))
    assert await shop.came() == once(("bob", "off"), ("cid", "off"))
    await shop.until(at)
    assert await shop.came() == once(), "the chains have ended"
