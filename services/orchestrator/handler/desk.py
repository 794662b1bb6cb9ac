"""The people of one transaction: whoever a piece of news is about is found, decided about and saved here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from runtime import people
from runtime.batch import At, Emit, Item, Tx
from runtime.db import Again
from runtime.people import People, Saved
from schemas.facts import PROFILE_ERASED, PROFILE_MERGED, PROFILE_SPLIT, Fact, Split, encode
from schemas.ids import partition_of
from schemas.memberships import Membership
from schemas.messages import Decision, Intent
from schemas.topics import DECISIONS, FACTS_RAW, messages
from services.orchestrator import store
from services.orchestrator.domain import decide, homes, state
from services.orchestrator.domain.book import Book
from services.orchestrator.domain.mailings import Launched
from services.orchestrator.domain.marks import Mark, read
from services.orchestrator.domain.redeeming import coupon
from services.orchestrator.domain.state import Person, Place
from services.orchestrator.domain.turn import Emission, Outcome
from services.orchestrator.handler.news import News, profiles
from services.orchestrator.handler.roll import Roll
from services.orchestrator.promo.stock import Stock
from services.orchestrator.seats.usher import Usher
from services.orchestrator.silence import Silence

BY = "orchestrator"


class LockNeeded(Again):
    """A run is to wait for a mark that is not locked, or news is somebody's whose row is not: once more, with these locks."""

    def __init__(self, places: Iterable[tuple[str, int]] = (), ids: Iterable[str] = ()) -> None:
        super().__init__()
        self.places, self.ids = set(places), set(ids)


def _passed(known: store.Marks, told: Iterable[tuple[int, Membership]]) -> dict[tuple[str, int], int]:
    """Next offsets of the marks that move by these: (partition in which it was read, mark)."""
    moved = dict(known)
    for part, mark in told:
        place = (mark.topic, mark.partition)
        moved[place] = read(moved.get(place, Mark()), mark.offset, mark.parts, part)
    return {place: mark.next_offset for place, mark in moved.items() if mark.next_offset > known.get(place, Mark()).next_offset}


