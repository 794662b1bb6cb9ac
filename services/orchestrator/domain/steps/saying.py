"""Saying something of the person: facts of his, which profile takes in like anybody's."""

from typing import Any

from schemas.consents import GRANTED, WITHDRAWN
from schemas.documents import duration_ms
from schemas.facts import Fact
from schemas.ids import derive
from schemas.steps import SetAttributes, Subscription
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
        _tell(turn, run, step.id, moment, type="identify", attributes=told)
    return Go(run, plan.following[step.id])


def subscribe(turn: Turn, plan: Plan, run: Run, step: Subscription, moment: Moment) -> Go | None:
    """A word of consent: the ledger takes it with its basis, and with the run as what proves it."""
    word = step.subscribe
    said: dict[str, Any] = {"channel": word.channel, "topic": word.topic, "purpose": "marketing", "basis": word.basis}
    if word.text_id is not None:
        said["text_id"] = word.text_id
    if word.expires_in is not None:
        said["expires_at"] = moment.now + duration_ms(word.expires_in)
    said["actor"] = f"journey:{run.journey}"
    said["evidence"] = {"journey": run.journey, "version": run.version, "step": step.id, "occurrence": run.occurrence}
    event = GRANTED if word.state == "granted" else WITHDRAWN
    _tell(turn, run, step.id, moment, type="track", event=event, properties=said)
    return Go(run, plan.following[step.id])


def _tell(turn: Turn, run: Run, step: str, moment: Moment, **said: Any) -> None:
    key = (f"journey:{run.journey}", run.version, step, run.occurrence, str(run.taken))
    turn.emit(
        Fact(
            id=derive("say", *map(str, key)),
            brand=run.brand,
            source=SOURCE,
            occurred_at=moment.now,
            received_at=moment.now,
            about=turn.profile,
            cause=moment.cause,
            **said,
        )
    )


def _value(run: Run, value: Any) -> Any:
    return dig(run.data, value["data"]) if isinstance(value, dict) and set(value) == {"data"} else value
