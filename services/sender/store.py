"""The ledger's tables."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg

from runtime.db import Again, Connection

CLAIM = """
INSERT INTO attempt (id, address_key, profile, channel, message_class, state, attempt, owner, not_after, intent, received_at, shelf)
SELECT u.id, u.address_key, u.profile, u.channel, u.class, 'taken', u.attempt, $9, u.not_after, u.intent, u.received_at, nullif(u.shelf, '')
FROM unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::text[], $5::text[], $6::smallint[], $7::bigint[], $8::bytea[], $10::bigint[], $11::text[])
    AS u (id, address_key, profile, channel, class, attempt, not_after, intent, received_at, shelf)
ON CONFLICT DO NOTHING RETURNING id::text AS id
"""
# An intent that came back late or held is decided again under the same key, with a greater attempt.
RECLAIM = """
UPDATE attempt a SET state = 'taken', attempt = u.attempt, owner = $4, not_after = u.not_after, intent = u.intent, next_at = 0,
       address_key = u.address_key, started_at = NULL, finished_at = NULL, shelf = nullif(u.shelf, '')
FROM unnest($1::uuid[], $2::smallint[], $3::bytea[], $5::bigint[], $6::bytea[], $7::text[])
    AS u (id, attempt, intent, not_after, address_key, shelf)
WHERE a.id = u.id AND a.state IN ('late', 'held') AND a.attempt < u.attempt
      AND NOT EXISTS (SELECT FROM attempt b WHERE b.address_key = u.address_key AND b.id <> a.id)
RETURNING a.id::text AS id
"""
KNOWN = "SELECT id::text AS id FROM attempt WHERE id = ANY($1::uuid[])"
# Its new address has got this message under another key: it is over, at this attempt.
TWICE = """
UPDATE attempt a SET state = 'skipped', attempt = u.attempt, finished_at = u.at
FROM unnest($1::uuid[], $2::smallint[], $3::bytea[], $4::bigint[]) AS u (id, attempt, address_key, at)
WHERE a.id = u.id AND a.state IN ('late', 'held') AND a.attempt < u.attempt
      AND EXISTS (SELECT FROM attempt b WHERE b.address_key = u.address_key AND b.id <> a.id)
RETURNING a.id::text AS id
"""
# The token knows a start again whose commit was not heard of: it stands, and its call has not begun. Of two starts of one intent it
# says which one it was. The links are kept before the call: a letter whose outcome nobody wrote down is clicked in all the same.
START = """
UPDATE attempt a SET state = 'started', started_at = $3::bigint, tries = tries + (a.state = 'taken')::int, code = u.token,
       links = coalesce(u.links, a.links)
FROM unnest($1::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::smallint[], $8::bytea[])
    AS u (id, person, stamp, token, attempt, links) LEFT JOIN person p ON p.id = u.person
WHERE a.id = u.id AND a.owner = $2 AND a.attempt = u.attempt AND (
    (a.state = 'taken' AND coalesce(p.stamp, 0) = u.stamp AND p.merged_into IS NULL) OR (a.state = 'started' AND a.code = u.token)
) RETURNING a.code AS token
"""
FINISH = """
UPDATE attempt a SET state = u.state, code = u.code, provider_id = coalesce(u.provider_id, a.provider_id), next_at = u.next_at,
       finished_at = CASE WHEN u.state = 'taken' THEN NULL ELSE $7::bigint END, repeats = a.repeats + u.repeat,
       owner = CASE WHEN u.state = 'taken' THEN $8::int END, shelf = coalesce(nullif(u.shelf, ''), a.shelf)
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::smallint[], $9::int[], $10::text[])
    AS u (id, state, code, provider_id, next_at, attempt, repeat, shelf)
WHERE a.id = u.id AND a.attempt = u.attempt AND (a.owner = $8::int OR a.state = 'in_doubt')
      AND a.state IN ('taken', 'started', 'in_doubt') RETURNING a.id::text AS id
