"""Batches of `facts.raw`: read without locks where nothing is new, lock and decide where it is."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from runtime.batch import Emit, Item, Tx
from runtime.db import Again
from runtime.definitions import Definitions
from schemas import charges, consents
from schemas.definitions import Published
from schemas.facts import ERASE, PROFILE_MERGED, UNMERGE, Fact, decode
from services.profile import store
from services.profile.domain import KIND, Applied, Refusal, Rules, build, have_met, homes_of, kind_of, person_id, proves
from services.profile.handler import objects
from services.profile.handler.charges import Charged, Charges
from services.profile.handler.consent import Ledger, Word
from services.profile.handler.decoding import clean, somebody
from services.profile.handler.desk import Desk, also_theirs, pass_on
from services.profile.handler.erasure import Erasures
from services.profile.handler.shown import Shown
from services.profile.handler.unmerge import unmerge
from services.profile.store import Known, Wanted

if TYPE_CHECKING:
    from runtime.process import Context


class Told(NamedTuple):
    """A fact of a batch. settled: whose it is, where nothing in it is new, and home of the identifier by which it is his; contested: those
    of its identifiers that stay others'.
    """

    item: Item
    fact: Fact
    settled: str | None
    home: str = ""
    contested: tuple[Refusal, ...] = ()

    @property
    def changes(self) -> bool:
        """Does it bring anything that is kept?"""
        fact = self.fact
        if self.settled is None or fact.attributes or fact.event in consents.EVENTS:  # a word goes into the ledger under his lock
            return True
        return (fact.event or fact.type) in objects.WORDS and objects.tells(fact)


Done = tuple[Told, Sequence[Emit]]  # a fact and what it was told as


class Handler:
    """Handles batches of `facts.raw` and `facts.raw.bulk`."""

    def __init__(self) -> None:
        compile_: Callable[[Sequence[Published], int], Rules] = build
        self._rules = Definitions((KIND,), compile_)
        self._seen = store.Seen()
        self._brands = store.Brands()
        self._ledger = Ledger()
        self._erasures = Erasures()
        self.charges = Charges()
        self.shown = Shown()

    @asynccontextmanager
    async def life(self, context: "Context") -> AsyncIterator[None]:
        self._ledger.vault = self._erasures.vault = context.vault
        self.charges.partitions = context.settings.partitions
        async with self.shown.life(context):
            yield

    async def __call__(self, tx: Tx, items: Sequence[Item]) -> list[Emit]:
        self._brands.begin()
        fresh = await self._fresh(tx, items)
        if not fresh:
            return []
        rules = await self._rules.at(tx.connection, tx.revision)
        facts = [(item, clean(item, tx.now, rules)) for item in fresh]
        emits: list[Emit] = []
        for kind, some in groupby(facts, key=lambda one: one[1].type if one[1].type in (ERASE, UNMERGE) else None):
            if kind is None:
                emits += await self._pass(tx, rules, list(some))
                continue
            for item, fact in some:
                emits += await (self._erasures.handle(tx, item, fact) if kind == ERASE else unmerge(tx, rules, item, fact))
        return emits

    async def _pass(self, tx: Tx, rules: Rules, facts: Sequence[tuple[Item, Fact]]) -> list[Emit]:
        """Facts that ask for no erasure and no unmerge."""
        items = [item for item, _ in facts]
        acts, until = await store.last_erasure(tx.connection)
        facts = await self._erasures.spared(tx, facts, until)
        named = {fact.about for _, fact in facts if fact.about}
        meant = await store.meant(tx.connection, named) if named else {}
        facts = [(item, fact) for item, fact in facts if fact.about is None or fact.about in meant]
        known = await store.known(tx.connection, {i for _, fact in facts for i in fact.identifiers})
        work = _work(facts, known, meant, rules)
        changing = [told for told in work if told.changes]
        desk = await _open_desk(tx, changing, known, meant, rules, acts) if changing else Desk(rules, {}, {}, {}, meant)
        said, later = Said(known, desk), list[tuple[Item, Fact]]()
        for told in work:
            if desk.junk and not set(desk.junk).isdisjoint(told.fact.identifiers):
                later.append((told.item, told.fact))  # whose it is without that name is to be read anew
            else:
                said.add(told, _made(tx, desk, told))
        await desk.save(tx)
        if said.words:
            await self._ledger.keep(tx, said.words)
        await self._brands.keep(tx.connection, {(desk.canonical(person), brand) for person, brand in said.seen})
        emits = said.emits
        if said.beside and (more := await _beside(tx, desk, said.beside)):
            emits = _in_order(tx, items, [*emits, *more])
        emits.extend(await self.charges.fold(tx, said.charged, desk.buried, items))
        return _in_order(tx, items, [*emits, *await self._pass(tx, rules, later)]) if later else emits

    async def committed(self) -> None:
        self._seen.committed()
        self._brands.committed()

    async def _fresh(self, tx: Tx, items: Sequence[Item]) -> list[Item]:
        first = {item.value.id: item for item in reversed(items)}
        new = await self._seen.new(tx.connection, first.keys(), tx.now)
        return [item for item in items if item.value.id in new and first[item.value.id] is item]


class Said:
    """What the facts of a batch come to. words: of consent; charged: what is added up in place of being passed on; seen: (person, brand);
    beside: the facts that may say anything of companies and deals, or of who is who.
    """

    def __init__(self, known: Mapping[str, Known], desk: Desk) -> None:
        self._known, self._desk = known, desk
        self.emits: list[Emit] = []
        self.words: list[Word] = []
        self.charged: list[Charged] = []
        self.seen: set[tuple[str, str]] = set()
        self.beside: list[Done] = []

    def add(self, told: Told, made: Sequence[Emit]) -> None:
        """made: what a fact is told as, its own person's first."""
        fact = told.fact
        if fact.about is None:  # what another one's fact makes be told of somebody does not bring him into its brand
            self.seen.add((made[0].key, fact.brand))
        if told.settled is None or (fact.event or fact.type) in objects.WORDS or "groupId" in fact.context:
            self.beside.append((told, made))
        if fact.event == charges.CHARGE and charges.is_charge(fact):
            own, *made = made
            self.charged.append(Charged(told.item, fact, own.key))
        self.emits.extend(made)
        if fact.event in consents.EVENTS:
            self.words.extend(_words(told, made, self._known, told.home or self._desk.home(fact)))


