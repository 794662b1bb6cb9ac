"""Opens and clicks that no person made: a mail service that fetches pictures ahead, a scanner that follows links.

They stand in the log under the names of those of people and say `machine: true`, so that reports can count them apart (docs/metrics.md). To
conditions, journeys, campaigns, target actions and steps of funnels they never happened (docs/conditions.md).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.audience_nodes import Filter
from schemas.steps import LETTER_EVENTS

MARK = "machine"
EVENTS = frozenset(event for event, became in LETTER_EVENTS.items() if became in ("opened", "clicked"))


def is_deed(event: str, properties: Mapping[str, Any]) -> bool:
    """Did somebody do this? False of an open or a click that is marked."""
    return event not in EVENTS or properties.get(MARK) is not True


def asks_for_people(event: str, where: Iterable[Filter]) -> bool:
    """Does a condition about facts of this name leave out what machines did? One that tests the mark itself says what it means."""
    return event in EVENTS and all(test.path != MARK for test in where)