"""
# From one owner to the next by the index of what is open: DISTINCT would read the whole table to find the few.
OWNERS = """
WITH RECURSIVE found AS (
    (SELECT owner FROM attempt WHERE state IN ('taken', 'started') ORDER BY owner LIMIT 1)
    UNION ALL
    SELECT (SELECT a.owner FROM attempt a WHERE a.state IN ('taken', 'started') AND a.owner > f.owner ORDER BY a.owner LIMIT 1)
    FROM found f WHERE f.owner IS NOT NULL
)
SELECT owner FROM found WHERE owner IS NOT NULL AND owner <> $1
"""
ADOPT = """
UPDATE attempt SET owner = $2 WHERE owner = $1 AND state = 'taken' AND shelf IS NULL
RETURNING intent, profile, address_key, tries, next_at, '' AS shelf
"""
# What waited on shelves goes on waiting there.
ADOPT_SHELVES = """
WITH moved AS (
    UPDATE attempt SET owner = $2 WHERE owner = $1 AND state = 'taken' AND shelf IS NOT NULL
    RETURNING shelf, greatest(next_at, received_at) AS due
)
SELECT shelf, min(due) AS due FROM moved GROUP BY shelf ORDER BY shelf
"""
SHELF = """
SELECT id::text AS id, intent, profile, address_key, tries, next_at, shelf FROM attempt
WHERE owner = $1 AND state = 'taken' AND shelf = $2 AND greatest(next_at, received_at) <= $3 AND NOT id = ANY($4::uuid[])
ORDER BY greatest(next_at, received_at), id LIMIT $5
"""
SHELF_DUE = """
SELECT min(greatest(next_at, received_at)) FROM attempt
WHERE owner = $1 AND state = 'taken' AND shelf = $2 AND NOT id = ANY($3::uuid[])
"""
DOUBT = """
UPDATE attempt SET state = 'in_doubt', code = 'process ended', owner = NULL
WHERE owner = $1 AND state = 'started' AND message_class <> 'service'
RETURNING intent
"""
# A second password mail is better than none (law 7).
REPEAT = """
UPDATE attempt SET state = 'taken', owner = $2, code = 'process ended', repeats = repeats + 1,
       shelf = coalesce(shelf, channel || ':' || message_class)
