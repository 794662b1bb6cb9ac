"""A3, A9: whose an application is when ads bought it and a letter was clicked later; a payment that the CRM tells days after both."""

import itertools
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cases.reading import by_reader, clicked
from tests.cases.test_rules import stands_in
from tests.support.live import until
from tests.support.shop import DAY, HOUR, Shop, journey, send, template

READY = Path(__file__).parents[2] / "deploy" / "connectors" / "bitrix24.yaml"
LETTER = '<a href="https://shop.example/help">read on</a>'
APPLIED = "Application Submitted"
MODELS = ("last_click", "first_touch", "linear", "position", "markov")
INVOICE = {"event": "Deal Stage Changed", "where": [{"path": "stage", "op": "eq", "value": "C1:PREPAYMENT_INVOICE"}]}
# As docs/attribution.md has it.
PAID = {"event": "Deal Won", "where": [{"path": "of", "op": "eq", "value": "person"}], "value": "amount"}


def visit(shop: Shop, who: str, source: str, medium: str, name: str = "spring") -> dict[str, Any]:
    """A page is looked at by a link with these tags."""
    return shop.call("page", who, name="Servers", context={"campaign": {"source": source, "medium": medium, "name": name}})


def applied(shop: Shop, *who: str, product: str = "servers") -> list[dict[str, Any]]:
    return [shop.did(one, APPLIED, product=product) for one in who]


async def told(shop: Shop, since: int) -> dict[str, Any]:
    """The report of the applications from then on."""
    asked = {"from": since, "to": shop.now + 1, "brand": shop.brand, "level": "document", "target": APPLIED, "window": "30d"}
    found: dict[str, Any] = await shop.api("GET", "/api/reports/attribution", params={**asked, "leads": "product"})
    return found


def comes(shop: Shop, *who: str) -> list[dict[str, Any]]:
    return [call for one in who for call in (shop.is_(one), shop.agrees(one))]


@pytest.mark.case("A3")
async def test_a_lead_that_ads_bought_stays_theirs_when_the_welcome_letter_is_clicked_and_he_applies_again(shop: Shop):
    b, start, mechanic = shop.brand, shop.now, f"journey:{shop.brand}-welcome"
    who = [f"p{number}" for number in range(20)]
    await shop.post(*comes(shop, *who))
    ids = {one: (await shop.profile(f"email:{shop.address(one)}"))["bucketing_id"] for one in who}
    salts = (f"{b}-{number}" for number in itertools.count())
    salt = next(one for one in salts if sum(stands_in(one, ids[him]) < 3000 for him in who) == 6)
    control = [one for one in who if stands_in(salt, ids[one]) < 3000]
    others = [one for one in who if one not in control]
    welcome = journey("welcome", b, APPLIED, send("welcome", b), control={"share": 3000, "salt": salt})
    await shop.publish(template("welcome", b, html=LETTER), welcome)

    bought = [*others[:6], *control[:2]]
    await shop.post(*(visit(shop, one, "yandex", "cpc") for one in bought), settle=False)
    await shop.until(start + HOUR)
    await shop.post(*applied(shop, *who))
    letters = await by_reader(shop)
    assert {one for one, _ in letters} == set(others)
    await shop.until(start + DAY)
    await clicked(shop, [letters[one, "welcome"] for one in others[:8]])
    await shop.post(visit(shop, others[0], "crm", "email", mechanic), settle=False)  # where the click has led him: no second touch
    await shop.until(shop.now + HOUR)
    await shop.post(*applied(shop, *others[:8], control[0]), *applied(shop, others[8], product="mail"))

    found = await told(shop, start)
    rows = {row["label"]: row for row in found["rows"]}
    assert {name: [rows[name][model]["conversions"] for model in MODELS] for name in rows} == {
        mechanic: [8.0, 2.0, 5.0, 5.0, 5.913], "paid": [9.0, 15.0, 12.0, 12.0, 11.087],
    }  # fmt: skip
    assert {model: one["conversions"] for model, one in found["unattributed"].items()} == dict.fromkeys(MODELS, 13)
    leads = found["leads"]
    assert (found["conversions"], leads["leads"], leads["repeats"], leads["repeat_share"]) == (30, 21, 9, 0.4)
    assert leads["by"] == [
        {"label": mechanic, "last_click": 8, "origin": 0, "moved": -8, "assists": 8},
        {"label": "paid", "last_click": 9, "origin": 8, "moved": -1, "assists": 0},
    ]
    assert leads["cannibalised"] == {"count": 6, "of": 8, "share": 0.75, "after_lead": 6, "after_paid_visit": 6}
    assert [one["code"] for one in leads["alarms"]] == ["repeats"]
    # Of the fourteen with the letter nine applied later, of the six without it one: what eight are credited for was no gain of eight.
    gain = rows[mechanic]["incremental"]
    assert (gain["people"], gain["converted"]) == ({"treated": 14, "control": 6}, {"treated": 9, "control": 1})
    assert (gain["conversions"], gain["of_credited"]) == (6.6667, 0.8333)
    assert gain["interval"]["low"] < 6.6667 < gain["interval"]["high"] and rows["paid"]["incremental"] is None

    # The letter says no more where to apply (its links are checked before it is sent: M1), and one of twenty does it again.
    await shop.until(start + 10 * DAY)
    again, more = shop.now, [f"q{number}" for number in range(20)]
    await shop.post(*comes(shop, *more), *applied(shop, *more))
    letters = await by_reader(shop)
    await shop.until(again + DAY)
    (reader, _), letter = next(iter(letters.items()))
    await clicked(shop, [letter])
    await shop.until(again + DAY + HOUR)
    await shop.post(*applied(shop, reader))
    leads = (await told(shop, again))["leads"]
    assert (leads["leads"], leads["repeats"], leads["repeat_share"], leads["alarms"]) == (20, 1, 0.05, [])


