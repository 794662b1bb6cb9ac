"""Messages that wait for a place may get one sooner than was thought, once it is known what became of another."""

from schemas.documents import duration_ms
from schemas.steps import Cascade, Sends
from services.orchestrator.domain.competing import Contender, yields
from services.orchestrator.domain.rules import Rules
from services.orchestrator.domain.slots import Message, search
from services.orchestrator.domain.state import Run, replace
from services.orchestrator.domain.terms import Terms, with_own
from services.orchestrator.domain.turn import Turn


def look_again(turn: Turn, now: int) -> None:
    """Places have changed: what is deferred by a rule is decided when it may go by now, if that is sooner.

    It was told until when it waits at the latest, so nothing is told: how it is decided then is. What a launch holds back waits for that.
    """
    for run in list(turn.person.runs):
        if run.waits_to_go and not turn.book.gate(run):
            due = _due(turn, run, run.step, run.since, now)
            if due is not None and run.due_at is not None and due < run.due_at:
                turn.put(replace(run, due_at=due))
    for key, pending in list(turn.person.pending.items()):
        if pending.due_at is not None and not pending.held and not turn.book.gate(pending.run):
            due = _due(turn, pending.run, pending.step, pending.first_try, now)
            if due is not None and due < pending.due_at:
                turn.person.pending[key] = replace(pending, due_at=due)


def rules_of(turn: Turn, run: Run, step: Sends) -> Rules:
    """Those that are for him, and the message's own."""
    plan = turn.plan(run)
    return with_own(turn.book.rules.about(turn.stands), plan.terms.get(step.id, Terms()) if plan else Terms())


def message_of(run: Run, step: Sends) -> Message:
    return Message(step.message_class, run.brand, step.channel, step.topic, run.tried)


def letter_of(turn: Turn, run: Run, step_id: str) -> Sends | None:
    """What a step sends, as it stands there: of a cascade by the channel at hand."""
    plan = turn.plan(run)
    step = plan.letter(run, step_id) if plan else None
    if isinstance(step, Cascade) and run.cascade is not None and run.cascade.left:
        return step.over(run.cascade.left[0])
    return step if isinstance(step, Sends) else None


def _due(turn: Turn, run: Run, step_id: str, first_try: int, now: int) -> int | None:
    """When it may go, as things stand, and not before it was to; None if never, or if it is no marketing."""
    now = max(now, first_try)
    step = letter_of(turn, run, step_id)
    if step is None or step.message_class == "service":
        return None
    limit, message, rules = first_try + duration_ms(step.expires), message_of(run, step), rules_of(turn, run, step)
    slot = search(rules, turn.zone(run.brand), turn.person.reservations, message, now, limit)
    if slot.at > limit:
        return None
    if slot.at > now:
        return slot.at
    return yields(turn, rules, Contender(run, step.id, message, first_try, limit), now) or now
