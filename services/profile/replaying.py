"""Who is whom, made anew: the batches of the log handled once more in an empty database, as the journal says that live took them.

The journal keeps of each batch what was read and the instant at which it was decided. So a replay is the same batches in the same order,
and every id comes out as it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from runtime.batch import Bad, Item, Tx
from runtime.db import Connection
from runtime.kafka import Place
from runtime.process import Context
from schemas.topics import FACTS_RAW, FACTS_RAW_BULK
from services.profile.handler import Handler
from services.profile.store import identities
from services.profile.store.identities import Identity

TOPICS = (FACTS_RAW.name, FACTS_RAW_BULK.name)
AT_ONCE = 2000
COPIED = ("definition", "definition_current", "definition_revision")

STAND = "SELECT topic, partition, next_offset FROM watermark WHERE topic = ANY($1::text[]) AND next_offset > 0"
JOURNAL = "SELECT now, topics, partitions, from_offsets, to_offsets FROM journal ORDER BY id"
RULES = "SELECT count(*) FROM definition WHERE kind = 'identity'"
KEYS = "SELECT key, profile::text FROM identifier WHERE profile = ANY($1::uuid[])"


class Batch(NamedTuple):
    """What live read of each place, [from, to), and when it decided that (ms)."""

    now: int
    ranges: Mapping[Place, tuple[int, int]]


class Past(NamedTuple):
    """What live handled. missing: what the journal lacks of the beginning; changed: whether other rules of identity ruled in between."""

    batches: Sequence[Batch]
    stands: Mapping[Place, int]
    missing: Mapping[Place, int]
    changed: bool


async def past(connection: Connection) -> Past:
    """Of live, in the stated instant."""
    stands = {(topic, partition): n for topic, partition, n in await connection.fetch(STAND, list(TOPICS))}
    batches, firsts = list[Batch](), dict[Place, int]()
    for now, topics, partitions, starts, ends in await connection.fetch(JOURNAL):
        places = zip(topics, partitions, strict=True)
        ranges = {place: (max(0, start), end) for place, start, end in zip(places, starts, ends, strict=True) if place[0] in TOPICS}
        for place, (start, _) in ranges.items():
            firsts.setdefault(place, start)
        if ranges:
            batches.append(Batch(now, ranges))
    missing = {place: first for place in stands if (first := firsts.get(place, stands[place]))}
    return Past(batches, stands, missing, await connection.fetchval(RULES) > 1)


async def copy_rules(held: Connection, into: Connection) -> None:
    """The rules of identity that are in force, into the empty database."""
    for table in COPIED:
        rows = await held.fetch(f"SELECT * FROM {table}")  # noqa: S608 - names of ours
        await into.execute(f"DELETE FROM {table}")  # noqa: S608
        if rows:
            await into.copy_records_to_table(table, records=[tuple(row) for row in rows], columns=list(rows[0].keys()))


class Replay:
    """Handles batches in the empty database. buried: records that could not be handled."""

    def __init__(self, context: Context, handler: Handler) -> None:
        self._context, self._handler, self.buried = context, handler, 0

    async def take(self, now: int, items: Sequence[Item]) -> None:
        good = [item for item in items if not isinstance(item.value, Bad)]
        self.buried += len(items) - len(good)
        try:
            await self._handle(now, good)
        except (ValueError, TypeError, KeyError):
            for item in good:
                try:
                    await self._handle(now, [item])
                except (ValueError, TypeError, KeyError):
                    self.buried += 1

    async def _handle(self, now: int, items: Sequence[Item]) -> None:
        if items:
            async with self._context.db.transaction() as connection:
                revision = await connection.fetchval("SELECT revision FROM definition_revision")
                await self._handler(Tx(connection, now, revision, "profile", {}), items)
            await self._handler.committed()


async def differences(held: Connection, again: Connection) -> tuple[int, dict[str, list[str]]]:
    """How many people live has, and of whom the replay has something else: id -> names of it."""
    found: dict[str, list[str]] = {}
    count, after = 0, None
    while True:
        page = await identities.page(held, after, AT_ONCE)
        upto = page[-1].id if len(page) == AT_ONCE else None
        others = {one.id: one for one in await identities.between(again, after, upto)}
        keys, there = await _keys(held, page), await _keys(again, others.values())
        for one in page:
            other = others.pop(one.id, None)
            what = ["the log makes nobody of this id"] if other is None else _unlike(one, other)
            if other is not None and keys.get(one.id) != there.get(one.id):
                what.append("identifiers")
            if what:
                found[one.id] = what
        found.update({id_: ["live has nobody of this id"] for id_ in others})
        count += len(page)
        if upto is None:
            break
        after = upto
    here, gone = await identities.gone(held), await identities.gone(again)
    for id_ in here.erased ^ gone.erased:
        found.setdefault(id_, []).append("erased by one alone")
    return count, found


def _unlike(one: Identity, other: Identity) -> list[str]:
    names = {"others": "who became one with him", "attributes": "attributes", "kinds": "kinds of identifiers", "bucketing": "bucketing", "words": "consent"}  # fmt: skip
    return [said for name, said in names.items() if getattr(one, name) != getattr(other, name)]


async def _keys(connection: Connection, people: Iterable[Identity]) -> dict[str, set[str]]:
    owner = {id_: one.id for one in people for id_ in (one.id, *one.others)}
    found: dict[str, set[str]] = {}
    for key, profile in await connection.fetch(KEYS, list(owner)):
        found.setdefault(owner[profile], set()).add(key)
    return found
