"""The reports of the month, asked as anybody would: after the story, over HTTP."""

import json
from collections.abc import Mapping
from typing import Any

from deploy.demo import attributed
from deploy.demo.ways import Ways

EXPERIMENT = "welcome-worth"
WINDOW = "7d"
ORDER = {"event": "Order Completed", "value": "revenue"}
BASKET = ("Product Added", "Cart Viewed", "Order Completed")
# `took_ms` of an answer is at most so much: a second, and a few for five models at once (docs/reports.md, docs/attribution.md).
LIMITS_MS: Mapping[str, float] = {"attribution": 5_000.0}
LIMIT_MS = 1_000.0

Told = Mapping[str, Any]


async def ask(ways: Ways, since: int, until: int) -> dict[str, Any]:
    """Name -> answer, of the month with since <= t < until (ms)."""
    period = {"from": since, "to": until, "brand": "shop"}
    purchase = json.dumps(ORDER)
    cohort = {
        "among": json.dumps({"kind": "reachable", "channel": "email"}),
        "purchase": purchase,
        "few": 0,
        "landmark": WINDOW,
        "usage": "Cart Viewed",
    }
    funnel = {"steps": ",".join(BASKET), "window": "1d", "cohorts": "week"}
    age = {"purchase": purchase, "cohorts": "week", "periods": 4}
    return {
        "outcomes": await ways.get("/api/reports/outcomes", by="document,step", window=WINDOW, **ORDER, **period),
        "experiment": await ways.get(f"/api/experiments/{EXPERIMENT}/results"),
        "attribution": await ways.get("/api/reports/attribution", **attributed.QUESTION, **period),
        "cohort": await ways.get("/api/reports/cohort", **cohort, **period),
        "funnel": await ways.get("/api/reports/funnel", **funnel, **period),
        "lifetime": await ways.get("/api/reports/lifetime", **age, **period),
        "retention": await ways.get("/api/reports/retention", cohorts="week", periods=4, **period),
    }


def slow(told: Mapping[str, Told]) -> list[str]:
    """Which answers took longer than they may."""
    return [name for name, one in told.items() if one["took_ms"] > LIMITS_MS.get(name, LIMIT_MS)]
