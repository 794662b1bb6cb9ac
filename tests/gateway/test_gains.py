"""Gains beside what attribution credits: every question for the statistics is one that they answer, and which documents are asked about."""

import logging
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.experiments import Evaluation, as_json
from services.experiments.domain.evaluating import evaluate
from services.gateway.api.analyses import MOST_GAINS, Analyses
from services.gateway.domain import incremental
from services.gateway.domain.incremental import Groups
from services.gateway.domain.problems import Problem

BODY = {"level": "document", "target": {"event": "A"}, "since": 0, "until": 9, "brands": [], "zone": "UTC"}


@st.composite
def groups(draw: st.DrawFn) -> Groups:
    treated, control = (draw(st.integers(2, 5) | st.integers(2, 10**7)) for _ in range(2))
    converted, of_control = (draw(st.sampled_from([0, most]) | st.integers(0, most)) for most in (treated, control))
    return Groups(treated, converted, 0, control, of_control, 0)


@settings(deadline=None)
@given(groups())
def test_the_statistics_answer_every_question_of_two_groups(one: Groups) -> None:
    told = as_json(evaluate(Evaluation.model_validate(incremental.evaluation(one))))
    gained = incremental.gained(one, told, None)
    low, high = gained["interval"]["low"], gained["interval"]["high"]
    assert low - 1e-3 <= gained["conversions"] <= high + 1e-3


@given(groups(), st.booleans())
def test_one_person_alone_is_no_question(one: Groups, treated: bool) -> None:
    alone = one._replace(treated=1, converted=0) if treated else one._replace(control=1, control_converted=0)
    assert incremental.telling(one) and not incremental.telling(alone)
    with pytest.raises(ValueError, match="one person alone"):
        Evaluation.model_validate(incremental.evaluation(alone))


class Others:
    """Audience, which has these documents, and the statistics. refused: what they answer in place of figures."""

    def __init__(self, sent: dict[str, int], refused: int | None = None) -> None:
        self._sent, self._refused, self.asked = sent, refused, list[int]()

    async def stream(self, *_: Any, **__: Any) -> httpx.Response:
        rows = [{"document": name, **_row(people)} for name, people in self._sent.items()]
        return httpx.Response(200, json={"rows": rows, "total": _row(sum(self._sent.values()))})

    async def tell(self, _service: str, _path: str, body: Any) -> tuple[int, Any]:
        self.asked.append(body["arms"][1]["assigned"])
        if self._refused == 503:
            raise Problem("service_unavailable", service="experiments")
        return (self._refused, {}) if self._refused else (200, as_json(evaluate(Evaluation.model_validate(body))))


def _row(people: int) -> dict[str, Any]:
    side = {"would_have_sent": {"people": 50}, "converted": {"people": 1}, "revenue": {"minor": 10}}
    return {"sent": {"people": people}, "converted": {"people": 2}, "revenue": {"minor": 100}, "control": {"local": side}}


async def told_of(others: Others, labels: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"rows": [{"label": label, incremental.MODEL: {"conversions": 2.0}} for label in labels]}
    await Analyses(None, others)._gains(BODY, told)  # type: ignore[arg-type]
    return told


async def test_documents_that_have_a_row_are_asked_about_the_largest_first() -> None:
    sent = {f"journey:{n}": 1000 + n for n in range(MOST_GAINS + 2)} | {f"campaign:{n}": 9000 + n for n in range(MOST_GAINS)}
    others = Others(sent)
    told = await told_of(others, [*(name for name in sent if name.startswith("journey:")), "paid"])
    without = [row["label"] for row in told["rows"] if row["incremental"] is None]
    assert without == ["journey:0", "journey:1", "paid"] and told["incremental_limit"] == MOST_GAINS
    assert told["incremental"] is not None and len(others.asked) == MOST_GAINS + 1


async def test_where_all_are_asked_about_no_limit_is_told() -> None:
    told = await told_of(Others({f"journey:{n}": 100 for n in range(MOST_GAINS)}), ["journey:1"])
    assert "incremental_limit" not in told and told["rows"][0]["incremental"]["interval"] is not None


@pytest.mark.parametrize(("refused", "level"), [(422, logging.ERROR), (503, logging.WARNING)])
async def test_a_gain_without_its_interval_is_logged(refused: int, level: int, caplog: pytest.LogCaptureFixture) -> None:
    told = await told_of(Others({"journey:1": 100}, refused), ["journey:1"])
    assert told["rows"][0]["incremental"]["conversions"] == 0.0 and told["rows"][0]["incremental"]["interval"] is None
    assert {one.levelno for one in caplog.records} == {level}


async def test_one_person_alone_has_a_gain_without_an_interval_and_nobody_is_told(caplog: pytest.LogCaptureFixture) -> None:
    others = Others({"journey:1": 1, "journey:2": 100})
    told = await told_of(others, ["journey:1"])
    assert told["rows"][0]["incremental"]["interval"] is None and others.asked == [101] and not caplog.records
