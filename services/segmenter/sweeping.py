"""Who is still to be asked under a new plan: a walk over the people of each partition, which writes only whom the plan moves.

The rows are read without a lock. So the walk begins when every batch that may act under an earlier plan has ended: whoever writes a row
from then on brings that person under this plan himself, as long as his partition is not settled.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple
from uuid import UUID

from runtime.batch import Tx
from services.segmenter.desk import Desk

DUE = """
SELECT EXISTS (
    SELECT FROM unnest($1::smallint[]) AS p (partition) LEFT JOIN sweep s USING (partition)
    WHERE s.partition IS NULL OR NOT s.done OR s.revision <> (SELECT number FROM plan) OR (s.waits AND (SELECT filling = 0 AND unheard = '{}' FROM plan))
) OR (SELECT revision FROM definition_revision) > (SELECT revision FROM plan)
"""
SETTLED = "SELECT partition, settled FROM sweep"
NEXT = """
SELECT p.partition, CASE WHEN s.revision = $2 THEN s.last_id END AS last_id
FROM unnest($1::smallint[]) AS p (partition) LEFT JOIN sweep s USING (partition)
WHERE s.partition IS NULL OR NOT s.done OR s.revision <> $2 ORDER BY 1 LIMIT 1
"""
PAGE = 500
BEFORE_ALL = UUID(int=0)
# By person.id: the bare name is that of the text here, which no index has, and the whole partition would be read and sorted for each page.
WALK = """
SELECT id::text AS id, state FROM person
WHERE partition = $1 AND merged_into IS NULL AND erased_at IS NULL AND id > $2 ORDER BY person.id LIMIT $3
"""
SWEPT = """
INSERT INTO sweep AS s (partition, revision, last_id, done, waits, settled) VALUES ($1, $2, $3, $4, $5, CASE WHEN $4 THEN $2::bigint ELSE 0 END)
ON CONFLICT (partition) DO UPDATE SET revision = EXCLUDED.revision, last_id = EXCLUDED.last_id, done = EXCLUDED.done,
    waits = EXCLUDED.waits, settled = CASE WHEN EXCLUDED.done THEN EXCLUDED.settled ELSE s.settled END
"""
TELL = """
UPDATE sweep SET waits = false WHERE partition = ANY($1::smallint[]) AND waits AND (SELECT filling = 0 AND unheard = '{}' FROM plan) RETURNING partition
"""
# Transactions that have locked watermarks, or are about to. A mere reader holds nobody up.
BATCHES = """
SELECT virtualtransaction FROM pg_locks WHERE relation = 'watermark'::regclass AND mode IN ('RowShareLock', 'RowExclusiveLock')
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Next(NamedTuple):
    """Where a partition goes on: behind this id."""

    partition: int
    last: UUID


class Walked(NamedTuple):
    """moved: who is to be written; looked: how many were looked at, up to `last`; done: they were the last ones of the partition."""

    moved: Sequence[str]
    looked: int
    last: str | None
    done: bool


class Sweeps:
    """How far everybody has been asked, as one process knows it."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._settled = -1  # number of the last plan of which everybody was seen to be asked
        self._before: tuple[int, set[str]] = (
            -1,
            set(),
        )  # a plan, and of the batches that went on when it was seen to rule those that still do

    async def settled(self, tx: Tx, number: int) -> Mapping[int, int]:
        """Of each partition the number of the last plan of which everybody was asked. number: that of the plan that rules."""
        if self._settled == number:
            return dict.fromkeys(range(self._partitions), number)
        found: dict[int, int] = dict(await tx.connection.fetch(SETTLED))
        if len(found) == self._partitions and all(settled == number for settled in found.values()):
            self._settled = number
        return found

    def over(self, number: int) -> bool:
        """Whether everybody has been asked under this plan, as `settled` found."""
        return self._settled == number

    async def alone(self, tx: Tx, number: int) -> bool:
        """Whether every batch that may have begun under an earlier plan than this, which is committed, has ended: those that went on when
        this was first asked have, as a batch locks its watermarks before it looks at the plan. So who is always busy holds nothing up.
        """
        if self._before == (number, set()):
            return True
        now = {row["virtualtransaction"] for row in await tx.connection.fetch(BATCHES)}
        self._before = number, self._before[1] & now if self._before[0] == number else now
        return not self._before[1]

    async def next(self, tx: Tx, partitions: Sequence[int], number: int) -> Next | None:
        """The first of these partitions in which somebody is to be asked."""
        row = await tx.connection.fetchrow(NEXT, list(partitions), number)
        return row and Next(row["partition"], row["last_id"] or BEFORE_ALL)

    async def pages(self, tx: Tx, at: Next) -> AsyncGenerator[list[Any], None]:
        """(id, state as stored) of those who follow, not locked: PAGE of them at a time, the last time fewer. The next page is on its way
        while one is looked at; nothing else may be asked before it is taken, or this is closed.
        """
        page = await tx.connection.fetch(WALK, at.partition, at.last, PAGE)
        while len(page) == PAGE:
            ahead = asyncio.create_task(tx.connection.fetch(WALK, at.partition, page[-1]["id"], PAGE))
            try:
                await asyncio.sleep(0)  # it is asked before this one is looked at
                yield page
            finally:
                page = await ahead
        yield page

    async def walk(self, tx: Tx, at: Next, reader: Desk, looks: int, most: int) -> Walked:
        """Who follows and is to be written, up to `most`; about as many as `looks` are looked at."""
        moved: list[str] = []
        looked, last, done = 0, None, False
        async with aclosing(self.pages(tx, at)) as pages:
            async for page in pages:
                found, seen = reader.moved(page, most - len(moved))
                moved += found
                looked, last = looked + seen, page[seen - 1]["id"] if seen else last
                done = seen == len(page) < PAGE
                if done or looked >= looks or len(moved) >= most:
                    break
        return Walked(moved, looked, last, done)

    async def came(self, tx: Tx, at: Next, number: int, last: str | None, *, done: bool, waits: bool) -> None:
        """Note how far it came: to this id. waits: that everybody was asked is to be said later."""
        await tx.connection.execute(SWEPT, at.partition, number, last, done, waits)
