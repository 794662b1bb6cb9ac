"""History for new conditions: where each place came under the plan, when the lake has all before that, and to whom it was added already
(domain/filling.py says what is added).

Whoever holds a place's watermark notes its cut in the transaction in which it comes under the plan. What the lake has below the cuts is
counted beside the loop; then a timer of each partition adds it to its people in chunks, each with its progress in one transaction.
"""

from collections.abc import Iterable
from typing import NamedTuple

from runtime import lake, watermark
from runtime.batch import Tx
from runtime.db import Connection
from runtime.kafka import Place
from schemas.topics import FACTS, FACTS_BULK

TOPICS = (FACTS.name, FACTS_BULK.name)

# A row that another process holds is passed by: it notes its own places.
NOTE = """
WITH free AS (
    SELECT w.topic, w.partition, w.next_offset FROM watermark w JOIN unnest($2::text[], $3::int[]) AS u (topic, partition) USING (topic, partition)
    WHERE NOT EXISTS (SELECT FROM cut c WHERE c.topic = w.topic AND c.partition = w.partition AND c.filling = $1)
    ORDER BY 1, 2 FOR UPDATE OF w SKIP LOCKED
)
INSERT INTO cut (topic, partition, filling, next_offset) SELECT topic, partition, $1, next_offset FROM free
ON CONFLICT (topic, partition) DO UPDATE SET filling = EXCLUDED.filling, next_offset = EXCLUDED.next_offset WHERE cut.filling < EXCLUDED.filling
"""
CUTS = "SELECT topic, partition, next_offset FROM cut WHERE filling = $1"
UNDER_WAY = "SELECT filling FROM plan"
OPEN = """
SELECT p.partition, CASE WHEN f.filling = $2 THEN f.last_id::text END AS last_id
FROM unnest($1::smallint[]) AS p (partition) LEFT JOIN filled f USING (partition)
WHERE f.filling IS DISTINCT FROM $2 OR NOT f.done ORDER BY 1 LIMIT 1
"""
LOCK = "SELECT filling FROM plan FOR UPDATE"
ADDED = """
INSERT INTO filled AS f (partition, filling, last_id, people, done) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (partition) DO UPDATE SET last_id = coalesce(EXCLUDED.last_id, f.last_id), done = EXCLUDED.done, filling = EXCLUDED.filling,
    people = EXCLUDED.people + CASE WHEN f.filling = EXCLUDED.filling THEN f.people ELSE 0 END
"""
OVER = "UPDATE plan SET filling = 0, scope = '{}', again = '{}' WHERE filling = $1"
OVER_EVERYWHERE = """
UPDATE plan SET filling = 0, scope = '{}', again = '{}' WHERE filling = $1 AND (SELECT count(*) FROM filled WHERE filling = $1 AND done) >= $2
"""


class Step(NamedTuple):
    """Where a partition goes on: behind this id."""

    partition: int
    last_id: str | None


class Cuts:
    """The cuts of the filling that is under way, as one process knows them."""

    def __init__(self, partitions: int) -> None:
        self._places = [(topic, partition) for topic in TOPICS for partition in range(partitions)]
        self._noted = 0  # the filling of which all are known

    async def note(self, tx: Tx, filling: int) -> bool:
        """Note the cuts of the places that are free or ours. True when all are known: then every place has come under the plan. Where none
        of them had handled anything, nothing is to be filled.
        """
        if not filling or self._noted == filling:
            return True
        if len(await self.known(tx.connection, filling)) == len(self._places):
            self._noted = filling
            return True
        await watermark.ensure(tx.connection, self._places)
        await tx.connection.execute(NOTE, filling, [topic for topic, _ in self._places], [place for _, place in self._places])
        cuts = await self.known(tx.connection, filling)
        if len(cuts) < len(self._places):
            return False
        if all(offset <= 0 for offset in cuts.values()):
            await tx.connection.execute(OVER, filling)
        return True

    async def known(self, connection: Connection, filling: int) -> dict[Place, int]:
        return {(topic, partition): n for topic, partition, n in await connection.fetch(CUTS, filling)}

    async def ready(self, connection: Connection, partitions: Iterable[int]) -> int:
        """The filling for which something is to be done in these partitions and the lake has all that is to be read; 0: none."""
        filling = int(await connection.fetchval(UNDER_WAY))
        if not filling or await step(connection, filling, partitions) is None:
            return 0
        return filling if await self.passed(connection, filling) else 0

    async def passed(self, connection: Connection, filling: int) -> bool:
        """Whether the lake has all that stands below the cuts."""
        cuts = await self.known(connection, filling)
        if len(cuts) < len(self._places):
            return False
        passed = await lake.passed(connection)
        return all(n <= 0 or passed.get(place, 0) >= n for place, n in cuts.items())


async def step(connection: Connection, filling: int, partitions: Iterable[int]) -> Step | None:
    """The first partition among these that is not done."""
    row = await connection.fetchrow(OPEN, list(partitions), filling)
    return row and Step(*row)


async def added(tx: Tx, filling: int, partition: int, last: str | None, people: int, partitions: int) -> None:
    """Note that these many people of a partition have what the lake had of them, up to this id; None: all have. Ends the filling where
    all partitions are done.
    """
    if last is None and await tx.connection.fetchval(LOCK) != filling:  # in one order, so that the last one sees all others
        return
    await tx.connection.execute(ADDED, partition, filling, last, people, last is None)
    if last is None:
        await tx.connection.execute(OVER_EVERYWHERE, filling, partitions)
