"""A run's way: entry, steps, timers, end."""

from typing import NamedTuple

from schemas.messages import Verdict
from schemas.steps import Branch, Purge, Send, Wait
from services.orchestrator.domain import purging, sending
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.state import Place, Run, replace
from services.orchestrator.domain.turn import Moment, Turn

NAMELESS_MS = 10_000  # for how long a run waits for a name of somebody who cannot be written to


class Go(NamedTuple):
    """The run moves on: to a step, or (None) to its end."""

    run: Run
    to: str | None


def start(turn: Turn, plan: Plan, run: Run, moment: Moment) -> None:
    """A trigger matched. A stranger is given a moment to be named, for what names him may lie in another partition; who must be asked
    about waits for the answer; everybody else enters or is refused at once.
    """
    if not _refusal(turn, plan, run):
        until = run.started_at + NAMELESS_MS
        if plan.sends and turn.person.bucketing is None and moment.now < until:
            turn.put(replace(run, due_at=until, waits=moment.place if plan.answers else None))
            return
        place = _unheard(turn, moment, plan.answers["audience"]) if "audience" in plan.answers else None
        if place is not None:
            turn.put(replace(run, due_at=None, waits=place))
            return
    _admit(turn, plan, replace(run, due_at=None, waits=None), moment)


def go_on(turn: Turn, run: Run, moment: Moment) -> None:
    """The run's timer is due, he who was a stranger has a name, or the answer that it waited for is there."""
    plan = turn.plan(run)
    if plan is None or (run.step and run.step not in plan.steps):
        end(turn, run, moment, "left", "no_version")
    elif run.step:
        _walk(turn, plan, replace(run, waits=None, held=False), moment)
    else:
        turn.drop(run)
        start(turn, plan, replace(run, since=max(run.since, moment.now)), moment._replace(place=run.waits))


def named(turn: Turn, moment: Moment) -> None:
    """Runs that were held because nobody knew whom to write to begin, once what names him is heard.

    Answers about him must be those of after the fact that did, if it lies behind the one that began the run; a merge that did is
    waited for as any merge is.
    """
    if turn.person.bucketing is None:
        return
    for run in [run for run in turn.person.runs if not run.step and run.due_at is not None]:
        place = run.waits or moment.place
        if place and moment.place and place[:2] == moment.place[:2]:
            place = max(place, moment.place)
        go_on(turn, replace(run, waits=place), moment)


def end(turn: Turn, run: Run, moment: Moment, verdict: Verdict, rule: str) -> None:
    """Over before its last step: what it has not sent goes no more."""
    turn.drop(run)
    sending.cancel(turn, run, moment, rule)
    if run.step:
        turn.tell(run, verdict, moment, rule, step=run.step)
    else:
        turn.tell(run, "skipped", moment, rule)  # it had not entered yet


def fire(turn: Turn, upto: int) -> None:
    """Every timer due <= `upto`, each with its own instant as `now`, in the order of instant, journey, occurrence."""
    while (timer := min(turn.person.timers(), default=None)) is not None and timer.due <= upto:
        moment = Moment(timer.due, timer.occurrence)
        if timer.intent:
            sending.again(turn, timer.intent, turn.person.pending[timer.intent], moment)
        else:
            key = (timer.journey, timer.occurrence)
            go_on(turn, next(r for r in turn.person.runs if (r.journey, r.occurrence) == key), moment)
        release(turn, moment)


def release(turn: Turn, moment: Moment) -> None:
    """Sends that waited for an earlier one of their run, or for a name, go on in their order, once there is none that they must let go
    first.
    """
    person = turn.person
    if person.awaited:
        return
    for _, key in sorted((pending.run.taken, key) for key, pending in person.pending.items() if pending.held):
        pending = person.pending[key]
        if not sending.overdue(turn, pending.run, moment.now):
            sending.again(turn, key, pending, moment)
    for run in [run for run in person.runs if run.held]:
        if not sending.overdue(turn, run, moment.now):
            go_on(turn, run, moment._replace(now=max(moment.now, run.since)))


