"""Who is credited with the orders of the story, by five models, as the system's own report says."""

from collections.abc import Mapping
from typing import Any

from deploy.demo.counting import Flat
from deploy.demo.ways import Ways

MODELS = ("last_click", "first_touch", "linear", "position", "markov")
TARGET = {"target": "Order Completed", "value": "total", "window": "30d", "level": "document"}


async def five_models(ways: Ways, since: int, until: int) -> dict[str, Any]:
    """The report about orders with since <= t < until (ms), by journey and campaign."""
    told: dict[str, Any] = await ways.get("/api/reports/attribution", **TARGET, **{"from": since, "to": until})
    return told


def numbers(told: Mapping[str, Any]) -> Flat:
    """Its figures under flat names: `attribution.linear.journey:welcome.revenue`, and what nobody got as `(nobody)`."""
    found: Flat = {
        "attribution.orders": told["conversions"],
        "attribution.revenue": told["revenue"],
        "attribution.scanner_clicks": told["scanner_clicks"],
    }
    for model in MODELS:
        if model not in told["unattributed"]:
            continue
        rows = {row["label"]: row[model] for row in told["rows"]} | {"(nobody)": told["unattributed"][model]}
        for label, credit in rows.items():
            found[f"attribution.{model}.{label}.orders"] = credit["conversions"]
            found[f"attribution.{model}.{label}.revenue"] = credit["revenue"]
    return found
