"""From decisions to Kafka without a gap: emits are packed into outbox rows with the batch, and one relay a service sends them.

A consumer drops what is not above the highest `seq` of its `src`. So a record that was skipped and sent later would be lost: per
destination partition one record batch is under way at a time, the next after its ack, and after any failed ack the producer is
thrown away and the relay starts again from the first row.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from runtime import metrics
from runtime.batch import Emit
from runtime.clock import set_within
from runtime.db import TRANSIENT, Connection, Database
from runtime.failpoints import Failpoint
from runtime.kafka import Out, Producer, SendFailed
from schemas.facts import extend
from schemas.ids import partition_of
from schemas.topics import MAX_RECORD_BYTES

log = logging.getLogger(__name__)

ROW_BYTES = 400_000
ROUND_BYTES = 16_000_000
Row = tuple[str, int, int, bytes]  # topic, partition, count of records, records
# The first rows, as many as fit the bytes of a round; the first one always.
READ = """
SELECT id, topic, partition, records FROM (
    SELECT *, sum(octet_length(records)) OVER (ORDER BY id) - octet_length(records) AS before FROM outbox ORDER BY id LIMIT $1
) o WHERE before < $2 ORDER BY id
"""
DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
COUNT = "SELECT count(*) AS rows, coalesce(min(added_at), 0) AS oldest FROM outbox"

TROUBLE: tuple[type[BaseException], ...] = (*TRANSIENT, SendFailed)

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[bytes, bytes, list[tuple[str, bytes]]]]).decode


class OutOfOrder(ValueError):  # noqa: N818
    """Emits of one place came before those of an earlier one: a consumer would drop the latter as seen."""


class RecordTooLarge(ValueError):  # noqa: N818
    """An emit over the limit of a record: found here, in the transaction, where it can still be buried."""


def pack(emits: Iterable[Emit], partitions: int) -> list[Row]:
    """Outbox rows (topic, partition, count, records) of a batch's emits, with `src` and `seq` written into each."""
    open_rows: dict[tuple[str, int], tuple[list[Out], int]] = {}
    rows: list[Row] = []
    indexes: dict[tuple[str, int, int], int] = {}
    last: dict[str, tuple[int, int]] = {}
    for emit in emits:
        if (emit.at.epoch, emit.at.offset) < last.get(emit.at.src, (0, 0)):
            raise OutOfOrder(
                f"emits of {emit.at.src}: {emit.at.offset} after {last[emit.at.src][1]}; give them in the items' order"
            )
        last[emit.at.src] = emit.at.epoch, emit.at.offset
        index = indexes.get(emit.at, 0)
        indexes[emit.at] = index + 1
        value = extend(emit.value, b'"src":"%b","seq":[%d,%d,%d]' % (emit.at.src.encode(), emit.at.epoch, emit.at.offset, index))
        if (length := len(value) + len(emit.key) * 4) > MAX_RECORD_BYTES:
            raise RecordTooLarge(f"a record of {length} bytes for {emit.topic}: at most {MAX_RECORD_BYTES}")
        place = (emit.topic, partition_of(emit.key, partitions) if emit.partition is None else emit.partition)
        records, size = open_rows.setdefault(place, ([], 0))
        if records and size + len(value) > ROW_BYTES:
            rows.append((*place, len(records), _pack(records)))
            records, size = [], 0
        records.append((emit.key.encode(), value, [("t", emit.type.encode())] if emit.type else []))
        open_rows[place] = (records, size + len(value))
    rows.extend((*place, len(records), _pack(records)) for place, (records, _) in open_rows.items())
    return rows


def channel(service: str) -> str:
    """Where the leader listens for rows that other processes of the service committed."""
    return f"{service}_outbox"


class Relay:
    """Sends outbox rows in id order; one process of a service at a time holds the lock and does it."""

    def __init__(
        self, db: Database, service: str, producer: Callable[[], Producer], failpoint: Failpoint, batch: int = 256
    ) -> None:
        self._db, self._service, self._make, self._failpoint, self._batch = db, service, producer, failpoint, batch
        self.wake = asyncio.Event()
        self.leads = False
        self._producer: Producer | None = None
        self._stopping = False
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Until `stop()`: take the lock, send, and begin anew after any trouble."""
        while not self._stopping:
            try:
                await self._lead()
            except TROUBLE as error:
                log.warning("relay starts again", extra={"why": type(error).__name__})
                metrics.relay_restarts.labels(self._service).inc()
                await asyncio.sleep(0.2)
            finally:
                self.leads = False
                await self._drop_producer()

    def stop(self) -> None:
        self._stopping = True
        self._stopped.set()
        self.wake.set()

    async def _lead(self) -> None:
        connection = await self._db.dedicated()
        try:
            # A frozen leader's session ends, and with it the lock; what the zombie still sends, consumers drop by `seq`.
            await connection.execute("SET idle_session_timeout = '15s'")
            while not await connection.fetchval("SELECT pg_try_advisory_lock(hashtext($1))", f"relay:{self._service}"):
                await set_within(self._stopped, 1.0)  # not woken by our own batches: their rows are the leader's
                if self._stopping:
                    return
            await connection.add_listener(channel(self._service), lambda *_: self.wake.set())
            self.leads = True
            while not self._stopping:
                if not await self.send_some(connection):
                    await self._sleep(1.0)
            while await self.send_some(connection):
                pass
        finally:
            with contextlib.suppress(Exception):
                await connection.close(timeout=2)

    async def _sleep(self, seconds: float) -> None:
        await set_within(self.wake, seconds)
        self.wake.clear()

    async def send_some(self, connection: Connection) -> bool:
        """One round: read the first rows, send them, delete what was acknowledged. False when there was nothing."""
        self.wake.clear()
        rows = await connection.fetch(READ, self._batch, ROUND_BYTES)
        if not rows:
            return False
        self._failpoint("relay_read")
        if self._producer is None:
            self._producer = await self._make().start()
        places: dict[tuple[str, int], list[Any]] = {}
        for row in rows:
            places.setdefault((row["topic"], row["partition"]), []).append(row)
        outcomes = await asyncio.gather(
            *(self._send(self._producer, place, taken) for place, taken in places.items()), return_exceptions=True
        )
        self._failpoint("relay_sent")
        done = [row["id"] for taken, outcome in zip(places.values(), outcomes, strict=True) if outcome is None for row in taken]
        if done:
            await connection.execute(DELETE, done)
            self._failpoint("relay_deleted")
        failures = [outcome for outcome in outcomes if outcome is not None]
        if failures:
            raise failures[0]
        return True

    async def _send(self, producer: Producer, place: tuple[str, int], rows: Sequence[Any]) -> None:
        records = [record for row in rows for record in _unpack(row["records"])]
        await producer.send(*place, records)
        metrics.relayed.labels(self._service, place[0]).inc(len(records))

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def drained(self) -> bool:
        """True when nothing waits: the quiet protocol asks."""
        async with self._db.connection() as connection:
            return not await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)")

    async def flush(self, stop: asyncio.Event | None = None) -> None:
        """Return when nothing waits any more, whichever process leads the relay, or when `stop` is set."""
        while not await self.drained() and not (stop and stop.is_set()):
            self.wake.set()
            await asyncio.sleep(0.005)

    async def measure(self, now: int) -> None:
        async with self._db.connection() as connection:
            row = await connection.fetchrow(COUNT)
        metrics.outbox_rows.labels(self._service).set(row["rows"])
        metrics.outbox_age.labels(self._service).set(max(0, now - row["oldest"]) / 1000 if row["rows"] else 0)
