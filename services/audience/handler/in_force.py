"""What is in force, from this service's copy of the documents."""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec
from pydantic import TypeAdapter

from runtime.db import Database
from runtime.definitions import Definitions
from schemas import permission
from schemas.attributes import canonical
from schemas.audience import ADAPTER, Condition, references
from schemas.definitions import Published
from schemas.subscriptions import Topic
from services.audience.domain.world import World

TOPIC = TypeAdapter(Topic)

REVISION = "SELECT revision FROM definition_revision"


def in_force(documents: Sequence[Published], _revision: int) -> World:
    """The segments, with what these ask about and is out of force by now; and all topics that there ever were, for what was said on one that
    is gone is still a word on it.
    """
    topics = {d.key: TOPIC.validate_python(msgspec.json.decode(d.body)) for d in documents if d.kind == "topic"}
    tree = permission.tree(topics.values())
    return World(_segments([d for d in documents if d.kind == "segment"]), tree, hashlib.sha256(canonical(tree)).hexdigest())


def _segments(documents: Sequence[Published]) -> Mapping[str, Condition]:
    kept = {document.key: _condition_of(document) for document in documents}  # of each key the newest version
    found = {document.key: _condition_of(document) for document in documents if document.pointer}
    while missing := ({key for condition in found.values() for key in references(condition)} & kept.keys()) - found.keys():
        found |= {key: kept[key] for key in missing}
    return found


def _condition_of(document: Published) -> Condition:
    return ADAPTER.validate_python(msgspec.json.decode(document.body)["condition"])


class InForce:
    """What is in force, read anew when a document was published."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._definitions = Definitions(("segment", "topic"), in_force)

    async def now(self) -> World:
        async with self._db.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            return await self._definitions.at(connection, await connection.fetchval(REVISION))