def resume(turn: Turn, passed: dict[tuple[str, int], int], moment: Moment) -> None:
    """Runs whose fact the segmenter has passed go on, in the order of their facts. passed: (topic, partition) -> next offset."""
    ready = [run for run in turn.person.runs if run.waits is not None and below(passed, run.waits)]
    for run in sorted(ready, key=lambda r: (r.waits, r.journey, r.occurrence)):
        go_on(turn, replace(run, waits=None), moment._replace(now=max(moment.now, run.since, run.started_at)))


def _unheard(turn: Turn, moment: Moment, condition: str) -> Place | None:
    """What the segmenter must have passed before it can be asked about him: the fact at hand, then the merges that made him one, then
    the condition itself, if it is so new that nobody has been asked yet.
    """
    return moment.place or min(turn.person.merges, default=None) or turn.book.silent.get(condition)


def below(passed: dict[tuple[str, int], int], place: Place) -> bool:
    return passed.get(place[:2], 0) > place[2]


def _refusal(turn: Turn, plan: Plan, run: Run) -> str:
    """Why he may not enter: his goal is reached already (in whatever order we heard of it), or he has been here."""
    person = turn.person
    if person.goals.get(plan.key, -1) >= run.trigger_at:
        return "goal"
    if plan.mode == "outside":
        inside = any(other.step and other.journey == plan.key for other in person.runs)
        return "reentry" if inside else ""
    last = person.entries.get(plan.entry(run))
    if last is None or plan.mode == "always" or (plan.mode == "after" and run.started_at - last >= plan.after):
        return ""
    return "reentry"


def _admit(turn: Turn, plan: Plan, run: Run, moment: Moment) -> None:
    refusal = _refusal(turn, plan, run)
    if not refusal and "audience" in plan.answers and not turn.stands(plan.answers["audience"]):
        refusal = "audience"
    if refusal:
        turn.tell(run, "skipped", moment, refusal)
        return
    entry = plan.entry(run)
    turn.person.entries[entry] = max(run.started_at, turn.person.entries.get(entry, 0))
    turn.tell(run, "entered", moment)
    _walk(turn, plan, replace(run, step=plan.first, since=moment.now, taken=1), moment)


def _walk(turn: Turn, plan: Plan, run: Run, moment: Moment) -> None:
    """Take steps until one stays, or the run is over. Coming to a step twice at one instant means that it would never end."""
    seen = set()
    while True:
        seen.add(run.step)
        moved = _act(turn, plan, run, moment)
        if moved is None:
            return
        run = moved.run
        if moved.to is None or moved.to in seen:
            turn.drop(run)
            turn.tell(run, "left", moment, "end" if moved.to is None else "loop", step=run.step)
            return
        since = max(moment.now, run.since)
        run = replace(run, step=moved.to, since=since, due_at=None, taken=run.taken + 1)


def _act(turn: Turn, plan: Plan, run: Run, moment: Moment) -> Go | None:
    """Do the step on which the run stands. None: it stays there."""
    step = plan.steps[run.step]
    following = plan.following[step.id]
    match step:
        case Wait():
            due = run.since + plan.durations[step.id] if run.due_at is None else run.due_at
            if due > moment.now:
                turn.put(replace(run, due_at=due))
                return None
            return Go(run, following)
        case Branch():
            if (place := _unheard(turn, moment, plan.answers[step.id])) is not None:
                turn.put(replace(run, waits=place))
                return None
            return Go(run, step.then if turn.stands(plan.answers[step.id]) else step.otherwise)
        case Purge():
            if (place := _unheard(turn, moment, plan.answers[step.id])) is not None:
                turn.put(replace(run, waits=place))
                return None
            purging.purge(turn, run, step, moment, meets=turn.stands(plan.answers[step.id]))
            return Go(run, following)
        case Send():
            run, over = sending.first(turn, run, step, moment)
            return Go(run, following) if over else None
    return Go(run, None)
