"""Where everybody stands in the end, folded from `memberships` as a consumer does, against the oracle's attributes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.chaos.verify import Findings

LEGAL, RECENT = "~journey.welcome.1.legal", "recent"


def check_standing(
    found: Findings, memberships: Iterable[Mapping[str, Any]], owner: Mapping[str, str], people: Sequence[Mapping[str, Any]]
) -> None:
    """owner: identifier -> the profile that has it in the end. Of the recent visitors none is left when all is quiet."""
    standing: dict[str, set[str]] = {}
    for news in memberships:
        if news["type"] == "entered":
            standing.setdefault(news["profile"], set()).add(news["segment"])
        elif news["type"] == "left":
            standing.setdefault(news["profile"], set()).discard(news["segment"])
    for person in people:
        name = person["identifiers"][0]
        here = standing.get(owner.get(name, ""), set())
        legal = person["attributes"].get("legal_entity", [0, None])[1] is True
        if (LEGAL in here) != legal:
            found.add("state.differences", f"{name} is {'' if legal else 'not '}legal and stands in {sorted(here)}")
        if RECENT in here:
            found.add("state.differences", f"{name} still stands in {RECENT}")
