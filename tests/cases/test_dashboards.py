"""A10: dashboards that refresh themselves: views in PostgreSQL say what the reports say, to a user of the role of BI tools."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.gateway.domain.dashboards import BY, MESSAGES
from tests.cases.reading import by_reader, clicked
from tests.cases.test_campaigns import act, people, write
from tests.cases.test_memberships import reader
from tests.support.shop import DAY, HOUR, Shop, template

LETTER = '<a href="https://shop.example/x">go</a> <a href="{{ unsubscribe_url }}">no more</a>'
TARGET = {"event": "Order Completed", "value": "total", "window": "7d"}
DOCS = Path(__file__).parents[2] / "docs" / "bi.md"


def day_of(at: int) -> str:
    return str(datetime.fromtimestamp(at / 1000, UTC).date())


def quarter_of(at: int) -> str:
    """Its first day."""
    day = datetime.fromtimestamp(at / 1000, UTC)
    return f"{day.year}-{(day.month - 1) // 3 * 3 + 1:02}-01"


async def played(shop: Shop) -> tuple[int, int, str]:
    """A campaign with a control group and its experiment, clicked, left and bought after: when it began, when all bought, and one who got it.
    An order that an ad led to stands some quarters before.
    """
    begun = shop.now
    who = await people(shop, 16)
    variants = [{"name": name, "template": f"{shop.brand}-{name}", "share": 50} for name in ("a", "b")]
    address = await write(shop, control=50, variants=variants)
    key = f"{shop.brand}-news"
    experiment = {
        "key": key,
        "brand": shop.brand,
        "of": {"kind": "control", "campaign": key},
        "primary": {"key": "bought", "target": TARGET},
    }
    await shop.publish({"kind": "experiment", "body": experiment})
    await shop.publish(*(template(name, shop.brand, html=LETTER) for name in ("a", "b")))
    await act(shop, address, "publish")
    (got, _), letter = next(iter((await by_reader(shop)).items()))
    await shop.until(shop.now + HOUR)
    await clicked(shop, [letter])
    assert (await shop.press_unsubscribe(letter)).is_success
    old, ad = begun - 200 * DAY, {"campaign": {"source": "yandex", "medium": "cpc", "name": "spring"}}
    await shop.post(
        shop.call("page", who[0], old - HOUR, context=ad), shop.did(who[0], "Order Completed", old, total="40.00", currency="RUB")
    )
    bought = shop.now
    await shop.post(*(shop.did(one, "Order Completed", total=f"{n}.50", currency="RUB") for n, one in enumerate(who)))
    await shop.until(shop.now + DAY)
    return begun, bought, got


@pytest.mark.case("A10")
async def test_views_for_bi_tools_say_what_the_reports_say(shop: Shop):
    begun, bought, reader_of_it = await played(shop)
    first, last = day_of(begun), day_of(shop.now)
    counted = await shop.api("POST", "/api/bi/refresh", json={"from": first, "to": last})
    assert counted["rows"]["outcomes"] > 0
    report = await shop.api("GET", "/api/reports/outcomes", params={"brand": shop.brand, "by": ",".join(BY), **TARGET})
    asked = {"brand": shop.brand, "from": "2000-01-01", "to": "2100-01-01", "target": "Order Completed", "value": "total"}
    channels = await shop.api("GET", "/api/reports/channels", params={**asked, "teams": "campaign=promo"})
    results = await shop.api("GET", f"/api/experiments/{shop.brand}-news/results")
    keys = ", ".join(f"coalesce({name}::text, '')" for name in BY)
    async with reader(shop) as bi:
        told = await bi.fetch(f"SELECT ARRAY[{keys}] AS key, {', '.join(MESSAGES)} FROM bi.outcomes WHERE brand = $1", shop.brand)
        assert {tuple(row["key"]): [row[one] for one in MESSAGES] for row in told} == {
            _key(row): [row[one]["messages"] for one in MESSAGES] for row in report["rows"]
        }
        did = await bi.fetch(
            f"SELECT ARRAY[{keys}] AS key, converted, actions, revenue, currency FROM bi.conversions WHERE brand = $1", shop.brand
        )
        assert {tuple(row["key"]): (row["converted"], row["actions"], int(row["revenue"]), row["currency"]) for row in did} == {
            _key(row): (row["converted"]["people"], row["credited"]["actions"], row["revenue"]["minor"], "RUB")
            for row in report["rows"] if row["converted"]["people"]
        }  # fmt: skip
        assert sum(int(row["revenue"]) for row in did) == report["total"]["revenue"]["minor"] > 0
        money = await bi.fetch(
            "SELECT quarter::text, kind, name, conversions, revenue, share FROM bi.channels WHERE brand = $1", shop.brand
        )
        shown = {
            (row["quarter"], row["kind"], row["name"]): (row["conversions"], int(row["revenue"]), row["share"]) for row in money
        }
        stands = await bi.fetch(
            "SELECT arm, people, verdict FROM bi.experiments WHERE brand = $1 AND day = $2::text::date", shop.brand, last
        )
        assert {row["arm"]: row["people"] for row in stands} == {
            name: arm["people"] for name, arm in results["periods"][-1]["arms"].items()
        }
        assert {row["verdict"] for row in stands} <= {results["judged"]["verdict"], *_verdicts(results)}
        for statement in re.findall(r"^```sql\n(SELECT.*?)^```$", DOCS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            await bi.fetch(statement)

    # By channel, mechanic, team and quarter: what the campaign's reader paid, of 128.00 in all; and the order of long ago, which no view was asked for.
    mine, key = int(reader_of_it.removeprefix("p")) * 100 + 50, f"campaign:{shop.brand}-news"
    now, before = quarter_of(bought), quarter_of(begun - 200 * DAY)
    by = {"channel": ("email", "paid"), "mechanic": (key, "paid"), "team": ("promo", "(others)")}
    of_now, of_then = {}, {}
    for kind, (ours, theirs) in by.items():
        of_now[now, kind, ours] = 1, mine, round(mine / 12_800, 6)
        of_now[now, kind, "(nobody)"] = 15, 12_800 - mine, round((12_800 - mine) / 12_800, 6)
        of_then[before, kind, theirs] = 1, 4_000, 1.0
    assert shown == of_now
    assert {(row["from"], kind, row["name"]): (row["conversions"], row["revenue"], row["share"]) for kind in by for row in channels["by"][kind]} == (
        of_now | of_then
    )  # fmt: skip

    # An order that is told late changes a day that is over.
    await shop.post(shop.did(reader_of_it, "Order Completed", shop.now - 20 * HOUR, total="1000.00", currency="RUB"))
    again = await shop.api("POST", "/api/bi/refresh", json={"from": first, "to": last})
    assert again["rows"] == counted["rows"]
    async with reader(shop) as bi:
        now = await bi.fetchval("SELECT sum(revenue) FROM bi.conversions WHERE brand = $1", shop.brand)
        assert int(now) == report["total"]["revenue"]["minor"] + 100_000


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] or "" for name in BY)


def _verdicts(results: dict[str, Any]) -> list[str]:
    return [one["verdict"] for one in results["judged"]["metrics"][0]["comparisons"]]
