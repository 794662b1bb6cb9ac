"""A run's way: entry, steps, timers, end."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from schemas.controls import FINISH, LEAVE
from schemas.messages import Verdict
from schemas.steps import Branch, Cascade, End, Give, Jump, Purge, Send, Sends, SetAttributes, Split, Subscription, Until, Wait
from schemas.telling import Hand, Webhook
from services.orchestrator.domain import campaigns, migrating, pausing, purging, schedules, sending
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.controls import Order
from services.orchestrator.domain.state import Place, Run, replace
from services.orchestrator.domain.steps import branching, cascade_news, cascading, giving, saying, waiting
from services.orchestrator.domain.steps.way import Go, answer, unheard
from services.orchestrator.domain.turn import Moment, Turn, same

PARAM = "param"  # the name of a journey's parameters in the data of its runs
NAMELESS_MS = 10_000  # for how long a run waits for a name of somebody who cannot be written to


def start(turn: Turn, plan: Plan, run: Run, moment: Moment) -> None:
    """A trigger matched. A stranger is given a moment to be named, for what names him may lie in another partition; who must be asked
    about waits for the answer; everybody else enters or is refused at once. Nobody before its own time (`Run.started_at`).
    """
    if moment.now < run.started_at:
        turn.put(replace(run, due_at=run.started_at, waits=None))
        return
    if pausing.bars(turn, plan, run, moment):
        return
    run = replace(run, parked=None)
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
        due_at = run.due_at if run.parked is None else run.parked.due_at
        if not pausing.parks(turn, run, moment, due_at):
            after = moment._replace(place=run.waits or moment.place)
            _walk(turn, plan, replace(run, due_at=due_at, parked=None, waits=None, held=False), after)
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
    for run in [run for run in turn.person.runs if not run.step and run.due_at is not None and run.started_at <= moment.now]:
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
    """Everything that happens to him by `upto` without news of him: what a pause held back, migrations and timers, each with its instant.

    Where an order has led him, the next one finds him: each is asked of a run once (`Run.asked`).
    """
    while (order := migrating.first(turn)) is not None:
        at = min(order.at, upto)
        pausing.wake(turn, at)
        _fire(turn, at)
        for run in migrating.concerned(turn, order):
            _migrate(turn, run, order, at)
        release(turn, Moment(at, order.id))
    pausing.wake(turn)
    _fire(turn, upto)


def _migrate(turn: Turn, run: Run, order: Order, at: int) -> None:
    to, moment = order.target(run), Moment(max(at, run.since), order.id, run.waits)
    if to == FINISH:
        turn.put(replace(run, asked=order.number))
        return
    if to == LEAVE:
        end(turn, run, moment, "left", order.rule)
        return
    moved = migrating.moved(turn, run, order, to, moment.now)
    turn.tell(moved, "moved", moment, order.rule, step=to, detail={"from_version": run.version, "from_step": run.step})
    if moved.parked is not None:
        turn.put(replace(moved, waits=run.waits))
    elif moved.due_at is not None or not pausing.parks(turn, moved, moment):
        _walk(turn, turn.book.plans[moved.journey, moved.version], moved, moment)


def _fire(turn: Turn, upto: int) -> None:
    """Every timer due <= `upto`, each with its own instant as `now`, in the order of instant, journey, occurrence."""
    while (timer := min(turn.person.timers(), default=None)) is not None and timer.due <= upto:
        moment = Moment(timer.due, timer.occurrence)
        if timer.intent:
            _again(turn, timer.intent, moment)
        elif not timer.occurrence:
            if (begun := schedules.due(turn, timer.journey, upto)) is not None:
                start(turn, *begun, moment._replace(cause=begun[1].occurrence))
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
        if key in person.pending and not sending.overdue(turn, person.pending[key].run, moment.now):
            _again(turn, key, moment)
    for run in [run for run in person.runs if run.held]:
        if not sending.overdue(turn, run, moment.now):
            go_on(turn, run, moment._replace(now=max(moment.now, run.since)))


def _again(turn: Turn, key: str, moment: Moment) -> None:
    """Decide an intent anew; where it goes no more, a cascade may go on."""
    sending.again(turn, key, turn.person.pending[key], moment)
    moved(turn, cascade_news.of_intent(turn, key), moment)


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
    data = {name: told for name, told in run.data.items() if name != PARAM}  # of one that jumped here: those are the other's
    data |= {PARAM: dict(plan.values)} if plan.values else {}
    _walk(turn, plan, replace(run, step=plan.first, since=moment.now, taken=1, data=data), moment)


def moved(turn: Turn, news: Iterable[Run], moment: Moment, kinds: tuple[type, ...] = (Until, Cascade)) -> None:
    """Runs of which something became known that they may wait for: those that stand on such a step look again. kinds: of steps that it
    concerns: what became of an earlier letter of its run says nothing to a cascade.
    """
    for run in news:
        plan = turn.plan(run)
        stands = plan is not None and run.waits is None and run.parked is None
        step = plan.steps.get(run.step) if plan is not None and stands else None
        if plan is None or not isinstance(step, kinds):
            continue
        if isinstance(step, Until) or not pausing.parks(turn, run, moment):  # a cascade would send
            _walk(turn, plan, run if isinstance(step, Until) else replace(run, due_at=None), moment)


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
        run = replace(run, step=go.to, since=since, due_at=None, taken=run.taken + 1)
        go = None if pausing.parks(turn, run, moment) else _act(turn, plan, run, moment)


def _act(turn: Turn, plan: Plan, run: Run, moment: Moment) -> Go | None:
    step = plan.steps[run.step]
    return ACTS[type(step)](turn, plan, run, step, moment)


def _purge(turn: Turn, plan: Plan, run: Run, step: Purge, moment: Moment) -> Go | None:
    if (meets := answer(turn, plan, run, moment)) is None:
        return None
    purging.purge(turn, run, step, moment, meets=meets)
    return Go(run, plan.following[step.id])


def _send(turn: Turn, plan: Plan, run: Run, step: Sends, moment: Moment) -> Go | None:
    if plan.mailing is not None:
        return campaigns.send(turn, plan, plan.mailing, run, moment)
    run, over = sending.first(turn, run, step, moment)
    return Go(run, plan.following[step.id]) if over else None


def _jump(turn: Turn, _plan: Plan, run: Run, step: Jump, moment: Moment) -> Go | None:
    """What has been reached of the other's goal before does not keep him out of it: he comes now."""
    other = turn.book.current.get(step.jump)
    if other is not None:
        begun = Run(other.key, other.version, run.occurrence, run.brand, moment.now, moment.now, data=run.data, home=run.home)
        if any(same(run, begun) for run in turn.person.runs):  # one fact began both
            turn.tell(begun, "skipped", moment, "reentry")
        else:
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
    Cascade: cascading.act,
    Webhook: _send,
    Hand: _send,
    Purge: _purge,
    SetAttributes: saying.say,
    Subscription: saying.subscribe,
    Give: giving.give,
    Jump: _jump,
    End: _end,
}
