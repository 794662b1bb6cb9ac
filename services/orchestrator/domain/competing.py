"""Which of several marketing messages to one person goes first (docs/adr/0024): the more important one, when both come within a short time."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from schemas.topics import ADDRESS_KIND
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.mailings import Launched
from services.orchestrator.domain.rules import Rules
from services.orchestrator.domain.slots import Message, search
from services.orchestrator.domain.state import Person, Run
from services.orchestrator.domain.terms import Terms
from services.orchestrator.domain.turn import Turn, same

NONE = Terms(priority=-1)


class Contender(NamedTuple):
    """A message that could go. first_try: when it was ready; limit: the last instant at which it is worth sending (ms)."""

    run: Run
    step: str
    message: Message
    first_try: int
    limit: int


def yields(turn: Turn, rules: Rules, one: Contender, now: int) -> int | None:
    """Until when (ms) a message that could go now lets others go first; None: it goes.

    It lets those go that are known, more important, and decided within the time of the rule; the last instant of its own worth is where it
    stops waiting for what is not due by then. And once, for that time from its first try on, it waits for those that may come, and for that
    time from their start on for launches that will write to him, unless it would be worth nothing any more then.
    """
    if not rules.compete:
        return None
    priority = _terms(turn, one.run, one.step).priority
    known = min((due for due in _rivals(turn, one, priority) if due <= now + rules.compete), default=None)
    if known is not None and known <= now:
        return now + 1  # decided at this very instant: right behind it
    until = 0 if known is None else min(known, one.limit)
    waits = one.first_try + rules.compete
    possible = [waits] if _may_come(turn, priority) else []
    possible += (start + rules.compete for start in _launches(turn, one, priority, now) if start <= now + rules.compete)
    for instant in possible:
        if now < instant <= one.limit:
            slot = search(rules, turn.zone(one.run.brand), turn.person.reservations, one.message, instant, one.limit)
            until = max(until, instant if slot.at <= one.limit else 0)
    return until if until > now else None


def launches_ask(turn: Turn, run: Run, step: str, now: int) -> Iterator[str]:
    """What the segmenter must have answered about him before a message can be told from those that a launch outdoes."""
    if turn.book.rules.compete and turn.book.starting:
        for plan, _ in _within_reach(turn, run, _terms(turn, run, step).priority, now):
            yield from plan.answers.values()


def reachable(person: Person, channel: str) -> bool:
    """Has he an address on it?"""
    return ADDRESS_KIND[channel] in person.reach


def _launches(turn: Turn, one: Contender, priority: int, now: int) -> Iterator[int]:
    """When the more important launches start that will write to him: he belongs to their audience, and his turn has not come yet. Just when
    it comes, after the start, is not known: for the time of the rule it is waited for.
    """
    for plan, launched in _within_reach(turn, one.run, priority, now):
        if turn.stands(plan.answers.get("audience", "")) and not turn.stands(plan.answers.get("exclude", "")):
            yield launched.comes_at(turn.zone(launched.launch.brand))


def _within_reach(turn: Turn, run: Run, priority: int, now: int) -> Iterator[tuple[Plan, Launched]]:
    """Those that may be waited for now, if he belongs to their audience. By their time first: most were long ago."""
    starting, compete = turn.book.starting, turn.book.rules.compete
    for _, launched in starting[bisect_right(starting, now - compete, key=lambda pair: pair[0]) :]:
        launch = launched.launch
        if launch.start_at > now + compete or launch.changed_at > now:
            continue  # changed_at: what is decided is of an instant at which nobody had told of it
        plan = turn.book.plans.get((launched.name, launch.version))
        if plan is None or plan.most_important <= priority or launched.id == run.occurrence:
            continue
        if _may_write(turn, launched):
            yield plan, launched


def _may_write(turn: Turn, launched: Launched) -> bool:
    """Not where it is paused or stopped, has no way to him, or has begun with him: what waits of it then is known by itself. Of a pilot
    nobody can say.
    """
    person = turn.person
    begun = launched.id in person.campaigns or any(run.occurrence == launched.id for run in person.runs)
    if begun or launched.paused or launched.stopped or launched.launch.stage == "pilot":
        return False
    letter = next(iter(launched.mailing.letters.values()))  # all go over one channel
    who = person.bucketing[1] if person.bucketing else turn.profile
    return reachable(person, letter.channel) and not launched.mailing.controls(who)


def _rivals(turn: Turn, one: Contender, priority: int) -> Iterator[int]:
    """When each waiting message of his that is more important is decided. Those that wait for another of their run, or for a name, are not
    due then: theirs is the instant at which they give up.
    """
    runs = [(r, r.step, r.due_at) for r in turn.person.runs if r.waits_to_go and not same(one.run, r)]
    waiting = [p for p in turn.person.pending.values() if not p.held and not (p.of(one.run) and p.step == one.step)]
    for run, step, due in (*runs, *((p.run, p.step, p.due_at) for p in waiting)):
        if due is not None and _terms(turn, run, step).priority > priority:
            yield due


def _may_come(turn: Turn, priority: int) -> bool:
    """Has any journey in force a more important message, and may he still come to it?"""
    more = takewhile(lambda plan: plan.most_important > priority, turn.book.foremost)
    return any(_may_send(turn, plan) for plan in more)


def _may_send(turn: Turn, plan: Plan) -> bool:
    """Not where he may enter only once, and has left; nor while it is paused, nor once it is archived, but to those inside."""
    door = turn.book.controls.door(plan.key)
    if door.state in ("open", "archived") and any(run.journey == plan.key for run in turn.person.runs):
        return True
    return door.state == "open" and (plan.mode != "never" or plan.key not in turn.person.entries)


def _terms(turn: Turn, run: Run, step: str) -> Terms:
    """Those of a step that sends no marketing are the least."""
    plan = turn.plan(run)
    return (plan.terms.get(step) if plan else None) or NONE
