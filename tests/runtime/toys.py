"""Small services for the tests of the machine: one counts records, one counts people; both are honest about every application."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from runtime import people
from runtime.batch import At, Emit, Item, Tx
from runtime.db import Database
from runtime.outbox import pack
from runtime.people import Saved
from runtime.process import Context, open_context
from runtime.service import Consumes, Fired, Service
from runtime.settings import Settings
from schemas.facts import PROFILE_MERGED, Fact, decode, encode
from schemas.ids import derive, partition_of
from schemas.topics import DECISIONS, FACTS, FACTS_RAW, FACTS_RAW_BULK
from tests.support.live import rows

APPLY = """
INSERT INTO applied (id, topic, times) SELECT id, topic, 1 FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (id, topic, n)
ORDER BY n ON CONFLICT (id) DO UPDATE SET times = applied.times + 1
"""
Before = Callable[[Tx, Sequence[Item]], Awaitable[None]]


def decode_fact(record: Any) -> Fact:
    return decode(record.value or b"")


async def _nothing(_tx: Tx, _items: Sequence[Item]) -> None:
    return None


def counter(before: Before = _nothing, *, bulk: bool = False, emits: bool = True, name: str = "toy", **more: Any) -> Service:
    """Counts every record of `facts.raw` in `applied`, the total in one row, and passes each on to `facts`."""

    async def handle(tx: Tx, items: Sequence[Item]) -> list[Emit]:
        await before(tx, items)
        await tx.connection.execute(APPLY, [item.value.id for item in items], [item.place[0] for item in items])
        await tx.connection.execute("UPDATE total SET n = n + $1", len(items))
        if not emits:
            return []
        return [Emit(FACTS.name, item.value.identifiers[0], item.raw, tx.at(item), item.value.type) for item in items]

    lanes = (Consumes(FACTS_RAW, decode_fact), *([Consumes(FACTS_RAW_BULK, decode_fact, lane="bulk")] if bulk else []))
    given = {"consumes": lanes, "handle": handle, "migrations": ("tests.runtime.toysql",), "topics_written": (FACTS,), **more}
    return Service(name=name, **given)


async def applied(context: Context) -> dict[str, int]:
    """Record id -> how often it was handled."""
    return {row["id"]: row["times"] for row in await rows(context, "SELECT id, times FROM applied")}


async def passed(context: Context, topic: str = "facts.raw") -> int:
    """How many offsets are handled, all partitions together."""
    query = "SELECT coalesce(sum(next_offset) FILTER (WHERE next_offset > 0), 0)::int AS n FROM watermark WHERE topic = $1"
    return (await rows(context, query, topic))[0]["n"]


def all_passed(context: Context, count: int, topic: str = "facts.raw") -> Callable[[], Awaitable[bool]]:
    async def enough() -> bool:
        return await passed(context, topic) >= count and await context.relay.drained()

    return enough


# ---- people


class State(msgspec.Struct):
    """n: how many facts; dues: instants of timers."""

    n: int = 0
    dues: list[int] = []


_pack, _unpack = msgspec.msgpack.encode, msgspec.msgpack.Decoder(State).decode


def person_id(name: str) -> str:
    return derive("person", name)


def seen(name: str, number: int, at: int, due: int | None = None) -> Fact:
    """A fact of a person in `facts`; due: a timer that it sets."""
    properties = {"due": due} if due is not None else {}
    return Fact(
        id=derive(name, number), type="track", brand="b", source="s", occurred_at=at, received_at=at,
        profile=person_id(name), properties=properties,
    )  # fmt: skip


def merged(winner: str, loser: str, at: int) -> Fact:
    return Fact(
        id=derive(winner, loser), type=PROFILE_MERGED, brand="b", source="s", occurred_at=at, received_at=at,
        profile=person_id(winner), properties={"winner": person_id(winner), "loser": person_id(loser)},
    )  # fmt: skip


def census(timers: Any = None, name: str = "census", before: Before = _nothing) -> Service:
    """Counts the facts of each person across merges; fires their timers."""

    async def handle(tx: Tx, items: Sequence[Item]) -> list[Emit]:
        await before(tx, items)
        await count(tx, [item.value for item in items])
        return []

    return Service(
        name=name,
        consumes=(Consumes(FACTS, decode_fact),),
        handle=handle,
        timers=timers or Alarms(),
        migrations=("tests.runtime.peoplesql",),
        topics_written=(DECISIONS,),
    )


async def count(tx: Tx, facts: Sequence[Fact]) -> None:
    """Load everybody of the batch, decide in memory, save: the way of every service."""
    ids = {f.profile for f in facts} | {p for f in facts if f.type == PROFILE_MERGED for p in f.properties.values()}
    folk = await people.load(tx.connection, ids)
    states: dict[str, State] = {}

    def state(person: str) -> State:
        if person not in states:
            known = folk.state(person)
            states[person] = _unpack(known) if known else State()
        return states[person]

    for fact in facts:
        if fact.type == PROFILE_MERGED:
            pair = folk.merge(fact.properties["winner"], fact.properties["loser"])
            if pair:
                winner, loser = state(pair[0]), state(pair[1])
                winner.n += loser.n
                winner.dues = sorted({*winner.dues, *loser.dues})
        else:
            one = state(folk.canonical(fact.profile or ""))
            one.n += 1
            if "due" in fact.properties:
                one.dues = sorted({*one.dues, fact.properties["due"]})
    await folk.save(tx.connection, [_row(person, one) for person, one in states.items()])


def _row(person: str, one: State) -> Saved:
    return Saved(person, partition_of(person, 4), _pack(one), one.dues[0] if one.dues else None)


class Alarms:
    """Fires what is due, emits a fact for each."""

    def __init__(self, broken: Callable[[str], None] = lambda _person: None) -> None:
        self._broken = broken

    async def due(self, connection: Any, partitions: Sequence[int], now: int) -> bool:
        return await people.is_due(connection, partitions, now)

    async def fire(self, tx: Tx, ats: Mapping[int, At], limit: int) -> Fired:
        due = await people.due(tx.connection, list(ats), tx.now, limit)
        folk = await people.load(tx.connection, [person for person, _, _ in due])
        saved, emits, count = [], [], 0
        for person, partition, _ in due:
            known = folk.state(person)
            one = _unpack(known) if known else State()
            if not one.dues or one.dues[0] > tx.now:
                continue
            self._broken(person)
            instant = one.dues.pop(0)
            await tx.connection.execute("INSERT INTO fired VALUES ($1, $2, $3)", person, instant, tx.now)
            saved.append(_row(person, one))
            told = Fact(
                id=derive(person, instant),
                type="timer.fired",
                brand="b",
                source="t",
                occurred_at=instant,
                received_at=instant,
                profile=person,
            )
            emits.append(Emit("decisions", person, encode(told), ats[partition]))
            count += 1
        await folk.save(tx.connection, saved)
        return Fired(emits, count, due[0][2] if due else 0)


async def census_of(context: Context) -> dict[str, int]:
    """Canonical person -> count."""
    found = await rows(context, "SELECT id::text AS id, state FROM person WHERE merged_into IS NULL")
    return {row["id"]: _unpack(row["state"]).n for row in found}


# ---- pieces of the machine on their own


def emit(key: str, n: int, src: str = "toy:facts.raw-0", topic: str = "facts") -> Emit:
    return Emit(topic, key, encode({"n": n}), At(src, 0, n))


async def into_outbox(db: Database, emits: Sequence[Emit], config: Settings) -> None:
    """As a batch would: packed rows in one transaction."""
    async with db.transaction() as connection:
        await connection.executemany(
            "INSERT INTO outbox (topic, partition, count, records, added_at) VALUES ($1, $2, $3, $4, 0)",
            pack(emits, config.partitions),
        )


@asynccontextmanager
async def opened(service: Service, config: Settings) -> AsyncIterator[Context]:
    """A service's connections and tables without its loop."""
    context = await open_context(service, config)
    try:
        yield context
    finally:
        await context.clock.stop()
        await context.db.close()


class Gate:
    """Holds a handler up until the test opens it, and says that somebody waits."""

    def __init__(self) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    async def __call__(self, _tx: Tx, _items: Sequence[Item]) -> None:
        self.reached.set()
        await self.open.wait()
