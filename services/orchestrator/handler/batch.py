"""A batch of news about people: pass by what concerns no journey, load the others locked, decide in order, save once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from runtime import people
from runtime.batch import At, Emit, Item, Tx
from runtime.definitions import Definitions
from runtime.service import Fired
from schemas.definitions import Published
from services.orchestrator import store
from services.orchestrator.domain import book as books
from services.orchestrator.domain.book import Book
from services.orchestrator.handler.desk import Desk, LockNeeded
from services.orchestrator.handler.news import relevant
from services.orchestrator.handler.walking import Walk
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.silence import Silence


class Handler:
    """Handles batches of all inputs, and (as `Timers`) what is due."""

    def __init__(self, partitions: int, settings: OrchestratorSettings | None = None) -> None:
        build: Callable[[Sequence[Published], int], Book] = books.build
        self._definitions = Definitions(books.KINDS, build)
        self._silence = Silence(partitions)
        self._also = LockNeeded()  # what the batch at hand was found to need
        self._walk = Walk(partitions, settings or OrchestratorSettings())

    async def __call__(self, tx: Tx, items: Sequence[Item]) -> list[Emit]:
        self._walk.begin()
        self._silence.moving({})  # those of a batch that was rolled back have not moved
        book = await self._book(tx)
        work = [(item, news) for item in items if (news := relevant(book, item)) is not None]
        if not work:
            return []
        desk = await Desk.open(tx, book, work, self._silence, self._also)
        with self._noting_needs():
            for item, news in work:
                desk.handle(tx, item, news)
            desk.complete()
        await desk.save(tx)
        self._silence.moving(desk.moved)
        return desk.emits

    async def committed(self) -> None:
        self._silence.committed()
        self._walk.committed()

    async def _book(self, tx: Tx) -> Book:
        book = await self._definitions.at(tx.connection, tx.revision)
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
        book = await self._definitions.at(connection, revision)
        return await self._walk.due(connection, partitions, now, revision, book)

    async def fire(self, tx: Tx, ats: Mapping[int, At], limit: int) -> Fired:
        """Fire what is due for the people who wait longest, up to `limit` of them; where nothing is, launches go on."""
        self._walk.begin()
        book = await self._book(tx)
        due = await people.due(tx.connection, sorted(ats), tx.now, limit)
        if not due:
            with self._noting_needs():
                return await self._walk.fire(tx, book, ats, limit, lambda ids: self._opened(tx, book, ids))
        desk = await self._opened(tx, book, [profile for profile, _, _ in due])
        with self._noting_needs():
            for profile, partition, _ in due:
                desk.fire(profile, tx.now, ats[partition], partition)
        await desk.save(tx)
        return Fired(desk.emits, len(due), due[0][2])

    async def _opened(self, tx: Tx, book: Book, ids: Sequence[str]) -> Desk:
        """These people, locked, behind the marks that were found to be needed."""
        places = frozenset(self._also.places)
        marks = await store.lock_marks(tx.connection, places) if places else {}
        self._silence.known(marks)
        return Desk(book, await people.load(tx.connection, ids), marks, self._silence, places)
