"""What other rules of identity would make one of two: the contradictions that are known, judged anew. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.profile.domain.linking import against
from services.profile.domain.rules import Rules, kind_of
from services.profile.domain.state import Profile


class Contradiction(NamedTuple):
    """An identifier that was refused to somebody. owner: whose it is; person: to whom it was refused."""

    identifier: str
    owner: str
    person: str


class Would(NamedTuple):
    """Two who would become one, by which kind of identifier."""

    by: str
    one: str
    other: str


def rehearse(rules: Rules, known: Iterable[Contradiction], people: Mapping[str, Profile]) -> list[Would]:
    """Who would become one under these rules, in the order of the contradictions; those before count for those behind."""
    one_with: dict[str, str] = {}
    names = {person: dict(profile.known_as()) for person, profile in people.items()}
    found = []
    for contradiction in known:
        owner, person = (_root(one_with, one) for one in (contradiction.owner, contradiction.person))
        if owner == person or contradiction.identifier in rules.refused or against(rules, names[owner], names[person]):
            continue
        one_with[person] = owner
        names[owner] = {**names.pop(person), **names[owner]}
        found.append(Would(kind_of(contradiction.identifier), contradiction.owner, contradiction.person))
    return found


def _root(one_with: Mapping[str, str], person: str) -> str:
    while person in one_with:
        person = one_with[person]
    return person
