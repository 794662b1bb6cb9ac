"""The tables of the orchestrator beside the people's state: the segmenter's marks, and who waits for one."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from runtime.db import Connection
from services.orchestrator.domain.marks import Half, Mark
from services.orchestrator.domain.state import Place

ENSURE_MARKS = """
INSERT INTO mark (topic, partition, next_offset) SELECT u.topic, u.partition, 0
FROM unnest($1::text[], $2::int[]) AS u (topic, partition) ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
LOCK_MARKS = """
SELECT m.topic, m.partition FROM mark m JOIN unnest($1::text[], $2::int[]) AS u (topic, partition) USING (topic, partition)
ORDER BY m.topic, m.partition FOR UPDATE OF m
"""
# All of facts, and of those of conditions, which are many and move once, the ones that were asked for.
MARKS = """
SELECT topic, partition, next_offset, halves FROM mark WHERE NOT starts_with(topic, '~')
UNION ALL
SELECT m.topic, m.partition, m.next_offset, m.halves
FROM unnest($1::text[], $2::int[]) AS u (topic, partition) JOIN mark m USING (topic, partition) WHERE starts_with(u.topic, '~')
"""
ANSWERED = "SELECT topic, partition FROM mark WHERE starts_with(topic, '~') AND next_offset > 0"
MOVE_MARKS = """
UPDATE mark m SET next_offset = u.next, halves = u.halves
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bytea[]) AS u (topic, partition, next, halves)
WHERE m.topic = u.topic AND m.partition = u.partition
"""
# A mark at a time, each by the index: joined to all of them, PostgreSQL may read the whole table (see runtime/people.py).
WAITING = """
SELECT waits.id FROM unnest($1::text[], $2::int[], $3::bigint[]) AS u (topic, partition, next) CROSS JOIN LATERAL (
    SELECT p.id::text AS id FROM person p
    WHERE p.wait_topic = u.topic AND p.wait_partition = u.partition AND p.wait_offset < u.next OFFSET 0
) AS waits
"""
WAIT = """
UPDATE person p SET wait_topic = u.topic, wait_partition = u.partition, wait_offset = u.at
FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bigint[]) AS u (id, topic, partition, at) WHERE p.id = u.id
"""

Marks = dict[tuple[str, int], Mark]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Half, ...]).decode


async def lock_marks(connection: Connection, places: Iterable[tuple[str, int]]) -> Marks:
    """(topic, partition) -> how far the segmenter has come; those of `places` are locked until the commit. Of conditions only these.

    The lock is what makes waiting safe whoever owns which partition: a run that begins to wait holds the mark, so the transaction
    that moves it comes later and sees the run; or it came before, and the run sees the mark.
    """
    ordered = sorted(set(places))
    topics, partitions = [t for t, _ in ordered], [p for _, p in ordered]
    rows = await connection.fetch(LOCK_MARKS, topics, partitions)
    if len(rows) < len(ordered):
        await connection.execute(ENSURE_MARKS, topics, partitions)
        await connection.fetch(LOCK_MARKS, topics, partitions)
    rows = await connection.fetch(MARKS, topics, partitions)
    return {(row["topic"], row["partition"]): Mark(row["next_offset"], _decode(row["halves"])) for row in rows}


async def answered(connection: Connection) -> list[tuple[str, int]]:
    """(condition, partition) that the segmenter answers."""
    return [(row["topic"], row["partition"]) for row in await connection.fetch(ANSWERED)]


async def move_marks(connection: Connection, marks: Marks) -> None:
    """Write marks that moved; their rows are locked."""
    places = sorted(marks)
    moved = [marks[place] for place in places]
    topics, partitions = [t for t, _ in places], [p for _, p in places]
    await connection.execute(MOVE_MARKS, topics, partitions, [m.next_offset for m in moved], [_encode(m.halves) for m in moved])


async def waiting(connection: Connection, marks: Mapping[tuple[str, int], int]) -> set[str]:
    """The people who wait for a fact that these marks (next offsets) have passed."""
    rows = await connection.fetch(WAITING, [t for t, _ in marks], [p for _, p in marks], list(marks.values()))
    return {row["id"] for row in rows}


async def wait(connection: Connection, people: Mapping[str, Place | None]) -> None:
    """Note for which fact each of these people waits now; None: for none. Their rows are locked."""
    ids: Collection[str] = sorted(people)
    places: Sequence[Place | tuple[None, None, None]] = [people[person] or (None, None, None) for person in ids]
    await connection.execute(WAIT, ids, [p[0] for p in places], [p[1] for p in places], [p[2] for p in places])
