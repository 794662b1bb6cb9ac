"""Local control groups: who gets no marketing of one journey, so that what it is worth shows."""

from schemas.ids import bucket
from services.orchestrator.domain.mailings import Mailing
from services.orchestrator.domain.state import Run, replace
from services.orchestrator.domain.turn import Moment, Turn


def may_expose(turn: Turn, run: Run) -> bool:
    """Has its journey or campaign arms, of which none was told yet?"""
    plan = turn.plan(run)
    if plan is None or run.exposed:
        return False
    if plan.mailing is not None:
        return plan.mailing.exposes and not turn.book.gate(run)
    return plan.control is not None and not run.control


def exposed(turn: Turn, run: Run, step: str, moment: Moment) -> Run:
    """The run with the arm into which he falls, told once: at its first marketing message that would go but for the group. Of a merge the
    smaller pair counts (law 1), but a run keeps the arm that it was told.
    """
    plan, pair = turn.plan(run), turn.person.bucketing
    assert plan is not None
    if plan.mailing is not None:
        return _to_mailing(turn, plan.mailing, run, step, moment)
    if plan.control is None or pair is None:
        return run
    salt = plan.control.salt or plan.key
    control = bucket(salt, pair[1]) < plan.control.share
    arm = "arm:control" if control else "arm:treatment"
    turn.tell(run, "exposed", moment, arm, step=step, detail={"salt": salt, "control": control})
    return replace(run, exposed=True, control=salt if control else "")


def _to_mailing(turn: Turn, mailing: Mailing, run: Run, step: str, moment: Moment) -> Run:
    """His arm was drawn when his turn came; it is told once he could get the letter."""
    arm = "control" if run.control else run.data["campaign"].get("variant", "")
    turn.tell(run, "exposed", moment, f"arm:{arm}", step=step, detail={"salt": mailing.salt, "control": bool(run.control)})
    return replace(run, exposed=True)
