"""Where a run goes on, and what it must hear before it is asked about the person."""

from typing import NamedTuple

from services.orchestrator.domain.state import Place, Run
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
