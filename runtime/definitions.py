"""A service's copy of the published documents: filled from the `definitions` topic, in effect from the next batch on."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from runtime.batch import Item
from runtime.db import Connection
from runtime.kafka import Record
from schemas.definitions import Published

T = TypeVar("T")

_decode = msgspec.json.Decoder(Published).decode

STORE = """
INSERT INTO definition (kind, key, version, body)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bytea[])
ON CONFLICT (kind, key, version) DO NOTHING
"""
POINT = """
INSERT INTO definition_current (kind, key, version) VALUES ($1, $2, $3)
ON CONFLICT (kind, key) DO UPDATE SET version = EXCLUDED.version
"""
DROP = "DELETE FROM definition_current WHERE kind = $1 AND key = $2"
READ = """
SELECT d.kind, d.key, d.version, d.body, c.version IS NOT DISTINCT FROM d.version AS current
FROM definition d LEFT JOIN definition_current c USING (kind, key)
WHERE d.kind = ANY($1) ORDER BY d.kind, d.key, d.version
"""
# A version is never written anew, so what is named alike is alike.
NAMES = """
SELECT d.kind, d.key, d.version, c.version IS NOT DISTINCT FROM d.version AS current
FROM definition d LEFT JOIN definition_current c USING (kind, key)
WHERE d.kind = ANY($1) ORDER BY d.kind, d.key, d.version
"""


def decode_published(record: Record) -> Published:
    return _decode(record.value or b"")


async def store(connection: Connection, items: Sequence[Item]) -> None:
    """Keep the documents and pointers of a batch and raise the revision: they rule from the next transaction on."""
    values: list[Published] = [item.value for item in items]
    bodies = [v for v in values if bytes(v.body)]
    await connection.execute(
        STORE,
        [v.kind for v in bodies],
        [v.key for v in bodies],
        [v.version for v in bodies],
        [bytes(v.body) for v in bodies],
    )
    for v in values:
        if v.pointer and v.deleted:
            await connection.execute(DROP, v.kind, v.key)
        elif v.pointer:
            await connection.execute(POINT, v.kind, v.key, v.version)
    await connection.execute("UPDATE definition_revision SET revision = revision + 1")


class Definitions(Generic[T]):
    """What a service compiled out of its documents. A transaction of another revision compiles anew if there is another document of these
    kinds, or another version is in force: of one kind many come in a minute, and another takes a second to compile.
    """

    def __init__(self, kinds: Sequence[str], build: Callable[[Sequence[Published], int], T]) -> None:
        self._kinds, self._build = list(kinds), build
        self._built: tuple[int, list[Any], T] | None = None

    async def at(self, connection: Connection, revision: int) -> T:
        """The compiled form for the revision that this transaction read."""
        if self._built is None or self._built[0] != revision:
            if self._built is not None and _names(await connection.fetch(NAMES, self._kinds)) == self._built[1]:
                self._built = (revision, *self._built[1:])
                return self._built[2]
            rows = await connection.fetch(READ, self._kinds)
            documents = [
                Published(
                    kind=r["kind"],
                    key=r["key"],
                    version=r["version"],
                    body=msgspec.Raw(r["body"]),
                    pointer=r["current"],
                )
                for r in rows
            ]
            self._built = (revision, _names(rows), self._build(documents, revision))
        return self._built[2]


def _names(rows: Sequence[Any]) -> list[Any]:
    return [(r["kind"], r["key"], r["version"], r["current"]) for r in rows]
