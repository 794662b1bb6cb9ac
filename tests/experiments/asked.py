"""Questions as they come by the API, to be changed by tests."""

from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from schemas.experiments import Evaluated, Evaluation, Planned, Planning
from services.experiments.domain.evaluating import evaluate
from services.experiments.domain.planning import plan
from tests.experiments.hillstrom import CONTROL, MENS, WOMENS

FILLED: dict[str, Any] = {
    "arms": [{"name": "control", "share": 50, "assigned": 1507}, {"name": "b", "share": 50, "assigned": 1507}],
    "metrics": [
        {
            "key": "filled",
            "kind": "proportion",
            "says": {"en": "fill in the profile", "ru": "заполнил профиль"},
            "of": {"control": {"x": 67}, "b": {"x": 92}},
        }
    ],
    "plan": {"rule": "fixed"},
}
REVENUE: dict[str, Any] = {
    "key": "revenue",
    "kind": "mean",
    "title": {"en": "Revenue per person", "ru": "Выручка на человека"},
    "of": {
        "control": {"sum": 1_000_000, "squares": 9_000_000_000, "currency": "RUB"},
        "b": {"sum": 1_100_000, "squares": 9_900_000_000, "currency": "RUB"},
    },
}
RATIO: dict[str, Any] = {
    "key": "clicks-by-letter",
    "kind": "ratio",
    "of": {
        "control": {"y": 100, "x": 1000, "yy": 150, "xx": 3000, "xy": 200},
        "b": {"y": 130, "x": 1000, "yy": 190, "xx": 3000, "xy": 260},
    },
}
LETTERS = {"none": CONTROL, "mens": MENS, "womens": WOMENS}


def changed(asked: dict[str, Any], **paths: Any) -> dict[str, Any]:
    """A copy; `metrics__0__of__b__x=5` goes down by names and places, `...` takes the last one out."""
    found = deepcopy(asked)
    for path, value in paths.items():
        *way, last = (int(step) if step.isdecimal() else step for step in path.split("__"))
        node: Any = found
        for step in way:
            node = node[step]
        if value is ...:
            del node[last]
        else:
            node[last] = deepcopy(value)
    return found


def hillstrom(**plan_of: Any) -> dict[str, Any]:
    """Three arms: visits, conversions, and revenue with what they had spent before and a cap of 200.00."""

    def revenue(one):
        before = {"sum": one.history, "squares": one.history2, "cross": one.history_spend}
        return {"sum": one.spend, "squares": one.spend2, "currency": "USD", "before": before}

    arms = [{"name": name, "share": 1, "assigned": one.n} for name, one in LETTERS.items()]
    of = LETTERS.items()
    metrics = [
        {"key": "visit", "kind": "proportion", "of": {name: {"x": one.visits} for name, one in of}},
        {"key": "conversion", "kind": "proportion", "of": {name: {"x": one.conversions} for name, one in of}},
        {"key": "revenue", "kind": "mean", "of": {name: revenue(one) for name, one in of}},
        {
            "key": "revenue-capped",
            "kind": "mean",
            "outliers": {"rule": "winsorized", "cap": 20000, "changed": sum(one.above_cap for one in LETTERS.values())},
            "of": {
                name: {
                    "sum": one.capped,
                    "squares": one.capped2,
                    "currency": "USD",
                    "without_rule": {"sum": one.spend, "squares": one.spend2, "currency": "USD"},
                }
                for name, one in of
            },
        },
    ]
    return {"arms": arms, "metrics": metrics, "plan": {"rule": "fixed", **plan_of}}


def evaluated(asked: dict[str, Any]) -> Evaluated:
    return evaluate(Evaluation.model_validate(asked))


def planned(**asked: Any) -> Planned:
    return plan(Planning.model_validate(asked))


def faults(model: type[Evaluation] | type[Planning], asked: dict[str, Any]) -> dict[str, str]:
    """Where -> code, of everything that is wrong with it."""
    try:
        model.model_validate(asked)
    except ValidationError as error:
        found = {}
        for detail in error.errors():
            where = ".".join(map(str, detail["loc"]))
            problems = detail.get("ctx", {}).get("problems")
            found |= {field: code for field, code, _ in problems} if problems else {where: detail["type"]}
        return {where: code for where, code in found.items() if code != "too_short"}  # an echo: only the good ones are counted
    return {}
