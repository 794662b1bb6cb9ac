"""How far a service has come in each partition: locked first in every batch, advanced last, in the same transaction (law 2)."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from runtime.batch import Item
from runtime.clock import NOW
from runtime.db import Connection
from runtime.kafka import Place, Record
from schemas.facts import Seq

TIMERS = "timers"


@dataclass(slots=True)
class Mark:
    """next_offset: the first offset not handled yet (-1: none read); seqs: src -> highest (epoch, offset, index) seen."""

    next_offset: int
    epoch: int
    fingerprint: int
    seqs: dict[str, tuple[int, int, int]] = field(default_factory=dict)


class TopicRecreated(RuntimeError):  # noqa: N818
    """The topic is not the one this watermark was made for: going on would take new facts for old ones."""


class Gap(Exception):  # noqa: N818
    """The batch starts above the watermark of these partitions: read again from there.

    A second look that starts above again means that the offsets do not exist (deleted by retention, compacted, or markers of a
    transactional producer): then the gap is real.
    """

    def __init__(self, marks: dict[Place, int]) -> None:
        super().__init__(str(marks))
        self.marks = marks


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, tuple[int, int, int]]).decode

LOCK = f"""
SELECT w.topic, w.partition, w.next_offset, w.epoch, w.fingerprint, w.seqs,
       ({NOW}) AS now,
       (SELECT revision FROM definition_revision) AS revision
FROM watermark w JOIN unnest($1::text[], $2::int[]) AS u (topic, partition) USING (topic, partition)
ORDER BY w.topic, w.partition FOR UPDATE OF w
"""  # noqa: S608 - of our own text
READ = "SELECT topic, partition, next_offset, fingerprint FROM watermark WHERE topic = ANY($1)"
ENSURE = """
INSERT INTO watermark (topic, partition) SELECT * FROM unnest($1::text[], $2::int[]) AS u ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
FINISH = """
WITH mark AS (
    UPDATE watermark w SET next_offset = u.next, fingerprint = u.print, seqs = u.seqs
    FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bytea[]) AS u (topic, partition, next, print, seqs)
    WHERE w.topic = u.topic AND w.partition = u.partition
), journal AS (
    INSERT INTO journal (now, revision, topics, partitions, from_offsets, to_offsets) VALUES ($6, $7, $1, $2, $8, $3)
)
INSERT INTO outbox (topic, partition, count, records, added_at)
SELECT u.topic, u.partition, u.count, u.records, $13
FROM unnest($9::text[], $10::int[], $11::int[], $12::bytea[]) WITH ORDINALITY AS u (topic, partition, count, records, n)
ORDER BY u.n
"""


async def ensure(connection: Connection, places: Iterable[Place]) -> None:
    rows = sorted(places)
    await connection.execute(ENSURE, [t for t, _ in rows], [p for _, p in rows])


async def read(connection: Connection, topics: Sequence[str]) -> dict[Place, tuple[int, int]]:
    """Place -> (next_offset, fingerprint), without a lock: where a new owner starts to read."""
    rows = await connection.fetch(READ, list(topics))
    return {(r["topic"], r["partition"]): (r["next_offset"], r["fingerprint"]) for r in rows}


async def lock(connection: Connection, places: Iterable[Place]) -> tuple[dict[Place, Mark], int, int]:
    """Lock the rows in order. Returns the marks, `now` in ms and the definitions' revision of this transaction."""
    ordered = sorted(places)
    rows = await connection.fetch(LOCK, [t for t, _ in ordered], [p for _, p in ordered])
    if len(rows) != len(ordered):
        raise RuntimeError(f"watermark rows are missing for some of {ordered}")
    marks = {(r["topic"], r["partition"]): Mark(r["next_offset"], r["epoch"], r["fingerprint"], _decode(r["seqs"])) for r in rows}
    return marks, rows[0]["now"], rows[0]["revision"]


def unseen(items: Sequence[Item], marks: dict[Place, Mark]) -> list[Item]:
    """Drop what was handled before: offsets below the watermark, and seqs not above the highest of their src."""
    fresh = []
    for item in items:
        mark = marks[item.place]
        if item.offset < mark.next_offset:
            continue
        if item.seq is not None and item.src is not None and not _above(mark, item.src, item.seq):
            continue
        fresh.append(item)
    return fresh


def _above(mark: Mark, src: str, seq: Seq) -> bool:
    place = (seq.epoch, seq.offset, seq.index)
    if place <= mark.seqs.get(src, (-1, -1, -1)):
        return False
    mark.seqs[src] = place
    return True


def gap(firsts: dict[Place, int], marks: dict[Place, Mark]) -> dict[Place, int]:
    """Partitions whose batch starts above the watermark, with that watermark."""
    return {place: marks[place].next_offset for place, first in firsts.items() if 0 <= marks[place].next_offset < first}


def fingerprint(record: Record) -> int:
    return zlib.crc32(record.value or b"") << 1 | 1  # never 0, which means unknown


async def finish(
    connection: Connection,
    marks: dict[Place, Mark],
    froms: dict[Place, int],
    now: int,
    revision: int,
    outbox: Sequence[tuple[str, int, int, bytes]],
) -> None:
    """Advance the marks, write the journal row and the outbox rows in one statement."""
    places = sorted(froms)
    taken: list[Any] = [marks[p] for p in places]
    await connection.execute(
        FINISH,
        [t for t, _ in places],
        [p for _, p in places],
        [m.next_offset for m in taken],
        [m.fingerprint for m in taken],
        [_encode(m.seqs) for m in taken],
        now,
        revision,
        [froms[p] for p in places],
        [row[0] for row in outbox],
        [row[1] for row in outbox],
        [row[2] for row in outbox],
        [row[3] for row in outbox],
        now,
    )
