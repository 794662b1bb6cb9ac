"""Where the people of earlier versions go when a new one is published, each run once: an order is asked of a run the first time that its
person is decided about.

Timers that were due before the order fire before it. Of a wait that leads to a wait the rest is kept: the same instant, and facts count
from when the first one was reached.
"""

from collections.abc import Iterator

from schemas.controls import FINISH, LEAVE
from schemas.steps import Step, Until, Wait
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.controls import Order
from services.orchestrator.domain.state import Parked, Run, replace
from services.orchestrator.domain.turn import Turn


def first(turn: Turn) -> Order | None:
    """Of those that were not yet asked of a run of this person the one of the earliest instant."""
    known = turn.book.controls.orders
    if not known:
        return None
    journeys = {run.journey for run in turn.person.runs}
    found = (order for journey in journeys for order in known.get(journey, ()) if any(concerned(turn, order)))
    return min((order for order in found if _leads(turn, order)), key=lambda o: (o.at, o.journey, o.number), default=None)


def concerned(turn: Turn, order: Order) -> Iterator[Run]:
    return (run for run in list(turn.person.runs) if order.concerns(run))


def moved(turn: Turn, run: Run, order: Order, to: str, now: int) -> Run:
    """The run on its new step, with nothing done there."""
    plan, before = turn.book.plans[run.journey, order.to], turn.plan(run)
    waits = _is_wait(plan, to) and before is not None and _is_wait(before, run.step)
    moved = replace(
        run,
        version=order.to,
        step=to,
        since=run.since if waits else now,
        due_at=run.due_at if waits else None,
        waits=None,
        held=False,
        taken=run.taken + 1,
        cascade=None,
        asked=order.number,
    )
    if run.parked is None or (waits and run.parked.due_at is not None):
        return moved
    return replace(moved, parked=Parked(run.parked.at, run.parked.gate), due_at=run.due_at)


def _leads(turn: Turn, order: Order) -> bool:
    """A version that is not known yet is waited for; to leave, none is needed."""
    targets = {target for moves in order.moves.values() for target in moves.values()}
    return (order.journey, order.to) in turn.book.plans or targets <= {LEAVE, FINISH}


def _is_wait(plan: Plan, step: str) -> bool:
    found: Step | None = plan.steps.get(step)
    return isinstance(found, Wait | Until)
