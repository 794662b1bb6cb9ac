"""Emits that react to no record: an API call, a provider's answer. They go the same way as a batch's: watermark row, seq, outbox."""

from collections.abc import Sequence

from msgspec.structs import replace

from runtime import outbox, watermark
from runtime.batch import At, Emit
from runtime.clock import NOW
from runtime.db import Connection
from runtime.kafka import Place
from runtime.settings import Settings


def unplaced(topic: str, key: str, value: bytes, type: str = "") -> Emit:  # noqa: A002
    """An emit whose place `publish_in` fills in."""
    return Emit(topic, key, value, At("", 0, 0), type)


async def lock(connection: Connection, name: str) -> tuple[dict[Place, watermark.Mark], int, int]:
    """Lock the row `name` counts its emits in. Returns the marks, `now` (ms) and the definitions' revision."""
    place = (name, 0)
    await watermark.ensure(connection, [place])
    return await watermark.lock(connection, [place])


async def now(connection: Connection) -> int:
    """What `lock` would return, of a transaction that emits nothing."""
    found: int = await connection.fetchval(NOW)
    return found


async def publish_in(connection: Connection, settings: Settings, service: str, name: str, emits: Sequence[Emit]) -> int:
    """Write `emits` to the outbox within the caller's transaction; `src` is `service:name`. Wake the relay after the commit.

    Returns `now` of the transaction, ms.
    """
    marks, now, revision = await lock(connection, name)
    mark = marks[name, 0]
    number = max(0, mark.next_offset)
    at = At(f"{service}:{name}", mark.epoch, number)
    mark.next_offset = number + 1
    rows = outbox.pack([replace(emit, at=at) for emit in emits], settings.partitions)
    await watermark.finish(connection, marks, {(name, 0): number}, now, revision, rows)
    await connection.execute("SELECT pg_notify($1, '')", outbox.channel(service))  # another process may lead the relay
    return now
