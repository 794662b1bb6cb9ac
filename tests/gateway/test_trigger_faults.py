"""What starts a journey, and could not: said at its field, with the mend."""

from typing import Any

import pytest

from services.gateway.domain.kinds import KINDS, read
from services.gateway.domain.problems import Fault, Problem

EVERYBODY = {"kind": "all", "of": []}


def faults_of(trigger: Any, **more: Any) -> set[tuple[str, str]]:
    body = {"key": "j", "brand": "shop", "trigger": trigger, "steps": [{"id": "e", "end": True}], **more}
    with pytest.raises(Problem) as caught:
        read(KINDS["journey"], "j", body)
    return {(one.path, one.code) for one in caught.value.faults}


@pytest.mark.parametrize(
    ("trigger", "faults"),
    [
        ({}, {("trigger", "variant")}),
        ({"date": {}}, {("trigger.date.attribute", "missing")}),
        ({"date": {"attribute": "born", "offset": "-36h", "at": "10:00"}}, {("trigger.date.offset", "value")}),
        ({"date": {"attribute": "born", "offset": "-400d", "every": "year"}}, {("trigger.date.offset", "value")}),
        ({"date": {"attribute": "born", "offset": "soon"}}, {("trigger.date.offset", "value")}),
        ({"date": {"attribute": "born", "at": "25:00", "zone": "Mars/Base"}}, {("trigger.date.at", "string_pattern_mismatch"), ("trigger.date.zone", "time_zone")}),
        ({"schedule": {"at": "10:00"}}, {("trigger.schedule.every", "value")}),
        ({"schedule": {"at": "10:00", "every": "week"}}, {("trigger.schedule.on", "value")}),
        ({"schedule": {"at": "10:00", "every": "month", "on": ["mon"]}}, {("trigger.schedule.on", "value")}),
        ({"schedule": {"at": "10:00", "every": "month", "day": 32}}, {("trigger.schedule.day", "less_than_equal")}),
        ({"schedule": {"at": "10:00", "every": "month"}}, {("trigger.schedule.day", "value")}),
        ({"schedule": {"at": "10:00", "date": "2026-02-30"}}, {("trigger.schedule.date", "value")}),
        ({"schedule": {"at": "10:00", "date": "20260228"}}, {("trigger.schedule.date", "value")}),
        ({"schedule": {"at": "10:00", "date": "2026-W14-2"}}, {("trigger.schedule.date", "value")}),
        ({"schedule": {"at": "10:00", "date": "2026-02-28", "every": "day"}}, {("trigger.schedule.every", "value")}),
        ({"api": False}, {("trigger.api", "literal_error")}),
        ({"deal_stage": {"pipeline": "sales"}}, {("trigger.deal_stage.stage", "value")}),
        ({"deal_stage": {"status": "won", "lost_reason": "x"}}, {("trigger.deal_stage.lost_reason", "value")}),
        ({"deal_stage": {"stage": 7}}, {("trigger.deal_stage.stage", "tuple_type")}),
        ({"deal_stage": {"stage": []}}, {("trigger.deal_stage.stage", "too_short")}),
        ({"survey": {"key": "nps", "question": "score", "answer": []}}, {("trigger.survey.answer", "value")}),
        ({"survey": {"key": "nps", "question": "score", "answer": [1, "1"]}}, {("trigger.survey.answer", "value")}),
        ({"survey": {"key": "nps", "question": "score", "answer": {}}}, {("trigger.survey.answer", "literal")}),
        ({"survey": {"key": "nps", "question": "score", "at_most": "6"}}, {("trigger.survey.at_most", "float_type")}),
        ({"survey": {"key": "nps", "at_most": 6}}, {("trigger.survey.question", "value")}),
        ({"survey": {"key": "nps", "question": "score", "result": "fan"}}, {("trigger.survey.result", "value")}),
        ({"survey": {"key": "nps", "question": "score", "aswer": 1}}, {("trigger.survey.aswer", "extra_forbidden")}),
    ],
)  # fmt: skip
def test_a_trigger_that_could_not_start_anybody_is_refused_at_its_field(trigger: Any, faults: set[tuple[str, str]]) -> None:
    assert faults_of(trigger, audience=EVERYBODY) == faults


def test_each_fault_has_words() -> None:
    for code in ("uuid_parsing", "uuid_type", "float_type", "tuple_type"):
        assert Fault("x", code).told("ru")["message"].isascii() is False


def test_a_schedule_says_for_whom_it_is() -> None:
    assert faults_of({"schedule": {"at": "10:00", "every": "day"}}) == {("audience", "value")}


@pytest.mark.parametrize(
    ("word", "faults"),
    [
        ({"state": "maybe"}, {("steps.0.subscribe.state", "literal_error")}),
        ({"channel": "pigeon"}, {("steps.0.subscribe.channel", "literal_error")}),
        ({"state": "revoked", "expires_in": "1d"}, {("steps.0.subscribe.expires_in", "value")}),
        ({"expires_in": "0s"}, {("steps.0.subscribe.expires_in", "value")}),
    ],
)
def test_a_word_of_consent_that_says_nothing_clear_is_refused(word: dict[str, Any], faults: set[tuple[str, str]]) -> None:
    assert faults_of({"event": "E"}, steps=[{"id": "s", "subscribe": word}]) == faults