def _work(facts: Sequence[tuple[Item, Fact]], known: Mapping[str, Known], meant: Mapping[str, str], rules: Rules) -> list[Told]:
    """The facts, each with whose it is by what was read without a lock."""
    # What was found to be shared by too many names nobody, and is never locked.
    junk = {name for name, one in known.items() if one.junk(rules.version)}
    aliases = any(fact.type == "alias" for _, fact in facts)
    work, before = [], set[str]()
    for item, fact in facts:
        nobody = junk | _unnamed(fact, known, before, rules) if aliases else junk
        work.append(_told(item, _without(fact, nobody), known, meant.get(fact.about) if fact.about else None, rules))
        if aliases:
            before.update(fact.identifiers)
    return work


async def _beside(tx: Tx, desk: Desk, done: Sequence[Done]) -> list[Emit]:
    """What the batch means for companies and deals. done: the facts that may say anything of them, or of who is who."""
    heard, merges = _of_objects(desk, done)
    if merges:
        await store.inherit_brands(tx.connection, {merge.loser: merge.winner for merge in merges})
    return await objects.keep(tx, heard, merges)


def _unnamed(fact: Fact, known: Mapping[str, Known], before: Collection[str], rules: Rules) -> set[str]:
    """What an alias names nobody by. The former id is told as a user's and as a device's: it names the one who there is, else a device,
    for a user id that nobody has would contradict the new one and make a person of nobody. before: what the batch has named so far.
    """
    if fact.type != "alias" or "user_id" not in rules.never_merge:
        return set()
    former = fact.identifiers[1:]
    new = {name for name in former if name not in known and name not in before}
    users = {name.partition(":")[2] for name in former if kind_of(name) == "user_id" and name not in new}
    return {name for name in new if kind_of(name) == "user_id" or name.partition(":")[2] in users}


def _without(fact: Fact, names: AbstractSet[str]) -> Fact:
    if not names or names.isdisjoint(fact.identifiers):
        return fact
    return msgspec.structs.replace(fact, identifiers=somebody(fact, [name for name in fact.identifiers if name not in names]))


def _told(item: Item, fact: Fact, known: Mapping[str, Known], about: str | None, rules: Rules) -> Told:
    """Whose the fact is by what was read without a lock, None where it brings a new identifier, a new link, or a new source of a name
    whose contradictions count. about: the profile that it names itself.

    A link that was refused under the rules in force brings nothing new: the fact is the person's whom the strongest names.
    """
    if len(fact.identifiers) == 1 and about is None:  # nearly every page view
        (name,) = fact.identifiers
        one = known.get(name)
        if one is None or (kind_of(name) in rules.never_merge and fact.source not in one.sources.split(",")):
            return Told(item, fact, None)
        return Told(item, fact, one.owner, one.home)
    found = [known.get(name) for name in fact.identifiers]
    there = [one for one in found if one is not None]
    if len(there) < len(found) or _is_news(fact, there, rules):
        return Told(item, fact, None)
    names = rules.ordered(fact.identifiers) if len(there) > 1 else fact.identifiers
    first = known[names[0]] if names else None
    owner, home = about or (first.owner if first else ""), fact.about or (first.home if first else "")
    if first is not None and not all(have_met(name, known[name].met, first.home) for name in names[1:]):
        return Told(item, fact, None)
    # A device that did not become his when it was first told with him is somebody else's, who is known by more than that.
    alias = fact.type == "alias"
    others = [(name, known[name]) for name in names if known[name].owner != owner and (alias or proves(name))]
    if others and (alias or any(owner not in o.refused or o.ruled != rules.version for _, o in others)):
        return Told(item, fact, None)
    return Told(item, fact, owner, home, tuple(Refusal(name, other.owner, "known") for name, other in others))


