"""200 segments of every kind of condition, over the events of bench/load.py: what the live benches run under."""

from typing import Any

from bench.documents import DAY, HOUR

ORDER, VIEW, ADD, LOGIN, OPEN = "Order Completed", "Product Viewed", "Product Added", "Signed In", "Email Opened"
MINUTE = 60_000
REACH = (7, 14, 30, 45, 60, 90, 120, 180, 270, 365)  # days
UNITS = ("day", "week", "month", "quarter", "year")
ZONE = "Europe/Moscow"


def _leaf(kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, **fields}


def _did(event: str, value: int = 1, **fields: Any) -> dict[str, Any]:
    return _leaf("did", event=event, op="ge", value=value, **fields)


def _all(*parts: dict[str, Any]) -> dict[str, Any]:
    return _leaf("all", of=list(parts))


def _any(*parts: dict[str, Any]) -> dict[str, Any]:
    return _leaf("any", of=list(parts))


def _not(part: dict[str, Any]) -> dict[str, Any]:
    return _leaf("not", of=part)


def _said(name: str, op: str, value: Any) -> dict[str, Any]:
    return _leaf("attribute", name=name, op=op, value=value)


def _category(n: int) -> list[dict[str, Any]]:
    return [{"path": "category", "op": "eq", "value": f"cat_{n % 40}"}]


def _windows(n: int) -> dict[str, dict[str, Any]]:
    """Rolling, of the calendar, between dates, around a date of his."""
    days = REACH[n] * DAY
    past = {"kind": "calendar", "unit": UNITS[n % 4], "back": 1 + n % 2, "zone": ZONE}
    return {
        "orders": _did(ORDER, 1 + n % 4, within=days),
        "lapsed": _all(_did(ORDER), _not(_did(ORDER, within=days))),
        "viewed": _did(VIEW, within=REACH[n % 5] * DAY, where=_category(n)),
        "this": _did(VIEW, 2 + n, window={"kind": "calendar", "unit": UNITS[n % 5], "zone": ZONE}),
        "past": _did(ORDER, window=past),
        "season": _did(ORDER, window={"kind": "between", "since": f"2026-{n + 1:02d}-01", "until": f"2026-{n + 2:02d}-01"}),
        "trial": _did(LOGIN, 2, window={"kind": "around", "name": "paid_from", "after": 0, "until": REACH[n % 4] * DAY}),
    }


def _sums(n: int) -> dict[str, dict[str, Any]]:
    """Sums, averages, different values, product lines."""
    days, money = REACH[n] * DAY, {"event": ORDER, "op": "ge"}
    averages = _leaf("average", of="revenue.minor", value=2_000 + 500 * n, **money)
    line = {"path": "products", "where": [{"path": "sku", "op": "eq", "value": f"SKU-{n}"}]}
    return {
        "spent": _leaf("total", sum="revenue.minor", value=10_000 * (n + 1), within=days, **money),
        "average": averages | ({"within": days} if n % 2 else {}),
        "breadth": _leaf("distinct", event=VIEW, of="category", op="ge", value=3 + n, within=REACH[n % 5] * DAY),
        "line": _did(ORDER, 1 + n % 2, lines=line, within=days),
    }


def _chains(n: int) -> dict[str, dict[str, Any]]:
    """What followed what, what was left alone, how long ago."""
    order = {"event": ORDER}
    soon = _leaf(
        "sequence", first={"event": VIEW, "where": _category(n)}, then=order, within=2 * HOUR * (n + 1), last=REACH[n % 6] * DAY
    )
    return {
        "viewed-bought": soon | ({"without": {"event": OPEN}} if n % 3 == 0 else {}),
        "basket": _leaf("since", event=ADD, without=order, after=30 * MINUTE * (n + 1), within=REACH[n % 4] * DAY),
        "silent": _leaf("age", event=LOGIN, which="last", op="older", age=REACH[n] * DAY),
    }


def _said_of_him(n: int) -> dict[str, dict[str, Any]]:
    """Attributes, dates, birthdays, channels, shares, consent."""
    topic = {"kind": "consent", "channel": "email", "state": ("granted", "none", "denied")[n % 3]}
    return {
        "score": _all(_said("score", "ge", n * 10), _leaf("reachable", channel="email")),
        "ends": _leaf("date", name="paid_until", after=0, until=REACH[n] * DAY),
        "birthday": _leaf("anniversary", name="birthday", before=n, days=1 + n, zone=ZONE),
        "share": _all(topic, _leaf("bucket", salt=f"share-{n}", start=n * 500, end=n * 500 + 3000)),
    }


def _nested(n: int) -> dict[str, dict[str, Any]]:
    days = REACH[n] * DAY
    town = _any(_said("city", "eq", "York"), _said("plan", "eq", "paid"))
    warm = _any(
        _did(VIEW, 3, within=7 * DAY, where=_category(n + 1)),
        _all(_did(OPEN, 2, within=30 * DAY), _not(_did(LOGIN, within=14 * DAY))),
    )
    return {
        "nested": _all(town, warm, _not(_any(_did(ORDER, within=DAY * (1 + n % 3)), _said("score", "lt", n * 5)))),
        "of-segments": _all(
            _leaf("segment", key=f"orders-{n}"), _not(_leaf("segment", key=f"basket-{n}")), _did(VIEW, 2, within=days)
        ),
    }


def conditions() -> dict[str, dict[str, Any]]:
    """Ten of each of 20 shapes, by key."""
    return {
        f"{name}-{n}": condition
        for n in range(10)
        for name, condition in (_windows(n) | _sums(n) | _chains(n) | _said_of_him(n) | _nested(n)).items()
    }


def everything() -> list[dict[str, Any]]:
    """For POST /api/documents/import."""
    brand = {"kind": "brand", "body": {"key": "shop", "name": "Shop", "from_email": "shop@shop.example"}}
    return [brand, *({"kind": "segment", "body": {"key": key, "condition": condition}} for key, condition in conditions().items())]
