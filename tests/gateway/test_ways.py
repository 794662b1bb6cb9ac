"""A journey must make sense as a whole before it is kept."""

from typing import Any

import pytest

from services.gateway.domain.kinds import KINDS, read
from services.gateway.domain.problems import Problem


def send(step: str, **more: Any) -> dict[str, Any]:
    return {"id": step, "template": "t", **more}


def faults(*steps: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(path, code, in Russian) of all that is wrong with a journey of these steps."""
    try:
        read(KINDS["journey"], "w", {"brand": "shop", "trigger": {"event": "Registered"}, "steps": list(steps)})
    except Problem as problem:
        return [(fault.path, fault.code, fault.told("ru")["message"]) for fault in problem.faults]
    return []


def test_every_step_must_be_reached() -> None:
    found = faults(send("a", next="d"), send("b"), send("c", next="b"), {"id": "d", "wait": "1d", "next": "a"})
    assert [one[:2] for one in found] == [("steps.1", "unreachable"), ("steps.2", "unreachable")]
    assert found[0][2].startswith("к шагу `b` ничто не ведёт")
    either = {"id": "a", "split": [{"name": "x", "share": 50, "then": "c"}, {"name": "y", "share": 50}]}
    assert faults(either, send("b"), send("c")) == []


@pytest.mark.parametrize(
    ("steps", "circle"),
    [
        ([send("a", next="a")], True),
        ([{"id": "a", "wait": "0s", "next": "a"}], True),
        ([{"id": "a", "if": {"kind": "all", "of": []}, "then": "b", "else": "b"}, send("b", next="a")], True),
        ([{"id": "a", "wait": {"at": "10:00"}}, send("b", next="a")], False),
        ([{"id": "a", "until": {"fact": {"event": "X"}}, "at_most": "1d", "then": "a", "else": "a"}], False),
    ],
)
def test_nobody_goes_round_without_a_wait(steps: list[dict[str, Any]], circle: bool) -> None:
    assert [code for _, code, _ in faults(*steps)] == ["circle"] * circle