WHERE owner = $1 AND state = 'started' AND message_class = 'service'
RETURNING intent, profile, address_key, tries, next_at, shelf
"""
AGED = """
UPDATE attempt SET state = 'unknown', finished_at = $1::bigint WHERE id IN (
    SELECT id FROM attempt WHERE state = 'in_doubt' AND started_at <= $2 ORDER BY started_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
) RETURNING intent
"""
PEOPLE = "SELECT id::text AS id, state, stamp, merged_into, erased_at FROM person WHERE id = ANY($1::uuid[])"
# Instances that have not reported for 20 s are gone; their partitions have other owners then. All gone: the last word counts, and ages.
HEARD = """
SELECT min(fresh_at) FILTER (WHERE reported_at > $1::bigint - 20000) AS slowest, max(fresh_at) AS newest
FROM runtime.progress WHERE service = 'profile'
"""
SWITCH_OFF = "INSERT INTO webhook_off (key, version, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
OFF = "SELECT key, version, at FROM webhook_off WHERE key = $1"
BAD_MANAGER_MS = 30 * 86_400_000  # for so long the address is not tried: a mailbox may be there again
BAD_MANAGERS = "SELECT hash, reason FROM manager_suppression WHERE hash = ANY($1) AND at > $2"
BAD_MANAGER = """
INSERT INTO manager_suppression AS m (hash, at, reason) SELECT hash, $2, reason FROM unnest($1::text[], $3::text[]) AS u (hash, reason)
ON CONFLICT (hash) DO UPDATE SET at = EXCLUDED.at, reason = EXCLUDED.reason WHERE m.at < EXCLUDED.at
"""
GOOD_AGAIN = "DELETE FROM manager_suppression WHERE at <= $1"
TOUCH = "UPDATE person SET stamp = stamp + 1 WHERE id = ANY($1::uuid[])"


class Claim(NamedTuple):
    """A row to insert: one intent with the address it goes to."""

    id: str
    address_key: bytes
    profile: str
    channel: str
    message_class: str
    attempt: int
    not_after: int
    intent: bytes
    received_at: int
    shelf: str


class Ended(NamedTuple):
    """What became of an attempt (the row may stand at a later one by now). state taken: to be tried again at next_at."""

    id: str
    attempt: int
    state: str
    code: str = ""
    provider_id: str | None = None
    next_at: int = 0
    repeat: bool = False
    shelf: str = ""


class Start(NamedTuple):
    """An attempt that is to begin: stamp of the person that was checked, token of this start, packed click targets."""

    id: str
    person: str
    stamp: int
    token: str
    attempt: int
    links: bytes | None


async def claim(connection: Connection, claims: Sequence[Claim], owner: int) -> tuple[set[str], set[str]]:
    """Insert what is new, take again what came back. Returns (claimed by us now, refused: the address has this message already)."""
    if not claims:
        return set(), set()
    columns = list(zip(*claims, strict=True))
    rows = await connection.fetch(CLAIM, *map(list, columns[:8]), owner, list(columns[8]), list(columns[9]))
    claimed = {row["id"] for row in rows}
    left = [c for c in claims if c.id not in claimed]
    if not left:
        return claimed, set()
    known = {row["id"] for row in await connection.fetch(KNOWN, [c.id for c in left])}
    again = [c for c in left if c.id in known and c.attempt > 0]
    if again:
        claimed |= await _reclaim(connection, list({c.address_key: c for c in reversed(again)}.values()), owner)
    return claimed, {c.id for c in left if c.id not in known} | await _twice(connection, again)


async def _reclaim(connection: Connection, again: Sequence[Claim], owner: int) -> set[str]:
    """Take again what came back, one for each address."""
    rows = ((c.id, c.attempt, c.intent, c.not_after, c.address_key, c.shelf) for c in again)
    ids, attempts, intents, *rest = (list(column) for column in zip(*rows, strict=True))
    try:
        taken = await connection.fetch(RECLAIM, ids, attempts, intents, owner, *rest)
    except asyncpg.UniqueViolationError as error:
        raise Again("another process took the message for that address") from error
    return {row["id"] for row in taken}


async def _twice(connection: Connection, again: Sequence[Claim]) -> set[str]:
    if not again:
        return set()
    columns = ([c.id for c in again], [c.attempt for c in again], [c.address_key for c in again], [c.received_at for c in again])
    return {row["id"] for row in await connection.fetch(TWICE, *columns)}


async def start(connection: Connection, owner: int, now: int, starts: Sequence[Start]) -> set[str]:
    """Mark attempts as started. Answers the tokens of those that were; of the others somebody forbade or took the attempt."""
    ids, *columns = (list(column) for column in zip(*starts, strict=True))
    rows = await connection.fetch(START, ids, owner, now, *columns)
    return {row["token"] for row in rows}


async def finish(connection: Connection, owner: int, now: int, ended: Sequence[Ended]) -> set[str]:
    rows = await connection.fetch(
        FINISH,
        [e.id for e in ended],
        [e.state for e in ended],
        [e.code for e in ended],
        [e.provider_id for e in ended],
        [e.next_at for e in ended],
        [e.attempt for e in ended],
        now,
        owner,
        [int(e.repeat) for e in ended],
        [e.shelf for e in ended],
    )
    return {row["id"] for row in rows}


async def from_shelf(
    connection: Connection, owner: int, shelf: str, now: int, held: Sequence[str], room: int
) -> tuple[list[Any], int | None]:
    """(rows of a shelf that are due, at most `room`; when the next one is, None if there is none), without those that are in memory."""
    rows = list(await connection.fetch(SHELF, owner, shelf, now, held, room))
    if len(rows) == room:
        return rows, now
    due: int | None = await connection.fetchval(SHELF_DUE, owner, shelf, [*held, *(row["id"] for row in rows)])
    return rows, due


async def contacts(connection: Connection, ids: Collection[str]) -> Mapping[str, Any]:
    """Person -> his row (id, state, stamp), not locked; tombstones are followed. Of who was erased there is none."""
    return {person: row for person, row in (await resolved(connection, ids)).items() if row["erased_at"] is None}


async def resolved(connection: Connection, ids: Collection[str]) -> Mapping[str, Any]:
    """As `contacts`, with the empty rows of those who were erased (erased_at)."""
    found: dict[str, Any] = {}
    ask = {person: person for person in ids}
    while ask:
        rows = {row["id"]: row for row in await connection.fetch(PEOPLE, list(set(ask.values())))}
        onward: dict[str, str] = {}
        for wanted, current in ask.items():
            row = rows.get(current)
            if row is None:
                continue
            if row["merged_into"] is not None and row["erased_at"] is None:
                onward[wanted] = str(row["merged_into"])
            else:
                found[wanted] = row
        ask = onward
    return found


async def switch_off(connection: Connection, endpoints: Collection[tuple[str, int]], now: int) -> None:
    """These versions of webhook endpoints (key, version) are called no more."""
    for key, version in sorted(endpoints):
        await connection.execute(SWITCH_OFF, key, version, now)


async def switched_off(connection: Connection, key: str) -> dict[tuple[str, int], int]:
    """(key, version) of those of an endpoint that said that they are gone -> when (ms)."""
    return {(row["key"], row["version"]): row["at"] for row in await connection.fetch(OFF, key)}


async def refuse_managers(connection: Connection, hashes: Mapping[str, str], now: int) -> None:
    """No letter to these addresses of managers (hash -> reason) for a time."""
    order = sorted(hashes)  # as every writer has it, so that two do not wait for each other
    await connection.execute(BAD_MANAGER, order, now, [hashes[hashed] for hashed in order])


async def forgive_managers(connection: Connection, now: int) -> None:
    """Forget those of so long ago that they are tried again."""
    await connection.execute(GOOD_AGAIN, now - BAD_MANAGER_MS)


async def bad_managers(connection: Connection, hashes: Collection[str], now: int) -> dict[str, str]:
    """Which of these addresses are not written to now (ms), by their hashes, and why."""
    rows = await connection.fetch(BAD_MANAGERS, list(hashes), now - BAD_MANAGER_MS) if hashes else ()
    return {row["hash"]: row["reason"] for row in rows}


async def heard_at(connection: Connection, now: int) -> int:
    """Until when (ms) profile has handled what was in its first lane; `now` where none has ever run: then nobody can have said no."""
    row = await connection.fetchrow(HEARD, now)
    slowest, newest = row["slowest"], row["newest"]
    return int(slowest if slowest is not None else newest if newest is not None else now)
