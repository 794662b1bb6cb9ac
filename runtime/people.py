"""One state row a person, and the only way to change it: load locked, decide, save (law 3).

Timers live in the row (`due_at` is the earliest), so a merge folds them with the state and none can be lost or fire twice. A merged
person leaves a tombstone that points at the winner; whatever comes later for the loser acts on the winner under its lock. One who was
erased leaves an empty row; whatever comes later for him is nobody's.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from runtime.db import Again, Connection

TABLE = """
CREATE TABLE person (
    id uuid PRIMARY KEY, partition smallint NOT NULL, state bytea NOT NULL, due_at bigint, merged_into uuid, erased_at bigint
)
"""  # in each service's own migration, with an index on (partition, due_at) WHERE due_at IS NOT NULL

LOCK = "SELECT id, state, merged_into, erased_at FROM person WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
RESOLVE = """
WITH RECURSIVE chain AS (
    SELECT id AS asked, merged_into AS at FROM person WHERE id = ANY($1::uuid[]) AND merged_into IS NOT NULL
    UNION  -- not ALL: it ends whatever the rows say
    SELECT c.asked, p.merged_into FROM chain c JOIN person p ON p.id = c.at WHERE p.merged_into IS NOT NULL
)
SELECT asked, at FROM chain c WHERE NOT EXISTS (SELECT FROM person p WHERE p.id = c.at AND p.merged_into IS NOT NULL)
"""
UPDATE = """
UPDATE person p SET state = u.state, due_at = u.due FROM unnest($1::uuid[], $2::bytea[], $3::bigint[]) AS u (id, state, due)
WHERE p.id = u.id
"""
UPDATE_EARLY = UPDATE.replace("due_at = u.due", "due_at = least(p.due_at, u.due)")
INSERT = """
INSERT INTO person (id, partition, state, due_at, merged_into)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bytea[], $4::bigint[], $5::uuid[]) ORDER BY 1 ON CONFLICT (id) DO NOTHING
"""
BURY = """
UPDATE person p SET state = '', due_at = NULL, merged_into = u.winner FROM unnest($1::uuid[], $2::uuid[]) AS u (id, winner)
WHERE p.id = u.id
"""
PART = """
UPDATE person p SET merged_into = u.person FROM unnest($1::uuid[], $2::uuid[]) AS u (id, person)
WHERE p.id = u.id AND p.merged_into IS NOT NULL
"""
ERASE = """
INSERT INTO person (id, partition, state, erased_at) SELECT u.id, 0, '', u.at FROM unnest($1::uuid[], $2::bigint[]) AS u (id, at) ORDER BY 1
ON CONFLICT (id) DO UPDATE SET state = '', due_at = NULL, erased_at = EXCLUDED.erased_at
"""
ERASED = "SELECT erased_at FROM person WHERE id = $1 AND erased_at IS NOT NULL"
# A partition at a time, each by its end of the index: asked of all at once, PostgreSQL expects a third of the rows to be due and reads
# the whole table to find that none is.
IS_DUE = """
SELECT EXISTS (
    SELECT FROM unnest($1::smallint[]) AS mine (partition)
    WHERE (SELECT min(p.due_at) FROM person p WHERE p.partition = mine.partition) <= $2
)
"""
DUE = """
SELECT due.* FROM unnest($1::smallint[]) AS mine (partition) CROSS JOIN LATERAL (
    SELECT p.id::text AS id, p.partition, p.due_at FROM person p WHERE p.partition = mine.partition AND p.due_at <= $2
    ORDER BY p.due_at, p.id LIMIT $3
) AS due ORDER BY due.due_at, due.id LIMIT $3
"""


class Saved(NamedTuple):
    """A state to write. due_at: ms of the earliest timer, or None."""

    id: str
    partition: int
    state: bytes
    due_at: int | None


class People:
    """The people of one transaction: locked rows, and who is whom."""

    def __init__(self, states: dict[str, bytes], aliases: dict[str, str], erased: Iterable[str] = ()) -> None:
        self._states, self._aliases = states, aliases
        self._known = set(states)
        self._buried: dict[str, str] = {}
        self._parted: dict[str, str] = {}
        self._erased = set(erased)
        self._erasing: dict[str, int] = {}

    def canonical(self, person: str) -> str:
        """The one whom this id means now, through every merge of the base and of this batch."""
        while person in self._aliases:
            person = self._aliases[person]
        return person

    def state(self, person: str) -> bytes | None:
        """The locked state of a canonical id; None for somebody new."""
        return self._states.get(person)

    def gone(self, person: str) -> bool:
        """Was he erased? Then nothing is known, decided or kept of him."""
        return self.canonical(person) in self._erased

    def erase(self, ids: Collection[str], at: int) -> None:
        """Leave nothing of these people, at an instant (ms). Nothing is saved of them from here on."""
        gone = {self.canonical(person) for person in ids} | set(ids)
        self._erased |= gone
        self._erasing.update(dict.fromkeys(gone, at))

    def merge(self, winner: str, loser: str) -> tuple[str, str] | None:
        """Make `loser` mean `winner` from here on. Returns the canonical pair whose states are to be folded, or None if one already."""
        winner, loser = self.canonical(winner), self.canonical(loser)
        if winner == loser or winner in self._erased or loser in self._erased:
            return None
        self._aliases[loser] = winner
        self._buried[loser] = winner
        return winner, loser

    def part(self, person: str, others: Iterable[str]) -> None:
        """Make `others`, who were one with somebody whose row is locked, mean this person from here on."""
        person = self.canonical(person)
        for other in others:
            if other != person:
                self._aliases[other] = self._parted[other] = person

    async def save(self, connection: Connection, rows: Iterable[Saved], *, early: bool = False) -> None:
        """Write the states and the tombstones. Raises Again when somebody else made a row that was not there to lock.

        early: a row keeps an instant that is earlier than its new one, and none is no instant. An update that moves no indexed column
        costs half; in return whoever fires must look at the state and save without `early` also where nothing was due.
        """
        rows = [row for row in rows if row.id not in self._buried and row.id not in self._erased]
        old = [row for row in rows if row.id in self._known]
        if old:
            update = UPDATE_EARLY if early else UPDATE
            await connection.execute(update, [r.id for r in old], [r.state for r in old], [r.due_at for r in old])
        new = sorted(row for row in rows if row.id not in self._known)
        stones = sorted((loser, self.canonical(winner)) for loser, winner in self._buried.items() if loser not in self._erased)
        fresh = [stone for stone in stones if stone[0] not in self._known]
        if new or fresh:
            await self._insert(connection, new, fresh)
        known = [stone for stone in stones if stone[0] in self._known]
        if known:
            await connection.execute(BURY, [s[0] for s in known], [s[1] for s in known])
        if self._parted:
            parted = {other: self.canonical(person) for other, person in self._parted.items()}
            await connection.execute(PART, list(parted), list(parted.values()))
        if self._erasing:
            gone = sorted(self._erasing)
            await connection.execute(ERASE, gone, [self._erasing[person] for person in gone])

    async def _insert(self, connection: Connection, new: Sequence[Saved], stones: Sequence[tuple[str, str]]) -> None:
        answer = await connection.execute(
            INSERT,
            [r.id for r in new] + [s[0] for s in stones],
            [r.partition for r in new] + [0] * len(stones),
            [r.state for r in new] + [b""] * len(stones),
            [r.due_at for r in new] + [None] * len(stones),
            [None] * len(new) + [s[1] for s in stones],
        )
        if int(answer.rsplit(" ", 1)[1]) != len(new) + len(stones):
            raise Again("a person appeared while we decided")


async def load(connection: Connection, ids: Collection[str]) -> People:
    """Lock the rows of these people, in id order, tombstones followed.

    The quick way locks what was asked for. If one of the rows is a tombstone the ids are resolved and locked anew by the caller's
    next attempt (`resolve` first), because locking the winner now would break the order.
    """
    rows = await connection.fetch(LOCK, sorted(ids))
    if any(row["merged_into"] is not None for row in rows):
        return await _load_resolved(connection, ids)
    return _people(rows, {})


def _people(rows: Iterable[Any], aliases: dict[str, str]) -> People:
    states = {str(row["id"]): row["state"] for row in rows}
    return People(states, aliases, [str(row["id"]) for row in rows if row["erased_at"] is not None])


async def _load_resolved(connection: Connection, ids: Collection[str]) -> People:
    """Resolve aliases, lock the canonical rows in order, and look again: a merge or an unmerge that came between means Again.

    Rows locked by the first look are a subset in the same order or tombstones, which only the owner of their winner's lock writes;
    where two batches still cross, PostgreSQL ends one and it runs again.
    """
    aliases = await _aliases(connection, ids)
    wanted = sorted({aliases.get(person, person) for person in ids})
    rows = await connection.fetch(LOCK, wanted)
    if await _aliases(connection, ids) != aliases:
        raise Again("merged or parted while we waited for the lock")
    return _people(rows, aliases)


async def _aliases(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    return {str(row["asked"]): str(row["at"]) for row in await connection.fetch(RESOLVE, list(ids))}


async def erased(connection: Connection, person: str) -> dict[str, int | None]:
    """`Service.erased` of whoever keeps one row a person."""
    return {"emptied": await connection.fetchval(ERASED, person)}


async def is_due(connection: Connection, partitions: Sequence[int], now: int) -> bool:
    return bool(await connection.fetchval(IS_DUE, list(partitions), now))


async def due(connection: Connection, partitions: Sequence[int], now: int, limit: int) -> list[tuple[str, int, int]]:
    """(person, partition, due_at) of the earliest due people, not locked: the caller loads them and looks again."""
    rows = await connection.fetch(DUE, list(partitions), now, limit)
    return [(row["id"], row["partition"], row["due_at"]) for row in rows]
