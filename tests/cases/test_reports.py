"""A1, A2: campaigns and chains: what they were worth, beside a control group or a year ago, the people behind each figure, and an experiment."""

import csv
import io
import re
from typing import Any

import pytest

from tests.cases.test_campaigns import act, people, write
from tests.cases.test_cascades import Seen
from tests.support.shop import DAY, HOUR, MINUTE, Shop, iso, journey, segment, send, template

TARGET = {"event": "Order Completed", "value": "total", "window": "2d"}
DEED = {"event": "Order Completed", "value": "total"}


async def behind(shop: Shop, address: str, **more: str) -> set[str]:
    """The people behind a figure, as many as the answer says."""
    found = await shop.api("GET", address, params=more or None)
    of = found.get("items", found.get("people"))
    assert found["count"] == len(set(of)) == len(of) and found["next"] is None
    return set(of)


async def ids(shop: Shop, *who: str) -> set[str]:
    return {(await shop.profile(f"user_id:{shop.user(one)}"))["id"] for one in who}


async def table(shop: Shop, asked: dict[str, str]) -> list[dict[str, str]]:
    """The lines of the same report as CSV."""
    answer = await shop.installation.api.get("/api/reports/outcomes", params={**asked, "format": "csv"})
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


async def press(shop: Shop, mail: dict[str, Any], kind: str) -> None:
    """Load the picture of a letter (`o`) or follow its link (`c`)."""
    (way,) = set(re.findall(rf"/{kind}/[\w-]+", (await shop.letter(mail))["html"]))
    assert (await shop.installation.public.get(way, follow_redirects=False)).status_code in (200, 302)
    await shop.settle()


async def chain(shop: Shop) -> list[str]:
    """Two letters and a text, to six people: two follow the link of the first and one looks at it, and after each message somebody buys. A year
    before the mailer of then had sent its first letter to three.
    """
    b, start, who = shop.brand, shop.now, [f"p{number}" for number in range(6)]
    joined, html = f"Joined {b}", "<p>Look <a href='https://shop.example/lesson'>here</a></p>"
    steps = (
        send("first", b),
        {"id": "day", "wait": "1d"},
        send("second", b),
        {"id": "night", "wait": "1d"},
        send("text", b, channel="sms"),
    )
    await shop.publish(
        template("first", b, html=html), template("second", b), template("text", b, channel="sms", subject="", text="Come"),
        segment("firms", b, {"kind": "attribute", "name": f"{b}_kind", "op": "eq", "value": "firm"}), journey("chain", b, joined, *steps),
    )  # fmt: skip
    phones = Seen(shop)
    for place, one in enumerate(who):
        kind = {f"{b}_kind": "firm" if one in ("p0", "p3") else "person"}
        await shop.post(shop.is_(one, phone=phones.phone(place), **kind), shop.agrees(one, channel="*"), settle=False)
    then = start - 364 * DAY
    sent = {"document": f"journey:{b}-chain", "step": "first"}
    await shop.post(*(shop.did(one, "Email Sent", then, **sent) for one in who[:3]), bought(shop, "p0", "8.00", then + HOUR))
    await shop.post(*(shop.did(one, joined) for one in who))
    letters = {mail["to"][0].partition("@")[0]: mail for mail in await shop.mails()}
    await shop.until(start + HOUR)
    for one, kind in (("p0", "c"), ("p1", "c"), ("p2", "o")):
        await press(shop, letters[one], kind)
    for at, buyer, amount in ((2 * HOUR, "p0", "10.00"), (DAY + HOUR, "p1", "20.00"), (2 * DAY + HOUR, "p3", "5.00")):
        await shop.through(start + at - HOUR, start + at)
        await shop.post(bought(shop, buyer, amount))
    await shop.until(shop.now + MINUTE)
    return who


def bought(shop: Shop, who: str, amount: str, at: int | None = None) -> dict[str, Any]:
    return shop.did(who, "Order Completed", at, total=amount, currency="RUB")


