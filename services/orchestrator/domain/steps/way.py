"""Where a run goes on, and what it must hear before it is asked about the person."""

from typing import NamedTuple

from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.state import Place, Run, replace
from services.orchestrator.domain.turn import Moment, Turn


class Go(NamedTuple):
    """The run moves on: to a step, or (None) to its end, by a rule."""

    run: Run
    to: str | None
    rule: str = "end"


def unheard(turn: Turn, moment: Moment, condition: str) -> Place | None:
    """What the segmenter must have passed before it can be asked about him: the fact at hand, then the merges that made him one, then
    the condition itself, if it is so new that nobody has been asked yet.
    """
    return moment.place or min(turn.person.merges, default=None) or turn.book.silent.get(condition)


def answer(turn: Turn, plan: Plan, run: Run, moment: Moment) -> bool | None:
    """Whether what the run's step asks about him is true; None: that cannot be said yet, and the run stays and waits for it."""
    condition = plan.answers[run.step]
    if (place := unheard(turn, moment, condition)) is not None:
        turn.put(replace(run, waits=place, due_at=_kept(plan, run)))
        return None
    return turn.stands(condition)


def _kept(plan: Plan, run: Run) -> int | None:
    """The end of a wait that led here from another version. Any other the step says again."""
    return None if run.due_at == run.since + plan.durations.get(run.step, 0) else run.due_at
