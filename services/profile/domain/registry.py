"""People in memory, as facts make them: those of a batch with their rows, or of a replay from nothing. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.facts import Fact
from schemas.ids import derive
from services.profile.domain import told
from services.profile.domain.linking import Refusal, also, link, person_id, told_by
from services.profile.domain.rules import Rules, kind_of, proves
from services.profile.domain.state import Cuts, Profile, bucketed, fold, settle


class Name(NamedTuple):
    """An identifier that there is. owner: canonical profile; refused: the profiles it was refused to under the rules in force.

    home: the identifier's own id, which says no address: of the one that a profile was made with, the profile's id. met: homes of the
    stronger identifiers that facts have told it with. sources: that told it, of the kinds whose contradictions count.
    """

    owner: str
    home: str
    refused: frozenset[str] = frozenset()
    met: frozenset[str] = frozenset()
    sources: str = ""


class Applied(NamedTuple):
    """What a fact did. owner: whose it is; home: of the identifier that it is his by; contested: what in it stays others'; merged, told:
    the facts that tell the others; links: it brought something that a replay must know; people: everybody whom that concerns.
    """

    owner: str
    home: str
    contested: Sequence[Refusal]
    merged: Sequence[Fact] = ()
    told: Sequence[Fact] = ()
    links: bool = False
    people: Sequence[str] = ()


def homes_of(fact: Fact, rules: Rules) -> dict[str, str]:
    """The homes that the fact's identifiers get where they are new: of the strongest one the id of the person whom the fact makes."""
    names = rules.ordered(fact.identifiers)
    return {name: derive("home", fact.id, place) if place else person_id(fact) for place, name in enumerate(names)}


MOST_MET = 64  # of a device; one that more people have used is nobody else's news


def have_met(name: str, met: Collection[str], home: str) -> bool:
    """Was an identifier told with another one before, as far as it matters?"""
    return home in met or (len(met) >= MOST_MET and not proves(name))


