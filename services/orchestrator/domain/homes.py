"""Whose a piece of news is, after an unmerge: facts by their home, verdicts by who has the letter."""

from collections.abc import Callable

from schemas.facts import PROFILE_CHANGED, Fact, Split
from services.orchestrator.domain.state import Person

Look = Callable[[str], tuple[str, Person]]  # an id -> whom it means now, and his state


def home_of(fact: Fact) -> str:
    """The id of the identifier by which the fact is its person's."""
    return fact.home or fact.profile or ""


def introduces(fact: Fact) -> bool:
    """Is it the first fact that is told of somebody who was parted from another?"""
    return fact.type == PROFILE_CHANGED and "of" in fact.properties


def owner(look: Look, told: str, home: str) -> str:
    """Who it is now to whom something with this home happened, that was told of another perhaps.

    Somebody may have become one with another who was parted since, and not all of his names be on one side: the home goes before the id.
    """
    who, person = look(told)
    seen = {who}
    while (beside := _beside(person, told, home)) is not None:
        who, person = look(beside)
        if who in seen:
            break
        seen.add(who)
    return who


def _beside(person: Person, told: str, home: str) -> str | None:
    return person.parted.get(home) or (person.mine.get(told) if home not in person.mine else None)


def parts(look: Look, split: Split) -> dict[str, set[str]]:
    """The people whom somebody is parted into, each with his homes: he who has them by now, for he may have been parted further."""
    found: dict[str, set[str]] = {}
    for part in split.parts:
        found.setdefault(look(part.profile)[0], set())
        for home in (*part.homes, *part.others):
            found.setdefault(owner(look, part.profile, home), set()).add(home)
    return found


def sources(look: Look, told: str, split: Split) -> list[str]:
    """Those who may have what is the parts': he who is parted, and who has it where he has become one with another and was parted since."""
    homes = (home for part in split.parts for home in part.homes)
    return list(dict.fromkeys([look(told)[0], *(owner(look, told, home) for home in homes)]))


def turned(look: Look, told: str, split: Split) -> dict[str, str]:
    """Whom each of those means from here on who had become one with him who is parted. He of whom nobody has heard here yet that he did, or
    that he was parted from others before, is found when that is heard.
    """
    one = look(told)[0]
    theirs = {other: owner(look, part.profile, other) for part in split.parts for other in part.others}
    return {other: who for other, who in {**theirs, **dict.fromkeys(split.stay, one)}.items() if look(other)[0] == one}


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
