"""Segments without a name: what journeys and rules ask about people is published as a segment of its own, which the segmenter answers."""

from pydantic import BaseModel

from schemas.audience import Condition
from schemas.campaigns import Campaign
from schemas.ids import derive
from schemas.journeys import Journey
from schemas.rules import Rule
from schemas.triggers import DateTrigger, ScheduleTrigger

UNNAMED = "~"  # what their keys begin with; no marketer's key does
SCHEDULED = "audience.schedule"  # the part that is the audience of a schedule: no step has a dot in its name


def condition_key(kind: str, key: str, version: int | str, part: str) -> str:
    """The segment that answers a part (a step, "audience", a cap) of a version of a document."""
    return f"{UNNAMED}{kind}.{key}.{version}.{part}"


def audience_key(journey: Journey, version: int) -> str:
    """The segment of those who may enter."""
    part = SCHEDULED if isinstance(journey.trigger, ScheduleTrigger) else "audience"
    return condition_key("journey", journey.key, version, part)


def date_key(key: str, trigger: DateTrigger) -> str:
    """The segment whose entry is a trigger by date. It goes by what is asked and not by the version, so that nobody's day falls between two
    versions that ask the same. key: of the journey.
    """
    return condition_key("journey", key, derive("date", trigger.model_dump_json())[:8], "trigger")


def conditions(document: BaseModel, version: int) -> dict[str, Condition]:
    """Segment key -> condition, of all that a document asks about people.

    A plain reference to a segment has one too: so that who stood there long before the document came is told to it.
    """
    if isinstance(document, Journey):
        found = {step.id: condition for step in document.steps if (condition := step.asked) is not None}
        asked = {condition_key("journey", document.key, version, part): condition for part, condition in found.items()}
        if document.audience is not None:
            asked[audience_key(document, version)] = document.audience
        if isinstance(document.trigger, DateTrigger):
            asked[date_key(document.key, document.trigger)] = document.trigger.date.condition()
        return asked
    if isinstance(document, Rule):
        return {condition_key("rule", document.key, version, part): condition for part, _, condition in document.asks()}
    if isinstance(document, Campaign):
        return {condition_key("campaign", document.key, version, part): condition for part, condition in document.asks()}
    return {}
