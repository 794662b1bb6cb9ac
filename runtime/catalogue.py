"""What the lake has seen: names of events, and the paths and types of what stood in their facts (docs/adr/0006)."""

from collections.abc import Collection
from typing import NamedTuple

from runtime.db import Connection

MOST_EVENTS = 10_000  # so many names are told, those seen first; that of a fact which was asked for is told whatever their number
EXISTS = "SELECT to_regclass('warehouse.property') IS NOT NULL AND to_regclass('warehouse.seen') IS NOT NULL"
EVENTS = """
SELECT event FROM (SELECT event FROM warehouse.seen WHERE scope = '' ORDER BY seen_at, event LIMIT $2) AS first
UNION SELECT event FROM warehouse.seen WHERE scope = '' AND event = ANY($1) ORDER BY event
"""
# Lists have no column; what has one stands by the order in which it was seen, so that the first kind of a path is its type.
PATHS = """
SELECT event, scope, path, kind, asides FROM (
    SELECT event, scope, path, kind, asides, id FROM warehouse.property
    UNION ALL SELECT event, scope, path, 'list', 0, 9223372036854775807 FROM warehouse.seen WHERE scope <> ''
) AS known
WHERE scope = 'attributes' OR (scope = 'properties' AND ($1::text[] IS NULL OR event = ANY($1)))
ORDER BY id, event, path
"""


class Path(NamedTuple):
    """A value that was seen. event: the event's name, or the fact's type where it has none. scope: properties or attributes. path: keys
    joined by dots, a dot within a key written as backslash and dot. kind: as in runtime/lake.py, or `list`; the first of a path is its
    registered type. asides: how many values of this kind stood aside of it.
    """

    event: str
    scope: str
    path: str
    kind: str
    asides: int


class Catalogue(NamedTuple):
    events: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()


async def catalogue(connection: Connection, events: Collection[str] | None = None) -> Catalogue:
    """All names of events, all attributes, and the properties of these events (None: of all). Empty before the warehouse first ran."""
    if not await connection.fetchval(EXISTS):
        return Catalogue()
    asked = None if events is None else list(events)
    names = await connection.fetch(EVENTS, asked or [], MOST_EVENTS)
    return Catalogue(tuple(row["event"] for row in names), tuple(Path(*row) for row in await connection.fetch(PATHS, asked)))
