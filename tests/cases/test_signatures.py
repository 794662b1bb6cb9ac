"""M3: which signature is better, counted letter by letter of a chain: who opened the first one, and who paid after the last."""

import pytest

from tests.cases.reading import by_reader, clicked, opened
from tests.support.shop import DAY, HOUR, Shop, journey, send, template

SIGNED = {"brand": "Your shop", "manager": "{{ profile.manager }}, your manager"}
FIRST, LAST = ("first", "first-signed"), ("last", "last-signed")


def letter(shop: Shop, key: str, signature: str) -> dict:
    return template(key, shop.brand, html=f'<p>Hello</p><a href="https://shop.example/x">go</a><p>{signature}</p>')


def chain(shop: Shop) -> list[dict]:
    """Two letters, three days apart, signed by the brand or by the customer's manager."""
    b = shop.brand
    arms = [{"name": "brand", "share": 50, "then": "first"}, {"name": "manager", "share": 50, "then": "first-signed"}]
    letters = [letter(shop, key, SIGNED["brand"]) for key in ("first", "last")]
    signed = [letter(shop, key, SIGNED["manager"]) for key in ("first-signed", "last-signed")]
    return [*letters, *signed, journey(
        "chain", b, f"Joined {b}", {"id": "signature", "split": arms},
        send("first", b), {"id": "wait", "wait": "3d"}, send("last", b, next="end"),
        send("first-signed", b), {"id": "wait-signed", "wait": "3d"}, send("last-signed", b), {"id": "end", "end": True},
    )]  # fmt: skip


def of_letters(event: str, *steps: str) -> dict:
    """Who did so with one of these letters, as docs/experiments.md has it."""
    return {"event": event, "where": [{"path": "step", "op": "in", "value": list(steps)}], "window": "7d"}


@pytest.mark.case("M3")
async def test_two_signatures_are_compared_by_the_opens_of_the_first_letter_and_the_payments_after_the_last(shop: Shop):
    b, start = shop.brand, shop.now
    await shop.publish(*chain(shop))
    experiment = {
        "key": f"{b}-signature", "brand": b, "of": {"kind": "split", "journey": f"{b}-chain", "step": "signature"}, "control": "brand",
        "primary": {"key": "opened-first", "target": of_letters("Email Opened", *FIRST)},
        "secondary": [{"key": "opened-last", "target": of_letters("Email Opened", *LAST)},
                      {"key": "paid", "target": {"event": "Order Completed", "window": "7d"}}],
    }  # fmt: skip
    await shop.publish({"kind": "experiment", "body": experiment})
    people = [f"p{number}" for number in range(24)]
    await shop.post(
        *(call for who in people for call in (shop.is_(who, manager="Olga"), shop.agrees(who), shop.did(who, f"Joined {b}")))
    )
    firsts = await by_reader(shop)
    plain, signed = (sorted(who for who, key in firsts if key == step) for step in FIRST)
    assert len(plain) + len(signed) == 24 and min(len(plain), len(signed)) > 1
    assert "Olga, your manager" in firsts[signed[0], "first-signed"]["html"] and "Your shop" in firsts[plain[0], "first"]["html"]
    await shop.until(start + HOUR)
    await opened(shop, [firsts[signed[0], "first-signed"], firsts[signed[1], "first-signed"], firsts[plain[0], "first"]])
    await clicked(shop, [firsts[plain[1], "first"]])
    await shop.until(start + DAY)
    await shop.post(shop.did(plain[1], "Order Completed", total="5.00", currency="RUB"), settle=False)
    await shop.until(start + 3 * DAY)
    lasts = await by_reader(shop)
    assert set(lasts) == {*((who, "last") for who in plain), *((who, "last-signed") for who in signed)}
    await shop.until(shop.now + HOUR)
    await opened(shop, [lasts[plain[0], "last"]])
    await shop.post(shop.did(signed[0], "Order Completed", total="10.00", currency="RUB"), settle=False)
    await shop.until(start + 8 * DAY)

    asked = {"journey": f"{b}-chain", "by": "step,variant", "event": "Order Completed", "value": "total", "window": "2d"}
    found = await shop.api("GET", "/api/reports/outcomes", params=asked)
    told = {
        (row["step"], row["variant"]): (
            row["sent"]["messages"], row["opened"]["people"], row["clicked"]["people"], row["converted"]["people"], row["revenue"]["minor"],
        )
        for row in found["rows"]
    }  # fmt: skip
    assert told == {
        ("first", "brand"): (len(plain), 1, 1, 1, 500), ("first-signed", "manager"): (len(signed), 2, 0, 0, 0),
        ("last", "brand"): (len(plain), 1, 0, 0, 0), ("last-signed", "manager"): (len(signed), 0, 0, 1, 1_000),
    }  # fmt: skip
    paid = next(row for row in found["rows"] if row["step"] == "last-signed")["people"].replace("{figure}", "converted")
    assert (await shop.api("GET", paid))["items"] == [(await shop.profile(f"user_id:{shop.user(signed[0])}"))["id"]]

    results = await shop.api("GET", f"/api/experiments/{b}-signature/results")
    (period,) = results["periods"]
    counts = {
        name: (arm["people"], *(arm["measures"][key]["all"]["sum_y"] for key in ("opened-first", "opened-last", "paid")))
        for name, arm in period["arms"].items()
    }
    assert counts == {"brand": (len(plain), 1, 1, 1), "manager": (len(signed), 2, 0, 1)}
    assert {arm["measures"]["opened-first"]["immature"] for arm in period["arms"].values()} == {0}
    assert [one["key"] for one in results["judged"]["metrics"]] == ["opened-first", "opened-last", "paid"]
