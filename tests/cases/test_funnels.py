"""A4-A8: funnels beside the traffic that was bought, cohorts of subscribed customers, a forecast and what came of it, touch points.

Orders bear a name of the brand: conditions of other tests are about the orders of everybody.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cases.test_campaigns import act, people, write
from tests.support.shop import DAY, HOUR, MINUTE, Shop

CSV = {"Content-Type": "text/csv"}
Calls = Iterator[dict[str, Any]]
TOPPED_UP = {"legal": (8 * DAY, 8), "natural": (3 * DAY, 3)}  # after which time, and how many of ten


def day(date: str) -> int:
    return round(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp() * 1000)


def order(shop: Shop) -> str:
    return f"Order {shop.brand}"


def bought(shop: Shop, who: str, at: int, total: str, **more: Any) -> dict[str, Any]:
    return shop.did(who, order(shop), at, total=total, currency="RUB", **more)


def purchase(shop: Shop) -> str:
    return json.dumps({"event": order(shop), "value": "total"})


async def told(shop: Shop, name: str, since: str, until: str, **asked: Any) -> dict[str, Any]:
    params = {"brand": shop.brand, "from": since, "to": until, **asked}
    found: dict[str, Any] = await shop.api("GET", f"/api/reports/{name}", params=params)
    return found


async def traffic(shop: Shop, *rows: str) -> dict[str, int]:
    """Tell of bought visits: `day,source,landing,visits,cost`, the cost in kopecks."""
    lines = ["brand,currency,day,source,landing,visits,cost", *(f"{shop.brand},RUB,{row}" for row in rows)]
    found: dict[str, int] = await shop.api("POST", "/api/traffic", content="\n".join(lines).encode(), headers=CSV)
    return found


def leads(shop: Shop, month: str, counts: dict[str, int], repeating: int) -> Calls:
    """Contacts of the 10th of a month. Of each kind some top up after its days; these, and all companies, have a meeting before. Of those who
    do not, so many apply once more.
    """
    left, lost = day(f"2026-{month}-10"), []
    for kind, count in counts.items():
        after, of_ten = TOPPED_UP[kind]
        for n in range(count):
            who = f"{month}{kind}{n}"
            yield shop.did(who, "Contact Left", left, kind=kind)
            pays = n < count * of_ten // 10
            if pays or kind == "legal":
                yield shop.did(who, "Meeting Held", left + 2 * DAY)
            if pays:
                yield shop.did(who, "Balance Topped Up", left + after)
            else:
                lost.append(who)
    yield from (shop.did(who, "Contact Left", left + 20 * DAY) for who in lost[:repeating])


@pytest.mark.case("A4")
async def test_five_times_the_traffic_and_a_fifth_more_leads_are_a_fall_and_groups_take_their_time(shop: Shop):
    rows = ("2026-03-01,yandex,product,60000,100", "2026-03-31,google,product,40000,200", "2026-03-01,blog,content,600,")
    assert await traffic(shop, *rows, "2026-04-15,yandex,product,50000,400") == {"rows": 4, "new": 4, "corrected": 0}
    assert (await traffic(shop, "2026-04-15,yandex,product,500000,400"))["corrected"] == 1
    await shop.post(
        *(shop.did(f"03natural{n}", "Signed Up", day("2026-03-02")) for n in range(30)),
        *leads(shop, "03", {"legal": 40, "natural": 60}, 45),
        *leads(shop, "04", {"legal": 60, "natural": 60}, 0),
    )
    period = ("2026-03-01", "2026-05-01")
    own = {"steps": "Contact Left,Meeting Held,Balance Topped Up", "by": "kind", "landing": "product"}
    found = await told(shop, "funnel", *period, **own)
    assert [step["people"] for step in found["steps"]] == [220, 136, 116] and found["complete"] == found["steps"]
    march, april = found["cohorts"]
    assert (march["people"][0], march["traffic"]["visits"], march["entered_per_visit"]) == (100, 100_000, 0.001)
    assert (april["people"][0], april["traffic"]["visits"], april["entered_per_visit"]) == (120, 500_000, 0.00024)
    assert april["against_previous"] == {"change": -0.76, "reading": "fall"}
    assert found["traffic"] == {"visits": 600_000, "cost": {"RUB": 700}}
    last = {one["value"]: one["steps"][-1] for one in found["groups"]}
    assert {kind: (step["of_first"], step["since_first_ms"]["median"]) for kind, step in last.items()} == {
        "legal": (0.8, 8 * DAY),
        "natural": (0.3, 3 * DAY),
    }
    behind = await told(shop, "funnel", *period, **own, figure="step.3", limit=1000)
    paid = (await shop.profile(f"user_id:{shop.user('04legal0')}"))["id"]
    assert behind["count"] == len(behind["people"]) == 116 and paid in behind["people"]

    ready = {"application": "Contact Left", "sale": "Balance Topped Up"}
    march, april = (await told(shop, "stages", *period, **ready))["cohorts"]
    assert [march[name] for name in ("c0", "c1", "c2", "c3")] == [0.05, 0.001, 0.5, 0.9]
    assert march["basis"] == {"c0": "visits", "c1": "visits"} and april["basis"]["c0"] == "visitors"
    assert (april["c1"], april["c2"], april["against_previous"]["c1"]) == (0.00024, 0.55, {"change": -0.76, "reading": "fall"})
    assert (await told(shop, "stages", *period, **ready, figure="repeats"))["count"] == 45


def openers(shop: Shop) -> Calls:
    """25 who opened at most one letter and 25 who opened two; of the first one has a check like no other. By what they bought and how often
    they came the groups differ as they did in the case.
    """
    signed, spent = day("2025-01-10"), day("2025-06-01")
    for group, days, cloud, hosting, several in (("low", 2, "10.00", "10.00", 2), ("high", 20, "13.20", "24.20", 3)):
        for n in range(25):
            who = f"{group}{n}"
            yield shop.agrees(who)
            yield shop.did(who, "Signed Up", signed)
            yield from (
                shop.did(who, "Email Opened", signed + (1 + times) * DAY) for times in range(2 if group == "high" else n % 2)
            )
            yield bought(shop, who, spent, "100000.00" if who == "low24" else cloud, family="cloud")
            if n < several:
                yield bought(shop, who, spent + HOUR, hosting, family="hosting")
            yield from (shop.did(who, "Signed In", spent + (1 + times) * DAY) for times in range(days))


@pytest.mark.case("A5")
async def test_openers_among_subscribed_customers_differ_and_it_is_called_a_correlation(shop: Shop):
    signed = day("2025-01-10")
    others = {"never": signed, "gone": signed, "early": day("2024-06-01")}
    await shop.post(
        *openers(shop), shop.agrees("early"), shop.agrees("gone", shop.now - DAY),
        shop.did("gone", "Consent Withdrawn", channel="email", topic="*"),
        *(shop.did(who, "Signed Up", at) for who, at in others.items()),
        *(bought(shop, who, day("2025-06-01"), "50.00", family="cloud") for who in others),
    )  # fmt: skip
    subscribed = json.dumps({"kind": "consent", "channel": "email", "brand": shop.brand})
    asked = {"among": subscribed, "purchase": purchase(shop), "product": "family", "usage": "Signed In"}
    found = await told(shop, "cohort", "2025-01-01", "2027-01-01", **asked)
    assert [(one["name"], one["people"]) for one in found["groups"]] == [("0-1", 25), ("2+", 25)]
    whole = found["revenue"]
    assert (whole["dropped"], whole["dropped_by_group"], whole["times_the_mean"]) == (1, [1, 0], 10)
    assert whole["all"][1]["against_first"] < 0 < whole["without_outliers"][1]["against_first"], (
        "one check alone made them look rich"
    )
    gains = {one["product"]: one["revenue"]["without_outliers"][1]["against_first"] for one in found["products"]}
    assert gains == {"cloud": 0.32, "hosting": 1.42}
    assert {one["product"]: one["revenue"]["dropped"] for one in found["products"]} == {"cloud": 1, "hosting": 0}
    assert [one["share"] for one in found["cross_sell"]] == [0.08, 0.12], "4 points more"
    assert [one["mean"] for one in found["days_of_use"]["all"]] == [2.0, 20.0], "18 days more"
    assert found["correlation"] is True and "correlation" in found["note"]["en"] and "корреляция" in found["note"]["ru"]
    behind = await told(shop, "cohort", "2025-01-01", "2027-01-01", **asked, figure="group.2")
    assert behind["count"] == 25 and (await shop.profile(f"user_id:{shop.user('high0')}"))["id"] in behind["people"]
    later = await told(shop, "cohort", "2025-01-01", "2027-01-01", **asked, landmark="60d")
    assert (later["groups"], later["left_out"]) == (found["groups"], 0)
    assert later["at_equal_activity"]["revenue"]["parts"][0]["people"] == [25, 25]

    spent = (await told(shop, "lifetime", "2025-06-01", "2025-07-01", start=order(shop), purchase=purchase(shop), periods=2))[
        "cohorts"
    ][0]
    kopecks = 24 * 1000 + 2 * 1000 + 10_000_000 + 25 * 1320 + 3 * 2420 + 3 * 5000
    assert (spent["people"], spent["revenue"], spent["per_person"][1]) == (53, [kopecks] * 2, round(kopecks / 53, 4))


async def way_of_before(shop: Shop) -> dict[str, Any]:
    """What the installation reports of a month: 400 bought visits, 40 registrations, 20 who paid, 10 who paid again, as a forecast takes it."""
    start = day("2026-03-02")
    await traffic(shop, "2026-03-01,yandex,product,400,200000")
    await shop.post(
        *(shop.did(f"c{n}", "Signed Up", start) for n in range(40)),
        *(bought(shop, f"c{n}", start + 8 * DAY, "1000.00") for n in range(20)),
        *(bought(shop, f"c{n}", start + 40 * DAY, "1000.00") for n in range(10)),
    )
    period, asked = ("2026-03-01", "2026-04-01"), {"start": order(shop), "purchase": purchase(shop), "periods": 2}
    funnel = await told(shop, "funnel", *period, steps=f"Signed Up,{order(shop)}")
    (spent,) = (await told(shop, "lifetime", *period, **asked))["cohorts"]
    (back,) = (await told(shop, "retention", *period, **asked))["cohorts"]
    (month,) = funnel["cohorts"]
    check = spent["per_person"][0]
    moved = {"low": 0.0, "expected": 0.11, "high": 0.7}
    stages = [
        {"name": "registration", "conversion": month["entered_per_visit"]},
        {"name": "payment", "conversion": funnel["steps"][1]["of_previous"], "reachable": 0.5, "effect": moved, "message": 2, "setup": 30_000},
    ]  # fmt: skip
    churn = {"customers": spent["people"], "arpu": round(check), "rate": 1 - back["share"][1], "effect": moved}
    assert spent["revenue"] == [2_000_000, 3_000_000]
    return {
        "currency": "RUB", "months": 2, "entrants": month["traffic"]["visits"] // 2, "spend": month["traffic"]["cost"]["RUB"] // 2,
        "check": round(check), "repeat": spent["per_person"][1] / check - 1, "stages": stages, "churn": churn,
    }  # fmt: skip


@pytest.mark.case("A6")
async def test_a_forecast_from_what_was_and_beside_it_what_the_control_group_shows(shop: Shop):
    way = await way_of_before(shop)
    before = await shop.api("POST", "/api/reports/forecast", json=way)
    now = before["now"]
    assert (now["customers"], now["revenue"], now["contribution"]) == (20.0, 3_000_000, 2_800_000), "as it was"
    assert now["per_customer"] == {"spend": 10_000, "brings": 150_000}
    payment, churn = before["stages"][1:]
    assert payment["gain"] == {"pessimistic": 0, "expected": 165_000, "optimistic": 1_050_000}
    assert payment["payback_months"] == {"pessimistic": None, "expected": 0.36, "optimistic": 0.06}
    assert (churn["lifetime_value"], churn["gain"]["expected"], before["ranking"]) == (200_000, 110_000, ["payment", "churn"])

    # The test: 40 who registered, half of whom get no letter. Of these one in two pays, of the others two in three.
    since, who = str(datetime.fromtimestamp(shop.now / 1000, UTC).date()), await people(shop, 40)
    await act(shop, await write(shop, control=50), "publish")
    got = sorted({mail["to"][0].partition("@")[0] for mail in await shop.mails()})
    kept = sorted(set(who) - set(got))
    payers = [*got[: len(got) * 2 // 3], *kept[: len(kept) // 2]]
    await shop.until(shop.now + HOUR)
    await shop.post(
        *(bought(shop, one, shop.now - n * MINUTE, total) for one in payers for n, total in enumerate(("1000.00", "500.00")))
    )
    target = json.dumps({"event": order(shop), "value": "total", "window": "2d"})
    until = str(datetime.fromtimestamp((shop.now + DAY) / 1000, UTC).date())
    credit = await told(shop, "attribution", since, until, target=target)
    shown = credit["incremental"]
    assert shown["people"] == {"treated": len(got), "control": len(kept)}
    paid = (150_000 * (len(got) * 2 // 3), 150_000 * (len(kept) // 2))
    assert shown["revenue"] == round(len(got) * (paid[0] / len(got) - paid[1] / len(kept)))
    after = await shop.api(
        "POST", "/api/reports/forecast", json={**way, "result": [{"stage": "payment", "gain": shown["revenue"]}]}
    )
    reading = "within" if shown["revenue"] <= 1_050_000 else "above"
    result = {"gain": shown["revenue"], "reading": reading, "of_expected": round(shown["revenue"] / 165_000, 4)}
    assert after["stages"][1] == {**payment, "result": result} and after["stages"][2] == churn


def first_orders(shop: Shop, year: int, count: int, by_mail: int) -> Calls:
    """People who order first in a year; before it some followed a link in a letter: of our own mailer, or of one that tags its links."""
    mailed = {"campaign": {"source": "crm", "medium": "email", "name": "spring"}}
    met, ordered = day(f"{year}-05-10"), day(f"{year}-05-20")
    for n in range(count):
        who = f"b{year}x{n}"
        if n < by_mail:
            clicked = shop.did(who, "Email Link Clicked", met, document="campaign:spring", channel="email", link=0)
            yield clicked if n % 2 else shop.call("page", who, met, context=mailed)
        yield bought(shop, who, ordered, "10.00")


@pytest.mark.case("A7")
async def test_first_buyers_with_mail_before_their_first_order_year_against_year(shop: Shop):
    """23 and 49 of them: 113 % more."""

    def click(who: str, date: str) -> dict[str, Any]:
        return shop.did(who, "Email Link Clicked", day(date), document="campaign:spring", channel="email", link=1)

    again = "b2025x0"  # whose second order is no first one
    await shop.post(
        *first_orders(shop, 2025, 30, 23), *first_orders(shop, 2026, 60, 49),
        click("b2026x50", "2026-05-21"), click("b2026x51", "2026-01-20"), click(again, "2026-05-10"), bought(shop, again, day("2026-05-20"), "10.00"),
    )  # fmt: skip
    asked = {"purchase": purchase(shop)}
    found = await told(shop, "touchpoints", "2026-01-01", "2027-01-01", **asked)
    assert (found["first_buyers"], found["first_buyers_a_year_ago"]) == (60, 30)
    (mail,) = found["channels"]
    assert (mail["channel"], mail["people"], mail["a_year_ago"], mail["share"]) == ("email", 49, 23, round(49 / 60, 9))
    assert mail["change"] == {"change": round(49 / 23 - 1, 6), "reading": "rise"} and round(mail["change"]["change"], 2) == 1.13
    behind = await told(shop, "touchpoints", "2026-01-01", "2027-01-01", **asked, figure="buyers.email")
    assert behind["count"] == 49 and (await shop.profile(f"user_id:{shop.user('b2026x0')}"))["id"] in behind["people"]


# Who left a contact there, a hundredth of those of the case; to twice as many it was shown.
PLACES = {"landing": 10, "popup one": 18, "popup two": 29, "popup three": 30, "bot": 5}
BY_MAIL, REGISTERED, SIGNED_UP, PAID = 139, 257, 17, 2  # of an event: 54 % by e-mail, of whom 12 % sign up and 1.44 % pay


def contacts(shop: Shop) -> Calls:
    """At each place the first two have an account already; of the next three, who sign up a day later, one pays, in two parts."""
    shown = day("2026-05-10")
    for place, left in PLACES.items():
        for n in range(2 * left):
            who = f"{place.replace(' ', '')}{n}"
            yield shop.did(who, "Popup Shown", shown, touchpoint=place)
            if n < left:
                yield shop.did(who, "Contact Left", shown + MINUTE, touchpoint=place)
            if n < 5:
                yield shop.did(who, "Signed Up", shown + (DAY if n > 1 else -DAY))
        yield from (bought(shop, f"{place.replace(' ', '')}4", shown + days * DAY, "350.00") for days in (2, 9))
    yield shop.did("popupone7", "Popup Shown", shown + HOUR, touchpoint="popup two")
    yield shop.did("popupone7", "Contact Left", shown + HOUR, touchpoint="popup two")


@pytest.mark.case("A8")
async def test_what_became_of_contacts_by_the_place_where_they_were_left(shop: Shop):
    came = day("2026-06-10")
    await shop.post(
        *contacts(shop),
        *(shop.did(f"e{n}", "Event Registered", came, way="email" if n < BY_MAIL else "partner") for n in range(REGISTERED)),
        *(shop.did(f"e{n}", "Signed Up", came + DAY) for n in range(SIGNED_UP)),
        *(bought(shop, f"e{n}", came + 2 * DAY, "900.00") for n in range(PAID)),
    )
    asked = {"purchase": purchase(shop)}
    rows = {row["place"]: row for row in (await told(shop, "touchpoints", "2026-05-01", "2026-06-01", **asked))["places"]}
    assert {place: [row[name] for name in ("left", "new", "registered", "paid", "revenue")] for place, row in rows.items()} == {
        place: [left, left - 2, 3, 1, 70_000] for place, left in PLACES.items()
    }
    seen = {place: (row["shows"], row["shown"]) for place, row in rows.items()}
    assert (seen["popup one"], seen["popup two"]) == ((36, 36), (59, 59)), "who left it at one counts at no second"
    behind = await told(shop, "touchpoints", "2026-05-01", "2026-06-01", **asked, figure="left.bot")
    assert behind["count"] == len(behind["people"]) == 5

    asked |= {"left": "Event Registered", "place": "way"}
    rows = {row["place"]: row for row in (await told(shop, "touchpoints", "2026-06-01", "2026-07-01", **asked))["places"]}
    mail = rows["email"]
    assert round(mail["left"] / sum(row["left"] for row in rows.values()), 2) == 0.54
    assert (round(mail["registered_of_left"], 2), round(mail["paid_of_left"], 4), mail["revenue"]) == (0.12, 0.0144, 180_000)
    assert (rows["partner"]["registered"], rows["partner"]["paid"]) == (0, 0)
