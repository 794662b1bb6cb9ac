"""Whose fact is it, and who becomes one person by it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from schemas.facts import Fact
from schemas.ids import derive
from services.profile.domain.rules import HOUR_MS, Rules, kind_of, proves
from services.profile.domain.state import Cuts, Profile

# known: it was refused before; unmerged: somebody has parted them.
Reason = Literal["known", "never_merge", "limit", "merges", "merges_per_hour", "unmerged"]


class Refusal(NamedTuple):
    """An identifier of the fact that is not taken for one of its person. owner: whose it is and stays."""

    identifier: str
    owner: str
    reason: Reason


@dataclass(slots=True)
class Verdict:
    """Whose the fact is: `owner`, into whom `losers` are merged; `attached` identifiers are new to him; `created`: nobody had any.

    refused: what contradicts the rules and stays somebody else's; apart: those of them that nobody had, with a person of their own
    each. by: loser -> the kinds of identifiers through which he and the owner were found, such as "user_id+email".
    """

    owner: str
    losers: list[str] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    created: bool = False
    refused: list[Refusal] = field(default_factory=list)
    apart: dict[str, str] = field(default_factory=dict)
    by: dict[str, str] = field(default_factory=dict)


def link(
    fact: Fact,
    owners: Mapping[str, str],
    profiles: Mapping[str, Profile],
    rules: Rules,
    about: str | None = None,
    cuts: Mapping[str, Cuts] | None = None,
) -> Verdict:
    """Decide whose fact this is. owners: identifier -> canonical profile id, for those known; profiles: the locked rows; about: the
    canonical profile that the fact names itself, which is stronger than any identifier; cuts: of identifiers that nobody has yet.

    Identifiers are asked in the order of their strength. Those that prove who somebody is belong to one person: their profiles merge,
    unless a rule keeps them apart; then the fact is the person's whom the strongest names, and what contradicts stays whose it was. An
    anonymous id joins them only while its profile has no strong identifier of its own: a second login on one device is a second
    person. The survivor is the smallest (first_at, id).
    """
    names = rules.ordered(fact.identifiers)
    named = about is not None or any(proves(name) for name in names)
    draft = _Draft(fact, profiles, rules, cuts or {})
    if about is not None:
        draft.join("profile", about)
    for name in names:
        owner = owners.get(name)
        if owner is None:
            draft.attach(name)
            continue
        sure = proves(name) or fact.type == "alias"
        if sure or (not profiles[owner].strong if named else not draft.people):
            draft.join(name, owner)
    if not draft.people:
        return Verdict(person_id(fact), [], draft.attached, created=True, refused=draft.refused, apart=draft.apart)
    owner = min(draft.people, key=lambda person: (profiles[person].first_at, person))
    losers = sorted(draft.people.keys() - {owner})
    by = {loser: f"{kind_of(draft.people[loser])}+{kind_of(draft.people[owner])}" for loser in losers}
    return Verdict(owner, losers, draft.attached, refused=draft.refused, apart=draft.apart, by=by)


def told_by(fact: Fact) -> tuple[str, ...]:
    """The names that the fact's source gives to its person. Of an alias the new one: it does not say that the old one was its own."""
    return fact.identifiers[:1] if fact.type == "alias" else fact.identifiers


def also(sources: str, source: str) -> str:
    """Sources parted by commas, with one more."""
    return sources if source in sources.split(",") else f"{sources},{source}"


def against(rules: Rules, mine: Mapping[str, str], more: Mapping[str, str]) -> Reason | None:
    """What forbids that these names are of one person: identifier -> sources. Each side by itself is as it is."""
    kinds = {kind_of(name) for name in more.keys() - mine.keys()}
    for kind in kinds & rules.never_merge:
        told = [(name, set(sources.split(","))) for name, sources in mine.items() if kind_of(name) == kind]
        for name, sources in more.items():
            if kind_of(name) == kind and any(name != other and not theirs.isdisjoint(sources.split(",")) for other, theirs in told):
                return "never_merge"
    for kind in kinds if mine else ():
        if sum(kind_of(name) == kind for name in mine.keys() | more.keys()) > rules.limit(kind):
            return "limit"
    return None


def person_id(fact: Fact) -> str:
    """Of the person whom a fact makes. One who has no name at all is another one than whom the fact may have made when it came before,
    under rules that took its names.
    """
    nobody = fact.identifiers == (f"anonymous_id:{fact.id}",)
    return derive("profile", fact.id, "nobody") if nobody else derive("profile", fact.id)


class _Draft:
    """The person of a fact, as he grows: those who become one, and the names that are new. people: profile -> found by which name."""

    def __init__(self, fact: Fact, profiles: Mapping[str, Profile], rules: Rules, cuts: Mapping[str, Cuts]) -> None:
        self._fact, self._profiles, self._rules, self._cuts = fact, profiles, rules, cuts
        self._names: dict[str, str] = {}
        self._sides: Cuts = {}
        self.people: dict[str, str] = {}
        self.attached: list[str] = []
        self.refused: list[Refusal] = []
        self.apart: dict[str, str] = {}

    def attach(self, name: str) -> None:
        """A name that nobody had yet."""
        sides = self._cuts.get(name, {})
        reason = self._parted(sides) or against(self._rules, self._names, {name: self._fact.source})
        if reason is None:
            self._sides.update(sides)
            self._names[name] = self._fact.source
            self.attached.append(name)
        else:
            self.apart[name] = derive("profile", self._fact.id, name)
            self.refused.append(Refusal(name, self.apart[name], reason))

    def join(self, name: str, person: str) -> None:
        """A name that is somebody's already."""
        if person in self.people:
            return
        more = self._told(self._profiles[person].known_as())
        sides = self._profiles[person].cuts
        reason = self._parted(sides) or against(self._rules, self._names, more) or self._storm(person)
        if reason is None:
            self._sides.update(sides)
            self._names.update(more)
            self.people[person] = name
        else:
            self.refused.append(Refusal(name, person, reason))

    def _parted(self, sides: Cuts) -> Reason | None:
        return "unmerged" if any(self._sides.get(cut, side) != side for cut, side in sides.items()) else None

    def _told(self, names: Mapping[str, str]) -> Mapping[str, str]:
        """With the fact's own source beside those that have told its names before."""
        told = told_by(self._fact)
        return {name: also(sources, self._fact.source) if name in told else sources for name, sources in names.items()}

    def _storm(self, person: str) -> Reason | None:
        if not self.people:
            return None
        some = [self._profiles[one] for one in (*self.people, person)]
        new = sum(one.strong for one in some) - 1  # a device that joins its person is no merge of people
        if new <= 0:
            return None
        if sum(one.merged for one in some) + new > self._rules.merges:
            return "merges"
        since = self._fact.received_at - HOUR_MS
        if sum(moment > since for one in some for moment in one.merged_at) + new > self._rules.merges_per_hour:
            return "merges_per_hour"
        return None
