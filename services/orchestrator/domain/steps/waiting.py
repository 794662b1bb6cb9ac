"""Waiting: for a length of time, for a time of his day, for an instant, for a fact of his, a condition or a letter's fate."""

from schemas.attributes import date_ms
from schemas.contact import WEEKDAYS
from schemas.documents import clock_ms, duration_ms, offset_ms
from schemas.facts import Fact
from schemas.steps import AwaitedFact, TimeOfDay, Until, Wait
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.filters import dig
from services.orchestrator.domain.state import Run, replace
from services.orchestrator.domain.steps import letters
from services.orchestrator.domain.steps.way import Go, answer
from services.orchestrator.domain.turn import Moment, Turn
from services.orchestrator.domain.zones import DAY

LATE_MS = 7 * DAY  # for how long it is known that a fact came before the one that starts the run which waits for it


def wait(turn: Turn, plan: Plan, run: Run, step: Wait, moment: Moment) -> Go | None:
    following = plan.following[step.id]
    due = _due(turn, run, step) if run.due_at is None else run.due_at
    if due is None or (run.due_at is None and due < run.since and not isinstance(step.wait, str)):
        return Go(run, step.missed or following)
    if due > moment.now:
        turn.put(replace(run, due_at=due))
        return None
    return Go(run, following)


def until(turn: Turn, plan: Plan, run: Run, step: Until, moment: Moment) -> Go | None:
    there: bool | None
    due = run.since + plan.durations[step.id] if run.due_at is None else run.due_at
    if step.asked is not None:
        there = answer(turn, plan, run, moment)
    elif step.until.letter is not None:
        there = letters.has_become(run, step.until.letter)
    else:
        there = _since(run) <= turn.person.heard.get(_name(plan, step, run), -1) <= due
    if there is None:
        return None
    if there:
        return Go(run, step.then)
    if due <= moment.now:
        return Go(run, step.otherwise)
    turn.put(replace(run, due_at=due))
    return None


def hear(turn: Turn, plan: Plan, step: Until, fact: Fact) -> list[Run]:
    """Runs that an awaited fact lets go. What comes before that which starts a run is kept for a while."""
    wanted = step.until.fact
    assert wanted is not None
    if step.id == plan.first and turn.book.current.get(plan.key) is plan:
        name = _named(plan, step, dig(fact.properties, wanted.same) if wanted.same else None)
        oldest = fact.received_at - LATE_MS
        heard = {key: at for key, at in turn.person.heard.items() if at >= oldest}
        turn.person.heard = {**heard, name: max(fact.occurred_at, heard.get(name, 0))}
    return [run for run in _standing(turn, plan, step) if fact.occurred_at >= _since(run) and _is_same(wanted, run, fact)]


def _standing(turn: Turn, plan: Plan, step: Until) -> list[Run]:
    return [
        r for r in turn.person.runs if (r.journey, r.version, r.step) == (plan.key, plan.version, step.id) and r.due_at is not None
    ]


def _is_same(wanted: AwaitedFact, run: Run, fact: Fact) -> bool:
    return wanted.same is None or _own(run, wanted.same) == dig(fact.properties, wanted.same)


def _own(run: Run, path: str) -> object:
    return dig(run.data.get("event", {}), path)


def _since(run: Run) -> int:
    """From when on facts count: on the first step those that came between what started the run and its being heard."""
    return run.trigger_at if run.taken <= 1 else run.since


def _name(plan: Plan, step: Until, run: Run) -> str:
    same = step.until.fact.same if step.until.fact else None
    return _named(plan, step, _own(run, same) if same else None)


def _named(plan: Plan, step: Until, value: object) -> str:
    return f"{plan.key}.{plan.version}.{step.id}" + (f"|{value!r}" if value is not None else "")


def _due(turn: Turn, run: Run, step: Wait) -> int | None:
    """The instant (ms); None where the run's data tells none."""
    zone = turn.zone(run.brand)
    if isinstance(step.wait, str):
        return run.since + duration_ms(step.wait)
    if isinstance(step.wait, TimeOfDay):
        days = frozenset(WEEKDAYS.index(day) for day in step.wait.on) or frozenset(range(7))
        return zone.next_clock(run.since + 1, clock_ms(step.wait.at), days)
    told = date_ms(dig(run.data, step.wait.data))
    if told is None:
        return None
    instant = told + offset_ms(step.wait.offset)
    return zone.clock(zone.day(instant), clock_ms(step.wait.at)) if step.wait.at else instant
