"""Local control groups: who gets no marketing of one journey, so that what it is worth shows."""

from schemas.ids import bucket
from services.orchestrator.domain.state import Run, replace
from services.orchestrator.domain.turn import Moment, Turn


def may_expose(turn: Turn, run: Run) -> bool:
    """Has its journey a group of which it was not told yet?"""
    if run.exposed or run.control:
        return False
    plan = turn.plan(run)
    return plan is not None and plan.control is not None


def exposed(turn: Turn, run: Run, step: str, moment: Moment) -> Run:
    """The run with the arm into which he falls, told once: at its first marketing message that would go but for the group. Of a merge the
    smaller pair counts (law 1), but a run keeps the arm that it was told.
    """
    plan, pair = turn.plan(run), turn.person.bucketing
    if plan is None or plan.control is None or pair is None:
        return run
    salt = plan.control.salt or plan.key
    control = bucket(salt, pair[1]) < plan.control.share
    arm = "arm:control" if control else "arm:treatment"
    turn.tell(run, "exposed", moment, arm, step=step, detail={"salt": salt, "control": control})
    return replace(run, exposed=True, control=salt if control else "")
