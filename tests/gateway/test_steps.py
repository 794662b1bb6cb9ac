"""Journeys that would publish and then could not run."""

from typing import Any

import pytest

from services.gateway.domain.kinds import KINDS, read
from services.gateway.domain.problems import Problem

VIP = {"kind": "attribute", "name": "vip", "op": "eq", "value": True}


def journey(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"key": "j", "brand": "shop", "trigger": {"event": "E"}, "steps": list(steps)}


@pytest.mark.parametrize(
    "step",
    [
        {"id": "w", "wait": "99999999999999999d"},  # its instant would fit no column: the orchestrator could never save the run
        {"id": "w", "wait": "9" * 5000 + "d"},
        {"id": "s", "template": "t", "expires": "99999999999999999d"},
        {"id": "", "wait": "1m"},  # what a run without a step yet stands on
        {"id": "audience", "if": VIP, "then": None},  # the key of the journey's own condition
        {"id": "s" * 500, "if": VIP, "then": None},  # its segment's key would be too long
        {"id": "2.x", "if": VIP, "then": None},  # j.1 + 2.x and j + 1.2.x would be one key
    ],
)
def test_a_step_that_could_not_run_is_refused(step: dict[str, Any]) -> None:
    with pytest.raises(Problem):
        read(KINDS["journey"], "j", journey(step))


def test_steps_as_they_are_written() -> None:
    read(KINDS["journey"], "j", journey({"id": "wait-1_a", "wait": "3650d"}, {"id": "X", "if": VIP, "then": None}))
