"""Somebody is to be forgotten: his row emptied under its lock, his identifiers kept as keyed hashes alone, the others told."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec

from runtime.batch import Emit, Item, Tx
from runtime.db import Again, Connection
from runtime.poison import Vault
from schemas.facts import PROFILE_CHANGED, PROFILE_ERASED, Erase, Fact, encode
from schemas.topics import FACTS
from services.profile import domain, store
from services.profile.domain import Profile, kind_of, proves
from services.profile.handler.decoding import somebody
from services.profile.store import Act, charges


class Erasures:
    """Handles `erase` facts, and keeps out those that were received before the erasure of what they name."""

    def __init__(self) -> None:
        self.vault: Vault | None = None

    async def spared(self, tx: Tx, facts: Sequence[tuple[Item, Fact]], until: int) -> list[tuple[Item, Fact]]:
        """The facts that may still be handled. until: the latest instant of an erasure, after which nothing need be looked at."""
        names = {name for _, fact in facts if fact.received_at <= until for name in fact.identifiers}
        hashes = {name: self._blind(name) for name in names}
        known = await store.erased(tx.connection, hashes.values()) if names else {}
        if not known:
            return list(facts)
        kept = []
        for item, fact in facts:
            found = {name: known[hashes[name]] for name in fact.identifiers if hashes.get(name) in known}
            gone = {name: whole for name, (at, whole) in found.items() if fact.received_at <= at}
            if not any(gone.values()):
                kept.append(_stripped(item, fact, gone) if gone else (item, fact))
        return kept

    async def handle(self, tx: Tx, item: Item, fact: Fact) -> list[Emit]:
        asked = msgspec.convert(fact.properties, Erase)
        connection = tx.connection
        person = (await store.meant(connection, [fact.about or ""])).get(fact.about or "")
        if person is None:
            await store.enact(connection, Act(fact.id, None, [], None, asked.reason, 0, fact.received_at, tx.now))
            return []
        standing = await locked(connection, person)
        profile, others, names = standing.profile, standing.others, list(standing.homes)
        gone = [name for name in names if not asked.only or kind_of(name) in asked.only]
        whole = not asked.only or not (asked.keep or any(proves(name) for name in set(names) - set(gone)))
        if whole:
            gone = names
        await store.forget(connection, gone, [self._blind(name) for name in gone], fact.received_at, whole=whole)
        await store.forget_linkings(connection, [person, *others], None if whole else gone)
        kinds = None if whole else sorted(asked.only)
        act = Act(fact.id, person, others, kinds, asked.reason, len(gone), fact.received_at, tx.now)
        await store.enact(connection, act)
        if whole:
            await store.empty(connection, [person, *others], tx.now)
            await store.forget_belongings(connection, [person, *others])
            await charges.forget(connection, [person, *others])
            return [_emit(tx, item, domain.erased(fact, person, act.reason, others), PROFILE_ERASED)]
        told = _without(profile, fact, person, gone, asked.only)
        await store.save(connection, new={}, old={person: profile}, buried={}, given={})
        return [_emit(tx, item, told, PROFILE_CHANGED)]

    def _blind(self, name: str) -> bytes:
        assert self.vault is not None, "erasures need the installation's secret"
        return self.vault.blind(name)


class Standing(NamedTuple):
    """A person as he stands, locked. others: who became one with him; homes: of all identifiers that point at them."""

    profile: Profile
    others: list[str]
    homes: dict[str, str]


async def locked(connection: Connection, person: str) -> Standing:
    """Lock a canonical person whole: identifiers by key, then his row. Raises Again where he became another one meanwhile.

    An identifier that a batch gave him while we waited for its row is not among those that we locked: so they are read again under his
    own lock, without which nobody gives him one.
    """
    others = await store.merged_into(connection, person)
    homes = await store.lock_homes(connection, [person, *others])
    profile = (await store.lock(connection, [person])).get(person)
    if profile is None or await store.merged_into(connection, person) != others:
        raise Again("somebody became one with him, or he was erased, while we waited for the lock")
    if await store.names_of(connection, [person, *others]) != homes.keys():
        raise Again("he got another identifier while we waited for the lock")
    return Standing(profile, others, homes)


def _stripped(item: Item, fact: Fact, gone: Collection[str]) -> tuple[Item, Fact]:
    """A fact of before some of its identifiers were erased: without them, and without the attributes that say the same."""
    left = [name for name in fact.identifiers if name not in gone]
    kinds = {kind_of(name) for name in gone}
    said = {name: value for name, value in fact.attributes.items() if name not in kinds}
    fact = msgspec.structs.replace(fact, identifiers=somebody(fact, left), attributes=said)
    return msgspec.structs.replace(item, value=fact, raw=encode(fact)), fact


def _without(profile: Profile, fact: Fact, person: str, gone: Iterable[str], kinds: Iterable[str]) -> Fact:
    """Take some of his identifiers from a person, and the attributes that say the same. Answers what the others are told."""
    for name in gone:
        profile.known_as().pop(name, None)
    return domain.forgotten(fact, person, profile, tuple(gone), domain.unsay(profile, kinds, fact.occurred_at))


def _emit(tx: Tx, item: Item, fact: Fact, kind: str) -> Emit:
    # An erasure is what the first lane waits for, whichever lane brought it.
    return Emit(FACTS.name, fact.profile or "", encode(fact), tx.at(item), kind)
