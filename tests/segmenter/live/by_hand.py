"""The segmenter without its loop: the test takes a batch or fires the timers when it wants, at the instant it wants."""

from collections.abc import Sequence
from typing import Any

import msgspec

from runtime import definitions
from runtime.batch import At, Emit, Item, Tx
from runtime.process import Context
from runtime.service import Fired
from schemas.definitions import Published
from schemas.facts import Fact
from schemas.ids import partition_of
from services.segmenter.handler import Handler
from tests.support.live import T0


class Process:
    """One process of it. now: ms, what its transactions read."""

    def __init__(self, context: Context) -> None:
        self._context, self.handler, self._offset, self.now = context, Handler(context.settings.partitions), 0, T0

    async def take(self, *facts: Fact, revision: int | None = None) -> Sequence[Emit]:
        """One batch. revision: what its transaction read, if others have raised it since."""
        async with self._context.db.transaction() as connection:
            return await self.handler(await self._tx(connection, revision), [self._item(one) for one in facts])

    def _item(self, one: Fact) -> Item:
        self._offset += 1
        place = ("facts", partition_of(one.profile or "", self._context.settings.partitions))
        return Item(place, self._offset, one, b"", None, None, one.received_at)

    async def fire(self, partitions: Sequence[int] | None = None, limit: int = 1000) -> tuple[list[Emit], int]:
        """Until nothing is due there: flips, and people to be brought under a new plan. Returns what was told and how many it were."""
        told: list[Emit] = []
        count = 0
        owned = range(self._context.settings.partitions) if partitions is None else partitions
        while True:
            async with self._context.db.transaction() as connection:
                if not await self.handler.due(connection, list(owned), self.now):
                    return told, count
                fired = await self.step(connection, owned, limit)
                told.extend(fired.emits)
                count += fired.count

    async def step(self, connection: Any, partitions: Sequence[int], limit: int) -> Fired:
        """One round of the timers in a transaction of the test's."""
        return await self.handler.fire(await self._tx(connection), {p: At("t", 0, 0) for p in partitions}, limit)

    async def sweep(self, partitions: Sequence[int] | None = None) -> int:
        """How many people were brought under a new plan, where no flip was due."""
        return (await self.fire(partitions))[1]

    async def _tx(self, connection: Any, revision: int | None = None) -> Tx:
        found = await connection.fetchval("SELECT revision FROM definition_revision")
        return Tx(connection, self.now, found if revision is None else revision, "segmenter", {})


async def publish(context: Context, kind: str, key: str, version: int = 1, **body: Any) -> None:
    """A document of this version is in force from the next transaction on."""
    one = Published(kind=kind, key=key, version=version, body=msgspec.Raw(msgspec.json.encode(body)), pointer=True)
    async with context.db.transaction() as connection:
        await definitions.store(connection, [Item(("definitions", 0), 0, one, b"", None, None, T0)])
