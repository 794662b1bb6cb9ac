"""Journeys that begin on a day of his, at their time of it. That the day has come the segmenter tells, by the same zone."""

from schemas.steps import SegmentTrigger
from services.orchestrator.domain import runs
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.state import Run, replace
from services.orchestrator.domain.turn import Moment, Turn
from services.orchestrator.domain.zones import Zone

Days = dict[tuple[str, str], int]  # (journey, occurrence) -> local day, from 1970-01-01


def zone_of(turn: Turn, plan: Plan) -> Zone:
    """His own, else the one that the trigger names, else the brand's."""
    return turn.zone(plan.brand, plan.date_zone)


def is_of(turn: Turn, run: Run, segment: str) -> bool:
    """Is this the day of which the run is, whatever its version?"""
    plan = turn.plan(run)
    return plan is not None and isinstance(plan.trigger, SegmentTrigger) and plan.trigger.segment == segment


def begin(turn: Turn, plan: Plan, run: Run, moment: Moment) -> None:
    """At its time of his day, if it has one."""
    if plan.time is not None:
        zone = zone_of(turn, plan)
        at = zone.clock(zone.day(run.trigger_at), plan.time)
        if at < run.trigger_at:  # he was known too late
            turn.tell(run, "skipped", moment, "missed")
            return
        run = replace(run, started_at=max(at, run.started_at))
    runs.start(turn, plan, run, moment)


def to_come(turn: Turn) -> Days:
    """The local days of runs that have not begun yet, each by the zone in which he is."""
    found = ((run, turn.plan(run)) for run in turn.person.runs if not run.step)
    return {
        (run.journey, run.occurrence): zone_of(turn, plan).day(run.started_at)
        for run, plan in found
        if plan is not None and plan.time is not None and run.due_at == run.started_at
    }


def moved(turn: Turn, days: Days, now: int) -> None:
    """His zone is another one: the same days, at other instants. What is over there is due at once, on the day itself."""
    for run in list(turn.person.runs):
        plan, day = turn.plan(run), days.get((run.journey, run.occurrence))
        if day is None or plan is None or plan.time is None or run.step or run.due_at is None:
            continue
        zone = zone_of(turn, plan)
        if zone.day(now) <= day:  # else the segmenter tells that it is his day no more
            at = max(now, zone.clock(day, plan.time))
            turn.put(replace(run, started_at=at, due_at=at))
