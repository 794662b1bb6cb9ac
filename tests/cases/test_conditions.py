"""G1, G4: conditions about a basket that is left, the month, a birthday, product lines and consent turn at their own minute."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.shop import DAY, HOUR, Shop, segment


async def story(shop: Shop, key: str) -> list[tuple[str, int, str]]:
    """(entered or left, when, why) of all that was told of a segment."""
    told = [m for m in await shop.installation.log.records("memberships") if m.get("segment") == f"{shop.brand}-{key}"]
    return sorted(((m["type"], m["at"], m.get("why", "fact")) for m in told), key=lambda one: one[1])


def midnight(at: int, days: int, hours: int) -> int:
    """The midnight `days` after that of an instant, in a zone that is ahead of UTC by so many hours."""
    return ((at + hours * HOUR) // DAY + days) * DAY - hours * HOUR


@pytest.mark.case("G1", "G4")
async def test_what_he_does_what_he_is_and_what_he_said_turn_where_he_stands(shop: Shop):
    b, start = shop.brand, shop.now
    basket, bought = f"Basket {b}", f"Order {b}"  # history counts, and so do other tests' customers
    left: dict[str, Any] = {"kind": "since", "event": basket, "without": {"event": bought}, "after": HOUR, "within": 14 * DAY}
    today: dict[str, Any] = {"kind": "did", "event": bought, "window": {"kind": "calendar", "unit": "day", "zone": "UTC"}}
    vinyl = {"path": "products", "where": [{"path": "kind", "op": "eq", "value": "vinyl"}]}
    dear = {"kind": "total", "event": bought, "lines": vinyl, "sum": "price.minor", "op": "ge", "value": 5000}
    fast = {"kind": "sequence", "first": {"event": basket}, "then": {"event": bought}, "within": 4 * HOUR}
    asks = {
        "left": left, "today": today, "dear": dear, "fast": fast, "born": {"kind": "anniversary", "name": "born", "before": 1},
        "may": {"kind": "consent", "channel": "email", "topic": f"{b}-news", "brand": b},
    }  # fmt: skip
    topic = {"kind": "topic", "body": {"key": f"{b}-news", "brand": b, "name": {"en": "News"}}}
    await shop.publish(topic, *(segment(key, b, condition) for key, condition in asks.items()))
    day = datetime.fromtimestamp(midnight(start, 3, 9) / 1000 + 9 * 3600, UTC).date()
    await shop.post(shop.is_("ann", time_zone="Asia/Tokyo", born=f"1990-{day:%m-%d}"), shop.agrees("ann"))
    await shop.post(shop.did("ann", basket))
    assert await story(shop, "may") == [("entered", start, "fact")]
    moment = start + 3 * HOUR
    await shop.until(moment)
    lines = [{"kind": "vinyl", "price": {"minor": 3000}}, {"kind": "vinyl", "price": {"minor": 2500}}, {"kind": "cd"}]
    refused = {"channel": "email", "topic": f"{b}-news"}
    await shop.post(shop.did("ann", bought, products=lines), shop.did("ann", "Consent Withdrawn", **refused))
    await shop.until(start + 5 * DAY)

    assert await story(shop, "left") == [("entered", start + HOUR, "time"), ("left", moment, "fact")]
    assert await story(shop, "dear") == [("entered", moment, "fact")]
    assert await story(shop, "fast") == [("entered", moment, "fact")]
    assert await story(shop, "may") == [("entered", start, "fact"), ("left", moment, "fact")]
    assert await story(shop, "today") == [("entered", moment, "fact"), ("left", midnight(moment, 1, 9), "time")]
    born = midnight(start, 3, 9)
    assert await story(shop, "born") == [("entered", born - DAY, "time"), ("left", born, "time")]
