"""A journey that is paused: what would go on is parked, each with its own instant, and taken up again when a later gate lets it.

Runs that wait go on waiting. Goals and exits end a run all the same, and a run may leave: neither does anything to anybody.
"""

from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.state import Parked, Pending, Run, replace
from services.orchestrator.domain.turn import Moment, Turn


def parks(turn: Turn, run: Run, moment: Moment, due_at: int | None = None) -> bool:
    """Keep a run where it is if its journey is paused. due_at: the timer that was due; None: it has just come to its step."""
    door = turn.book.controls.door(run.journey)
    if door.paused:
        at = run.parked.at if run.parked is not None else moment.now
        turn.put(replace(run, due_at=None, waits=run.waits or moment.place, held=False, parked=Parked(at, door.number, due_at)))
    return door.paused


def parks_letter(turn: Turn, key: str, pending: Pending) -> bool:
    """The same of an intent that is to be decided again."""
    door = turn.book.controls.door(pending.run.journey)
    if door.paused:
        turn.person.pending[key] = replace(pending, due_at=None, held=False, until=0, parked=door.number)
    return door.paused


def holds(turn: Turn, key: str, pending: Pending, gate: int) -> None:
    """The sender held an intent at a gate of this number, which need not be the one that is known here."""
    held = replace(pending, attempt=pending.attempt + 1, until=0, parked=gate)
    turn.person.pending[key] = _woken(turn, held)


def bars(turn: Turn, plan: Plan, run: Run, moment: Moment) -> bool:
    """Nobody enters a journey whose gate is not open: who comes is told so, or waits for the end of a pause."""
    door = turn.book.controls.door(plan.key)
    if door.state == "open":
        return False
    if not (door.paused and door.entrants == "wait" and parks(turn, run, moment)):
        turn.drop(run)
        turn.tell(run, "skipped", moment, door.state)
    return True


def wake(turn: Turn, upto: int | None = None) -> None:
    """What was parked by a gate that is open again has its timer back. A run's is the instant at which it would have gone on.

    upto: only by gates that opened by then (ms).
    """
    for run in [run for run in turn.person.runs if run.parked is not None and run.due_at is None]:
        door = turn.book.controls.door(run.journey)
        if run.parked is not None and door.lets(run.parked.gate) and (upto is None or door.at <= upto):
            turn.put(_in_force(turn, replace(run, due_at=run.parked.at)))
    for key, pending in turn.person.pending.items():
        if pending.parked and (upto is None or turn.book.controls.door(pending.run.journey).at <= upto):
            turn.person.pending[key] = _woken(turn, pending)


def _woken(turn: Turn, pending: Pending) -> Pending:
    """A letter is decided anew as of the resumption: what it waited for is the gate, and nothing else."""
    door = turn.book.controls.door(pending.run.journey)
    return replace(pending, due_at=door.at, parked=0) if door.lets(pending.parked) else pending


def _in_force(turn: Turn, run: Run) -> Run:
    """Who waited for a pause to end enters the version that is in force by then."""
    plan = turn.book.current.get(run.journey)
    return replace(run, version=plan.version) if plan is not None and not run.step else run
