"""Journeys that begin by a schedule: each person who stands in the audience has a timer for the next time, so when nobody is due nobody is
looked at.

He is given it when the segmenter tells that he stands there, loses it when he leaves, and has it in his row like any timer. What came due more
than once while nothing ran comes once: the last time counts.
"""

from schemas.ids import derive
from schemas.memberships import Membership
from schemas.triggers import Schedule, ScheduleTrigger
from schemas.unnamed import SCHEDULED, UNNAMED
from services.orchestrator.domain import occurrences
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.occurrences import Occurrence
from services.orchestrator.domain.state import UNKNOWN_DAY, Appointment, Run, replace
from services.orchestrator.domain.turn import Turn
from services.orchestrator.domain.zones import DAY, Zone

LOOK_MS = 60_000  # after so long a journey is looked for of which only the audience was heard
_NEVER = Appointment(None)
_HEAD, _TAIL = f"{UNNAMED}journey.", f".{SCHEDULED}"  # of the key of an audience


def heard(turn: Turn, news: Membership) -> None:
    """He entered or left the audience of a schedule, for whatever reason: history is no reason to be left out next time."""
    if not news.segment.endswith(_TAIL):
        return
    plan = turn.book.scheduled.get(news.segment)
    if plan is None:
        if news.type == "entered":
            _look_again(turn, news)
        return
    if turn.book.current.get(plan.key) is not plan:
        return
    kept = turn.person.appointments.get(plan.key, _NEVER)
    if news.type == "entered":
        _appoint(turn, plan, kept, upcoming(turn, plan, news.received_at, kept.last))
    elif not turn.stands(news.segment):
        _appoint(turn, plan, kept, None)


def due(turn: Turn, key: str, upto: int) -> tuple[Plan, Run] | None:
    """An appointment is due: the run to begin, and the next appointment is made. None: it was moved to another instant, or is off."""
    kept = turn.person.appointments[key]
    plan, at = turn.book.current.get(key), kept.due or 0
    if plan is None or not isinstance(plan.trigger, ScheduleTrigger):
        _wait_on(turn, key, kept)
        return None
    if kept.day == UNKNOWN_DAY and _unheard_of(turn, key):
        _wait_on(turn, key, kept)
        return None
    since = turn.person.segments.get(plan.answers["audience"], at) if kept.day == UNKNOWN_DAY else at - 1
    missed = upcoming(turn, plan, since, kept.last)
    while missed is not None and (later := upcoming(turn, plan, missed.at, missed.day)) is not None and later.at <= upto:
        missed = later
    if not _may_stand(turn, plan):
        missed = None
    if missed is None or missed.at != at or kept.day == UNKNOWN_DAY:
        _appoint(turn, plan, kept, missed)
        return None
    _appoint(turn, plan, replace(kept, last=missed.day), upcoming(turn, plan, at, missed.day))
    day = {"date": occurrences.written(missed.day)}
    occurrence = derive("schedule", key, day["date"], turn.profile)
    return plan, Run(plan.key, plan.version, occurrence, plan.brand, at, at, data={"event": day})


def moved(turn: Turn) -> None:
    """His zone is another one: the same days, at other instants."""
    for key, kept in list(turn.person.appointments.items()):
        plan = turn.book.current.get(key)
        if plan is not None and isinstance(plan.trigger, ScheduleTrigger) and kept.due is not None and kept.day != UNKNOWN_DAY:
            same = upcoming(turn, plan, 0, kept.day - 1)
            _appoint(turn, plan, kept, same)


def fold(mine: dict[str, Appointment], theirs: dict[str, Appointment]) -> dict[str, Appointment]:
    """Of two people who are one: a time that one of them had was his, and the later of two that are coming is."""
    found = dict(mine)
    for key, other in theirs.items():
        kept = mine.get(key, _NEVER)
        coming = max((one for one in (kept, other) if one.due is not None), key=lambda one: (one.day, one.due), default=_NEVER)
        found[key] = Appointment(coming.due, coming.day, max(kept.last, other.last))
    return found


def upcoming(turn: Turn, plan: Plan, after: int, last: int) -> Occurrence | None:
    schedule = _schedule(plan)
    return occurrences.upcoming(schedule, _zone(turn, plan, schedule), after, last)


def _schedule(plan: Plan) -> Schedule:
    assert isinstance(plan.trigger, ScheduleTrigger)
    return plan.trigger.schedule


def _zone(turn: Turn, plan: Plan, schedule: Schedule) -> Zone:
    return turn.zone(plan.brand) if schedule.clock == "person" else turn.brand_zone(plan.brand)


def _appoint(turn: Turn, plan: Plan, kept: Appointment, coming: Occurrence | None) -> None:
    appointments = turn.person.appointments
    if coming is not None:
        appointments[plan.key] = Appointment(coming.at, coming.day, kept.last)
    elif kept.last != UNKNOWN_DAY:
        appointments[plan.key] = Appointment(None, UNKNOWN_DAY, kept.last)
    else:
        appointments.pop(plan.key, None)


def _may_stand(turn: Turn, plan: Plan) -> bool:
    """Does he, or has the segmenter not said yet, of a new version or of one who was merged? Then the run waits for the answer."""
    audience = plan.answers["audience"]
    return turn.stands(audience) or audience in turn.book.silent or bool(turn.person.merges)


def _look_again(turn: Turn, news: Membership) -> None:
    """Its journey is on its way in another topic, most likely."""
    key, at = _journey_of(news.segment), news.received_at + LOOK_MS
    kept = turn.person.appointments.get(key, _NEVER)
    if key and (kept.due is None or kept.due > at):
        turn.person.appointments[key] = Appointment(at, UNKNOWN_DAY, kept.last)


def _wait_on(turn: Turn, key: str, kept: Appointment) -> None:
    """No such journey is in force: once more later while its audience is so new that it may still come, longer each time, for a day."""
    since = [at for segment, at in turn.person.segments.items() if _journey_of(segment) == key]
    waited = (kept.due or 0) - max(since, default=0)
    if since and _unheard_of(turn, key) and waited < DAY:
        turn.person.appointments[key] = replace(kept, due=(kept.due or 0) + max(LOOK_MS, waited))
    elif kept.last != UNKNOWN_DAY:
        turn.person.appointments[key] = replace(kept, due=None, day=UNKNOWN_DAY)
    else:
        del turn.person.appointments[key]


def _unheard_of(turn: Turn, key: str) -> bool:
    return any(_journey_of(segment) == key and segment not in turn.book.scheduled for segment in turn.person.segments)


def _journey_of(segment: str) -> str:
    """Of the key of a schedule's audience; "" of any other."""
    if not (segment.startswith(_HEAD) and segment.endswith(_TAIL)):
        return ""
    return segment[len(_HEAD) : -len(_TAIL)].rpartition(".")[0]
