"""A run's way: entry, steps, timers, end."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from schemas.messages import Verdict
from schemas.steps import Branch, End, Jump, Purge, Send, SetAttributes, Split, Until, Wait
from services.orchestrator.domain import campaigns, purging, sending
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.state import Place, Run, replace
from services.orchestrator.domain.steps import branching, saying, waiting
from services.orchestrator.domain.steps.way import Go, answer, unheard
from services.orchestrator.domain.turn import Moment, Turn

NAMELESS_MS = 10_000  # for how long a run waits for a name of somebody who cannot be written to


def start(turn: Turn, plan: Plan, run: Run, moment: Moment) -> None:
    """A trigger matched. A stranger is given a moment to be named, for what names him may lie in another partition; who must be asked
    about waits for the answer; everybody else enters or is refused at once.
    """
    if not _refusal(turn, plan, run):
        until = run.started_at + NAMELESS_MS
        if plan.sends and turn.person.bucketing is None and moment.now < until:
            turn.put(replace(run, due_at=until, waits=moment.place if plan.answers else None))
            return
        place = unheard(turn, moment, plan.answers["audience"]) if "audience" in plan.answers else None
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


def moved(turn: Turn, news: Iterable[Run], moment: Moment) -> None:
    """Runs of which something became known that they may wait for: those that stand on such a step look again."""
    for run in news:
        plan = turn.plan(run)
        if plan is not None and isinstance(plan.steps.get(run.step), Until) and run.waits is None:
            _walk(turn, plan, replace(run, due_at=None), moment)


def let_go(turn: Turn, plan: Plan, step: Until, waiting: Iterable[Run], moment: Moment) -> None:
    """Runs whose awaited fact came."""
    for run in waiting:
        _take(turn, plan, Go(run, step.then), moment)


def _walk(turn: Turn, plan: Plan, run: Run, moment: Moment) -> None:
    """Do the step on which a run stands, and go on from there."""
    _take(turn, plan, _act(turn, plan, run, moment), moment)


def _take(turn: Turn, plan: Plan, go: Go | None, moment: Moment) -> None:
    """Take steps until one stays, or the run is over. Coming to a step twice at one instant means that it would never end; that from which
    it goes on now may let time pass anew.
    """
    seen: set[str] = set()
    while go is not None:
        run = go.run
        if go.to is None or go.to in seen:
            turn.drop(run)
            if not run.mailed:  # of a mailing everybody is told one verdict
                turn.tell(run, "left", moment, go.rule if go.to is None else "loop", step=run.step)
            return
        seen.add(go.to)
        since = max(moment.now, run.since)
        go = _act(turn, plan, replace(run, step=go.to, since=since, due_at=None, taken=run.taken + 1), moment)


def _act(turn: Turn, plan: Plan, run: Run, moment: Moment) -> Go | None:
    step = plan.steps[run.step]
    return ACTS[type(step)](turn, plan, run, step, moment)


def _purge(turn: Turn, plan: Plan, run: Run, step: Purge, moment: Moment) -> Go | None:
    if (meets := answer(turn, plan, run, moment)) is None:
        return None
    purging.purge(turn, run, step, moment, meets=meets)
    return Go(run, plan.following[step.id])


def _send(turn: Turn, plan: Plan, run: Run, step: Send, moment: Moment) -> Go | None:
    if plan.mailing is not None:
        return campaigns.send(turn, plan, plan.mailing, run, moment)
    run, over = sending.first(turn, run, step, moment)
    return Go(run, plan.following[step.id]) if over else None


def _jump(turn: Turn, _plan: Plan, run: Run, step: Jump, moment: Moment) -> Go | None:
    """What has been reached of the other's goal before does not keep him out of it: he comes now."""
    other = turn.book.current.get(step.jump)
    if other is not None:
        begun = Run(other.key, other.version, run.occurrence, run.brand, moment.now, moment.now, data=run.data, home=run.home)
        start(turn, other, begun, moment)
    return Go(run, None, f"jump:{step.jump}")


def _end(_turn: Turn, _plan: Plan, run: Run, _step: End, _moment: Moment) -> Go | None:
    return Go(run, None)


ACTS: Mapping[type, Callable[[Turn, Plan, Run, Any, Moment], Go | None]] = {
    Wait: waiting.wait,
    Until: waiting.until,
    Branch: branching.branch,
    Split: branching.split,
    Send: _send,
    Purge: _purge,
    SetAttributes: saying.say,
    Jump: _jump,
    End: _end,
}
