"""Bots in force, and what becomes of an update: facts in the log before it is answered."""

import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from runtime.db import Connection
from runtime.definitions import Definitions
from schemas.bots import Bot
from schemas.connectors import Signs
from schemas.definitions import Published
from schemas.starts import read_start
from services.ingest.domain import Heard, Update, telegram, vk
from services.ingest.ports import Clock, Log, record

log = logging.getLogger(__name__)

KIND = "bot"
_READERS = {"telegram": telegram, "vk": vk}


class Bots:
    """The published ones, by key."""

    def __init__(self) -> None:
        self._published: dict[str, Bot] = {}
        self._definitions = Definitions((KIND,), read_bots)

    def get(self, key: str) -> Bot | None:
        return self._published.get(key)

    async def refresh(self, connection: Connection, revision: int) -> None:
        self._published = await self._definitions.at(connection, revision)


class Updates:
    """Takes updates in. Returns when the log has their facts; raises Overloaded or Unavailable, and the provider tells them again."""

    def __init__(self, bots: Bots, vault: Signs, log_: Log, clock: Clock, partitions: int) -> None:
        self._bots, self._vault, self._log, self._clock, self._partitions = bots, vault, log_, clock, partitions

    def bot(self, key: str) -> Bot | None:
        return self._bots.get(key)

    async def take(self, bot: Bot, number: str, body: Mapping[str, Any]) -> Heard:
        """number: the provider's id of the update."""
        now, driven = await self._clock()
        update = Update(bot, body, number, now, driven, lambda payload: read_start(self._vault, payload, now))
        heard = _READERS[bot.channel](update)
        if heard.facts:
            await self._log.publish([record(fact, self._partitions) for fact in heard.facts])
        return heard


def read_bots(documents: Sequence[Published], _revision: int) -> dict[str, Bot]:
    found = {}
    for document in documents:
        if document.pointer:
            try:
                found[document.key] = _parsed(bytes(document.body))
            except ValidationError as error:
                # One broken document may not close the door to all the others.
                log.error("a bot cannot be read: publish it anew", extra={"key": document.key, "why": error.title})  # noqa: TRY400
    return found


@lru_cache(256)
def _parsed(body: bytes) -> Bot:
    return Bot.model_validate_json(body)
