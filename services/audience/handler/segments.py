"""The segments in force, from this service's copy of the documents."""

from collections.abc import Mapping, Sequence

import msgspec

from runtime.db import Database
from runtime.definitions import Definitions
from schemas.audience import ADAPTER, Condition, references
from schemas.definitions import Published

REVISION = "SELECT revision FROM definition_revision"


def in_force(documents: Sequence[Published], _revision: int) -> Mapping[str, Condition]:
    """Key -> condition, and of what these ask about also what is out of force by now."""
    kept = {document.key: _condition_of(document) for document in documents}  # of each key the newest version
    found = {document.key: _condition_of(document) for document in documents if document.pointer}
    while missing := ({key for condition in found.values() for key in references(condition)} & kept.keys()) - found.keys():
        found |= {key: kept[key] for key in missing}
    return found


def _condition_of(document: Published) -> Condition:
    return ADAPTER.validate_python(msgspec.json.decode(document.body)["condition"])


class Segments:
    """What is in force, read anew when a document was published."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._definitions = Definitions(("segment",), in_force)

    async def now(self) -> Mapping[str, Condition]:
        async with self._db.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            return await self._definitions.at(connection, await connection.fetchval(REVISION))