@pytest.mark.case("A1")
async def test_a_chain_letter_by_letter_by_segment_and_channel_and_against_the_year_before(shop: Shop):
    b, start = shop.brand, shop.now
    who = await chain(shop)
    days = {"from": iso(start)[:10], "to": iso(start + 3 * DAY)[:10], "zone": "UTC"}
    asked = {"journey": f"{b}-chain", "by": "step", **DEED, **days, "compare": "year"}
    found = await shop.api("GET", "/api/reports/outcomes", params=asked)
    rows = {row["step"]: row for row in found["rows"]}
    told = {step: (row["sent"]["people"], row["opened"]["people"], row["clicked"]["people"], row["converted"]["people"], row["revenue"]["minor"])
            for step, row in rows.items()}  # fmt: skip
    assert told == {"first": (6, 1, 2, 3, 1000), "second": (6, 0, 0, 2, 2000), "text": (6, 0, 0, 1, 500)}
    assert found["total"]["rates"]["revenue_per_recipient"] == round(3500 / 6, 6)
    before = found["before"]
    assert [(row["step"], row["sent"]["people"], row["revenue"]["minor"]) for row in before["rows"]] == [("first", 3, 800)]
    assert before["total"]["rates"]["revenue_per_recipient"] == round(800 / 3, 6)
    for row, figure, whom in (
        (rows["first"], "clicked", ("p0", "p1")), (rows["first"], "opened", ("p2",)), (rows["second"], "converted", ("p1", "p3")),
        (found["total"], "sent", who), (before["total"], "credited", ("p0",)),
    ):  # fmt: skip
        assert await behind(shop, row["people"].replace("{figure}", figure)) == await ids(shop, *whom), figure

    lines = await table(shop, asked)
    assert [(one["period"], one["of"], one["step"], int(one["sent_messages"]), int(one["revenue_minor"])) for one in lines] == [
        ("now", "row", "first", 6, 1000), ("now", "row", "second", 6, 2000), ("now", "row", "text", 6, 500), ("now", "total", "", 18, 3500),
        ("before", "row", "first", 3, 800), ("before", "total", "", 3, 800),
    ]  # fmt: skip

    firms = {"journey": f"{b}-chain", "segment": f"{b}-firms", "by": "channel", **DEED, **days}
    channels = (await shop.api("GET", "/api/reports/outcomes", params=firms))["rows"]
    assert [(row["channel"], row["sent"]["messages"], row["sent"]["people"], row["revenue"]["minor"]) for row in channels] == [
        ("email", 4, 2, 1000),
        ("sms", 2, 2, 500),
    ]
    ways = {"brand": b, "target": DEED["event"], "value": "total", **days, "by": "year"}
    mechanics = (await shop.api("GET", "/api/reports/channels", params=ways))["by"]["mechanic"]
    ours = [row for row in mechanics if row["name"] == f"journey:{b}-chain"]
    credited = [await behind(shop, "/api/reports/channels", **ways, figure=f"mechanic.{row['from']}.{row['name']}") for row in ours]
    assert [len(one) for one in credited] == [row["people"] for row in ours]
    assert set().union(*credited) == await ids(shop, "p0", "p1"), "who bought within a week of his click"


@pytest.mark.case("A1")
async def test_what_a_campaign_was_worth_beside_its_control_group_with_the_people_behind_each_figure(shop: Shop):
    who = await people(shop, 24)
    address = await write(shop, control=50, variants=[
        {"name": "a", "template": f"{shop.brand}-a", "share": 50}, {"name": "b", "template": f"{shop.brand}-b", "share": 50},
    ])  # fmt: skip
    key = f"{shop.brand}-news"
    experiment = {"key": key, "brand": shop.brand, "of": {"kind": "control", "campaign": key}, "primary": {"key": "bought", "target": TARGET},
                  "secondary": [{"key": "money", "kind": "mean", "target": TARGET}]}  # fmt: skip
    await shop.publish({"kind": "experiment", "body": experiment})
    await act(shop, address, "publish")
    mails = await shop.mails()
    got = {mail["to"][0].partition("@")[0] for mail in mails}
    assert 0 < len(got) < 24
    left, others = sorted(got), sorted(set(who) - got)
    await shop.until(shop.now + HOUR)
    assert (await shop.press_unsubscribe(await shop.letter(mails[0]))).is_success
    for buyer, amount in ((left[0], "10.00"), (left[0], "5.50"), (others[0], "7.00")):
        await shop.post(shop.did(buyer, "Order Completed", total=amount, currency="RUB"))
        await shop.until(shop.now + MINUTE)
    await shop.until(shop.now + 3 * DAY)
    await shop.post(shop.did(left[-1], "Order Completed", total="99.00", currency="RUB"))  # too late

    asked = {"campaign": key, "by": "variant", "event": TARGET["event"], "value": "total", "window": "2d"}
    found = await shop.api("GET", "/api/reports/outcomes", params=asked)
    total = found["total"]
    assert total["sent"] == {"messages": len(got), "people": len(got)} and total["unsubscribed"]["people"] == 1
    assert (total["converted"]["people"], total["credited"]["actions"], total["revenue"]["minor"]) == (1, 2, 1550)
    control = total["control"]["local"]
    assert (control["would_have_sent"]["people"], control["converted"]["people"], control["revenue"]["minor"]) == (
        len(others),
        1,
        700,
    )
    assert {row["variant"] for row in found["rows"]} <= {"a", "b"}
    assert sum(row["sent"]["messages"] for row in found["rows"]) == len(got)
    assert sum(row["revenue"]["minor"] for row in found["rows"]) == 1550
    assert await behind(shop, total["people"].replace("{figure}", "converted")) == await ids(shop, left[0])

    assert "warnings" not in found
    slips = {**asked, "value": "totals"}, {"from": "2026-01-01", "to": "2027-01-01", "target": TARGET["event"], "value": "totals"}
    for address, slip in zip(("/api/reports/outcomes", "/api/reports/attribution"), slips, strict=True):
        (told,) = (await shop.api("GET", address, params=slip))["warnings"]
        assert (told["path"], told["code"]) == ("value", "unknown_property"), "revenue is 0, and why"

    results = await shop.api("GET", f"/api/experiments/{key}/results")
    (period,) = results["periods"]
    assert {name: arm["people"] for name, arm in period["arms"].items()} == {"control": len(others), "treatment": len(got)}
    assert period["arms"]["treatment"]["measures"]["money"]["all"]["sum_y"] == 1550
    assert results["judged"]["metrics"][0]["key"] == "bought"
    address = f"/api/experiments/{key}/results"
    assert await behind(shop, address, figure=f"{period['period']}.control.people") == await ids(shop, *others)
    assert await behind(shop, address, figure=f"{period['period']}.treatment.did.bought") == await ids(shop, left[0])
