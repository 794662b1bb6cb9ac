"""C10: a move from the former mailer, through the management API: contacts, subscriptions, unsubscribes and history in one file."""

import json
from typing import Any

import pytest

from tests.support.shop import DAY, Shop, iso, journey, once, send, template


def mapping(shop: Shop) -> dict[str, Any]:
    return {
        "call": "identify",
        "brand": shop.brand,
        "source": f"{shop.brand}-mailer",
        "identifiers": {"user_id": "id", "email": "email"},
        "attributes": {"firstName": "name"},
        "consents": [{"answer": {"column": "subscribed"}, "timestamp": "since", "evidence": {"page": "page"}}],
        "events": [
            {"event": "Email Opened", "timestamp": "opened", "properties": {"campaign_name": {"value": "Winter"}}},
            {"event": "Email Bounced", "timestamp": "bounced", "properties": {"type": {"value": "hard"}}},
        ],
    }


def export(shop: Shop) -> str:
    since = iso(shop.now - 90 * DAY)
    rows = [
        ("proven", "yes", since, "https://shop.example/form", since, ""),
        ("unproven", "yes", since, "", since, ""),
        ("off", "no", since, "https://shop.example/form", since, ""),
        ("dead", "yes", since, "https://shop.example/form", "", since),
        ("broken", "perhaps", since, "", "", ""),
    ]
    lines = [f"{shop.user(who)},{shop.address(who)},{who},{','.join(rest)}" for who, *rest in rows]
    return "\n".join(["id,email,name,subscribed,since,page,opened,bounced", *lines]) + "\n"


async def imported(shop: Shop, text: str) -> dict[str, Any]:
    asked = {"mapping": json.dumps(mapping(shop)), "name": "mailer.csv"}
    job = (await shop.api("POST", "/api/imports", params=asked, content=text.encode(), headers={"Content-Type": "text/csv"}))["id"]
    await shop.settle()
    found: dict[str, Any] = await shop.api("GET", f"/api/imports/{job}")
    assert found["state"] == "done", found
    return found


@pytest.mark.case("C10")
async def test_a_move_from_the_former_mailer(shop: Shop):
    b = shop.brand
    await shop.publish(template("news", b), template("opened", b), template("receipt", b))
    await shop.publish(
        journey("news", b, "Asked", send("news", b, **{"class": "mass"}), send("receipt", b, **{"class": "service"})),
        journey("opened", b, "Email Opened", send("opened", b, **{"class": "service"})),
    )
    found = await imported(shop, export(shop))
    assert (found["lines"], found["facts"], found["refused"], found["repeats"]) == (5, 4 + 4 + 3 + 1, 1, 0)
    bad = (await shop.installation.api.get(f"/api/imports/{found['id']}/bad")).text
    assert "6,subscribed,subscribed is neither yes nor no" in bad and shop.address("broken") in bad
    again = await imported(shop, export(shop))
    assert (again["facts"], again["repeats"]) == (4, found["facts"] - 4), "who they are is said anew, what has a moment is not"

    people = ("proven", "unproven", "off", "dead")
    await shop.post(*(shop.did(who, "Asked") for who in people))
    assert await shop.came() == once(("proven", "news"), *((who, "receipt") for who in people[:3])), "history starts no journey"
    told = await shop.decisions(*people)
    assert {rule for step, verdict, rule in told if (step, verdict) == ("news", "skipped")} == {"consent", "suppressed:bounced"}
    ids = {who: (await shop.profile(f"email:{shop.address(who)}"))["id"] for who in people}
    words = {who: (await shop.api("GET", f"/api/profiles/{ids[who]}/consents"))["items"] for who in people}
    assert {who: [(one["action"], one["state"]) for one in said] for who, said in words.items()} == {
        "proven": [("granted", "proven")],
        "unproven": [("granted", "unproven")],
        "off": [("withdrawn", "proven")],
        "dead": [("granted", "proven")],
    }
    opened = [
        one for one in await shop.installation.log.records("facts.bulk") if one.get("event") == "Email Opened" and one["brand"] == b
    ]
    assert sorted(one["profile"] for one in opened) == sorted(ids[who] for who in people[:3])
    assert {one["occurred_at"] for one in opened} == {found["created_at"] - 90 * DAY}


@pytest.mark.case("C10")
async def test_a_key_of_another_brand_imports_nothing_and_sees_nothing(shop: Shop, sister: Shop):
    key = (await shop.api("POST", "/api/keys", json={"name": "s", "scopes": ["read", "write"], "brands": [sister.brand]}))["key"]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "text/csv"}
    asked = {"params": {"mapping": json.dumps(mapping(shop))}, "content": export(shop).encode(), "headers": headers}
    for path in ("/api/imports", "/api/imports/preview"):
        answer = await shop.installation.public.post(path, **asked)
        assert (answer.status_code, answer.json()["code"]) == (400, "brand_forbidden")
    found = await imported(shop, export(shop))
    for ending in ("", "/bad", "/refused"):
        assert (await shop.installation.public.get(f"/api/imports/{found['id']}{ending}", headers=headers)).status_code == 404
