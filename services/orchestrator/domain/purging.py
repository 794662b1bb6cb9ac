"""The step that takes people out: profile is asked to erase them, unless something keeps them."""

from schemas.facts import ERASE, Fact
from schemas.ids import derive
from schemas.journeys import Purge
from services.orchestrator.domain.sending import ADDRESS
from services.orchestrator.domain.state import Run
from services.orchestrator.domain.turn import Moment, Turn


def purge(turn: Turn, run: Run, step: Purge, moment: Moment, *, meets: bool) -> None:
    """A verdict either way. meets: does he meet the step's `keep`, as far as the segmenter has told?

    What was bought and heard here counts beside it: the segmenter may be a moment behind, and an erasure cannot be taken back.
    """
    if meets or turn.person.bought:
        turn.tell(run, "kept", moment, "keep" if meets else "bought", step=step.id)
        return
    reason = f"journey:{run.journey}.{run.version}.{step.id}"
    only = {} if step.purge == "person" else {"only": [ADDRESS[step.purge]]}
    turn.emit(
        Fact(
            id=derive("purge", reason, turn.profile, run.occurrence),
            type=ERASE,
            brand=run.brand,
            source="orchestrator",
            occurred_at=moment.now,
            received_at=moment.now,
            about=turn.profile,
            properties={"reason": reason, **only},
            cause=moment.cause,
        )
    )
    turn.tell(run, "purged", moment, f"purge:{step.purge}", step=step.id)
