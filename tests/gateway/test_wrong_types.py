"""Every model of a report's question, told something of the wrong type anywhere: each fault has words in both languages."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from schemas import attribution
from schemas.attribution import Spend
from schemas.forecast import Forecast
from schemas.reports import Outcomes, Target, faults_of
from services.gateway.domain import traffic
from services.gateway.domain.analyses import MODELS
from services.gateway.domain.faults import FAULTS
from services.gateway.domain.problems import Problem
from services.gateway.handler.keys import validated

WRONG: tuple[Any, ...] = (None, True, -1, 0, 1.5, 2**70, 1e300, float("inf"), float("nan"), "", "x", "nan", "x" * 500, "\ud800", [], [None], {}, {"x": 1})  # fmt: skip
EVENT = {"event": "A", "where": [{"path": "a", "op": "eq", "value": 1}], "name": "a"}
TARGET = {"event": "A", "where": [{"path": "a", "op": "in", "value": [1, 2]}], "value": "total", "currency": "RUB", "window": "7d"}
PERIOD = {"since": 0, "until": 9, "brands": ["one"], "zone": "UTC", "as_of": 5}
EFFECT = {"low": 0.0, "expected": 0.1, "high": 0.2}
WHO = {"kind": "all", "of": [{"kind": "attribute", "name": "a", "op": "eq", "value": 1}]}
WHOLE: dict[str, dict[str, Any]] = {
    "attribution": {**PERIOD, "target": TARGET, "first": "9d", "last": {"email": "7d"}, "key": "id", "level": "channel", "own": ["crm"],
                    "leads": {"product": "p", "repeat": "3d", "closed": "B"}},
    "funnel": {**PERIOD, "steps": [EVENT, EVENT], "window": "7d", "by": "a", "cohorts": "day", "landing": "a"},
    "stages": {**PERIOD, "registration": EVENT, "landing": "a", "cohorts": "month", "mature_sale": "60d"},
    "cohort": {**PERIOD, "among": WHO, "groups": [{"name": "a", "condition": WHO}], "few": 1, "outlier": 9, "below": True, "usage": EVENT, "landmark": 5},
    "touchpoints": {**PERIOD, "purchase": TARGET, "window": "7d", "shown": EVENT, "place": "a", "own": ["crm"]},
    "channels": {**PERIOD, "target": TARGET, "last": {"email": "7d"}, "teams": {"journey": "a"}, "sales": EVENT, "by": "year"},
    "lifetime": {**PERIOD, "start": EVENT, "back": EVENT, "cohorts": "week", "periods": 3},
    "outcomes": {"documents": ["journey:a"], "versions": [1], "since": 0, "until": 9, "compared": [0, 1], "by": ["day"], "zone": "UTC", "target": TARGET},
    "forecast": {
        "currency": "RUB", "months": 2, "entrants": 5, "spend": 1, "check": 5, "margin": 0.5, "repeat": 0.5,
        "stages": [{"name": "a", "conversion": 0.5, "reachable": 0.5, "effect": EFFECT, "message": 1, "setup": 1},
                   {"name": "b", "conversion": 0.5, "seen": [{"effect": 0.1, "error": 0.1}]}],
        "churn": {"customers": 5, "arpu": 5, "rate": 0.1, "effect": EFFECT}, "result": [{"stage": "a", "gain": 5}],
    },
    "spend": {"day": "2026-03-01", "brand": "one", "source": "ads", "campaign": "a", "landing": "a", "visits": 1, "cost": 1, "currency": "RUB"},
}  # fmt: skip
OF: dict[str, type[BaseModel]] = {**MODELS, "outcomes": Outcomes, "forecast": Forecast, "spend": Spend}


def places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every (list or object, place in it), from the outside in."""
    for place in list(document) if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ():
        yield document, place
        yield from places(document[place])


def spoilt(whole: dict[str, Any]) -> Iterator[Any]:
    """The document with one thing wrong in it."""
    yield from WRONG
    count = sum(1 for _ in places(whole))
    for number in range(count):
        for wrong in WRONG:
            made = copy.deepcopy(whole)
            holder, place = list(places(made))[number]
            holder[place] = wrong
            yield made
        made = copy.deepcopy(whole)
        holder, place = list(places(made))[number]
        del holder[place]
        yield made


@pytest.mark.parametrize("name", WHOLE)
def test_whatever_is_wrong_is_said_in_both_languages(name: str) -> None:
    assert isinstance(OF[name].model_validate(WHOLE[name]), BaseModel), "what is spoilt here was whole"
    codes = set[str]()
    for document in spoilt(WHOLE[name]):
        try:
            OF[name].model_validate(document)
        except ValidationError as error:
            codes |= {fault.code for fault in faults_of(error)}
    assert codes and codes <= set(FAULTS), codes - set(FAULTS)


def test_no_model_is_left_out() -> None:
    asked = {one for one in vars(attribution).values() if isinstance(one, type) and issubclass(one, attribution.Asked)}
    assert asked - {attribution.Asked, attribution.ByLastClick} <= set(OF.values()) and {OF[name] for name in WHOLE} == set(
        OF.values()
    )
    assert Target in {field.annotation for field in attribution.Attribution.model_fields.values()}


def test_words_come_with_the_answer() -> None:
    for body in ({**WHOLE["forecast"], "margin": "x"}, [], {**WHOLE["forecast"], "stages": 5}):
        with pytest.raises(Problem) as error:
            validated(Forecast, body)
        for fault in error.value.faults:
            assert fault.told("en")["message"] and not fault.told("ru")["message"].startswith("Не подходит")
    with pytest.raises(Problem) as error:
        traffic.rows_of([{**WHOLE["spend"], "visits": "x", "day": {}}])
    assert all(fault.told(language)["message"] for fault in error.value.faults for language in ("en", "ru"))