def _is_news(fact: Fact, found: Sequence[Known], rules: Rules) -> bool:
    """Does a source tell a name for the first time whose contradictions count?"""
    return any(
        kind_of(name) in rules.never_merge and fact.source not in one.sources.split(",")
        for name, one in zip(fact.identifiers, found, strict=True)
    )


def _made(tx: Tx, desk: Desk, told: Told) -> list[Emit]:
    """What a fact is told as."""
    if told.settled is None:
        return desk.link(tx, told.item, told.fact)
    if told.changes:
        return desk.tell(tx, told.item, told.fact, told.settled, told.home, told.contested)
    owner = desk.canonical(told.settled)
    contested = desk.still(owner, told.contested)
    return [
        pass_on(tx, told.item, told.fact, Applied(owner, told.home, contested)),
        *also_theirs(tx, told.item, told.fact, contested),
    ]


def _words(told: Told, made: Sequence[Emit], known: Mapping[str, Known], home: str) -> Iterator[Word]:
    """A word of consent for the ledger: his who said it, and of a no those whose addresses it names."""
    own, *others = [emit.key for emit in made if emit.type == told.fact.event]
    partition = told.item.place[1]
    yield Word(partition, told.fact, own, home)
    for person in others:
        named = tuple(n for n in told.fact.identifiers if n in known and known[n].owner == person)
        yield Word(partition, told.fact, person, known[named[0]].home if named else person, named)


def _of_objects(desk: Desk, done: Sequence[Done]) -> tuple[list[objects.Heard], list[objects.Merge]]:
    """What the batch says of companies and deals, each with its person as he is at its end, and who became whom."""
    heard, merges = [], []
    for told, made in done:
        if objects.tells(told.fact) or objects.echoes(told.fact):
            heard.append(objects.Heard(told.item, told.fact, desk.canonical(made[0].key)))
        for emit in made:
            if emit.type == PROFILE_MERGED:
                loser = str(decode(emit.value).properties["loser"])
                merges.append(objects.Merge(told.item, told.fact, loser, desk.canonical(loser)))
    return heard, merges


def _in_order(tx: Tx, items: Sequence[Item], emits: list[Emit]) -> list[Emit]:
    """Emits leave in the order of the items that they follow from."""
    places = {tx.at(item): number for number, item in enumerate(items)}
    return sorted(emits, key=lambda emit: places[emit.at])


async def _open_desk(
    tx: Tx, work: Sequence[Told], known: Mapping[str, Known], meant: Mapping[str, str], rules: Rules, acts: int
) -> Desk:
    """Lock identifiers by key, then profiles by id: the one order that everybody follows. acts: number of the last erasure known."""
    linking = [told.fact for told in work if told.settled is None]
    claimed = await store.claim(tx.connection, _to_claim(linking, known, meant, rules)) if linking else {}
    if any(found.fresh for found in claimed.values()) and (await store.last_erasure(tx.connection))[0] > acts:
        raise Again("somebody was erased while we read")
    if any(found.known.junk(rules.version) for found in claimed.values()):
        raise Again("an identifier became junk between reading and locking")
    held = {name: known[name] for fact in linking for name in fact.identifiers if name in known}
    held.update({name: found.known for name, found in claimed.items() if not found.fresh})
    # Not what we read: a tombstone perhaps, or newer.
    strangers = {found.owner for name, found in held.items() if name not in known or known[name].owner != found.owner}
    if strangers:
        stones = await store.resolve(tx.connection, strangers)
        held = {name: found._replace(owner=stones.get(found.owner, found.owner)) for name, found in held.items()}
    people = {found.owner for found in held.values()} | {told.settled for told in work if told.settled is not None}
    people |= {meant[fact.about] for fact in linking if fact.about}
    profiles = await store.lock(tx.connection, people, {name for name, found in claimed.items() if found.fresh})
    if profiles.keys() != people:
        raise Again("a profile vanished between reading and locking")
    names = {name: found.name(rules.version) for name, found in held.items()}
    return Desk(rules, names, {name: found.known.owner for name, found in claimed.items()}, profiles, meant)


def _to_claim(work: Sequence[Fact], known: Mapping[str, Known], meant: Mapping[str, str], rules: Rules) -> dict[str, Wanted]:
    """Identifiers of the facts that bring something new, each with the profile that it most likely goes to."""
    wanted: dict[str, Wanted] = {}
    for fact in work:
        found = [known[name].owner for name in fact.identifiers if name in known]
        likely = meant.get(fact.about or "") or (found[0] if found else person_id(fact))
        homes = homes_of(fact, rules)
        first = next(iter(homes), "")
        with_first = known[first].home if first in known else wanted[first].home if first in wanted else homes.get(first, "")
        for name, home in homes.items():
            owner = known[name].owner if name in known else likely
            wanted.setdefault(name, Wanted(owner, fact.source, home, with_first if name != first else ""))
    return wanted
