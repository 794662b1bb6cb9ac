"""How many people stand on each step of a journey's versions, in the order of the steps."""

from collections.abc import Mapping
from typing import Any


def table(
    bodies: Mapping[int, Mapping[str, Any]], current: int | None, found: Mapping[str, Mapping[str, int]]
) -> list[dict[str, Any]]:
    """Each version that people stand in, and the one in force, newest first. found: version (as text) -> step -> people."""
    wanted = sorted({*map(int, found), *([current] if current is not None else [])}, reverse=True)
    return [_version(number, bodies.get(number, {}), number == current, found.get(str(number), {})) for number in wanted]


def _version(number: int, body: Mapping[str, Any], current: bool, found: Mapping[str, int]) -> dict[str, Any]:
    steps = [step["id"] for step in body.get("steps", ())]
    order = [*steps, *(step for step in sorted(found) if step not in steps)]
    return {
        "version": number,
        "current": current,
        "people": sum(found.values()),
        "steps": [{"step": step, "people": found.get(step, 0)} for step in order],
    }


def in_use(found: Mapping[str, Mapping[str, int]]) -> set[int]:
    """The versions in which anybody stands."""
    return {int(version) for version, steps in found.items() if any(steps.values())}
