"""What starts a journey, as few kinds as decisions need: a fact, a segment, a schedule."""

from schemas.documents import clock_ms
from schemas.journeys import Journey
from schemas.steps import FactTrigger, SegmentTrigger
from schemas.triggers import DateTrigger, ScheduleTrigger, as_fact
from schemas.unnamed import date_key

Start = FactTrigger | SegmentTrigger | ScheduleTrigger


def start_of(journey: Journey) -> Start:
    """A date is the entry into a segment without a name; everything else that is written otherwise is a fact."""
    trigger = journey.trigger
    if isinstance(trigger, DateTrigger):
        return SegmentTrigger(segment=date_key(journey.key, trigger))
    if isinstance(trigger, SegmentTrigger | ScheduleTrigger):
        return trigger
    fact = as_fact(journey.key, trigger)
    assert fact is not None, "every other trigger is a fact"
    return fact


def time_of(journey: Journey) -> int | None:
    """At what time of his day it begins (ms after midnight), where it is by date and says so."""
    trigger = journey.trigger
    return clock_ms(trigger.date.at) if isinstance(trigger, DateTrigger) and trigger.date.at else None


def zone_of(journey: Journey) -> str | None:
    """Where it is by date: the zone that it names for people whose own is unknown."""
    return journey.trigger.date.zone if isinstance(journey.trigger, DateTrigger) else None
