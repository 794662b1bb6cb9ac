"""Who stands in which segment now, kept in the transaction that takes the records in: what BI tools and pages of members read.

The lake holds the whole history (api/standing.py answers from it); these tables hold its end, and who became one with whom.
"""

import logging
from collections.abc import Iterable, Sequence

from runtime.batch import Item, Tx
from runtime.db import Connection, Database
from runtime.lake import Lake
from schemas.facts import PROFILE_MERGED
from schemas.memberships import Membership
from schemas.unnamed import UNNAMED
from services.warehouse import standing
from services.warehouse.domain.walk import Stored

log = logging.getLogger(__name__)

MERGE = """
INSERT INTO merged (loser, winner, at) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) ORDER BY 1 ON CONFLICT (loser) DO NOTHING
"""
GONE = "SELECT loser::text AS loser FROM merged WHERE loser = ANY($1::uuid[])"
FORGET = "DELETE FROM member WHERE profile = ANY($1::uuid[])"
ENTER = """
INSERT INTO member (segment, profile, since, version, why, cause)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::int[], $5::text[], $6::text[]) ORDER BY 1, 2
ON CONFLICT (segment, profile) DO UPDATE
SET since = EXCLUDED.since, version = EXCLUDED.version, why = EXCLUDED.why, cause = EXCLUDED.cause
"""
LEAVE = """
DELETE FROM member m USING unnest($1::text[], $2::uuid[]) AS u (segment, profile)
WHERE m.segment = u.segment AND m.profile = u.profile
"""
# No batch is under way meanwhile: each holds rows of this table.
ALONE = "LOCK TABLE watermark IN EXCLUSIVE MODE"
IS_FILLED = "SELECT EXISTS (SELECT FROM filled WHERE name = $1)"
FILLED = "INSERT INTO filled (name) VALUES ($1)"
COLUMNS = ("segment", "profile", "since", "version", "why", "cause")
PIECE = 20_000  # rows that are copied at once


async def keep(tx: Tx, items: Sequence[Item]) -> None:
    """Take in who entered, left and became one with somebody, of a batch without those who are erased."""
    merges = [item.value for item in items if isinstance(item.value, Stored) and item.value.type == PROFILE_MERGED]
    last = {(one.segment, one.profile): one for one in _changes(items)}
    if merges:
        losers = [fact.properties["loser"] for fact in merges]
        await tx.connection.execute(MERGE, losers, [fact.profile for fact in merges], [fact.received_at for fact in merges])
        await forget(tx.connection, losers)
    if not last:
        return
    gone = {row["loser"] for row in await tx.connection.fetch(GONE, list({person for _, person in last}))}
    told = [one for key, one in sorted(last.items()) if key[1] not in gone]
    entered = [(c.segment, c.profile, c.at, c.version, c.why, c.cause) for c in told if c.type == "entered"]
    left = [(c.segment, c.profile) for c in told if c.type == "left"]
    if left:
        await tx.connection.execute(LEAVE, *map(list, zip(*left, strict=True)))
    if entered:
        await tx.connection.execute(ENTER, *map(list, zip(*entered, strict=True)))


def _changes(items: Iterable[Item]) -> Iterable[Membership]:
    """Of segments that have names; conditions of journeys are nobody's to look at."""
    for item in items:
        if isinstance(item.value, Membership) and not item.value.segment.startswith(UNNAMED):
            yield item.value


async def forget(connection: Connection, people: Iterable[str]) -> None:
    """Those who are merged or erased stand nowhere."""
    await connection.execute(FORGET, sorted(people))


async def fill(db: Database, lake: Lake) -> None:
    """Once: take in what the lake had before there were these tables. First who is whom, as members are read by it."""
    async with db.transaction() as connection:
        if await _begins(connection, "merged"):
            snapshot = await lake.snapshot()
            try:
                found = await standing.merges(snapshot)
            finally:
                snapshot.close()
            if found:
                await connection.execute(MERGE, *map(list, zip(*found, strict=True)))
    async with db.transaction() as connection:
        if await _begins(connection, "member"):
            snapshot = await lake.snapshot(merges=True)
            try:
                async for rows in snapshot.pages(*standing.everybody(snapshot), PIECE):
                    await connection.copy_records_to_table("member", records=rows, columns=COLUMNS)
            finally:
                snapshot.close()


async def _begins(connection: Connection, name: str) -> bool:
    """Whether this is the one who fills it: nobody else does meanwhile, and nothing is added."""
    await connection.execute(ALONE)
    if await connection.fetchval(IS_FILLED, name):
        return False
    await connection.execute(FILLED, name)
    return True