async def crm(shop: Shop) -> Callable[[str, str, str], Awaitable[None]]:
    """A Bitrix24 that tells of each stage of a customer's deal, with its amount, by the ready connector."""
    key = f"{shop.brand}-crm"
    body = yaml.safe_load(READY.read_text(encoding="utf-8"))["body"]
    await shop.publish({"kind": "connector", "body": {**body, "key": key, "brand": shop.brand}})
    path = (await shop.api("GET", f"/api/connectors/{key}/url"))["path"]

    async def tells(who: str, stage: str, price: str) -> None:
        deal = {"id": f"deal of {who}", "stage": f"C1:{stage}", "email": shop.address(who), "price": price}

        async def taken() -> bool:
            return (await shop.installation.public.post(path, params=deal)).status_code == 200

        assert await until(taken), "a new connector is in force within a second"

    return tells


@pytest.mark.case("A9")
async def test_a_payment_that_the_crm_tells_days_later_has_mail_sales_and_ads_side_by_side(shop: Shop):
    b, start = shop.brand, shop.now
    day = str(datetime.fromtimestamp(start / 1000, UTC).date())
    deal = await crm(shop)
    await shop.publish(template("offer", b, html=LETTER), journey("offer", b, "Price Asked", send("offer", b)))
    people = ("ann", "bob", "eve", "max")
    asked_price = [shop.did(who, "Price Asked") for who in ("ann", "bob", "eve")]
    await shop.post(*comes(shop, *people), *asked_price, visit(shop, "max", "yandex", "cpc"))
    spent = {"day": day, "brand": b, "source": "yandex", "campaign": "spring", "landing": "product"}
    await shop.api("POST", "/api/traffic", json={"rows": [{**spent, "visits": 40, "cost": 2_500, "currency": "RUB"}]})
    letters = await by_reader(shop)
    await shop.until(start + HOUR)
    await clicked(shop, [letters[who, "offer"] for who in ("ann", "bob")])
    await shop.until(start + DAY)
    for who, price in (("ann", "1000"), ("eve", "200.50")):
        await deal(who, "PREPAYMENT_INVOICE", price)
    await shop.until(start + 5 * DAY)
    for who, price in (("ann", "1000"), ("bob", "300"), ("eve", "200.50"), ("max", "70")):
        await deal(who, "WON", price)
    await deal("ann", "WON", "1000")  # told twice
    for stage, price in (("EXECUTING", "1000"), ("WON", "1100")):  # opened again, and paid with what was added
        await shop.until(shop.now + HOUR)
        await deal("ann", stage, price)
    await shop.settle()

    asked = {
        "brand": b, "from": day, "to": str(datetime.fromtimestamp((shop.now + DAY) / 1000, UTC).date()), "target": json.dumps(PAID),
        "key": "deal_id", "sales": json.dumps(INVOICE), "teams": "journey=retention",
    }  # fmt: skip
    found = await shop.api("GET", "/api/reports/channels", params=asked)
    assert (found["currency"], found["conversions"], found["revenue"]) == ("RUB", 4, 167_050)
    assert {name: (one["conversions"], one["revenue"]) for name, one in found["side_by_side"].items()} == {
        "mail": (1, 30_000), "sales": (1, 20_050), "both": (1, 110_000), "neither": (1, 7_000),
    }  # fmt: skip
    assert {name: one["revenue"] for name, one in found["credited"].items()} == {"mail": 140_000, "sales": 130_050, "ads": 7_000}
    assert found["ad_spend"] == {"visits": 40, "cost": {"RUB": 2_500}}
    teams = {row["name"]: row["revenue"] for row in found["by"]["team"]}
    assert teams == {"(nobody)": 20_050, "(others)": 7_000, "retention": 140_000}
    behind = await shop.api("GET", "/api/reports/channels", params={**asked, "figure": "both"})
    assert (behind["count"], behind["people"]) == (1, [(await shop.profile(f"email:{shop.address('ann')}"))["id"]])