class Registry:
    """Who is who. held: the identifiers that were there; profiles: the people locked; meant: profile ids that facts name -> whom they
    mean; cuts, homes: of identifiers, as a replay finds them.
    """

    def __init__(
        self,
        rules: Rules,
        held: Mapping[str, Name],
        profiles: dict[str, Profile],
        meant: Mapping[str, str],
        cuts: Mapping[str, Cuts] | None = None,
        homes: Mapping[str, str] | None = None,
    ) -> None:
        self.rules, self.profiles, self._meant, self._cuts, self._homes = rules, profiles, meant, cuts or {}, homes or {}
        self.names = dict(held)
        self.known = frozenset(profiles)
        self.changed: set[str] = set()
        self.buried: dict[str, str] = {}
        self.placed: dict[str, str] = {}
        self.noted: set[str] = set()
        self.judged: set[str] = set()
        self.junk: dict[str, int] = {}

    def canonical(self, person: str) -> str:
        while person in self.buried:
            person = self.buried[person]
        return person

    def still(self, owner: str, contested: Sequence[Refusal]) -> list[Refusal]:
        """Those that are another one's, whoever has become one in this batch."""
        return [one for one in contested if self.canonical(one.owner) != owner]

    def tell(self, fact: Fact, settled: str, home: str, contested: Sequence[Refusal] = ()) -> Applied:
        """A fact that links nothing new and only tells of somebody."""
        owner = self.canonical(settled)
        profile = self.profiles[owner]
        news = settle(profile, self.rules.said(fact), home)
        if fact.attributes:
            self.changed.add(owner)
        changed = [told.changed(fact, owner, profile, [], news)] if news else []
        return Applied(owner, home, self.still(owner, contested), told=changed)

    def link(self, fact: Fact) -> Applied:
        """A fact that brings an identifier, a link, or a source that is new."""
        rules = self.rules
        owners = {name: self.canonical(self.names[name].owner) for name in fact.identifiers if name in self.names}
        about = self.canonical(self._meant[fact.about]) if fact.about else None
        verdict = link(fact, owners, self.profiles, rules, about, self._cuts)
        owner = verdict.owner
        if verdict.created:
            self.profiles[owner] = Profile(fact.received_at, names={})
        profile = self.profiles[owner]
        homes = {**homes_of(fact, rules), **self._homes}
        noted = self._note_sources(fact)
        merged = [self._merge(fact, owner, loser, verdict.by[loser]) for loser in verdict.losers]
        self._attach(fact, owner, verdict.attached, homes)
        refused = [one for refusal in verdict.refused for one in self._refuse(fact, owner, refusal)]
        met = self._meet(fact)
        fresh = bucketed(profile, verdict.attached, fact)
        home = self.home(fact)
        news = settle(profile, self.rules.said(fact), home)
        strong = [name for name in verdict.attached if proves(name)]
        changed = [told.changed(fact, owner, profile, strong, news)] if news or fresh or strong or verdict.created else []
        if verdict.created or verdict.losers or fresh or fact.attributes or verdict.attached:
            self.changed.add(owner)
        links = bool(verdict.created or verdict.losers or verdict.attached or noted or refused or met)
        people = [owner, *{self.canonical(one.owner) for one in verdict.refused} - {owner}]
        return Applied(owner, home, verdict.refused, merged, [*changed, *refused], links, people)

    def home(self, fact: Fact) -> str:
        """Of the identifier by which a fact that was linked is its person's."""
        return fact.about or self.names[self.rules.ordered(fact.identifiers)[0]].home

    def _note_sources(self, fact: Fact) -> bool:
        """Names whose contradictions count, and that this source tells for the first time."""
        before = len(self.noted)
        for name in told_by(fact):
            if kind_of(name) in self.rules.never_merge and name in self.names:
                held = self.names[name]
                person = self.canonical(held.owner)
                names = self.profiles[person].known_as()
                sources = also(names.get(name) or held.sources or fact.source, fact.source)
                if sources != held.sources:
                    names[name] = sources
                    self.names[name] = held._replace(sources=sources)
                    self.noted.add(name)
                    self.changed.add(person)
        return len(self.noted) > before

    def _meet(self, fact: Fact) -> bool:
        """Note which identifiers were told together: a replay must hear of each pair once."""
        first, *others = self.rules.ordered(fact.identifiers) or [""]
        new = [name for name in others if not have_met(name, self.names[name].met, self.names[first].home)]
        for name in new:
            held = self.names[name]
            self.names[name] = held._replace(met=held.met | {self.names[first].home})
            self.noted.add(name)
        return bool(new)

    def _attach(self, fact: Fact, owner: str, names: Iterable[str], homes: Mapping[str, str]) -> None:
        profile = self.profiles[owner]
        for name in names:
            self.names[name] = Name(owner, homes[name], met=self._first(fact, name, homes), sources=fact.source)
            profile.known_as()[name] = fact.source
            profile.strong = profile.strong or proves(name)
            profile.cuts |= self._cuts.get(name, {})
            self.placed[name] = owner

    def _first(self, fact: Fact, name: str, homes: Mapping[str, str]) -> frozenset[str]:
        """Home of the strongest identifier of a fact, for those that it tells with it."""
        first = self.rules.ordered(fact.identifiers)[0]
        return frozenset() if name == first else frozenset((self.names[first].home if first in self.names else homes[first],))

    def _merge(self, fact: Fact, winner: str, loser: str, by: str) -> Fact:
        fold(self.profiles[winner], self.profiles.pop(loser), fact.received_at)
        self.buried[loser] = winner
        self.changed.discard(loser)
        return told.merged(fact, winner, loser, self.profiles[winner], by)

    def _refuse(self, fact: Fact, owner: str, refusal: Refusal) -> Iterable[Fact]:
        """Tell who was not made one with whom, and why; what was refused to too many is nobody's any more."""
        name, other = refusal.identifier, refusal.owner
        if other not in self.profiles:
            yield self._set_apart(fact, name, other)
        held = self.names[name]
        refused = frozenset(self.canonical(person) for person in held.refused)
        if owner in refused or name in self.junk:
            return
        for person, about in ((owner, other), (other, owner)):
            yield told.refused(fact, person, about, name, refusal.reason)
        if refusal.reason == "merges_per_hour":
            return  # an hour later it is another question
        refused |= {owner}
        self.names[name] = held._replace(refused=refused)
        self.judged.add(name)
        # What contradicts itself by its own kind is no shared address, and an alias says nothing of who uses it.
        kind = kind_of(name)
        shared = kind not in self.rules.never_merge and fact.type != "alias" and refusal.reason != "unmerged"
        if len(refused) >= self.rules.junk_after and shared:
            yield self._throw_away(fact, name, other)

    def _set_apart(self, fact: Fact, name: str, person: str) -> Fact:
        """An identifier that may not become his, and is nobody's yet, is a person of its own."""
        profile = self.profiles[person] = Profile(fact.received_at, names={})
        self._attach(fact, person, [name], {name: person})
        bucketed(profile, [name], fact, name)
        self.changed.add(person)
        return told.apart(fact, person, profile, [name] if proves(name) else [])

    def _throw_away(self, fact: Fact, name: str, owner: str) -> Fact:
        self.junk[name] = fact.received_at
        profile = self.profiles[owner]
        profile.known_as().pop(name, None)
        self.changed.add(owner)
        return told.lost(fact, owner, profile, name)
