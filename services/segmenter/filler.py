"""Reads the lake for new conditions, beside the loop: what it has of millions of facts takes seconds, and no fact waits for that."""

import asyncio
import logging
from collections.abc import Iterable

from runtime.db import TRANSIENT, Connection
from runtime.lake import StaleSnapshot
from runtime.process import Context
from services.segmenter.domain.plan import Accumulator, Plan
from services.segmenter.filling import Cuts, Step
from services.segmenter.gathered import Cut, Gathered, gather
from services.segmenter.history import History, there
from services.segmenter.plans import Plans

log = logging.getLogger(__name__)

PASSING: tuple[type[BaseException], ...] = (*TRANSIENT, StaleSnapshot)


class Filler:
    """What one process has read for the filling that is under way. Under the driven clock it reads in its turn (`settle`)."""

    def __init__(self, context: Context, history: History, plans: Plans, cuts: Cuts) -> None:
        self._context, self._history, self._plans, self._cuts = context, history, plans, cuts
        self._read: tuple[int, Gathered] | None = None
        self._wake, self._one = asyncio.Event(), asyncio.Lock()

    async def due(self, connection: Connection, partitions: Iterable[int]) -> bool:
        """Whether something is to be added to the people of these partitions, now or as soon as it is read."""
        filling = await self._cuts.ready(connection, partitions)
        if not filling or not self._history.readable():
            return False
        if self.of(filling) is None:
            self._wake.set()
        return True

    def hopeful(self) -> bool:
        """Whether history is to be expected, as the lake is here."""
        return there(self._context)

    def of(self, filling: int) -> Gathered | None:
        """What was read for this filling."""
        return self._read[1] if self._read and self._read[0] == filling else None

    async def settle(self) -> bool:
        """Read what is to be read. True when that was something."""
        async with self._one:
            async with self._context.db.connection() as connection:
                filling = await self._cuts.ready(connection, range(self._context.settings.partitions))
                cuts = await self._cuts.known(connection, filling)
            if self._read and self._read[0] != filling:
                self.close()
            plan = self._plans.ruling
            if not filling or self._read or plan is None or plan.filling.number != filling or not self._history.readable():
                return False
            cut = Cut(cuts, self._context.clock.last_known_ms())
            snapshot = await self._history.snapshot()
            try:
                self._read = filling, await gather(snapshot, _asked(plan), cut, self._context.settings.partitions)
            except BaseException:
                snapshot.close()
                raise
            self._context.failpoint("history_read")
            return True

    def added(self, step: Step) -> None:
        """A portion is about to be committed."""
        if step.last_id:
            self._context.failpoint("history_added")

    async def run(self) -> None:
        """Beside the loop, until cancelled. What fails is tried again, and `progress` says so."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._context.clock.state.driven:
                continue
            try:
                await self.settle()
            except PASSING as error:
                self._history.wait(type(error).__name__)
            except Exception as error:  # live segments do not stop for what was before them
                log.exception("history cannot be read from the lake: it is tried again")
                self._history.wait(type(error).__name__)

    def close(self) -> None:
        if self._read:
            self._read[1].close()
            self._read = None


def _asked(plan: Plan) -> list[Accumulator]:
    return [plan.accumulators[id_] for id_ in sorted(plan.filling.scope)]
