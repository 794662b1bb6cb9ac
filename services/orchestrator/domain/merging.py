"""Two people are one: their states folded so that nothing is lost, counted twice, entered again or sent twice."""

from collections.abc import Iterable

from schemas.triggers import ScheduleTrigger
from services.orchestrator.domain import campaigns, dialogues, loans, runs, schedules, sending
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.state import Person, Run, replace
from services.orchestrator.domain.steps import cascade_news
from services.orchestrator.domain.turn import Moment, Turn, same


def fold(turn: Turn, loser: Person, moment: Moment) -> list[Run]:
    """Take the loser's state into that of the turn's person, the winner. Answers the runs that took another one in.

    Runs: what one person could not have had at once is not kept twice. Of two such runs, one from each side, the one that is further
    along goes on (more steps taken; then the earlier started, then the smaller occurrence), so that he is not led through steps
    again which he has behind him; it also learns what the other has sent. The other one ends: "left", rule "merged".
    Segments stay the winner's: the segmenter tells what the merge changes, relative to him. A union would be wrong wherever only
    the loser stood and the two together do not (nobody would say so).
    """
    person = turn.person
    person.zone = max(filter(None, (person.zone, loser.zone)), default=None)
    person.language = max(filter(None, (person.language, loser.language)), default=None)
    person.preferred = max(filter(None, (person.preferred, loser.preferred)), default=None)
    person.bucketing = min(filter(None, (person.bucketing, loser.bucketing)), default=None)
    person.reach = sorted({*person.reach, *loser.reach})
    person.bought, person.agreed = person.bought or loser.bought, person.agreed or loser.agreed
    person.entries = _latest(person.entries, loser.entries)
    person.goals = _latest(person.goals, loser.goals)
    mine = {r.intent for r in person.reservations}
    person.reservations += [r for r in loser.reservations if r.intent not in mine]
    person.reservations.sort(key=lambda r: (r.at, r.intent))
    person.pending = {**loser.pending, **person.pending}
    person.merges = sorted({*person.merges, *loser.merges})
    person.parted, person.mine = {**loser.parted, **person.parted}, {**loser.mine, **person.mine}
    person.shared.update({key: sorted({*others, *person.shared.get(key, ())}) for key, others in loser.shared.items()})
    person.introduced = person.introduced or loser.introduced
    person.heard = _latest(person.heard, loser.heard)
    person.appointments = schedules.fold(person.appointments, loser.appointments)
    person.codes = loans.joined(person.codes, loser.codes)
    person.campaigns = campaigns.both(person.campaigns, loser.campaigns)
    dialogues.joined(turn, loser.talks, moment)
    joined = _runs(turn, person.runs, loser.runs, moment)
    campaigns.joined(turn, moment)
    return joined


def _latest(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {key: max(one.get(key, 0), other.get(key, 0)) for key in {**one, **other}}


def _runs(turn: Turn, winner: Iterable[Run], loser: Iterable[Run], moment: Moment) -> list[Run]:
    sides = [(run, 0) for run in winner] + [(run, 1) for run in loser]
    kept: list[tuple[Run, int]] = []
    ended: list[tuple[Run, Run]] = []
    for run, side in sorted(sides, key=lambda pair: (-pair[0].taken, pair[0].started_at, pair[0].occurrence, pair[0].journey)):
        rival = next((k for k, other in enumerate(kept) if other[1] != side and _clash(turn.plan(run), other[0], run)), None)
        if rival is None:
            kept.append((run, side))
            continue
        stays = kept[rival][0]
        ended.append((stays, run))
        learnt = tuple(step for step in run.done if step not in stays.done)
        letters = {**run.letters, **stays.letters}
        at = cascade_news.joined(stays, run)
        data = loans.learnt(stays, run)
        arm = run if run.exposed and not stays.exposed else stays
        stays = replace(
            stays, done=stays.done + learnt, letters=letters, cascade=at, data=data, control=arm.control, exposed=arm.exposed
        )
        kept[rival] = (stays, kept[rival][1])
    turn.person.runs = sorted((run for run, _ in kept), key=lambda r: (r.started_at, r.journey, r.occurrence))
    for stays, goes in ended:
        _part(turn, stays, goes, moment)
    for run in list(turn.person.runs):  # one side's goal is the other's too
        if turn.person.goals.get(run.journey, -1) >= run.trigger_at:
            runs.end(turn, run, moment, "goal", "goal")
    return [stays for stays, _ in ended]


def _part(turn: Turn, stays: Run, goes: Run, moment: Moment) -> None:
    """End the one: what it sent are letters of the other now. Of a letter that both have sent, one at most may be sent anew.

    Which of two that are under way it will be shows when one is heard of (`sending.settle`).
    """
    pending = turn.person.pending
    for step in sorted(set(stays.done) & set(goes.done)):
        mine = [key for key, p in pending.items() if p.step == step and p.of(stays)]
        theirs = [key for key, p in pending.items() if p.step == step and p.of(goes)]
        both = next((run for run in turn.person.runs if same(run, stays) and cascade_news.stands(run, step)), None)
        if both is not None:
            cascade_news.keep_one(turn, both, mine + theirs, moment)
            continue
        for key in _superfluous(turn, mine, theirs):
            sending.forget(turn, key, moment, "merged")
    for key, letter in pending.items():
        if letter.of(goes):
            pending[key] = replace(letter, joined=stays.occurrence)
    turn.tell(goes, "left" if goes.step else "skipped", moment, "merged", step=goes.step)


def _superfluous(turn: Turn, mine: list[str], theirs: list[str]) -> list[str]:
    """Of the intents of one letter, by side, those that must not go again: all when one side is through with it, else all that wait
    but one; none is given up for one that waits while it is under way, for it may have gone.
    """
    if not mine or not theirs:
        return mine + theirs
    flying = [key for key in mine + theirs if turn.person.pending[key].due_at is None and not turn.person.pending[key].parked]
    return [key for key in mine + theirs if key not in (flying or mine[:1])]


def _clash(plan: Plan | None, one: Run, other: Run) -> bool:
    """Could one person not have been in both at once?"""
    if one.journey != other.journey:
        return False
    if one.occurrence == other.occurrence or plan is None:
        return True
    if isinstance(plan.trigger, ScheduleTrigger) and one.data.get("event") == other.data.get("event"):
        return True  # the same day of it
    match plan.mode:
        case "always":
            return False
        case "per":
            return plan.entry(one) == plan.entry(other)
        case "after":
            return abs(one.started_at - other.started_at) < plan.after
    return True
