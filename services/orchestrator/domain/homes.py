"""Whose a piece of news is, after an unmerge: facts by their home, verdicts by who has the letter."""

from collections.abc import Callable

from schemas.facts import PROFILE_CHANGED, Fact
from services.orchestrator.domain.state import Person

Look = Callable[[str], tuple[str, Person]]  # an id -> whom it means now, and his state


def home_of(fact: Fact) -> str:
    """The id of the identifier by which the fact is its person's."""
    return fact.home or fact.profile or ""


def introduces(fact: Fact) -> bool:
    """Is it the first fact that is told of somebody who was parted from another?"""
    return fact.type == PROFILE_CHANGED and "of" in fact.properties


def owner(look: Look, told: str, home: str) -> str:
    """Who it is now to whom something with this home happened, that was told of another perhaps."""
    who, person = look(told)
    seen = {who}
    while home in person.parted:
        who, person = look(person.parted[home])
        if who in seen:
            break
        seen.add(who)
    return who


def holders(look: Look, told: str, intent: str) -> list[str]:
    """Everybody to whom a verdict about an intent says something: he of whom it is told, and who shares its letter or place with him."""
    found: list[str] = []
    wanted = [told]
    while wanted:
        who, person = look(wanted.pop(0))
        if who not in found:
            found.append(who)
            wanted += person.shared.get(intent, ())
    return found
