"""Which of several marketing messages to one person goes first (docs/adr/0024): the more important one, when both come within a short time."""

from collections.abc import Iterator

from schemas.steps import Send
from services.orchestrator.domain.rules import Rules
from services.orchestrator.domain.slots import Message, search
from services.orchestrator.domain.state import Run
from services.orchestrator.domain.terms import Terms
from services.orchestrator.domain.turn import Turn


def yields(turn: Turn, rules: Rules, run: Run, message: Message, step: Send, first_try: int, now: int, limit: int) -> int | None:
    """Until when (ms) a message that could go now lets others go first; None: it goes.

    It lets those go that are known, more important, and decided within the time of the rule; the last instant of its own worth is where it
    stops waiting for what is not due by then. And once, for that time from its first try on, it waits for those that may come, unless it
    would be worth nothing any more then.
    """
    if not rules.compete:
        return None
    priority = _terms(turn, run, step.id).priority
    known = min((due for due in _rivals(turn, run, step.id, priority) if due <= now + rules.compete), default=None)
    if known is not None and known <= now:
        return now + 1  # decided at this very instant: right behind it
    until = 0 if known is None else min(known, limit)
    waits = first_try + rules.compete
    if now < waits <= limit and _may_come(turn, priority):
        zone, taken = turn.zone(run.brand), turn.person.reservations
        if search(rules, zone, taken, message, waits, limit).at <= limit:
            until = max(until, waits)
    return until if until > now else None


def _rivals(turn: Turn, run: Run, step: str, priority: int) -> Iterator[int]:
    """When each waiting message of his that is more important is decided. Those that wait for another of their run, or for a name, are not
    due then: theirs is the instant at which they give up.
    """
    for other in turn.person.runs:
        if other.due_at is not None and not other.held and other.step not in other.done and not _same(run, other):
            if _terms(turn, other, other.step).priority > priority and _sends(turn, other):
                yield other.due_at
    for pending in turn.person.pending.values():
        if pending.due_at is not None and not pending.held and not (pending.of(run) and pending.step == step):
            if _terms(turn, pending.run, pending.step).priority > priority:
                yield pending.due_at


def _may_come(turn: Turn, priority: int) -> bool:
    """Has any journey in force a more important message, and may he still come to it? Where he may enter only once, and has left, not."""
    inside = {other.journey for other in turn.person.runs}
    return any(
        plan.most_important > priority and (plan.mode != "never" or plan.key not in turn.person.entries or plan.key in inside)
        for plan in turn.book.current.values()
    )


def _terms(turn: Turn, run: Run, step: str) -> Terms:
    plan = turn.plan(run)
    return (plan.terms.get(step) if plan else None) or Terms()


def _sends(turn: Turn, run: Run) -> bool:
    plan = turn.plan(run)
    return plan is not None and run.step in plan.terms


def _same(one: Run, other: Run) -> bool:
    return (one.journey, one.occurrence) == (other.journey, other.occurrence)
