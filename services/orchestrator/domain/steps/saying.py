"""Saying something of the person: facts of his, which profile takes in like anybody's."""

from typing import Any

from schemas.facts import Fact
from schemas.ids import derive
from schemas.steps import SetAttributes
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.filters import dig
from services.orchestrator.domain.state import Run
from services.orchestrator.domain.steps.way import Go
from services.orchestrator.domain.turn import Moment, Turn

SOURCE = "journeys"


def say(turn: Turn, plan: Plan, run: Run, step: SetAttributes, moment: Moment) -> Go | None:
    """What the run's data does not tell is left out."""
    values = {name: _value(run, value) for name, value in step.set.items()}
    told = {name: value for name, value in values.items() if value is not None or step.set[name] is None}
    if told:
        key = (f"journey:{run.journey}", run.version, step.id, run.occurrence, str(run.taken))
        turn.emit(
            Fact(
                id=derive("say", *map(str, key)),
                type="identify",
                brand=run.brand,
                source=SOURCE,
                occurred_at=moment.now,
                received_at=moment.now,
                about=turn.profile,
                attributes=told,
                cause=moment.cause,
            )
        )
    return Go(run, plan.following[step.id])


def _value(run: Run, value: Any) -> Any:
    return dig(run.data, value["data"]) if isinstance(value, dict) and set(value) == {"data"} else value
