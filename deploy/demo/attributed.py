"""Who is credited with the orders of the story, by five models, as the system's own report says."""

from collections.abc import Mapping
from typing import Any

from deploy.demo.counting import Flat

MODELS = ("last_click", "first_touch", "linear", "position", "markov")
QUESTION = {"target": "Order Completed", "value": "revenue", "window": "30d", "level": "document", "key": "order_id"}
NOBODY = "(nobody)"
CREDIT = ("conversions", "revenue")


def credits_of(told: Mapping[str, Any], model: str) -> dict[str, Mapping[str, Any]]:
    """Label -> what a model gives it; what nobody got among them. Empty: the model was left out."""
    if model not in told["unattributed"]:
        return {}
    return {row["label"]: row[model] for row in told["rows"]} | {NOBODY: told["unattributed"][model]}


def numbers(told: Mapping[str, Any]) -> Flat:
    """Its figures under flat names: `attribution.linear.journey:welcome.revenue`, and what nobody got as `(nobody)`."""
    found: Flat = {
        "attribution.orders": told["conversions"],
        "attribution.revenue": told["revenue"],
        "attribution.scanner_clicks": told["scanner_clicks"],
    }
    for model in MODELS:
        for label, credit in credits_of(told, model).items():
            found[f"attribution.{model}.{label}.orders"] = credit["conversions"]
            found[f"attribution.{model}.{label}.revenue"] = credit["revenue"]
    return found


def adds_up(told: Mapping[str, Any]) -> bool:
    """Whether each model gives away all there is: revenue to the penny, orders to the four digits that are shown."""
    given = {model: credits_of(told, model).values() for model in MODELS}
    return all(
        not credit or round(sum(one[what] for one in credit), 6) == told[what] for credit in given.values() for what in CREDIT
    )
