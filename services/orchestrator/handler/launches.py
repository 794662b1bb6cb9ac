"""Launches of campaigns, walked through in chunks by whoever owns a partition, as a timer of it: behind facts and timers that are due, at the
pace that the sender can send. What is decided, how far the walk has come and what it emits commit together; so it is killed anywhere.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

import msgspec

from runtime.batch import At, Emit, Tx
from runtime.db import Connection
from runtime.service import Fired
from services.orchestrator import forgetting, recipients
from services.orchestrator.domain import throttle
from services.orchestrator.domain.book import Book
from services.orchestrator.domain.campaigns import place_of
from services.orchestrator.domain.mailings import Launched
from services.orchestrator.domain.state import Person
from services.orchestrator.handler.desk import Desk
from services.orchestrator.recipients import Standing, Wanted
from services.orchestrator.settings import OrchestratorSettings

CHUNK = 300  # people decided in one transaction: a password mail waits no longer than for that
LOOKS = 10  # so many are looked at for each that may be decided
PAGE = 500  # rows of people that are read at once
OUTBOX = 8  # rows: no more is decided while these wait to be sent, for a password mail stands behind them
BEFORE_ALL = str(UUID(int=0))

_decode = msgspec.msgpack.Decoder(Person).decode
Decide = Callable[[Desk], Awaitable[None]]  # may be called again, with the people as they were
Decided = Callable[[Sequence[str], Decide], Awaitable[Desk]]


class Launches:
    """What one process knows of it."""

    def __init__(self, partitions: int, settings: OrchestratorSettings) -> None:
        self._partitions, self._settings = partitions, settings
        self._revision = -1  # of the definitions whose launches are in the table
        self._noting = -1
        self._kept = -1  # of the definitions beside whose launches none is in the table

    def begin(self) -> None:
        """Another transaction: what the last one noted may have been rolled back."""
        self._noting = self._revision

    def committed(self) -> None:
        self._revision = self._noting

    async def due(self, connection: Connection, partitions: Sequence[int], now: int, revision: int, book: Book) -> bool:
        if revision != self._kept:
            if await connection.fetchval(forgetting.IS_DUE):
                return True
            self._kept = revision
        if not book.launches:
            return False
        if revision != self._revision:
            if await self._unnoted(connection, book):
                return True
            self._revision = revision  # another process has noted them
        if not await recipients.open_partitions(connection, partitions, wanted(book, now), now, self._ahead):
            return False
        return bool(await connection.fetchval(recipients.ROOM, OUTBOX))

    async def fire(self, tx: Tx, book: Book, ats: Mapping[int, At], limit: int, decided: Decided) -> Fired:
        """The next chunk of the first launch and partition that may go on; where none may, of one that is forgotten. decided: people,
        locked, and decided.
        """
        went = await self._walk(tx, book, ats, limit, decided) if book.launches else Fired()
        if not went.count and tx.revision != self._kept and await forgetting.forget(tx.connection):
            return Fired((), limit, tx.now)
        return went

    async def _walk(self, tx: Tx, book: Book, ats: Mapping[int, At], limit: int, decided: Decided) -> Fired:
        if tx.revision != self._revision:
            await self._note(tx, book)
        if not await tx.connection.fetchval(recipients.ROOM, OUTBOX):
            return Fired()
        found = await recipients.open_partitions(tx.connection, ats, wanted(book, tx.now), tx.now, self._ahead)
        for at in found:
            step = _Step(tx, book.launches[at.launch], at, ats[at.partition])
            looked = await step.choose(min(limit, CHUNK) * LOOKS)
            taken = await step.take(min(limit, CHUNK), self._partitions, decided)
            if looked or taken:
                return Fired(step.emits, limit, tx.now)  # a full round: the machine comes back at once
        return Fired()

    @property
    def _ahead(self) -> int:
        """How many intents of a launch each partition may have with the sender."""
        return max(1, self._settings.campaign_ahead // self._partitions)

    async def _unnoted(self, connection: Connection, book: Book) -> bool:
        ids = sorted(book.launches)
        revisions = [book.launches[key].revision for key in ids]
        return bool(await connection.fetchval(recipients.UNNOTED, ids, revisions, self._partitions))

    async def _note(self, tx: Tx, book: Book) -> None:
        ordered = [book.launches[key] for key in sorted(book.launches)]
        await tx.connection.execute(
            recipients.NOTE,
            [one.id for one in ordered],
            [one.revision for one in ordered],
            [one.launch.round for one in ordered],
            [max(one.launch.start_at, one.launch.changed_at) if one.mailing.every_ms else 0 for one in ordered],
            [one.mailing.every_ms for one in ordered],
            self._partitions,
        )
        self._noting = tx.revision


def wanted(book: Book, now: int) -> Wanted:
    """What may go on at an instant (ms), the oldest first."""
    going = sorted(
        (one for one in book.launches.values() if one.launch.start_at <= now and not one.paused),
        key=lambda one: (one.launch.start_at, one.id),
    )
    return Wanted(
        [one.id for one in going],
        [one.stopped for one in going],
        [one.launch.stage == "pilot" and not one.stopped for one in going],
        [one.id for one in going for _ in one.conditions],
        [condition for one in going for condition in one.conditions],
    )


class _Step:
    """One chunk of one partition."""

    def __init__(self, tx: Tx, launched: Launched, at: Standing, emitting: At) -> None:
        self._tx, self._launched, self._at, self._emitting = tx, launched, at, emitting
        self._chosen = at.chosen
        self.emits: Sequence[Emit] = ()

    async def choose(self, looks: int) -> int:
        """Give everybody of the audience a row, a page at a time. Answers how many were looked at. Rows are read without a lock: who is
        merged meanwhile is found where his turn comes.
        """
        if self._chosen:
            return 0
        looked, last = 0, self._at.last_id or BEFORE_ALL
        while looked < looks and not self._chosen:
            rows = await self._tx.connection.fetch(recipients.PAGE, self._at.partition, last, PAGE)
            found = {}
            for row in rows:
                person = _decode(row["state"]) if row["state"] else Person()
                if (place := place_of(self._launched, row["id"], person)) is not None:
                    found[row["id"]] = place
            await recipients.choose(self._tx.connection, self._at.launch, self._at.partition, found)
            looked, last = looked + len(rows), rows[-1]["id"] if rows else last
            self._chosen = len(rows) < PAGE
        await self._tx.connection.execute(recipients.CAME, self._at.launch, self._at.partition, last, self._chosen)
        return looked

    async def take(self, most: int, partitions: int, decided: Decided) -> int:
        """Decide about those whose turn it is. Answers how many rows were looked at."""
        connection, at, every = self._tx.connection, self._at, self._launched.mailing.every_ms
        upto = await self._upto()
        if upto is None:
            return 0
        if self._launched.stopped and not at.stopped:
            await connection.execute(recipients.STOP, at.launch, at.partition)
        allowed = throttle.allowance(at.next_at, self._tx.now, every, partitions) if every and not self._launched.stopped else None
        most = min(most, allowed.most) if allowed else most
        rows = await connection.fetch(recipients.NEXT, at.launch, at.partition, upto, most)
        if rows:
            went = await self._decide([row["id"] for row in rows], decided)
            if allowed:
                await connection.execute(recipients.DELAY, at.launch, at.partition, allowed.after(went))
        if len(rows) < most and self._chosen:
            await connection.execute(recipients.LOCK, at.launch, at.partition)
            await connection.execute(recipients.CLOSE, at.launch, at.partition, upto)
        return len(rows)

    async def _upto(self) -> int | None:
        """Up to which place people are taken; None while a sample cannot be drawn yet."""
        launch, connection = self._launched.launch, self._tx.connection
        if launch.stage == "all" or self._launched.stopped:
            return recipients.ALL
        if not self._at.chosen:
            return None
        upto = await connection.fetchval(recipients.UPTO, self._at.launch)
        if upto is None:
            await connection.execute(recipients.SAMPLE, self._at.launch, launch.size, recipients.ALL)
            upto = await connection.fetchval(recipients.UPTO, self._at.launch)
        return int(upto)

    async def _decide(self, ids: Sequence[str], decided: Decided) -> int:
        """Answers how many letters that made."""
        connection, launch = self._tx.connection, self._at.launch
        still: list[str] = []

        async def decide(desk: Desk) -> None:
            still.extend(row["id"] for row in await connection.fetch(recipients.STILL, launch, ids))
            await connection.execute(recipients.TAKEN, launch, sorted(still))  # so the next time there are no more of them
            for one in sorted(set(still)):
                desk.launch(one, self._launched, self._tx.now, self._emitting, self._at.partition)

        desk = await decided(ids, decide)
        await desk.save(self._tx)
        self.emits = desk.emits
        return desk.issued(launch)
