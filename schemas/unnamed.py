"""Segments without a name: what journeys and rules ask about people is published as a segment of its own, which the segmenter answers."""

from pydantic import BaseModel

from schemas.audience import Condition
from schemas.campaigns import Campaign
from schemas.journeys import Journey
from schemas.rules import Rule

UNNAMED = "~"  # what their keys begin with; no marketer's key does


def condition_key(kind: str, key: str, version: int, part: str) -> str:
    """The segment that answers a part (a step, "audience", a cap) of a version of a document."""
    return f"{UNNAMED}{kind}.{key}.{version}.{part}"


def conditions(document: BaseModel, version: int) -> dict[str, Condition]:
    """Segment key -> condition, of all that a document asks about people.

    A plain reference to a segment has one too: so that who stood there long before the document came is told to it.
    """
    if isinstance(document, Journey):
        found = {step.id: condition for step in document.steps if (condition := step.asked) is not None}
        if document.audience is not None:
            found["audience"] = document.audience
        return {condition_key("journey", document.key, version, part): condition for part, condition in found.items()}
    if isinstance(document, Rule):
        return {condition_key("rule", document.key, version, part): condition for part, _, condition in document.asks()}
    if isinstance(document, Campaign):
        return {condition_key("campaign", document.key, version, part): condition for part, condition in document.asks()}
    return {}