class Desk:
    """The people of one transaction, locked, with their states as they are decided."""

    def __init__(
        self, book: Book, rows: People, marks: store.Marks, silence: Silence, stock: Stock, locked: Collection[tuple[str, int]] = ()
    ) -> None:
        self._book, self._rows, self._marks, self._silence, self._locked = book, rows, marks, silence, locked
        self._stock = stock
        self._people: dict[str, Person] = {}
        self._partitions: dict[str, int] = {}
        self._waits: dict[str, Place | None] = {}  # as the base has them
        self.moved: store.Marks = {}
        self._waiting: set[str] = set()
        self._missing: set[str] = set()
        self._roll = Roll(book.launches, silence.partitions)
        self._usher = Usher(book.seated, stock.token)
        self.emits: list[Emit] = []

    @classmethod
    async def open(
        cls, tx: Tx, book: Book, work: Sequence[tuple[Item, News]], silence: Silence, also: LockNeeded, stock: Stock
    ) -> "Desk":
        """Lock the marks first, then the people: the one order that everybody follows. also: what to lock beside those of the work."""
        ids = also.ids | {profile for _, news in work for profile in profiles(news)}
        told = [(item.place[1], n) for item, n in work if isinstance(n, Membership) and n.type == "mark"]
        places = {
            *also.places,
            *((mark.topic, mark.partition) for _, mark in told),
            *(item.place for item, n in work if book.conditions and isinstance(n, Fact) and (n.event or n.type) in book.triggers),
        }
        marks = await store.lock_marks(tx.connection, places) if places else {}
        silence.known(marks)
        if passed := _passed(marks, told):
            ids |= await store.waiting(tx.connection, passed)
        rows = await people.load(tx.connection, ids) if ids else People({}, {})
        orders = [(n.brand, said) for _, n in work if isinstance(n, Fact) and (said := coupon(n))]
        await stock.begin(orders)
        desk = cls(book, rows, marks, silence, stock, places)
        for profile in sorted(ids):
            desk.person(desk._rows.canonical(profile))
        return desk

    def person(self, profile: str) -> Person:
        """The state of a canonical id; an empty one for somebody new."""
        if profile not in self._people:
            kept = self._rows.state(profile)
            person = state.decode(kept) if kept else Person()
            if self._book.is_behind(person):
                raise Again("he stands in a version that was published since the batch began")
            person.merges = [place for place in person.merges if not self._heard(place)]
            self._hold(profile, person)
            self._waits[profile] = self._people[profile].waits()
        return self._people[profile]

    def handle(self, tx: Tx, item: Item, news: News) -> None:
        at, partition = tx.at(item), item.place[1]
        if isinstance(news, Membership) and news.type == "mark":
            self._pass(news, at, partition)
            return
        if isinstance(news, Fact) and news.type in (PROFILE_MERGED, PROFILE_SPLIT):
            act = self._merge if news.type == PROFILE_MERGED else self._split
            act(news, at, (*item.place, item.offset))
            return
        whose = self._whose(news)
        if isinstance(news, Decision):
            self._roll.heard(news, whose, partition)
        for profile in whose:
            if not self._rows.gone(profile):
                self._hear(tx, item, news, profile)

    def complete(self) -> None:
        """Raise LockNeeded if anybody was needed who is not locked: what was decided is nothing worth then."""
        if self._missing:
            raise LockNeeded(ids=self._missing)

    def _whose(self, news: News) -> list[str]:
        """Those whom it is about: one, but for a verdict about what people share since an unmerge."""
        if isinstance(news, Fact):
            return [homes.owner(self._look, news.profile or "", homes.home_of(news))]
        if isinstance(news, Decision):
            return homes.holders(self._look, news.profile, news.intent)
        return [self._rows.canonical(news.profile)]

    def _look(self, profile: str) -> tuple[str, Person]:
        who = self._rows.canonical(profile)
        if who not in self._people:
            self._missing.add(profile)
            return who, Person()
        return who, self._people[who]

    def _hear(self, tx: Tx, item: Item, news: News, profile: str) -> None:
        at, partition = tx.at(item), item.place[1]
        if isinstance(news, Fact) and news.type == PROFILE_ERASED:
            self._erase(news, tx.now, at)
            return
        person, book = self.person(profile), self._book_for(profile)
        if isinstance(news, Fact):
            place = self._unless_heard((*item.place, item.offset))
            self._roll.read(news, profile)
            self._usher.hear(profile, news, at)
            self._keep(profile, decide.on_fact(book, profile, person, news, place), at, partition)
        elif isinstance(news, Membership):
            self._keep(profile, decide.on_membership(book, profile, person, news), at, partition)
        else:
            self._keep(profile, decide.on_verdict(book, profile, person, news), at, partition)

    def fire(self, profile: str, now: int, at: At, partition: int) -> None:
        profile = self._rows.canonical(profile)
        if self._rows.gone(profile):
            return
        self._keep(profile, decide.on_timer(self._book_for(profile), profile, self.person(profile), now), at, partition)

    def launch(self, profile: str, launched: Launched, now: int, at: At, partition: int) -> None:
        """Somebody's turn in a launch has come. Who has become another belongs to it as that one."""
        who = self._rows.canonical(profile)
        if self._rows.gone(profile):
            self._roll.erased([profile])
        elif who != profile:
            self._roll.merged(profile, Person())
        else:
            self._keep(who, decide.on_launch(self._book_for(who), who, self.person(who), launched, now), at, partition)

    def issued(self, launch: str) -> int:
        """How many letters of a launch this sends."""
        return self._roll.issued(launch)

    def _pass(self, mark: Membership, at: At, partition: int) -> None:
        place = (mark.topic, mark.partition)
        self._marks[place] = self.moved[place] = read(self._marks.get(place, Mark()), mark.offset, mark.parts, partition)
        ready = []
        for profile in self._waiting:
            waits = [run.waits for run in self._people[profile].runs if run.waits and self._heard(run.waits)]
            if waits:
                ready.append((min(waits), profile))
        for _, profile in sorted(ready):
            offsets = {place: mark.next_offset for place, mark in self._marks.items()}
            outcome = decide.on_mark(self._book_for(profile), profile, self._people[profile], offsets, mark)
            self._keep(profile, outcome, at, partition)

    def _merge(self, fact: Fact, at: At, place: Place) -> None:
        winner, loser = profiles(fact)
        # Heard late, it may be about one who is with others by now.
        pair = self._rows.merge(homes.owner(self._look, winner, loser), loser)
        if pair is None:
            return
        winner, loser = pair
        self._stock.merged(winner, loser)
        self._roll.merged(loser, self.person(loser))
        self._usher.merged(winner, loser, fact, at)
        sides = (winner, self.person(winner)), (loser, self.person(loser))
        outcome = decide.on_merged(self._book_for(winner), *sides, fact, self._unless_heard(place))
        self._keep(winner, outcome, at, place[1])
        self._partitions.setdefault(winner, place[1])  # he needs a row: the loser's tombstone points at it
        self._partitions.pop(loser, None)
        self._hold(loser, Person())

    def _split(self, fact: Fact, at: At, place: Place) -> None:
        split, told = msgspec.convert(fact.properties, Split), fact.profile or ""
        parts, sources = homes.parts(self._look, split), homes.sources(self._look, told, split)
        for other, who in homes.turned(self._look, told, split).items():
            self._rows.part(who, [other])
        for source in sources:
            if not self._rows.gone(source):
                self._part(source, {who: mine for who, mine in parts.items() if who != source}, fact, at, place)

    def _part(self, source: str, parts: Mapping[str, set[str]], fact: Fact, at: At, place: Place) -> None:
        outcome, taken = decide.on_split(self._book_for(source), source, self.person(source), fact, parts)
        self._keep(source, outcome, at, place[1])
        for other, things in taken.items():
            self._stock.parted(source, other, parts[other])
            self._usher.parted(source, other, parts[other], fact, at)
            if not self._rows.gone(other):
                book, person, unheard = self._book_for(other), self.person(other), self._unless_heard(place)
                outcome = decide.on_parted(book, other, person, things, fact, unheard)
                self._keep(other, outcome, at, partition_of(other, self._silence.partitions))

    def _erase(self, fact: Fact, now: int, at: At) -> None:
        """His runs end where they stand, without a word: what is under way is stopped at the sender, which forgets him too."""
        for person in {self._rows.canonical(person) for person in profiles(fact)}:
            self._partitions.pop(person, None)
            self._hold(person, Person())
        self._rows.erase(list(profiles(fact)), now)
        self._stock.erased(profiles(fact))
        self._roll.erased(profiles(fact))
        self._usher.erased(profiles(fact), fact, at)

    def _heard(self, place: Place) -> bool:
        """Has the segmenter passed a fact, and is all known that it told before?"""
        return self._marks.get(place[:2], Mark()).next_offset > place[2]

    def _unless_heard(self, place: Place) -> Place | None:
        return None if not self._book.conditions or self._heard(place) else place

    def _book_for(self, profile: str) -> Book:
        silent = self._silence.about(profile, self._heard)
        return self._stock.stocked(replace(self._book, silent=silent) if silent else self._book)

    def _hold(self, profile: str, person: Person) -> None:
        self._people[profile] = person
        (self._waiting.discard if person.waits() is None else self._waiting.add)(profile)

    def _keep(self, profile: str, outcome: Outcome, at: At, partition: int) -> None:
        if outcome.person is not self._people[profile]:
            waits = outcome.person.waits()
            if waits is not None and waits != self._waits[profile] and waits[:2] not in self._locked:
                raise LockNeeded([waits[:2]])
            self._hold(profile, outcome.person)
            self._partitions.setdefault(profile, partition)
        self._stock.took(outcome)
        for emission in outcome.emits:
            self.emits.append(emit(emission, at))
            self._roll.emitted(emission, profile)

    async def save(self, tx: Tx) -> None:
        changed = [(profile, self._people[profile], partition) for profile, partition in self._partitions.items()]
        rows = [Saved(profile, partition, state.encode(person), person.due_at()) for profile, person, partition in changed]
        await self._rows.save(tx.connection, rows)
        waits = {profile: person.waits() for profile, person in self._people.items()}
        news = {profile: place for profile, place in waits.items() if place != self._waits[profile]}
        if news:
            await store.wait(tx.connection, news)
        if self.moved:
            await store.move_marks(tx.connection, self.moved)
        await self._stock.save(self._rows.canonical)
        await self._roll.save(tx.connection, self._rows.canonical, tx.now)
        self.emits += [emit(told, at) for told, at in await self._usher.save(tx.connection, tx.now)]


def emit(emission: Emission, at: At) -> Emit:
    if isinstance(emission, Fact):
        return Emit(FACTS_RAW.name, f"{emission.source}|{emission.about}", encode(emission), at, emission.event or emission.type)
    if isinstance(emission, Intent):
        topic = messages(emission.channel, emission.message_class).name
        return Emit(topic, emission.profile, encode(emission), at)
    return Emit(DECISIONS.name, emission.profile, encode(emission), at, BY)
