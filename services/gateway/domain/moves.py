"""Where the people of earlier versions of a journey go when one is published: what the publisher said, read against the versions."""

from collections.abc import Collection, Mapping

from pydantic import BaseModel, ConfigDict, Field

from schemas.controls import FINISH, LEAVE
from services.gateway.domain.problems import Fault

WORDS = (LEAVE, FINISH)


class Publish(BaseModel):
    """What publishing may be told. version: put this earlier version in force anew, and leave the draft as it is. move (journeys): step of
    earlier versions -> step of the one that is published, "leave" or "finish".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int | None = Field(default=None, ge=1)
    move: Mapping[str, str] = {}


def moves_of(
    asked: Mapping[str, str], to: Collection[str], earlier: Mapping[int, Collection[str]]
) -> tuple[dict[int, dict[str, str]], list[Fault]]:
    """(version -> step -> target of all who do not finish where they are, faults). to: steps of the version that is published; earlier:
    those of each version before it.
    """
    known = {step for steps in earlier.values() for step in steps}
    faults = [
        Fault(f"move.{step}", "unknown_step", params={"step": step, "steps": _listed(known)}) for step in asked if step not in known
    ]
    faults += [
        Fault(f"move.{step}", "no_such_step", params={"step": target, "steps": _listed(to)})
        for step, target in asked.items()
        if target not in WORDS and target not in to
    ]
    goes = {step: target for step, target in asked.items() if target != FINISH}
    moves = {version: {step: goes[step] for step in steps if step in goes} for version, steps in earlier.items()}
    return {version: found for version, found in moves.items() if found}, faults


def _listed(steps: Collection[str]) -> str:
    return ", ".join(f"`{step}`" for step in sorted(steps)) or "-"
