"""A batch of facts finds its people: read without locks where nothing is new, lock and decide where it is."""

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from runtime.batch import Emit, Item, Tx
from runtime.db import Again
from runtime.kafka import Record
from schemas.facts import PROFILE_CHANGED, PROFILE_MERGED, Fact, Lane, decode, encode, extend
from schemas.identifiers import normalise
from schemas.ids import derive
from schemas.nesting import MAX_DEPTH, too_deep
from schemas.topics import FACTS, FACTS_BULK, FACTS_RAW, FACTS_RAW_BULK
from services.profile import domain, store
from services.profile.domain import Profile

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LATEST = 253_402_300_800_000  # the year 10000
_AHEAD_MS = 60_000  # clocks of two machines may differ; what is further ahead would fire timers before their time
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19  # perhaps a number beyond 64 bits


def decode_raw(record: Record) -> Fact:
    """A fact of `facts.raw`, which others may write too: what the rest relies on is checked here. Raises ValueError."""
    raw = record.value or b""
    if (field := too_deep(raw)) is not None:
        raise ValueError(f"{field[:60]}: nested deeper than {MAX_DEPTH} levels, send a flatter fact")
    fact = decode(raw)
    if not _UUID.fullmatch(fact.id):
        raise ValueError(f"id: a uuid in lower case is wanted, e.g. uuid5 of source and messageId; got {fact.id[:60]!r}")
    if fact.type.startswith("profile.") or fact.profile is not None:
        raise ValueError("type, profile: these are the profile service's own; leave them out")
    if not 0 < fact.received_at < _LATEST or not fact.occurred_at >= 0:
        raise ValueError("received_at, occurred_at: UTC milliseconds are wanted")
    if _LONG in raw.translate(_DIGITS_TO_ZERO):
        _refuse_long(fact)
    return fact


def _refuse_long(fact: Fact) -> None:
    """No state can hold a whole number beyond 64 bits: such a fact is undecodable, not a failure of ours."""
    try:
        msgspec.msgpack.encode((fact.attributes, fact.properties, fact.context, fact.occurred_at))
    except OverflowError as error:
        raise ValueError("attributes, properties or context: a number is beyond 64 bits, send it as text") from error


class Handler:
    """Handles batches of `facts.raw` and `facts.raw.bulk`."""

    def __init__(self) -> None:
        self._seen = store.Seen()

    async def __call__(self, tx: Tx, items: Sequence[Item]) -> list[Emit]:
        fresh = await self._fresh(tx, items)
        if not fresh:
            return []
        facts = [(item, _clean(item, tx.now)) for item in fresh]
        keys = {i for _, fact in facts for i in fact.identifiers}
        owners = await store.owners(tx.connection, keys)
        work = [fact for _, fact in facts if _needs_lock(fact, owners)]
        desk = await _open_desk(tx, work, owners) if work else None
        emits = []
        for item, fact in facts:
            if desk is not None and _needs_lock(fact, owners):
                emits.extend(desk.handle(tx, item, fact))
            else:
                owner = owners[fact.identifiers[0]]
                emits.append(_pass_on(tx, item, fact, desk.canonical(owner) if desk else owner))
        if desk is not None:
            await desk.save(tx)
        return emits

    async def committed(self) -> None:
        self._seen.committed()

    async def _fresh(self, tx: Tx, items: Sequence[Item]) -> list[Item]:
        first = {item.value.id: item for item in reversed(items)}
        new = await self._seen.new(tx.connection, first.keys(), tx.now)
        return [item for item in items if item.value.id in new and first[item.value.id] is item]


def _needs_lock(fact: Fact, owners: dict[str, str]) -> bool:
    """A fact that brings a new identifier, a new link or news of the person; all others are passed on by a lock-free read."""
    if fact.attributes:
        return True
    found = {owners.get(i) for i in fact.identifiers}
    return len(found) != 1 or None in found


@lru_cache(maxsize=200_000)
def _normal(identifier: str) -> str | None:
    kind, _, value = identifier.partition(":")
    clean = normalise(kind, value)
    return f"{kind}:{clean}" if clean is not None else None


def _clean(item: Item, now: int) -> Fact:
    """The fact as the rest relies on it, whoever wrote it: identifiers in their one spelling and junk left out, no time of the future,
    and the second lane's facts marked as such, since history starts no journey.
    """
    fact: Fact = item.value
    received_at = fact.received_at if fact.received_at <= now + _AHEAD_MS else now
    occurred_at = min(fact.occurred_at, received_at)
    lane: Lane = "bulk" if item.place[0] == FACTS_RAW_BULK.name else fact.lane
    clean = tuple(dict.fromkeys(n for i in fact.identifiers if (n := _normal(i)) is not None))
    if not clean:
        clean = (f"anonymous_id:{fact.id}",)  # nobody we could know again: a person of one fact, so that nothing is lost
    if (clean, occurred_at, received_at, lane) == (fact.identifiers, fact.occurred_at, fact.received_at, fact.lane):
        return fact
    return msgspec.structs.replace(fact, identifiers=clean, occurred_at=occurred_at, received_at=received_at, lane=lane)


