"""Published documents of one kind, as they are in force here."""

import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from runtime.db import Connection
from runtime.definitions import Definitions
from schemas.definitions import Published

log = logging.getLogger(__name__)

T = TypeVar("T", bound=BaseModel)


class InForce(Generic[T]):
    """By key. One that cannot be read is left out and said: it may not close the door to all the others."""

    def __init__(self, kind: str, model: type[T]) -> None:
        self._kind = kind
        self._published: dict[str, T] = {}
        self._definitions = Definitions((kind,), self._read)
        self._parsed = lru_cache(1024)(model.model_validate_json)

    def get(self, key: str) -> T | None:
        return self._published.get(key)

    async def refresh(self, connection: Connection, revision: int) -> None:
        self._published = await self._definitions.at(connection, revision)

    def _read(self, documents: Sequence[Published], _revision: int) -> dict[str, T]:
        found = {}
        for document in documents:
            if document.pointer:
                try:
                    found[document.key] = self._parsed(bytes(document.body))
                except ValidationError as error:
                    told = {"kind": self._kind, "key": document.key, "why": error.title}
                    log.error("a document cannot be read: publish it anew", extra=told)  # noqa: TRY400
        return found
