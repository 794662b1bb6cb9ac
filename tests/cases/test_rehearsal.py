"""A rehearsal over the days in which a journey ran tells what was really decided; a walk leads one person through a draft."""

from collections import Counter
from typing import Any

from tests.support.live import until
from tests.support.shop import DAY, HOUR, MINUTE, Shop, journey, segment, send, template

TOLD = ("step", "verdict", "rule", "until", "detail")


def basket(shop: Shop) -> dict[str, Any]:
    b = shop.brand
    viewed = {"kind": "did", "event": f"Viewed {b}", "value": 2, "within": DAY}
    return journey(
        "basket", b, f"Added {b}",
        {"id": "bought", "until": {"fact": {"event": f"Ordered {b}", "same": "cart"}}, "at_most": "1h", "then": "thanks", "else": "keen"},
        {"id": "keen", "if": viewed, "then": "half", "else": "letter"},
        {"id": "half", "split": [{"name": "x", "share": 50, "then": "letter"}, {"name": "y", "share": 50, "then": "letter"}]},
        send("letter", b), {"id": "pause", "wait": "1d"}, send("more", b), {"id": "end", "end": True},
        {"id": "thanks", "set": {"last_cart": {"data": "event.cart"}}},
        audience={"kind": "not", "of": {"kind": "segment", "key": f"{b}-staff"}}, goal={"event": f"Paid {b}"}, reentry={"mode": "always"},
    )  # fmt: skip


async def lived(shop: Shop) -> dict[str, str]:
    """Five days of six people, each with another fate. Answers who is who."""
    b, evening = shop.brand, await shop.next(0, 20)
    added, viewed = f"Added {b}", f"Viewed {b}"
    zones = {"eve": "Asia/Tokyo"}
    for who in ("ann", "bob", "eve", "dan", "zoe", "kim"):
        traits = {"time_zone": zones[who]} if who in zones else {}
        await shop.post(shop.is_(who, plan="staff" if who == "dan" else "free", **traits), shop.agrees(who))
    await shop.until(evening + 10 * MINUTE)
    await shop.post(shop.did("ann", viewed), shop.did("ann", viewed), shop.did("kim", viewed))
    await shop.post(*(shop.did(who, added, cart=f"{who}-1") for who in ("ann", "bob", "eve", "dan", "zoe")))
    await shop.until(evening + 30 * MINUTE)
    await shop.post(shop.did("bob", f"Ordered {b}", cart="bob-1"), shop.did("zoe", f"Ordered {b}", cart="other"))
    await shop.through(evening + 70 * MINUTE, evening + 5 * HOUR, evening + 13 * HOUR)
    await shop.post(shop.did("zoe", f"Paid {b}"), shop.did("ann", added, cart="ann-2"), shop.did("kim", added, cart="kim-1"))
    await shop.through(*(evening + 13 * HOUR + hours * HOUR for hours in (1, 2, 11, 23, 24, 25, 36, 48, 49, 72, 96)))
    return {who: (await shop.profile(f"user_id:{shop.user(who)}"))["id"] for who in ("ann", "bob", "eve", "dan", "zoe", "kim")}


async def rehearsed(shop: Shop, path: str, **asked: Any) -> dict[str, Any]:
    job = await shop.api("POST", f"{path}/rehearse", json=asked)

    async def over() -> Any:
        found = await shop.api("GET", f"/api/rehearsals/{job['id']}")
        return found if found["state"] not in ("waiting", "running") else None

    done = await until(over, 60)
    assert done["state"] == "done", done
    assert done["done"] == done["total"] == done["report"]["people"]["played"]
    report: dict[str, Any] = done["report"]
    return report


