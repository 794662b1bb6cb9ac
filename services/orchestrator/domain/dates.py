"""Journeys that begin on a day of his, at their time of it. That the day has come the segmenter tells, by the same zone."""

from services.orchestrator.domain import runs
from services.orchestrator.domain.book import Plan
from services.orchestrator.domain.state import Run, replace
from services.orchestrator.domain.turn import Moment, Turn
from services.orchestrator.domain.zones import Zone


def zone_of(turn: Turn, plan: Plan) -> Zone:
    """His own, else the one that the trigger names, else the brand's."""
    return turn.zone(plan.brand, plan.date_zone)


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
