"""The people that a batch may change, locked: decides fact by fact in memory, then saves once."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from runtime.batch import Emit, Item, Tx
from schemas import consents
from schemas.facts import PROFILE_CHANGED, PROFILE_MERGED, PROFILE_REFUSED, Fact, encode, extend
from schemas.ids import derive
from schemas.topics import FACTS, FACTS_BULK, FACTS_RAW
from services.profile import domain, store
from services.profile.domain import Profile, Refusal, Rules, Verdict
from services.profile.store import Known


def _topic(item: Item) -> str:
    return FACTS.name if item.place[0] == FACTS_RAW.name else FACTS_BULK.name


def pass_on(tx: Tx, item: Item, fact: Fact, owner: str, contested: Sequence[Refusal] = (), profile: Profile | None = None) -> Emit:
    """The fact with its person. contested: identifiers of it that are somebody else's, which must not become addresses of his.

    profile: as it is after the fact. Who reacts to a fact that makes somebody contactable must know his bucketing pair from it.
    """
    more = b'"profile":"%b"' % owner.encode()
    if profile is not None and profile.bucketing_id is not None:
        more += b',"bucketing_id":"%b","bucketed_at":%d' % (profile.bucketing_id.encode(), profile.bucketed_at or 0)
    others = [refusal.identifier for refusal in contested]
    if others:
        fact = msgspec.structs.replace(fact, identifiers=tuple(name for name in fact.identifiers if name not in others))
    if fact is not item.value:
        # What names nobody is told too: it may be somebody's address, which whoever keeps texts must know.
        others += [name for name in item.value.identifiers if name not in fact.identifiers and name not in others]
        if others:
            more += b',"contested":%b' % encode(others)
        cleaned = (encode(fact.identifiers), fact.occurred_at, fact.received_at, fact.lane.encode())
        more += b',"identifiers":%b,"occurred_at":%d,"received_at":%d,"lane":"%b"' % cleaned
        if fact.attributes != item.value.attributes:
            more += b',"attributes":%b' % encode(fact.attributes)
    return Emit(_topic(item), owner, extend(item.raw, more), tx.at(item), fact.event or fact.type)


def also_theirs(tx: Tx, item: Item, fact: Fact, contested: Sequence[Refusal]) -> list[Emit]:
    """A no counts for everybody whose address it names, whoever said it: the same words as a fact of each of the others."""
    if fact.event not in consents.WITHDRAWS:
        return []
    told = []
    for person in dict.fromkeys(refusal.owner for refusal in contested):
        same = msgspec.structs.replace(
            fact,
            id=derive(fact.id, "contested", person),
            identifiers=(),
            contested=fact.identifiers,
            profile=person,
            cause=fact.id,
        )
        told.append(Emit(_topic(item), person, encode(same), tx.at(item), fact.event))
    return told


class Desk:
    """The people of one batch. held: the identifiers that were there; claimed: identifier -> the profile it was inserted or found with;
    meant: the profile ids that facts name -> whom they mean.
    """

    def __init__(
        self,
        rules: Rules,
        held: Mapping[str, Known],
        claimed: dict[str, str],
        profiles: dict[str, Profile],
        meant: Mapping[str, str],
    ) -> None:
        self._rules, self._claimed, self._profiles, self._meant = rules, claimed, profiles, meant
        self._owners = {name: found.owner for name, found in held.items()}
        self._refused = {name: set(found.refused if found.ruled == rules.version else ()) for name, found in held.items()}
        self._sources = {name: found.sources for name, found in held.items()}
        self._told: set[str] = set()
        self._known = set(profiles)
        self._changed: set[str] = set()
        self._buried: dict[str, str] = {}
        self._given: dict[str, str] = {}
        self._judged: set[str] = set()
        self._junk: dict[str, int] = {}

    def canonical(self, person: str) -> str:
        while person in self._buried:
            person = self._buried[person]
        return person

    def handle(self, tx: Tx, item: Item, fact: Fact, settled: str | None, contested: Sequence[Refusal] = ()) -> list[Emit]:
        """settled: whose it is, where it links nothing new and only tells of him."""
        verdict = self._verdict(fact) if settled is None else self._as_it_was(settled, contested)
        owner = verdict.owner
        if verdict.created:
            self._profiles[owner] = Profile(fact.received_at, names={})
        profile = self._profiles[owner]
        if settled is None:
            self._note_sources(fact)
        merges = [self._merge(tx, item, fact, owner, loser, verdict.by[loser]) for loser in verdict.losers]
        self._attach(fact, owner, verdict.attached)
        refused = [] if settled is not None else [e for r in verdict.refused for e in self._refuse(tx, item, fact, owner, r)]
        bucketed = domain.bucketed(profile, verdict.attached, fact)
        news = domain.settle(profile, {name: (fact.occurred_at, value) for name, value in fact.attributes.items()})
        strong = [i for i in verdict.attached if domain.kind_of(i) in domain.STRONG]
        emits = [pass_on(tx, item, fact, owner, verdict.refused, profile), *merges, *also_theirs(tx, item, fact, verdict.refused)]
        if news or bucketed or strong or verdict.created:
            emits.append(self._tell(tx, item, domain.changed(fact, owner, profile, strong, news)))
        if verdict.created or verdict.losers or bucketed or fact.attributes or verdict.attached:
            self._changed.add(owner)
        return [*emits, *refused]

    def without_junk(self, fact: Fact) -> Fact:
        """Without what this batch has found to name nobody, unless nothing is left."""
        if self._junk.keys().isdisjoint(fact.identifiers):
            return fact
        kept = tuple(name for name in fact.identifiers if name not in self._junk)
        return msgspec.structs.replace(fact, identifiers=kept) if kept else fact

    def still(self, owner: str, contested: Sequence[Refusal]) -> list[Refusal]:
        """Those that are another one's, whoever has become one in this batch."""
        return [one for one in contested if self.canonical(one.owner) != owner]

    def _note_sources(self, fact: Fact) -> None:
        """Names whose contradictions count, and that this source tells for the first time."""
        for name in domain.told_by(fact):
            if domain.kind_of(name) in self._rules.never_merge and name in self._owners:
                person = self.canonical(self._owners[name])
                names = self._profiles[person].known_as()
                told = domain.also(names.get(name) or self._sources.get(name) or fact.source, fact.source)
                if told != self._sources.get(name):
                    names[name] = self._sources[name] = told
                    self._told.add(name)
                    self._changed.add(person)

    def _verdict(self, fact: Fact) -> Verdict:
        owners = {name: self.canonical(self._owners[name]) for name in fact.identifiers if name in self._owners}
        about = self.canonical(self._meant[fact.about]) if fact.about else None
        return domain.link(fact, owners, self._profiles, self._rules, about)

    def _as_it_was(self, settled: str, contested: Sequence[Refusal]) -> Verdict:
        """Nothing was linked by it before, and nothing is now; but somebody may have become one in this batch."""
        owner = self.canonical(settled)
        return Verdict(owner, refused=self.still(owner, contested))

    def _attach(self, fact: Fact, owner: str, names: Iterable[str]) -> None:
        profile = self._profiles[owner]
        for name in names:
            self._owners[name] = owner
            profile.known_as()[name] = self._sources[name] = fact.source
            profile.strong = profile.strong or domain.kind_of(name) in domain.STRONG
            if self._claimed.get(name) != owner:
                self._given[name] = owner

    def _merge(self, tx: Tx, item: Item, fact: Fact, winner: str, loser: str, by: str) -> Emit:
        domain.fold(self._profiles[winner], self._profiles.pop(loser), fact.received_at)
        self._buried[loser] = winner
        self._changed.discard(loser)
        told = domain.merged(fact, winner, loser, self._profiles[winner], by)
        # A merge is what the first lane waits for, whichever lane brought it.
        return Emit(FACTS.name, winner, encode(told), tx.at(item), PROFILE_MERGED)

    def _refuse(self, tx: Tx, item: Item, fact: Fact, owner: str, refusal: Refusal) -> Iterable[Emit]:
        """Tell who was not made one with whom, and why; what was refused to too many is nobody's any more."""
        name, other = refusal.identifier, refusal.owner
        if other not in self._profiles:
            yield self._set_apart(tx, item, fact, name, other)
        refused = self._refused[name] = {self.canonical(person) for person in self._refused.get(name, ())}
        if owner in refused or name in self._junk:
            return
        kind = domain.kind_of(name)
        for person, about in ((owner, other), (other, owner)):
            told = domain.refused(fact, person, about, name, refusal.reason)
            yield Emit(_topic(item), person, encode(told), tx.at(item), PROFILE_REFUSED)
        if refusal.reason == "merges_per_hour":
            return  # an hour later it is another question
        refused.add(owner)
        self._judged.add(name)
        # What contradicts itself by its own kind is no shared address, and an alias says nothing of who uses it.
        if len(refused) >= self._rules.junk_after and kind not in self._rules.never_merge and fact.type != "alias":
            yield from self._throw_away(tx, item, fact, name, other)

    def _set_apart(self, tx: Tx, item: Item, fact: Fact, name: str, person: str) -> Emit:
        """An identifier that may not become his, and is nobody's yet, is a person of its own."""
        profile = self._profiles[person] = Profile(fact.received_at, names={})
        self._attach(fact, person, [name])
        domain.bucketed(profile, [name], fact, name)
        self._changed.add(person)
        strong = [name] if domain.kind_of(name) in domain.STRONG else []
        return self._tell(tx, item, domain.apart(fact, person, profile, strong))

    def _throw_away(self, tx: Tx, item: Item, fact: Fact, name: str, owner: str) -> Iterable[Emit]:
        self._junk[name] = fact.received_at
        profile = self._profiles[owner]
        profile.known_as().pop(name, None)
        self._changed.add(owner)
        yield self._tell(tx, item, domain.lost(fact, owner, profile, name))

    def _tell(self, tx: Tx, item: Item, fact: Fact) -> Emit:
        return Emit(_topic(item), fact.profile or "", encode(fact), tx.at(item), PROFILE_CHANGED)

    async def save(self, tx: Tx) -> None:
        new = {p: self._profiles[p] for p in self._changed - self._known}
        # Somebody made and merged away within the batch still needs a row: a tombstone, for facts already told of him.
        made_and_buried = {loser for loser in self._buried if loser not in self._known}
        await store.save(
            tx.connection,
            new={**new, **{p: Profile(0) for p in made_and_buried}},
            old={p: self._profiles[p] for p in self._changed & self._known},
            buried={loser: self.canonical(winner) for loser, winner in self._buried.items()},
            given={i: self.canonical(p) for i, p in self._given.items()},
        )
        if self._told:
            await store.tell(tx.connection, {name: self._sources[name] for name in sorted(self._told)})
        if self._judged:
            judged = {name: sorted({self.canonical(p) for p in self._refused[name]}) for name in sorted(self._judged)}
            await store.judge(tx.connection, judged, self._junk, self._rules.version)
