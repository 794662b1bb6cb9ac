"""A batch of news about people: pass by what concerns no journey, load the others locked, decide in order, save once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from runtime import people
from runtime.batch import At, Emit, Item, Tx
from runtime.definitions import Definitions
from runtime.poison import Vault
from runtime.service import Fired
from schemas.definitions import Published
from services.orchestrator import store, walking
from services.orchestrator.domain import book as books
from services.orchestrator.domain.book import Book
from services.orchestrator.handler.desk import Desk, LockNeeded, emit
from services.orchestrator.handler.launches import Decide, Launches
from services.orchestrator.handler.news import News, relevant
from services.orchestrator.promo.stock import Stock
from services.orchestrator.seats import sweeping
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.silence import Silence

Due = tuple[str, int, int]  # as `people.due` has it


class Handler:
    """Handles batches of all inputs, and (as `Timers`) what is due."""

    def __init__(self, partitions: int, settings: OrchestratorSettings | None = None) -> None:
        build: Callable[[Sequence[Published], int], Book] = books.build
        self.definitions = Definitions(books.KINDS, build)
        self._silence = Silence(partitions)
        self._walk = walking.Walk()
        self._also = LockNeeded()  # what the batch at hand was found to need
        self._launches = Launches(partitions, settings or OrchestratorSettings())
        self.vault: Vault | None = None  # promo codes are sealed

    async def __call__(self, tx: Tx, items: Sequence[Item]) -> list[Emit]:
        self._launches.begin()
        self._silence.moving({})  # those of a batch that was rolled back have not moved
        book = await self._book(tx)
        work = [(item, news) for item in items if (news := relevant(book, item)) is not None]
        if not work:
            return []
        stock = Stock(tx.connection, self.vault)
        with self._noting_needs():
            desk = await self._decided(tx, book, work, stock)
            while await stock.more():
                desk = await self._decided(tx, book, work, stock)
        await desk.save(tx)
        self._silence.moving(desk.moved)
        return desk.emits

    async def _decided(self, tx: Tx, book: Book, work: Sequence[tuple[Item, News]], stock: Stock) -> Desk:
        desk = await Desk.open(tx, book, work, self._silence, self._also, stock)
        for item, news in work:
            desk.handle(tx, item, news)
        desk.complete()
        return desk

    async def committed(self) -> None:
        self._silence.committed()
        self._launches.committed()

    async def _book(self, tx: Tx) -> Book:
        book = await self.definitions.at(tx.connection, tx.revision)
        if book is not self._silence.book:
            self._silence.begin(book, await store.answered(tx.connection))
        return book

    @contextmanager
    def _noting_needs(self) -> Iterator[None]:
        try:
            yield
        except LockNeeded as need:
            self._also.places |= need.places
            self._also.ids |= need.ids
            raise
        self._also = LockNeeded()

    async def due(self, connection: Any, partitions: Sequence[int], now: int) -> bool:
        if await people.is_due(connection, partitions, now):
            return True
        revision = await connection.fetchval("SELECT revision FROM definition_revision")
        if await self._walk.due(connection, revision):
            return True
        book = await self.definitions.at(connection, revision)
        if await sweeping.is_due(connection, book.seated, now):
            return True
        return await self._launches.due(connection, partitions, now, revision, book)

    async def fire(self, tx: Tx, ats: Mapping[int, At], limit: int) -> Fired:
        """Fire what is due for the people who wait longest, up to `limit` of them, and for as many of those to whom the walk comes; where
        nothing is, launches go on.
        """
        self._launches.begin()
        self._silence.moving({})
        book = await self._book(tx)
        walk = await self._walk.step(tx.connection, book.controls, limit, tx.revision)
        due = await people.due(tx.connection, sorted(ats), tx.now, limit)
        late = {profile for profile, _, _ in due}
        oldest = due[0][2] if due else tx.now
        due += [(profile, partition, tx.now) for profile, partition in walk.people if profile not in late]
        with self._noting_needs():
            if not due:
                if (swept := await sweeping.sweep(tx, book.seated, self._token)) is not None:
                    return Fired([emit(told, ats[min(ats)]) for told in swept], limit, tx.now)
                went = await self._launches.fire(tx, book, ats, limit, lambda ids, decide: self._decided_of(tx, book, ids, decide))
                return went if went.count or not walk.more else Fired((), 1, tx.now)

            async def fired(desk: Desk) -> None:
                for profile, partition, _ in due:
                    desk.fire(profile, tx.now, ats.get(partition) or ats[min(ats)], partition)

            desk = await self._decided_of(tx, book, [profile for profile, _, _ in due], fired)
        await desk.save(tx)
        return Fired(desk.emits, len(due), oldest)

    def _token(self, name: str) -> str:
        assert self.vault is not None, "check-in codes need the installation's secret"
        return self.vault.token(name)

    async def _decided_of(self, tx: Tx, book: Book, ids: Sequence[str], decide: Decide) -> Desk:
        """These people, locked, behind the marks that were found to be needed, and decided; once more where promo codes were too few."""
        stock = Stock(tx.connection, self.vault)
        while True:
            places = frozenset(self._also.places)
            marks = await store.lock_marks(tx.connection, places) if places else {}
            self._silence.known(marks)
            rows = await people.load(tx.connection, ids)
            await stock.begin()
            desk = Desk(book, rows, marks, self._silence, stock, places)
            await decide(desk)
            if not await stock.more():
                return desk
