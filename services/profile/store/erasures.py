"""Erasures: acts, keyed hashes of what was erased, and the delete itself."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from runtime.db import Connection
from services.profile.store import shown
from services.profile.store.consents import UNSEAL

LAST = "SELECT coalesce(max(number), 0) AS number, coalesce(max(at), 0) AS at FROM erasure"
ERASED = "SELECT hash, at, whole FROM erased WHERE hash = ANY($1::bytea[])"
REMEMBER = """
INSERT INTO erased (hash, at, whole) SELECT u.hash, $2, $3 FROM unnest($1::bytea[]) AS u (hash) ORDER BY 1
ON CONFLICT (hash) DO UPDATE SET at = greatest(erased.at, EXCLUDED.at), whole = erased.whole OR EXCLUDED.whole
"""
# Junk too: under other rules it would be his again.
LOCK_HOMES = """
SELECT key, coalesce(home, profile)::text AS home FROM identifier WHERE profile = ANY($1::uuid[]) ORDER BY key FOR UPDATE
"""
NAMES_OF = "SELECT key FROM identifier WHERE profile = ANY($1::uuid[])"
PART_AGAIN = "UPDATE identifier SET met = NULL WHERE key = ANY($1::text[])"
FORGET = "DELETE FROM identifier WHERE key = ANY($1::text[])"
EMPTY = "UPDATE profile SET state = '', erased_at = $2 WHERE id = ANY($1::uuid[])"
ACT = """
INSERT INTO erasure (act, profile, others, kinds, reason, identifiers, at, done_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (act) DO NOTHING
"""
FOUND = "SELECT act::text, profile::text, others::text[], kinds, reason, identifiers, at, done_at FROM erasure WHERE act = $1"


class Act(NamedTuple):
    """What was done: times in ms; profile None: there was nobody."""

    act: str
    profile: str | None
    others: Sequence[str]
    kinds: Sequence[str] | None
    reason: str
    identifiers: int
    at: int
    done_at: int


async def last_erasure(connection: Connection) -> tuple[int, int]:
    """(number of the last act, the latest instant (ms) of any)."""
    row = await connection.fetchrow(LAST)
    return row["number"], row["at"]


async def erased(connection: Connection, hashes: Collection[bytes]) -> Mapping[bytes, tuple[int, bool]]:
    """Hash -> (until when (ms) the identifier names nobody, whether with a whole person)."""
    return {row["hash"]: (row["at"], row["whole"]) for row in await connection.fetch(ERASED, list(hashes))}


async def lock_homes(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Identifiers of these profiles, locked -> their homes."""
    return {row["key"]: row["home"] for row in await connection.fetch(LOCK_HOMES, list(ids))}


async def names_of(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Identifiers of these profiles, as they are now."""
    return {row["key"] for row in await connection.fetch(NAMES_OF, list(ids))}


async def part_again(connection: Connection, names: Collection[str]) -> None:
    """What these identifiers were told with is asked anew."""
    await connection.execute(PART_AGAIN, list(names))


async def forget(connection: Connection, names: Sequence[str], hashes: Sequence[bytes], at: int, *, whole: bool) -> None:
    """Take identifiers away for good."""
    await connection.execute(FORGET, list(names))
    await connection.execute(REMEMBER, list(hashes), at, whole)


async def empty(connection: Connection, ids: Sequence[str], at: int) -> None:
    """Leave nothing of these people but empty rows, and of their words in the ledger what names nobody."""
    await connection.execute(EMPTY, list(ids), at)
    await connection.execute(UNSEAL, list(ids))
    await shown.hide(connection, ids)


async def enact(connection: Connection, act: Act) -> None:
    await connection.execute(ACT, *act)


async def act(connection: Connection, id: str) -> Act | None:  # noqa: A002
    row: Any = await connection.fetchrow(FOUND, id)
    return Act(*row) if row is not None else None
