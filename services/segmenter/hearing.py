"""How far personal attributes that new conditions ask for have been told (domain/hearing.py), and asking profile for them.

A timer of each partition goes through its people in chunks, each with its progress in one transaction. Nothing of it depends on the lake.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from runtime import watermark
from runtime.batch import Tx
from runtime.db import Connection
from runtime.neighbours import Neighbour, Unreachable
from runtime.process import Context
from schemas.topics import FACTS, FACTS_BULK
from services.segmenter.domain.hearing import Hearing

log = logging.getLogger(__name__)

TOPICS = (FACTS.name, FACTS_BULK.name)
ANSWER_S = 5.0  # people are locked meanwhile
AGAIN_S = 2.0  # after profile did not answer

UNDER_WAY = "SELECT hearing FROM plan WHERE unheard <> '{}'"
OPEN = """
SELECT p.partition, CASE WHEN h.hearing = $2 THEN h.last_id END AS last_id
FROM unnest($1::smallint[]) AS p (partition) LEFT JOIN heard h USING (partition)
WHERE h.hearing IS DISTINCT FROM $2 OR NOT h.done ORDER BY 1 LIMIT 1
"""
# Whoever handles facts holds the watermarks of their places: when we have got them all, nobody drops what is asked for any more.
ALL_PLACES = "SELECT FROM watermark WHERE topic = ANY($1::text[]) ORDER BY topic, partition FOR SHARE"
LOCK = "SELECT hearing FROM plan FOR UPDATE"
WENT = """
INSERT INTO heard AS h (partition, hearing, last_id, people, done) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (partition) DO UPDATE SET last_id = EXCLUDED.last_id, done = EXCLUDED.done, hearing = EXCLUDED.hearing,
    people = EXCLUDED.people + CASE WHEN h.hearing = EXCLUDED.hearing THEN h.people ELSE 0 END
"""
OVER = """
UPDATE plan SET unheard = '{}' WHERE hearing = $1 AND (SELECT count(*) FROM heard WHERE hearing = $1 AND done) >= $2
"""
NEXT = """
SELECT id::text AS id FROM person WHERE partition = $1 AND merged_into IS NULL AND erased_at IS NULL AND id > $2 ORDER BY person.id LIMIT $3
"""
STOOD = """
SELECT count(*) FILTER (WHERE done) AS done, coalesce(sum(people), 0) AS people FROM heard WHERE hearing = $1
"""

_decode = msgspec.json.Decoder(dict[str, dict[str, tuple[int, Any]]]).decode


class Step(NamedTuple):
    """Where a partition goes on: behind this id, None: it has yet to begin."""

    partition: int
    last_id: Any


class Hearer:
    """Asks profile. partitions: of the installation."""

    def __init__(self, context: Context, profile: Neighbour) -> None:
        self._context, self._profile, self._again = context, profile, 0.0

    @property
    def troubled(self) -> bool:
        """Whether profile did not answer a moment ago."""
        return asyncio.get_running_loop().time() < self._again

    async def due(self, connection: Connection, partitions: Iterable[int]) -> bool:
        """Whether something is to be told of people of these partitions, and can be."""
        if self.troubled:
            return False
        number = await connection.fetchval(UNDER_WAY)
        return number is not None and await step(connection, number, partitions) is not None

    async def ask(self, people: Sequence[str], hearing: Hearing) -> Mapping[str, Mapping[str, tuple[int, Any]]] | None:
        """What these people have said until now, as name -> (at, value); None: profile does not answer, try later."""
        asked = msgspec.json.encode({"ids": people, "names": sorted(hearing.names)})
        try:
            return _decode(await self._profile.post("/profiles/said", asked, ANSWER_S))
        except Unreachable as error:
            self._again = asyncio.get_running_loop().time() + AGAIN_S
            log.warning("personal attributes that conditions ask for wait for profile", extra={"why": str(error)})
            return None

    def told(self) -> None:
        """A chunk is about to be committed."""
        self._context.failpoint("attributes_told")


async def step(connection: Connection, number: int, partitions: Iterable[int]) -> Step | None:
    """The first of these partitions that is not done."""
    row = await connection.fetchrow(OPEN, list(partitions), number)
    return row and Step(*row)


async def begin(tx: Tx, number: int, at: Step, before_all: Any, places: Collection[int]) -> None:
    """Nobody is asked about before all who handle facts do so under the plan: who is new after that is heard of in full."""
    await watermark.ensure(tx.connection, [(topic, place) for topic in TOPICS for place in places])
    await tx.connection.execute(ALL_PLACES, list(TOPICS))
    await tx.connection.execute(WENT, at.partition, number, before_all, 0, False)


async def went(tx: Tx, number: int, at: Step, last: Any, people: int, partitions: int) -> None:
    """Note that this chunk is told, up to this id, to so many people; None: the partition is done. Ends it where all partitions are."""
    if last is None and await tx.connection.fetchval(LOCK) != number:  # in one order, so that the last one sees all others
        return
    await tx.connection.execute(WENT, at.partition, number, last or at.last_id, people, last is None)
    if last is None:
        await tx.connection.execute(OVER, number, partitions)


async def stood(connection: Connection, number: int) -> tuple[int, int]:
    """How many partitions are done, and how many people something was told of."""
    row = await connection.fetchrow(STOOD, number)
    return row["done"], int(row["people"])
