"""The people that a batch may change, locked: decided fact by fact in memory, told, then saved once."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from runtime.batch import Emit, Item, Tx
from schemas import consents
from schemas.facts import Fact, encode, extend
from schemas.ids import derive
from schemas.topics import FACTS, FACTS_BULK, FACTS_RAW
from services.profile import store
from services.profile.domain import Applied, Name, Profile, Refusal, Registry, Rules
from services.profile.store import Linking


def _topic(item: Item) -> str:
    return FACTS.name if item.place[0] == FACTS_RAW.name else FACTS_BULK.name


def pass_on(tx: Tx, item: Item, fact: Fact, applied: Applied, profile: Profile | None = None, ruled: Sequence[str] = ()) -> Emit:
    """The fact with its person. What it names of others is told as contested: it must not become an address of his.

    Its home is told where it is not the person's id. profile: as it is after the fact. Who reacts to a fact that makes somebody contactable
    must know his bucketing pair from it. ruled: attributes in it that go by rule.
    """
    owner, home, contested = applied.owner, applied.home, applied.contested
    more = b'"profile":"%b"' % owner.encode()
    if home != owner:
        more += b',"home":"%b"' % home.encode()
    if profile is not None and profile.bucketing_id is not None:
        more += b',"bucketing_id":"%b","bucketed_at":%d' % (profile.bucketing_id.encode(), profile.bucketed_at or 0)
    if ruled:
        more += b',"ruled":%b' % encode(ruled)
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
    """The people of one batch. held: the identifiers that were there; claimed: identifier -> the profile it was inserted or found with."""

    def __init__(
        self,
        rules: Rules,
        held: Mapping[str, Name],
        claimed: Mapping[str, str],
        profiles: dict[str, Profile],
        meant: Mapping[str, str],
    ) -> None:
        self._claimed = claimed
        self._registry = Registry(rules, held, profiles, meant)
        self._links: list[Linking] = []

    @property
    def buried(self) -> dict[str, str]:
        """Who was merged away in this batch -> whom he became."""
        return {loser: self.canonical(loser) for loser in self._registry.buried}

    def canonical(self, person: str) -> str:
        return self._registry.canonical(person)

    def home(self, fact: Fact) -> str:
        """Of the identifier by which a fact that was linked is its person's."""
        return self._registry.home(fact)

    def still(self, owner: str, contested: Sequence[Refusal]) -> list[Refusal]:
        """Those that are another one's, whoever has become one in this batch."""
        return self._registry.still(owner, contested)

    def link(self, tx: Tx, item: Item, fact: Fact) -> list[Emit]:
        """A fact that brings something new of who is who."""
        applied = self._registry.link(fact)
        if applied.links:
            self._links += [Linking.of(fact, person) for person in applied.people]
        return self._tell(tx, item, fact, applied)

    def tell(self, tx: Tx, item: Item, fact: Fact, settled: str, home: str, contested: Sequence[Refusal]) -> list[Emit]:
        """A fact that only tells of somebody."""
        return self._tell(tx, item, fact, self._registry.tell(fact, settled, home, contested))

    def _tell(self, tx: Tx, item: Item, fact: Fact, applied: Applied) -> list[Emit]:
        profile = self._registry.profiles[applied.owner]
        ruled = fact.attributes.keys() & self._registry.rules.trusted.keys()
        own = pass_on(tx, item, fact, applied, profile, sorted(ruled))
        # A merge is what the first lane waits for, whichever lane brought it.
        merged = [_news(tx, item, one, FACTS.name) for one in applied.merged]
        return [
            own,
            *merged,
            *also_theirs(tx, item, fact, applied.contested),
            *(_news(tx, item, one, _topic(item)) for one in applied.told),
        ]

    @property
    def junk(self) -> Collection[str]:
        """What this batch has found to name nobody."""
        return self._registry.junk.keys()

    async def save(self, tx: Tx) -> None:
        people = self._registry
        new = {p: people.profiles[p] for p in people.changed - people.known}
        # Somebody made and merged away within the batch still needs a row: a tombstone, for facts already told of him.
        made_and_buried = {loser for loser in people.buried if loser not in people.known}
        given = {name: owner for name, owner in people.placed.items() if self._claimed.get(name) != owner}
        await store.save(
            tx.connection,
            new={**new, **{p: Profile(0) for p in made_and_buried}},
            old={p: people.profiles[p] for p in people.changed & people.known},
            buried={loser: self.canonical(winner) for loser, winner in people.buried.items()},
            given={name: (self.canonical(owner), people.names[name].home) for name, owner in given.items()},
            unclaimed=sorted(self._claimed.keys() - people.names.keys()),
        )
        if people.noted:
            await store.note(tx.connection, {name: people.names[name] for name in sorted(people.noted)})
        if people.judged:
            judged = {name: sorted({self.canonical(p) for p in people.names[name].refused}) for name in sorted(people.judged)}
            await store.judge(tx.connection, judged, people.junk, people.rules.version)
        if self._links:
            await store.journal(tx.connection, self._links)


def _news(tx: Tx, item: Item, fact: Fact, topic: str) -> Emit:
    return Emit(topic, fact.profile or "", encode(fact), tx.at(item), fact.type)
