"""A service so small that its arithmetic is obvious, in a loop that is fed by hand: for laws of the loop, without a broker."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from runtime.batch import Emit, Item, Tx
from runtime.bound import Bound
from runtime.clock import Clock
from runtime.db import Database
from runtime.failpoints import Failpoint, quiet
from runtime.kafka import Headers, Place, Producer
from runtime.loop import Lane, Loop
from runtime.migrate import migrate
from runtime.outbox import Relay
from runtime.pace import Pace
from runtime.poison import Vault
from runtime.service import Consumes, Service
from runtime.settings import Settings
from schemas.facts import Fact, decode
from schemas.topics import FACTS, FACTS_RAW
from tests.support.live import T0, until


@dataclass
class Rec:
    """What the Kafka client would have given."""

    topic: str
    partition: int
    offset: int
    value: bytes
    key: bytes | None = None
    timestamp: int = 0
    headers: Headers = field(default_factory=list)


class Owner:
    """Stands for a reader that owns its partitions, whatever the group thinks: a frozen process does not know better."""

    def __init__(self, *places: Place) -> None:
        self.assigned = set(places)
        self.fresh: set[Place] = set()
        self.in_flight = asyncio.Lock()

    async def hint(self, _offsets: Any) -> None:
        return


class Toy:
    """One process of the toy service: notes the id of every fact that it is given, and emits each. `feed` is a batch it has fetched.

    gate: while it is closed, a batch stays inside its transaction; inside: one is there.
    """

    def __init__(self, db: Database, settings: Settings, failpoint: Failpoint, *places: Place) -> None:
        inputs = tuple(Consumes(topic, _decode) for topic in (FACTS_RAW, FACTS))
        relay = Relay(db, "toy", lambda: Producer(settings, "toy"), quiet)
        self.loop = Loop(Service("toy", inputs, self._handle), settings, db, Clock(db), relay, Vault("test"), failpoint)
        self.owner = Owner(*places)
        self.gate, self.inside = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def _handle(self, tx: Tx, items: Sequence[Item]) -> list[Emit]:
        self.inside.set()
        await self.gate.wait()
        await tx.connection.executemany("INSERT INTO handled (fact) VALUES ($1)", [(item.value.id,) for item in items])
        return [Emit(FACTS.name, "k", item.raw, tx.at(item)) for item in items]

    async def feed(self, records: Sequence[Rec]) -> None:
        lane: Any = Lane(self.owner, "live", Pace(20), Bound(2000))  # type: ignore[arg-type]
        batch: dict[Place, list[Any]] = {}
        for record in records:
            batch.setdefault((record.topic, record.partition), []).append(record)
        await self.loop.process(lane, self.loop._portion(lane, batch))


def _decode(record: Any) -> Fact:
    return decode(record.value or b"")


def fact_record(offset: int, name: str, topic: str = "facts.raw", partition: int = 0, **more: Any) -> Rec:
    body = {"id": name, "type": "track", "brand": "shop", "source": "site", "occurred_at": T0, "received_at": T0, **more}
    return Rec(topic, partition, offset, json.dumps(body).encode())


@asynccontextmanager
async def toys(settings: Settings, number: int, *places: Place, failpoint: Failpoint = quiet) -> AsyncIterator[list[Toy]]:
    """Several processes of the service, each with connections of its own, that all believe to own the places."""
    await migrate(settings, "runtime", "runtime.clocksql")
    await migrate(settings, "toy", "runtime.sql")
    databases = [await Database(settings, "toy").open() for _ in range(number)]
    async with databases[0].transaction() as connection:
        await connection.execute("CREATE TABLE handled (at bigserial, fact text)")
        columns = [place[0] for place in places], [place[1] for place in places]
        await connection.execute("INSERT INTO watermark (topic, partition) SELECT * FROM unnest($1::text[], $2::int[])", *columns)
    try:
        yield [Toy(db, settings, failpoint, *places) for db in databases]
    finally:
        for db in databases:
            await db.close()


async def handled(toy: Toy) -> list[str]:
    async with toy.loop.db.connection() as connection:
        return [row["fact"] for row in await connection.fetch("SELECT fact FROM handled ORDER BY at")]


async def waiting(toy: Toy) -> int:
    """Records in the outbox."""
    async with toy.loop.db.connection() as connection:
        return await connection.fetchval("SELECT coalesce(sum(count), 0) FROM outbox")


async def stands_before_a_lock(db: Database, task: asyncio.Task[Any]) -> None:
    """Wait until the task waits for a lock of the database, or is done."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    async def so() -> bool:
        async with db.connection() as connection:
            return task.done() or bool(await connection.fetchval(query))

    await until(so)
