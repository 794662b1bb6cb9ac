"""People who were erased: hidden from whoever reads the lake in the transaction that hears of it, then written out of the files."""

from collections.abc import Sequence

from runtime.batch import Item, Tx
from runtime.db import Connection
from schemas.facts import PROFILE_ERASED
from services.warehouse.domain.walk import Stored

HIDE = """
INSERT INTO hidden (profile, act, at) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) ON CONFLICT (profile) DO NOTHING
"""
ANYBODY = "SELECT EXISTS (SELECT FROM hidden)"
HIDDEN = "SELECT profile::text AS profile FROM hidden WHERE profile = ANY($1::uuid[])"
PENDING = "SELECT profile::text AS profile FROM hidden WHERE rewritten_at IS NULL AND at <= $1 ORDER BY profile LIMIT 10000"
REWRITTEN = "UPDATE hidden SET rewritten_at = $2 WHERE profile = ANY($1::uuid[])"
WHEN = "SELECT at, rewritten_at FROM hidden WHERE profile = $1"


async def spared(tx: Tx, items: Sequence[Item]) -> list[Item]:
    """The items of a batch without those of people who are erased, be it in this batch."""
    acts = [item.value for item in items if isinstance(item.value, Stored) and item.value.type == PROFILE_ERASED]
    gone = {str(person): act for act in acts for person in (act.profile, *act.properties["others"])}
    if gone:
        await tx.connection.execute(HIDE, list(gone), [a.properties["act"] for a in gone.values()], [tx.now] * len(gone))
    if not await tx.connection.fetchval(ANYBODY):
        return list(items)
    people = {item.value.profile for item in items if item.value.profile}
    hidden = {row["profile"] for row in await tx.connection.fetch(HIDDEN, list(people))}
    return [item for item in items if item.value.profile not in hidden]


async def pending(connection: Connection, until: int) -> list[str]:
    """Those whom files may still hold, hidden until an instant (ms)."""
    return [row["profile"] for row in await connection.fetch(PENDING, until)]


async def rewritten(connection: Connection, people: Sequence[str], now: int) -> None:
    await connection.execute(REWRITTEN, list(people), now)


async def erased(connection: Connection, person: str) -> dict[str, int | None]:
    """When he was hidden, and when the files were without him (ms); None: not yet."""
    row = await connection.fetchrow(WHEN, person)
    return {"hidden": row["at"] if row else None, "rewritten": row["rewritten_at"] if row else None}
