"""Somebody's part in the launch of a campaign: a run of one step, which gives him exactly one verdict.

Whoever walks the audience says when his turn has come; rules, slots and reservations are those of every message (`sending`).
"""

from collections.abc import Mapping

from schemas.campaigns import LETTER
from schemas.messages import Verdict
from schemas.steps import Send
from services.orchestrator.domain import sending
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.mailings import STOPPED, Launched, Mailing
from services.orchestrator.domain.state import Mailed, Person, Run, replace
from services.orchestrator.domain.steps.way import Go, unheard
from services.orchestrator.domain.turn import Moment, Turn

AUDIENCE, EXCLUDE = "audience", "exclude"  # parts of a campaign that are asked of the segmenter
EXCLUDED, LOCAL_TIME = "excluded", "local_time"  # rules


def place_of(launched: Launched, profile: str, person: Person) -> int | None:
    """Somebody's place in a launch; None: he does not belong to its audience."""
    key = launched.conditions[0]
    assert key.endswith(AUDIENCE)
    return launched.place(person.bucketing[1] if person.bucketing else profile) if key in person.segments else None


def take(turn: Turn, launched: Launched, moment: Moment) -> Run | None:
    """His turn has come. The run that is to go on; None where there is nothing to go on with: what came back from the sender was decided
    again under its own key, or he has his letter.
    """
    person, name = turn.person, launched.name
    run = next((run for run in person.runs if (run.journey, run.occurrence) == (name, launched.id)), None)
    if run is not None:
        return run
    mine = sorted(key for key, p in person.pending.items() if (p.run.journey, p.joined or p.run.occurrence) == (name, launched.id))
    if mine:
        _again(turn, mine, moment)
    if mine or launched.id in person.campaigns:
        return None
    return _begin(turn, launched, moment)


def send(turn: Turn, plan: Plan, mailing: Mailing, run: Run, moment: Moment) -> Go | None:
    """The one step. Whom it must not reach is told so; what must be known of him first is waited for."""
    place = next((place for key in plan.answers.values() if (place := unheard(turn, moment, key)) is not None), None)
    if place is not None and turn.book.gate(run) != STOPPED:
        turn.put(replace(run, waits=place, due_at=None))
        return None
    left = mailing.live and not turn.stands(plan.answers[AUDIENCE])
    excluded = EXCLUDE in plan.answers and turn.stands(plan.answers[EXCLUDE])
    if left or excluded:
        _tell(turn, plan, run, "skipped", AUDIENCE if left else EXCLUDED, moment)
        return Go(run, None)
    letter = mailing.letters[run.data["campaign"].get("variant", "")]
    run, over = sending.first(turn, run, letter, moment)
    return Go(run, None) if over else None


def both(one: Mapping[str, Mailed], other: Mapping[str, Mailed]) -> dict[str, Mailed]:
    """Of which launches two people, who are one by now, were written to."""
    found = dict(one)
    for launch, mailed in other.items():
        mine = found.get(launch, mailed)
        found[launch] = Mailed(max(mine.until, mailed.until), mine.went or mailed.went)
    return found


def joined(turn: Turn, moment: Moment) -> None:
    """Two people are one: a letter that one of them has been sent is not sent to the other."""
    for run in [run for run in turn.person.runs if run.mailed and run.occurrence in turn.person.campaigns]:
        turn.drop(run)
        turn.tell(run, "left", moment, "merged", step=run.step)


def _again(turn: Turn, keys: list[str], moment: Moment) -> None:
    """What the sender gave back as held goes under the same key, at the next attempt; what is under way is left alone. Of two letters
    of people who are one by now one goes at most.
    """
    pending = turn.person.pending
    flying = [key for key in keys if pending[key].due_at is None and pending[key].until]
    for key in keys:
        if key not in (flying or keys[:1]):
            gone = pending.pop(key)
            turn.tell(gone.run, "skipped", moment, "merged", step=gone.step, intent=key, attempt=gone.attempt)
    if not flying:
        mine = pending[keys[0]]
        sending.again(turn, keys[0], replace(mine, attempt=mine.attempt + (mine.due_at is None)), moment)


def _begin(turn: Turn, launched: Launched, moment: Moment) -> Run | None:
    mailing, launch = launched.mailing, launched.launch
    who = turn.person.bucketing[1] if turn.person.bucketing else turn.profile
    variant = mailing.variant(who)
    run = Run(
        journey=launched.name,
        version=launch.version,
        occurrence=launched.id,
        brand=launch.brand,
        trigger_at=launch.start_at,
        started_at=moment.now,
        step=LETTER,
        since=max(moment.now, launched.comes_at(turn.zone(launch.brand))),
        taken=1,
        data={"campaign": {"key": launch.campaign, "launch": launch.number, **({"variant": variant} if variant else {})}},
        control=mailing.salt if mailing.controls(who) else "",
    )
    if run.since > moment.now and not launched.stopped:
        turn.put(replace(run, due_at=run.since))
        plan = turn.plan(run)
        if plan is not None:
            _tell(turn, plan, run, "deferred", LOCAL_TIME, moment, until=run.since)
        return None
    return replace(run, since=moment.now)


def _tell(turn: Turn, plan: Plan, run: Run, verdict: Verdict, rule: str, moment: Moment, until: int | None = None) -> None:
    letter = plan.letter(run, run.step)
    more = {"channel": letter.channel, "message_class": letter.message_class} if isinstance(letter, Send) else {}
    turn.tell(run, verdict, moment, rule, step=run.step, until=until, detail=run.data["campaign"], **more)
