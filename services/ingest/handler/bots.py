"""What becomes of an update: facts in the log before it is answered."""

from collections.abc import Mapping
from typing import Any

from schemas.bots import Bot
from schemas.connectors import Signs
from schemas.starts import read_start
from services.ingest.domain import Heard, Update, telegram, vk
from services.ingest.handler.in_force import InForce
from services.ingest.ports import Clock, Log, record

_READERS = {"telegram": telegram, "vk": vk}


class Updates:
    """Takes updates in. Returns when the log has their facts; raises Overloaded or Unavailable, and the provider tells them again."""

    def __init__(self, bots: InForce[Bot], vault: Signs, log_: Log, clock: Clock, partitions: int) -> None:
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
