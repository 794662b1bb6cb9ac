"""Write keys: which source an event comes from. Published by the gateway as documents of kind "write_key"."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from runtime.db import Connection
from runtime.definitions import Definitions, decode_published
from runtime.kafka import Record
from schemas.definitions import Published
from schemas.write_keys import WriteKey, hash_of
from services.ingest.domain import Source

log = logging.getLogger(__name__)

KIND = "write_key"
KINDS = (KIND, "connector", "bot")
_REMEMBERED = 10_000


def decode_definition(record: Record) -> Published | None:
    """A record of `definitions`; None for one that compaction has emptied, and for kinds that are not ours."""
    if not record.value:
        return None
    document = decode_published(record)
    return document if document.kind in KINDS else None


def first_of(keys_file: Path | None, source: Source) -> dict[str, Source]:
    """The installation's first write key, in force before anything is published."""
    if keys_file is None:
        return {}
    key = json.loads(keys_file.read_text(encoding="utf-8")).get("write_key")
    return {hash_of(key): source} if key else {}


def read_keys(documents: Sequence[Published], _revision: int) -> dict[str, Source | None]:
    """Hash -> source, None for a key that was withdrawn."""
    found: dict[str, Source | None] = {}
    for document in documents:
        if not document.pointer:
            found.setdefault(document.key, None)
            continue
        try:
            body = WriteKey.model_validate_json(bytes(document.body))
        except ValidationError as error:
            # One broken document may not close the door to all the others.
            log.error("a write key cannot be read: publish it anew", extra={"key": document.key, "why": error.title})  # noqa: TRY400
            continue
        found[body.hash] = Source(brand=body.brand, name=body.source, lane=body.lane, currency=body.currency, region=body.region)
    return found


class Sources:
    """The keys in force. Calling it answers the source of a key, None for an unknown one."""

    def __init__(self) -> None:
        self.first: dict[str, Source] = {}
        self._published: dict[str, Source | None] = {}
        self._known: dict[str, Source] = {}  # by the key itself, so that a hash per request is saved
        self._definitions = Definitions((KIND,), read_keys)

    def __call__(self, key: str) -> Source | None:
        source = self._known.get(key)
        if source is None:
            hashed = hash_of(key)
            source = self._published[hashed] if hashed in self._published else self.first.get(hashed)
            if source is not None and len(self._known) < _REMEMBERED:
                self._known[key] = source
        return source

    async def refresh(self, connection: Connection, revision: int) -> None:
        """Take over what was published since the last call."""
        published = await self._definitions.at(connection, revision)
        if published is not self._published:
            self._published, self._known = published, {}