async def really(shop: Shop, document: str) -> dict[str, list[tuple[Any, ...]]]:
    """By person, what was decided about him by a document, in order."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for one in await shop.installation.log.records("decisions"):
        if one["by"] == "orchestrator" and one.get("document") == document:
            found.setdefault(one["profile"], []).append((one["received_at"], *(one.get(name) or None for name in TOLD)))
    return found


async def test_it_tells_what_was_really_decided_in_the_days_in_which_the_journey_ran(shop: Shop):
    b = shop.brand
    staff = {"kind": "attribute", "name": "plan", "op": "eq", "value": "staff"}
    fresh = {"kind": "did", "event": f"Viewed {b}", "within": 6 * HOUR}
    cooled = journey("cooled", b, {"segment": f"{b}-fresh", "change": "left"}, send("miss", b), reentry={"mode": "always"})
    await shop.publish(
        template("letter", b), template("more", b), template("miss", b), segment("staff", b, staff), segment("fresh", b, fresh),
        basket(shop), cooled,
    )  # fmt: skip
    caps = [{"name": "one a day", "class": "triggered", "most": 1, "per": "day", "brand": b}]
    async with shop.rule(quiet_hours={"from": "21:00", "to": "09:00"}, caps=caps):
        who = await lived(shop)
        before, displaced = len(await shop.installation.log.records("decisions")), set[str]()
        for key, people in (("basket", set(who.values())), ("cooled", {who["ann"], who["kim"]})):
            report = await rehearsed(shop, f"/api/journeys/{b}-{key}", days=30)
            real = await really(shop, f"journey:{b}-{key}")
            told = {one["profile"]: one["chain"] for one in report["examples"]}
            assert real.keys() == people
            assert len(told) >= len(people) - 1, "up to three are shown of each kind, and nearly everybody here is of his own"
            chains = {person: [(one["at"], *(one.get(name) for name in TOLD)) for one in chain] for person, chain in told.items()}
            assert chains == {person: real[person] for person in chains}
            verdicts = Counter(verdict for chain in real.values() for _, _, verdict, *_ in chain)
            assert report["entrants"]["runs"] == verdicts["entered"] > 0
            assert (report["goals"], sum(report["exits"].values())) == (verdicts["goal"], verdicts["left"])
            assert report["messages"]["sent"] == verdicts["sent"] > 0
            assert report["standing"] == {}
            displaced |= report["displaced"].keys()
            assert {one["code"] for one in report["unknown"]} >= {"consents", "deliveries"}
        assert displaced >= {"quiet_hours", "cap:triggered:day"}
        assert len(await shop.installation.log.records("decisions")) == before, "it decides nothing about anybody"
        await a_campaign_that_nobody_launched(shop)
        await a_rule_and_its_draft(shop)


async def a_rule_and_its_draft(shop: Shop) -> None:
    """What the rule in force displaces beside what a draft of it would."""
    key = f"rule-{shop.brand}"
    await shop.api("PUT", f"/api/rules/{key}", json={"quiet_hours": {"from": "21:00", "to": "09:00"}})
    report = await rehearsed(shop, f"/api/rules/{key}", days=30)
    caps = report["compared"]["displaced"]["cap:triggered:day"]
    assert caps["deferred"][0] > 0 == caps["deferred"][1]
    document = report["compared"]["by_document"][f"journey:{shop.brand}-basket"]
    assert document[0] > 0 < document[1]
    sample = await rehearsed(shop, f"/api/rules/{key}", days=30, most=2, compare=False)
    assert sample["people"]["played"] == 2 < sample["people"]["all"]
    assert "sample" in {one["code"] for one in sample["unknown"]}


async def a_campaign_that_nobody_launched(shop: Shop) -> None:
    """On the second morning it comes behind the letters of the journeys, which have taken the one place of the day."""
    b, key = shop.brand, f"{shop.brand}-news"
    free = {"kind": "attribute", "name": "plan", "op": "eq", "value": "free"}
    ours = {"kind": "any", "of": [{"kind": "did", "event": f"{what} {b}"} for what in ("Added", "Viewed")]}
    body = {"key": key, "brand": b, "audience": {"kind": "all", "of": [free, ours]}, "template": f"{b}-miss", "class": "triggered"}
    path = f"/api/campaigns/{key}"
    await shop.api("PUT", path, json=body)
    launched = shop.now - 95 * HOUR - 30 * MINUTE
    report = await rehearsed(shop, path, days=30, at=launched)
    assert (report["launched_at"], report["audience"]["audience"]) == (launched, 5)
    assert sum(one["people"] for one in report["audience"]["people"]) == 5
    assert report["messages"]["sent"] == sum(one["people"] for one in report["audience"]["people"] if one["verdict"] == "sent") > 0
    assert report["displaced"]["cap:triggered:day"]["people"] > 0
    assert report["compared"]["by_document"][f"campaign:{key}"] == [0, report["messages"]["sent"]]
    assert report["displaces"] is not None and (await shop.installation.api.get(f"{path}/report")).status_code == 409
    wrong = await shop.installation.api.post(f"{path}/rehearse", json={"days": 3, "at": launched})
    assert {(fault["path"], fault["code"]) for fault in wrong.json()["errors"]} == {("at", "not_of_these_days")}


async def test_one_person_walks_through_a_draft_that_nobody_published(shop: Shop):
    b = shop.brand
    await shop.publish(template("letter", b), template("more", b), segment("staff", b, {"kind": "reachable", "channel": "sms"}))
    await shop.post(shop.is_("ann", time_zone="Asia/Tokyo"))
    draft = basket(shop)["body"]
    await shop.api("PUT", f"/api/journeys/{draft['key']}", json=draft)
    ann = (await shop.profile(f"user_id:{shop.user('ann')}"))["id"]
    asked: dict[str, Any] = {"profile": ann, "data": {"cart": "c1"}, "choices": []}
    path = f"/api/journeys/{draft['key']}/walk"
    for choice in (
        {"do": "answer", "is_so": True},
        {"do": "time"},
        {"do": "answer", "is_so": True},
        {"do": "arm", "arm": "y"},
        {"do": "time"},
    ):
        told = await shop.api("POST", path, json=asked)
        assert any(choice.items() <= one.items() for one in told["may"]), told["may"]
        asked["choices"].append(choice)
    told = await shop.api("POST", path, json=asked)
    assert told["over"]
    assert [(one.get("step", ""), one["verdict"]) for one in told["path"]][:4] == [("", "entered"), ("half", "exposed"), ("letter", "sent"), ("more", "sent")]  # fmt: skip
    refused = await shop.installation.api.post(path, json={**asked, "choices": [{"do": "arm", "arm": "x"}]})
    assert refused.status_code == 422
    (fault,) = refused.json()["errors"]
    assert (fault["path"], fault["code"]) == ("choices.0", "choice")
    assert "do=answer is_so=True" in fault["message"]
    wrong = await shop.installation.api.post(f"/api/journeys/{draft['key']}/rehearse", json={"days": 0, "assume": {"opened": 101}})
    assert {fault["path"] for fault in wrong.json()["errors"]} == {"days", "assume.opened"}
    far, choices = 2**47, [{"do": "goal", "after": after} for after in ("1d1d", "99999d", "")]
    await shop.api("PUT", f"/api/rules/rule-{b}", json={"quiet_hours": {"from": "21:00", "to": "09:00"}})
    for address, body, paths in (
        (f"/api/rules/rule-{b}/rehearse", {"alone": True, "until": far}, {"alone", "until"}),
        (f"/api/journeys/{draft['key']}/rehearse", {"until": 2**53}, {"until"}),
        (path, {"at": 2**53, "choices": choices}, {"at", "choices.0.after", "choices.1.after", "choices.2.after"}),
    ):
        wrong = await shop.installation.api.post(address, json=body)
        assert (wrong.status_code, {fault["path"] for fault in wrong.json()["errors"]}) == (422, paths)
    gone = await shop.installation.api.get("/api/rehearsals/6f1d3c5e-0b55-5c0e-9d0b-0a7f6b1f2a11")
    assert (gone.status_code, gone.json()["code"]) == (404, "rehearsal_not_found")
