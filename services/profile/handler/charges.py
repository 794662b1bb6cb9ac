"""Charges are added up in the transaction in which they find their person, and told when their day is over."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from runtime.batch import At, Emit, Item, Tx
from runtime.definitions import Definitions
from runtime.service import Fired
from schemas.facts import Fact, encode
from schemas.topics import FACTS, FACTS_BULK, PARTITIONS
from services.profile import store
from services.profile.domain import charges
from services.profile.domain.charges import Day, Zones
from services.profile.store import charges as table


class Charged(NamedTuple):
    """A charge and whose it is."""

    item: Item
    fact: Fact
    profile: str


class Charges:
    """Adds up what a batch brings, and is the timer lane of the days that are over. partitions: of the installation's topics."""

    def __init__(self) -> None:
        self._zones: Definitions[Zones] = Definitions((charges.BRAND,), charges.zones)
        self.partitions = PARTITIONS

    async def fold(self, tx: Tx, taken: Sequence[Charged], buried: Mapping[str, str], items: Sequence[Item]) -> list[Emit]:
        """buried: loser -> winner of the batch's merges; items: all of the batch. Answers what was due before a charge came."""
        if not taken and not buried:
            return []
        zones = await self._zones.at(tx.connection, tx.revision)
        parts = [(*charges.place(one.fact, buried.get(one.profile, one.profile), zones), one) for one in taken]
        moved = [row.key for row in await table.of(tx.connection, buried)] if buried else []
        to = (key._replace(profile=buried[key.profile]) for key in moved)
        before = dict(row[:2] for row in await table.lock(tx.connection, {*moved, *to, *(key for key, _, _ in parts)}))
        after = charges.together(before.items(), buried)
        last = {item.place: item for item in items}  # a place's emits come in its order, and those of the batch were before
        told = []
        for key, part, one in parts:
            fact = charges.take(after, key, part, one.fact.received_at)
            if fact is not None:
                told.append(_emit(fact, tx.at(last[one.item.place])))
        await table.save(tx.connection, before, after, self.partitions)
        return told

    async def due(self, connection: Any, partitions: Sequence[int], now: int) -> bool:
        return await table.is_due(connection, partitions, now)

    async def fire(self, tx: Tx, ats: Mapping[int, At], limit: int) -> Fired:
        """Tell the days that are over. One who was merged away while his charge came is told as the one whom he became, one who was
        erased not at all.
        """
        rows = await table.due(tx.connection, list(ats), tx.now, limit)
        if not rows:
            return Fired()
        became = await store.meant(tx.connection, {row.key.profile for row in rows})
        there = [row for row in rows if row.key.profile in became]
        days = charges.together(((row.key, row.open) for row in there), became)
        at: dict[Day, At] = {}
        for row in there:
            at.setdefault(row.key._replace(profile=became[row.key.profile]), ats[row.partition])
        await table.tell(tx.connection, [row.key for row in rows])
        told = sorted(days.items(), key=lambda day: (day[1].due_at, day[1].first))
        emits = [_emit(charges.rolled_up(key, part), at[key]) for key, part in told]
        return Fired(emits, len(rows), min(row.open.due_at for row in rows))


def _emit(fact: Fact, at: At) -> Emit:
    topic = FACTS if fact.lane == "live" else FACTS_BULK
    return Emit(topic.name, fact.profile or "", encode(fact), at, fact.event)