def _topic(item: Item) -> str:
    return FACTS.name if item.place[0] == FACTS_RAW.name else FACTS_BULK.name


def _pass_on(tx: Tx, item: Item, fact: Fact, owner: str, profile: Profile | None = None) -> Emit:
    """profile: as it is after the fact. Who reacts to a fact that makes somebody contactable must know his bucketing pair from it."""
    more = b'"profile":"%b"' % owner.encode()
    if profile is not None and profile.bucketing_id is not None:
        more += b',"bucketing_id":"%b","bucketed_at":%d' % (profile.bucketing_id.encode(), profile.bucketed_at or 0)
    if fact is not item.value:
        cleaned = (encode(fact.identifiers), fact.occurred_at, fact.received_at, fact.lane.encode())
        more += b',"identifiers":%b,"occurred_at":%d,"received_at":%d,"lane":"%b"' % cleaned
    return Emit(_topic(item), owner, extend(item.raw, more), tx.at(item), fact.event or fact.type)


class Desk:
    """The people that a batch may change, locked: decides fact by fact in memory, then saves once."""

    def __init__(self, owners: dict[str, str], claimed: dict[str, str], profiles: dict[str, Profile]) -> None:
        self._owners, self._claimed, self._profiles = owners, claimed, profiles
        self._known = set(profiles)
        self._changed: set[str] = set()
        self._buried: dict[str, str] = {}
        self._given: dict[str, str] = {}

    def canonical(self, person: str) -> str:
        while person in self._buried:
            person = self._buried[person]
        return person

    def handle(self, tx: Tx, item: Item, fact: Fact) -> list[Emit]:
        owners = {i: self.canonical(self._owners[i]) for i in fact.identifiers if i in self._owners}
        verdict = domain.link(fact, owners, self._profiles)
        owner = verdict.owner
        if verdict.created:
            self._profiles[owner] = Profile(fact.received_at)
        profile = self._profiles[owner]
        merges = [self._merge(tx, item, fact, owner, loser) for loser in verdict.losers]
        for identifier in verdict.attached:
            self._owners[identifier] = owner
            if self._claimed.get(identifier) != owner:
                self._given[identifier] = owner
        if verdict.attached:
            profile.strong = profile.strong or any(domain.kind_of(i) in domain.STRONG for i in verdict.attached)
        bucketed = domain.bucketed(profile, verdict.attached, fact)
        news = domain.settle(profile, {name: (fact.occurred_at, value) for name, value in fact.attributes.items()})
        strong = [i for i in verdict.attached if domain.kind_of(i) in domain.STRONG]
        emits = [_pass_on(tx, item, fact, owner, profile), *merges]
        if news or bucketed or strong or verdict.created:
            emits.append(self._tell(tx, item, domain.changed(fact, owner, profile, strong, news), PROFILE_CHANGED))
        if verdict.created or verdict.losers or bucketed or fact.attributes or verdict.attached:
            self._changed.add(owner)
        return emits

    def _merge(self, tx: Tx, item: Item, fact: Fact, winner: str, loser: str) -> Emit:
        domain.fold(self._profiles[winner], self._profiles.pop(loser))
        self._buried[loser] = winner
        self._changed.discard(loser)
        told = domain.merged(fact, winner, loser, self._profiles[winner])
        # A merge is what the first lane waits for, whichever lane brought it.
        return Emit(FACTS.name, winner, encode(told), tx.at(item), PROFILE_MERGED)

    def _tell(self, tx: Tx, item: Item, fact: Fact, kind: str) -> Emit:
        return Emit(_topic(item), fact.profile or "", encode(fact), tx.at(item), kind)

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


async def _open_desk(tx: Tx, work: Sequence[Fact], owners: dict[str, str]) -> Desk:
    """Lock identifiers by key, then profiles by id: the one order that everybody follows."""
    wanted = _to_claim(work, owners)
    claimed, fresh = await store.claim(tx.connection, wanted) if wanted else ({}, set())
    held = {i: owners[i] for fact in work for i in fact.identifiers if i in owners}
    held.update({i: p for i, p in claimed.items() if i not in fresh})
    strangers = {p for i, p in held.items() if owners.get(i) != p}  # not what we read: a tombstone perhaps, or newer
    if strangers:
        stones = await store.resolve(tx.connection, strangers)
        held = {i: stones.get(p, p) for i, p in held.items()}
    people = set(held.values())
    profiles = await store.lock(tx.connection, people)
    if profiles.keys() != people:
        raise Again("a profile vanished between reading and locking")
    return Desk(held, claimed, profiles)


def _to_claim(work: Sequence[Fact], owners: dict[str, str]) -> dict[str, str]:
    """Identifiers of the facts that bring something new, each with the profile that it most likely goes to."""
    wanted: dict[str, str] = {}
    for fact in work:
        found = [owners[i] for i in fact.identifiers if i in owners]
        if len(found) == len(fact.identifiers) and len(set(found)) == 1:
            continue  # news of somebody known: his row alone is locked
        likely = found[0] if found else derive("profile", fact.id)
        for identifier in fact.identifiers:
            wanted.setdefault(identifier, owners.get(identifier) or likely)
    return wanted
