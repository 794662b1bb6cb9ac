"""People who were erased: hidden from whoever reads the lake in the transaction that hears of it, then written out of the files."""

from collections.abc import Sequence

import msgspec

from runtime import parted
from runtime.batch import Item, Tx
from runtime.db import Connection
from runtime.parted import Parted
from schemas.facts import PROFILE_ERASED, PROFILE_SPLIT, Split
from services.warehouse import roster
from services.warehouse.domain.walk import Stored

HIDE = """
INSERT INTO hidden (profile, act, at) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) ON CONFLICT (profile) DO NOTHING
"""
ANYBODY = "SELECT EXISTS (SELECT FROM hidden)"
HIDDEN = "SELECT profile::text AS profile FROM hidden WHERE profile = ANY($1::uuid[])"
# Held by a batch from before it looks who is hidden until its file is in the manifest. A statement of its own: what comes after it
# sees whatever was committed when the lock was got.
WRITING = "SELECT pg_advisory_xact_lock_shared(hashtext('warehouse.hidden'))"
NOBODY_WRITES = "SELECT pg_advisory_xact_lock(hashtext('warehouse.hidden'))"
PENDING = """
SELECT profile::text AS profile FROM hidden WHERE rewritten_at IS NULL AND clean_at IS NULL AND at <= $1 ORDER BY profile LIMIT 10000
"""
STANDING = "SELECT FROM hidden WHERE profile = ANY($1::uuid[]) ORDER BY profile FOR UPDATE"
# Rows that were another's until now may stand in the files that were looked through for his.
AGAIN = "UPDATE hidden SET clean_at = NULL, rewritten_at = NULL WHERE profile = ANY($1::uuid[])"
CLEAN = "UPDATE hidden SET clean_at = greatest($2::bigint, (SELECT max(removed_at) FROM manifest)) WHERE profile = ANY($1::uuid[])"
REWRITTEN = """
UPDATE hidden SET rewritten_at = $1 WHERE rewritten_at IS NULL AND clean_at IS NOT NULL
AND NOT EXISTS (SELECT FROM manifest WHERE removed_at <= clean_at)
"""
WHEN = "SELECT at, rewritten_at FROM hidden WHERE profile = $1"


async def spared(tx: Tx, items: Sequence[Item]) -> list[Item]:
    """The items of a batch without those of people who are erased, be it in this batch."""
    acts = [item.value for item in items if isinstance(item.value, Stored) and item.value.type == PROFILE_ERASED]
    gone = {str(person): act for act in acts for person in (act.profile, *act.properties["others"])}
    if gone:
        await tx.connection.execute(HIDE, list(gone), [a.properties["act"] for a in gone.values()], [tx.now] * len(gone))
        await roster.forget(tx.connection, gone)
    await _part(tx, items)
    await tx.connection.execute(WRITING)
    if not await tx.connection.fetchval(ANYBODY):
        return list(items)
    whose = await _owners(tx.connection, items)
    hidden = {row["profile"] for row in await tx.connection.fetch(HIDDEN, list({one for one in whose if one}))}
    return [item for item, owner in zip(items, whose, strict=True) if owner not in hidden]


async def _part(tx: Tx, items: Sequence[Item]) -> None:
    """Keep what the splits of a batch say, for whoever reads the lake."""
    for item in items:
        if isinstance(item.value, Stored) and item.value.type == PROFILE_SPLIT:
            split = msgspec.convert(item.value.properties, Split)
            await parted.learn(tx.connection, item.value.profile or "", split, item.value.received_at)
            await tx.connection.execute(AGAIN, sorted({part.profile for part in split.parts}))


async def _owners(connection: Connection, items: Sequence[Item]) -> list[str]:
    """Whose each of them is by now."""
    homes = [getattr(item.value, "home", None) for item in items]
    rows = await parted.known(
        connection, {one for item, home in zip(items, homes, strict=True) for one in (item.value.profile, home) if one}
    )
    return [parted.owner(item.value.profile or "", home, rows) for item, home in zip(items, homes, strict=True)]


async def pending(connection: Connection, until: int) -> list[str]:
    """Those whom files may still hold, hidden until an instant (ms)."""
    return [row["profile"] for row in await connection.fetch(PENDING, until)]


async def all_listed(connection: Connection) -> None:
    """Wait until every batch that may not know who is hidden by now has its files in the manifest, or has failed."""
    await connection.execute(NOBODY_WRITES)


async def clean(connection: Connection, people: Sequence[str], parts: Sequence[Parted], now: int) -> None:
    """No current file has a row of these. Those that were replaced until now are still on the disk.

    parts: what was known of unmerges when the files were looked through. Where more is known by now they are looked through again.
    """
    await connection.execute(STANDING, list(people))
    if await parted.everything(connection) == list(parts):
        await connection.execute(CLEAN, list(people), now)


async def rewritten(connection: Connection, now: int) -> None:
    """Say of whom no file on the disk can have a row any more that they are written out."""
    await connection.execute(REWRITTEN, now)


async def erased(connection: Connection, person: str) -> dict[str, int | None]:
    """When he was hidden, and when the files on the disk were without him (ms); None: not yet."""
    row = await connection.fetchrow(WHEN, person)
    return {"hidden": row["at"] if row else None, "rewritten": row["rewritten_at"] if row else None}
