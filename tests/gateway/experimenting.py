"""An experiment document, and what the audience service tells of it."""

from typing import Any

from schemas.experiment_documents import Experiment

DOCUMENT: dict[str, Any] = {
    "key": "e", "brand": "one", "of": {"kind": "variants", "campaign": "x"},
    "primary": {"key": "bought", "target": {"event": "Order Completed", "window": "7d"}},
    "secondary": [{"key": "money", "kind": "mean", "target": {"event": "Order Completed", "value": "total", "window": "7d"}}], "control": "a",
}  # fmt: skip
SHARES = {"a": 5000, "b": 5000}


def document(**more: Any) -> Experiment:
    return Experiment.model_validate({**DOCUMENT, **more})


def measured(n: int, did: int, amount: int, currency: str | None = "RUB") -> dict[str, Any]:
    return {
        "people": n, "merged": 0, "contaminated": 0,
        "measures": {"bought": {"all": {"n": n, "sum_y": did, "sum_yy": did}, "currency": None, "immature": 0},
                     "money": {"all": {"n": n, "sum_y": amount, "sum_yy": amount * amount}, "currency": currency, "immature": 0}},
    }  # fmt: skip


def period(a: dict[str, Any], b: dict[str, Any], number: int = 0) -> dict[str, Any]:
    return {"period": number, "arms": {"a": a, "b": b}, "outliers": {}, "days": [], "reached": []}
