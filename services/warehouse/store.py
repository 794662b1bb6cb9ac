"""The manifest and the catalogue of properties in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from typing import NamedTuple

from runtime.db import Connection
from services.warehouse.domain.names import MAX_COLUMNS, Key, Sight, conflicts, may_have_column
from services.warehouse.files import Written

NUMBERS = "SELECT nextval('file_number') FROM generate_series(1, $1)"
ADD = """
INSERT INTO manifest (file, dataset, event, day, level, rows, bytes, first_at, last_at, topics, partitions, first_offsets, last_offsets,
                      added_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""
KNOWN = "SELECT event, scope, path, kind FROM property WHERE event = ANY($1) ORDER BY id"
LEARN = """
INSERT INTO property (event, scope, path, kind, seen_at)
SELECT u.event, u.scope, u.path, u.kind, $5
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS u (event, scope, path, kind, n)
ORDER BY u.event, u.scope, u.path, u.n
ON CONFLICT DO NOTHING
"""
ASIDE = """
UPDATE property p SET asides = asides + u.count
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[]) AS u (event, scope, path, kind, count)
WHERE (p.event, p.scope, p.path, p.kind) = (u.event, u.scope, u.path, u.kind)
"""
SEEN = "SELECT event, scope, path FROM seen WHERE event = ANY($1)"
SEE = """
INSERT INTO seen (event, scope, path, seen_at) SELECT u.*, $4 FROM unnest($1::text[], $2::text[], $3::text[]) AS u ON CONFLICT DO NOTHING
"""
RIPE = """
SELECT dataset, event, day, level, array_agg(file ORDER BY file) AS files FROM manifest
WHERE removed_at IS NULL AND rows < $2 AND NOT file = ANY($3) GROUP BY dataset, event, day, level HAVING count(*) >= $1
ORDER BY level, dataset, event, day
"""
REPLACE = "UPDATE manifest SET removed_at = $2, replaced_by = $3 WHERE file = ANY($1) AND removed_at IS NULL RETURNING rows"
CURRENT = "SELECT dataset, event, day, level, ARRAY[file] AS files FROM manifest WHERE removed_at IS NULL ORDER BY file"
# Of a dataset, what is older than is kept, whole or in part.
AGED = """
SELECT dataset, event, day, level, ARRAY[file] AS files, last_at < $2 AS whole FROM manifest
WHERE removed_at IS NULL AND dataset = $1 AND first_at < $2 ORDER BY file
"""
LISTED = "SELECT file, removed_at IS NOT NULL AS removed FROM manifest"
FORGET = "DELETE FROM manifest WHERE file = ANY($1) AND removed_at IS NOT NULL"


class Run(NamedTuple):
    """Files of one kind and level that wait to be merged: enough of them to be worth it."""

    dataset: str
    event: str | None
    day: date | None
    level: int
    files: Sequence[str]


class Replaced(RuntimeError):  # noqa: N818
    """Another process merged these files first."""


async def numbers(connection: Connection, count: int) -> list[int]:
    return [row[0] for row in await connection.fetch(NUMBERS, count)]


async def add(connection: Connection, files: Sequence[Written], now: int) -> None:
    rows = []
    for f in files:
        places = list(f.offsets)
        spans = list(f.offsets.values())
        rows.append((
            *f[:9], [topic for topic, _ in places], [partition for _, partition in places], [a for a, _ in spans], [b for _, b in spans],
            now,
        ))  # fmt: skip
    await connection.executemany(ADD, rows)


async def known(connection: Connection, events: Collection[str]) -> list[Key]:
    """The columns of these events, the registered kind of each path before the others."""
    return [Key(*row) for row in await connection.fetch(KNOWN, list(events))]


async def learn(connection: Connection, seen: Mapping[Key, int], now: int) -> set[Key]:
    """Register what is new (key -> count of values) while its event has room. Returns the keys that have columns."""
    events = {key.event for key in seen if may_have_column(key)}
    before = await known(connection, events)
    allowed, counts = set(before), dict.fromkeys(events, 0)
    for key in before:
        counts[key.event] += 1
    fresh = []
    for key in seen:
        if key not in allowed and may_have_column(key) and counts[key.event] < MAX_COLUMNS:
            counts[key.event] += 1
            fresh.append(key)
    if fresh:
        await connection.execute(LEARN, *map(list, zip(*fresh, strict=True)), now)
        allowed.update(fresh)
    await _count_asides(connection, seen, before + fresh)
    return allowed & seen.keys()


async def see(connection: Connection, sights: AbstractSet[Sight], now: int) -> None:
    """Register names of events and lists; of one event as many lists as it may have columns."""
    known = {Sight(*row) for row in await connection.fetch(SEEN, sorted({sight.event for sight in sights}))}
    room = dict.fromkeys({sight.event for sight in sights}, MAX_COLUMNS + 1)  # its own name too
    for sight in known:
        room[sight.event] -= 1
    fresh = []
    for sight in sorted(sights - known):
        if room[sight.event] > 0:
            room[sight.event] -= 1
            fresh.append(sight)
    if fresh:
        await connection.execute(SEE, *map(list, zip(*fresh, strict=True)), now)


async def _count_asides(connection: Connection, seen: Mapping[Key, int], ordered: Sequence[Key]) -> None:
    registered: dict[tuple[str, str, str], str] = {}
    for key in ordered:
        registered.setdefault(key[:3], key.kind)
    aside = sorted(key for key in seen if conflicts(registered.get(key[:3], key.kind), key.kind))
    if aside:
        await connection.execute(ASIDE, *map(list, zip(*aside, strict=True)), [seen[key] for key in aside])


async def ripe(connection: Connection, least: int, full: int, but: Collection[str] = ()) -> list[Run]:
    """Runs of at least `least` current files of fewer than `full` rows, the lowest level first; the files of `but` stay out."""
    return [Run(*row) for row in await connection.fetch(RIPE, least, full, list(but))]


async def current(connection: Connection) -> list[Run]:
    """Every current file, by itself."""
    return [Run(*row) for row in await connection.fetch(CURRENT)]


class Aged(NamedTuple):
    """A file with rows that are no longer kept. whole: all of them are not."""

    run: Run
    whole: bool


async def aged(connection: Connection, dataset: str, since: int) -> list[Aged]:
    """Current files that hold anything of before an instant (ms)."""
    return [Aged(Run(*columns), whole) for *columns, whole in await connection.fetch(AGED, dataset, since)]


async def replace(connection: Connection, old: Sequence[str], new: Sequence[Written], now: int, *, gone: int | None = 0) -> None:
    """Put `new` in the place of `old`, in the caller's transaction. Raises Replaced when one of the old is no longer current.

    gone: so many rows are those of people who are erased, and missing on purpose; None: whatever is missing is no longer kept.
    """
    replaced = await connection.fetch(REPLACE, list(old), now, [f.file for f in new])
    if len(replaced) != len(old):
        raise Replaced("another process merged some of these files")
    before, after = sum(row["rows"] for row in replaced), sum(f.rows for f in new)
    if gone is not None and before != after + gone:
        raise RuntimeError(f"{before} rows went into a merge of {list(old)}, {after} came out and {gone} are erased")
    await add(connection, new, now)


async def listed(connection: Connection) -> dict[str, bool]:
    """Every file that the manifest knows -> whether it was replaced."""
    return {row["file"]: row["removed"] for row in await connection.fetch(LISTED)}


async def forget(connection: Connection, files: Sequence[str]) -> None:
    await connection.execute(FORGET, list(files))
