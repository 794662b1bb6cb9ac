"""Chains about somebody's place in an event follow it: to another time, and to their end when the place is another or none."""

from collections.abc import Mapping

from schemas import events
from schemas.events import EVENT
from schemas.facts import Fact
from schemas.steps import Dated, FactTrigger, Wait
from services.orchestrator.domain import runs
from services.orchestrator.domain.state import Run, replace
from services.orchestrator.domain.turn import Moment, Turn

RULE = "event_turn"
_ALL = events.PLACES
# What each says of a place -> the facts that began the chains which are over by it.
ENDS: Mapping[str, frozenset[str]] = {
    events.SEATED: frozenset((events.REQUESTED, events.WAITLISTED)),
    events.DECLINED: _ALL,
    events.MOVED_ONLINE: _ALL,
    events.UNREGISTERED: _ALL,
    events.CANCELLED: _ALL,
}

# All that is said of a place, by which a chain about it may begin; and what such a chain follows.
SAID = frozenset((*_ALL, *events.SAID, *events.TURNS, events.MISSED))
FOLLOWED = frozenset((*ENDS, events.RESCHEDULED))


def follow(turn: Turn, fact: Fact, moment: Moment) -> None:
    """Before anything begins by the fact."""
    if fact.source != events.SOURCE and fact.event != events.UNREGISTERED:
        return  # anybody may name a fact so
    if fact.event == events.RESCHEDULED:
        _move(turn, fact, moment)
    elif over := ENDS.get(fact.event):
        for run in [run for run in turn.person.runs if _of(run, fact) and run.trigger_at <= fact.occurred_at]:
            plan = turn.plan(run)
            if plan is not None and isinstance(plan.trigger, FactTrigger) and plan.trigger.event in over:
                runs.end(turn, run, moment, "left", RULE)


def _of(run: Run, fact: Fact) -> bool:
    """Is it about the event of which the fact tells?"""
    event = run.data.get("event")
    return isinstance(event, dict) and event.get(EVENT) == fact.properties.get(EVENT) and run.brand == fact.brand


def _move(turn: Turn, fact: Fact, moment: Moment) -> None:
    """Letters tell the new time, and waits for an instant of it begin anew: what is over by the new time goes at once."""
    for key, pending in list(turn.person.pending.items()):
        if _of(pending.run, fact):
            turn.person.pending[key] = replace(pending, run=_told(pending.run, fact))
    for run in [run for run in turn.person.runs if _of(run, fact)]:
        plan, moved = turn.plan(run), _told(run, fact)
        step = plan.steps.get(run.step) if plan is not None else None
        if not isinstance(step, Wait) or not isinstance(step.wait, Dated):
            turn.put(moved)
        elif run.parked is not None:
            turn.put(replace(moved, parked=replace(run.parked, due_at=None)))
        else:
            runs.go_on(turn, replace(moved, due_at=None), moment)


def _told(run: Run, fact: Fact) -> Run:
    return replace(run, data={**run.data, "event": {**run.data["event"], **fact.properties}})
