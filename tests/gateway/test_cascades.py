"""Cascades as documents: each fault at its field, each template for its channel."""

from typing import Any

import pytest

from services.gateway.domain.kinds import KINDS, read
from services.gateway.domain.problems import Problem
from services.gateway.domain.references import Standing, check, references

ATTEMPTS = [
    {"channel": "telegram", "template": "chat", "read_within": "2h"},
    {"channel": "sms", "template": "text", "delivered_within": "10m"},
    {"channel": "email", "template": "mail"},
]


def chain(attempts: Any, **more: Any) -> dict[str, Any]:
    step = {"id": "c", "cascade": attempts, **more}
    return {"brand": "shop", "trigger": {"event": "E"}, "steps": [step]}


def with_(place: int, **changed: Any) -> list[dict[str, Any]]:
    return [{**one, **changed} if number == place else one for number, one in enumerate(ATTEMPTS)]


@pytest.mark.parametrize(("attempts", "more", "path"), [
    (ATTEMPTS[:1], {}, "steps.0.cascade"),
    (with_(1, channel="email"), {}, "steps.0.cascade.2.channel"),
    (with_(0, delivered_within="5m"), {}, "steps.0.cascade.0.delivered_within"),
    (with_(1, delivered_within="soon"), {}, "steps.0.cascade.1.delivered_within"),
    (with_(1, read_within="5m"), {}, "steps.0.cascade.1.read_within"),
    (with_(2, channel="pigeon"), {}, "steps.0.cascade.2.channel"),
    (with_(2, wait="2h"), {}, "steps.0.cascade.2.wait"),
    (ATTEMPTS, {"expires": "2h"}, "steps.0.cascade.0.read_within"),
    (ATTEMPTS, {"template": "mail"}, "steps.0.cascade"),
])  # fmt: skip
def test_a_fault_is_told_at_its_field(attempts: Any, more: dict[str, Any], path: str) -> None:
    with pytest.raises(Problem) as told:
        read(KINDS["journey"], "j", chain(attempts, **more))
    assert [fault.path for fault in told.value.faults] == [path]


def test_each_template_is_looked_up_for_its_channel() -> None:
    document = read(KINDS["journey"], "j", chain(ATTEMPTS, topic="lessons"))
    assert [(one.path, one.key, one.channel) for one in references(document) if one.kind == "template"] == [
        ("steps.0.cascade.0.template", "chat", "telegram"),
        ("steps.0.cascade.1.template", "text", "sms"),
        ("steps.0.cascade.2.template", "mail", "email"),
    ]
    world = {
        ("brand", "shop"): Standing(1, None, frozenset()),
        ("template", "chat"): Standing(1, "shop", frozenset(), "telegram"),
        ("template", "text"): Standing(1, "shop", frozenset(), "email"),
    }
    assert [(fault.path, fault.code) for fault in check("journey", "j", document, world)] == [
        ("steps.0.cascade.1.template", "other_channel"),
        ("steps.0.cascade.2.template", "unknown_reference"),
        ("steps.0.topic", "unknown_reference"),
    ]
