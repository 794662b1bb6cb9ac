"""50 segments (20 with time windows), 5 journeys, a rule, a template: what the load of the whole way runs under."""

from typing import Any

HOUR, DAY = 3_600_000, 86_400_000


def _did(event: str, count: int, within: int | None) -> dict[str, Any]:
    leaf: dict[str, Any] = {"kind": "did", "event": event, "op": "ge", "value": count}
    if within is not None:
        leaf["within"] = within
    return leaf


def segments() -> dict[str, dict[str, Any]]:
    """Ten each of: rolling counts of orders, of product views; attributes; lifetime counts; mixtures."""
    found: dict[str, dict[str, Any]] = {}
    for n in range(10):
        found[f"orders-{n}"] = _did("Order Completed", n + 1, (n + 1) * DAY)
        found[f"views-{n}"] = {
            "kind": "all",
            "of": [_did("Product Viewed", n + 2, (n + 1) * HOUR), {"kind": "not", "of": _did("Order Completed", 1, DAY)}],
        }
        found[f"score-{n}"] = {"kind": "attribute", "name": "score", "op": "ge", "value": n * 10}
        found[f"life-{n}"] = _did("Order Completed", (n + 1) * 3, None)
        found[f"mix-{n}"] = {
            "kind": "any",
            "of": [
                {"kind": "attribute", "name": "plan", "op": "eq", "value": "paid"},
                {
                    "kind": "all",
                    "of": [
                        {"kind": "attribute", "name": "city", "op": "eq", "value": "York"},
                        _did("Order Completed", n + 1, None),
                    ],
                },
            ],
        }
    return found


def _send(template: str, cls: str) -> dict[str, Any]:
    return {"id": "send", "template": template, "class": cls}


def journeys() -> list[dict[str, Any]]:
    receipt = {
        "key": "receipt", "brand": "shop", "reentry": {"mode": "always"}, "steps": [_send("receipt", "service")],
        "trigger": {"event": "Order Completed", "where": [{"path": "mail", "op": "eq", "value": True}]},
    }  # fmt: skip
    later = {
        "key": "later", "brand": "shop", "reentry": {"mode": "always"}, "steps": [{"id": "w", "wait": "5s"}, _send("receipt", "service")],
        "trigger": {"event": "Order Completed", "where": [{"path": "later", "op": "eq", "value": True}]},
    }  # fmt: skip
    thanks = {
        "key": "thanks", "brand": "shop", "reentry": {"mode": "after", "after": "7d"}, "goal": {"event": "Refund Requested"},
        "trigger": {"event": "Order Completed"}, "steps": [{"id": "w", "wait": "30d"}, _send("plain", "triggered")],
    }  # fmt: skip
    viewed = {
        "key": "viewed", "brand": "shop", "reentry": {"mode": "after", "after": "1d"}, "goal": {"event": "Order Completed"},
        "trigger": {"event": "Product Viewed", "where": [{"path": "category", "op": "eq", "value": "cat_7"}]},
        "steps": [{"id": "w", "wait": "2h"}, {"id": "b", "if": {"kind": "segment", "key": "score-5"}, "then": "send"}, _send("plain", "triggered")],
    }  # fmt: skip
    gone = {
        "key": "gone", "brand": "shop", "trigger": {"segment": "orders-0", "change": "left"}, "steps": [_send("plain", "mass")],
    }  # fmt: skip
    return [receipt, later, thanks, viewed, gone]


def everything() -> list[dict[str, Any]]:
    """For POST /api/documents/import, in dependency order."""
    receipt = {
        "key": "receipt",
        "subject": "R {{ event.n }}",
        "html": '<p>Thank you, {{ profile.name }}.</p><p><a href="https://shop.example/o">Your order</a></p>',
    }
    plain = {"key": "plain", "subject": "News", "html": "<p>Hello {{ profile.name }}</p>"}
    rule = {
        "key": "rules", "exclusive_day": ["triggered", "mass"], "quiet_hours": {"from": "23:00", "to": "05:00"},
        "caps": [{"name": "three", "class": "mass", "most": 3, "per": "week"}],
    }  # fmt: skip
    documents: list[tuple[str, dict[str, Any]]] = [
        ("brand", {"key": "shop", "name": "Shop", "from_email": "shop@shop.example"}),
        ("rule", rule),
        ("template", receipt),
        ("template", plain),
        *(("segment", {"key": key, "condition": condition}) for key, condition in segments().items()),
        *(("journey", journey) for journey in journeys()),
    ]
    return [{"kind": kind, "body": body} for kind, body in documents]
