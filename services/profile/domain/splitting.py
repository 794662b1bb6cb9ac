"""Somebody who was made one of several by mistake is parted: the facts that made him are replayed with the link cut. Pure.

The parts are those whom these facts make, under the rules in force, when the identifiers named are never one person with the others.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from schemas import attributes
from schemas.facts import Fact
from schemas.ids import derive
from services.profile.domain.registry import Registry
from services.profile.domain.rules import Rules, proves
from services.profile.domain.state import Attributes, Profile, told_parts


class Part(NamedTuple):
    """One of the people whom somebody is parted into. homes: of his identifiers, and of those that are gone and told of him."""

    id: str
    profile: Profile
    homes: frozenset[str]


def replay(facts: Iterable[Fact], rules: Rules, homes: Mapping[str, str], apart: Mapping[str, dict[str, int]]) -> Registry:
    """The people whom linking facts make. homes: identifier -> its home, for all that are meant: others are left out."""
    meant: dict[str, str] = {}
    registry = Registry(rules, {}, {}, meant, apart, homes)
    named = {home: name for name, home in homes.items()}
    for fact in facts:
        names = tuple(name for name in fact.identifiers if name in homes)
        about = named.get(fact.about or "")
        known = about is not None and about in registry.names
        if known:
            meant[fact.about or ""] = registry.names[about or ""].owner
        if names or known:
            registry.link(replace(fact, identifiers=names, about=fact.about if known else None, attributes={}))
    return registry


def part(
    person: str, profile: Profile, facts: Sequence[Fact], rules: Rules, homes: Mapping[str, str], apart: Collection[str], act: str
) -> list[Part]:
    """The people whom a person is parted into, he who keeps the id first. One: nothing is parted.

    homes: all his identifiers; apart: those that are parted from the others; act: names the cut for ever.
    """
    sides = {name: {**profile.cuts, act: int(name in apart)} for name in homes}
    registry = replay(facts, rules, homes, sides)
    groups = {id_: made for id_, made in registry.profiles.items() if id_ not in registry.buried}
    for name in homes.keys() - registry.names.keys():  # of before the journal was kept
        _add_unheard(groups, profile, name, sides[name])
    if len(groups) < 2:
        return [Part(person, profile, frozenset(homes.values()))]
    stays = next((id_ for id_, made in groups.items() if any(homes[name] == person for name in made.known_as())), min(groups))
    told = told_parts(profile)
    found = []
    for id_, made in sorted(groups.items(), key=lambda pair: (pair[0] != stays, pair[1].first_at, pair[0])):
        mine = frozenset(homes[name] for name in made.known_as())
        if id_ == stays:  # what came by identifiers that are gone stays where it is
            mine |= told.keys() - set(homes.values())
        _give_attributes(made, {home: said for home, said in told.items() if home in mine})
        found.append(Part(person if id_ == stays else derive("profile", act, min(mine)), made, mine))
    return found


def _add_unheard(groups: dict[str, Profile], profile: Profile, name: str, sides: dict[str, int]) -> None:
    """An identifier that no kept fact tells goes to those on its side."""
    like = next((made for _, made in sorted(groups.items()) if made.cuts == sides), None)
    if like is None:
        like = groups[derive("unheard", *sorted(map(str, sides.items())))] = Profile(
            profile.first_at, names={}, bucketing_id=profile.bucketing_id, bucketed_at=profile.bucketed_at, cuts=dict(sides)
        )
    like.known_as()[name] = profile.known_as().get(name, f"~{name}")
    like.strong = like.strong or proves(name)


def _give_attributes(made: Profile, told: Mapping[str, Attributes]) -> None:
    whole: Attributes = {}
    for said in told.values():
        whole = dict(attributes.merge(whole, said)[0])
    made.attributes = whole
    made.teller, made.parts = (next(iter(told)), {}) if len(told) == 1 else ("", {home: dict(said) for home, said in told.items()})
