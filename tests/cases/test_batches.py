"""Batches that must be right: very many facts of one person, all lanes at once, merges in chains and beside timers."""

import asyncio
import re
from collections import Counter

import pytest

from tests.support.shop import DAY, HOUR, MINUTE, SECOND, Shop, journey, once, one_address_one_person, segment, send, template

ALWAYS = {"mode": "always"}


def counts(shop: Shop, event: str, number: int) -> list[dict]:
    """A letter `exact` for whoever did it at least `number` times, and one `over` for once more."""
    b = shop.brand
    found = []
    for key, value in (("exact", number), ("over", number + 1)):
        found.append(segment(key, b, {"kind": "did", "event": event, "op": "ge", "value": value}))
        found.append(template(key, b))
        found.append(journey(key, b, {"segment": f"{b}-{key}"}, send(key, b)))
    return found


async def test_a_thousand_facts_of_one_person_in_one_batch(shop: Shop):
    b = shop.brand
    total = {"kind": "total", "event": "Order Completed", "sum": "points", "op": "eq", "value": 500_500}
    hour = ({"id": "hour", "wait": "1h"}, send("receipt", b, **{"class": "service"}))
    await shop.publish(
        *counts(shop, "Order Completed", 1000), template("receipt", b, subject="receipt {{ event.points }}"), template("sum", b),
        segment("sum", b, total), journey("sum", b, {"segment": f"{b}-sum"}, send("sum", b)),
        journey("receipt", b, "Order Completed", *hour, reentry=ALWAYS),
    )  # fmt: skip
    await shop.post(shop.is_("ann"), shop.agrees("ann"))
    await shop.post(*(shop.did("ann", "Order Completed", points=n) for n in range(1, 1001)))
    assert await shop.came() == once(("ann", "exact"), ("ann", "sum"))
    await shop.until(shop.now + HOUR)
    assert await shop.came() == once(*(("ann", f"receipt {n}") for n in range(1, 1001))), "a thousand timers of one instant"


async def test_one_person_in_all_lanes_at_once(shop: Shop):
    """At one instant: facts of both lanes, a click, a timer of a chain, a segment left by time alone, all classes of messages."""
    b = shop.brand
    await shop.source("history", lane="bulk")
    fresh = segment("fresh", b, {"kind": "did", "event": "Logged In", "within": HOUR})
    asked = [
        (template(key, b), journey(key, b, "Asked", {"id": "hour", "wait": "1h"}, send(key, b, **{"class": kind})))
        for key, kind in (("mass", "mass"), ("triggered", "triggered"), ("service", "service"))
    ]
    link = template("link", b, html=f'<a href="https://{b}.example/x">go</a>')
    await shop.publish(
        *(document for pair in asked for document in pair), *counts(shop, "Viewed", 200), link, fresh, template("cooled", b), template("clicked", b),
        journey("link", b, "Linked", send("link", b)),
        journey("cooled", b, {"segment": f"{b}-fresh", "change": "left"}, send("cooled", b)),
        journey("clicked", b, "Email Link Clicked", send("clicked", b)),
    )  # fmt: skip
    await shop.post(shop.is_("ann"), shop.agrees("ann"), shop.did("ann", "Linked"))
    (mail,) = await shop.mails()
    click = re.search(r"/c/[A-Za-z0-9_-]{42}", (await shop.letter(mail))["html"])[0]
    await shop.until(shop.now + MINUTE)
    await shop.post(shop.did("ann", "Asked"), shop.did("ann", "Logged In"))
    start = shop.now
    await shop.clock(start + HOUR)
    views = [[shop.did("ann", "Viewed", start + n * SECOND, lane=lane) for n in range(100)] for lane in ("live", "bulk")]
    _, _, clicked = await asyncio.gather(
        shop.post(*views[0], settle=False),
        shop.post(*views[1], source="history", settle=False),
        shop.installation.public.get(click, follow_redirects=False),
    )
    assert clicked.status_code == 302
    await shop.settle()
    letters = ("mass", "triggered", "service", "cooled", "clicked", "exact")
    assert await shop.came() == once(*(("ann", key) for key in letters))
    await shop.until(shop.now + DAY)
    assert await shop.came() == Counter()


@pytest.mark.parametrize("backwards", [False, True])
async def test_a_chain_of_merges_in_one_batch(shop: Shop, backwards: bool):
    """a = b and b = c, told in one batch between their facts: one person, one chain, everything counted once."""
    b = shop.brand
    two = (send("first", b), {"id": "day", "wait": "1d"}, send("second", b))
    await shop.publish(
        one_address_one_person(),
        *counts(shop, "Viewed", 9),
        template("first", b),
        template("second", b),
        journey("two", b, "Registered", *two),
    )
    start = shop.now
    for number, who in enumerate("abc"):
        await shop.until(start + number * HOUR)
        await shop.post(shop.is_(who), shop.agrees(who), shop.did(who, "Registered"))
        await shop.post(*(shop.did(who, "Viewed", number=n) for n in range(number + 1)))
    assert await shop.came() == once(*((who, "first") for who in "abc"))
    await shop.until(start + 3 * HOUR)
    links = [shop.is_("a", email=shop.address("b")), shop.is_("b", email=shop.address("c"))]
    first, second = reversed(links) if backwards else links
    views = [shop.did(who, "Viewed") for who in "abc"]
    await shop.post(views[0], first, views[1], second, views[2])
    people = [await shop.profile(f"user_id:{shop.user(who)}") for who in "abc"]
    assert people[0] == people[1] == people[2] and len(people[0]["merged"]) == 2
    came = await shop.came()
    assert sorted(subject for _, subject in came.elements()) == ["exact"], "three, and one, two, three before: nine"
    await shop.until(start + 25 * HOUR + 2 * HOUR)
    assert [subject for _, subject in (await shop.came()).elements()] == ["second"]


@pytest.mark.parametrize("at_the_timer", [False, True])
async def test_a_merge_between_a_fact_and_its_timer(shop: Shop, at_the_timer: bool):
    """The loser's timer is the winner's, and fires once: also when the merge is received in the very minute in which it is due."""
    b = shop.brand
    later = journey("later", b, "Asked", {"id": "hour", "wait": "1h"}, send("later", b))
    await shop.publish(one_address_one_person(), template("later", b), later)
    await shop.post(shop.is_("old"), shop.agrees("old"))
    await shop.until(shop.now + MINUTE)
    start = shop.now
    await shop.post(shop.is_("new"), shop.agrees("new"), shop.did("new", "Asked"))
    if at_the_timer:
        await shop.clock(start + HOUR)
    else:
        await shop.until(start + 30 * MINUTE)
    await shop.post(shop.is_("old", email=shop.address("new")))
    one = await shop.profile(f"user_id:{shop.user('new')}")
    assert one == await shop.profile(f"user_id:{shop.user('old')}") and len(one["merged"]) == 1
    await shop.until(start + HOUR)
    assert await shop.came() == once(("new", "later"))
    await shop.until(start + 2 * DAY)
    assert await shop.came() == Counter()
