"""Going one way or another: by what is known of the person, of the run or of its letters, or by chance."""

from schemas.ids import bucket
from schemas.steps import Branch, Split
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.mailings import OF_A_SHARE
from services.orchestrator.domain.state import Run, replace
from services.orchestrator.domain.steps import letters
from services.orchestrator.domain.steps.way import Go, answer
from services.orchestrator.domain.turn import Moment, Turn


def branch(turn: Turn, plan: Plan, run: Run, step: Branch, moment: Moment) -> Go | None:
    holds: bool | None
    if step.asked is not None:
        holds = answer(turn, plan, run, moment)
    elif step.letter is not None:
        holds = letters.has_become(run, step.letter)
    else:
        holds = plan.data_tests[step.id](run.data)
    return None if holds is None else Go(run, step.then if holds else step.otherwise)


def split(turn: Turn, plan: Plan, run: Run, step: Split, moment: Moment) -> Go | None:
    """Who he is goes by what a merge keeps the smallest of (law 1), so that both halves of one person fall alike."""
    salt = step.salt or f"{plan.key}.{step.id}"
    who = turn.person.bucketing[1] if turn.person.bucketing else turn.profile
    place, upto = bucket(salt, who), 0
    arm = step.split[-1]
    for one in step.split:
        upto += one.share * OF_A_SHARE
        if place < upto:
            arm = one
            break
    if arm.control:
        run = replace(run, control=salt)
    turn.tell(run, "exposed", moment, f"arm:{arm.name}", step=step.id, detail={"salt": salt, "control": arm.control})
    return Go(run, arm.then if arm.then is not None else plan.following[step.id])
