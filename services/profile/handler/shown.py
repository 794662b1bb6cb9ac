"""Brings up what BI tools see of people, beside the loop: facts do not wait for it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from runtime.db import TRANSIENT
from services.profile.store import shown

if TYPE_CHECKING:
    from runtime.process import Context

log = logging.getLogger(__name__)

EVERY_S = 5.0  # who changes often within it is read once
AGAIN_S = 60.0  # after an error that is not passing trouble
PIECE = 2_000


class Shown:
    """One at a time in an installation; in a driven run within the turn."""

    def __init__(self) -> None:
        self._context: Context | None = None

    @asynccontextmanager
    async def life(self, context: "Context") -> AsyncIterator[None]:
        self._context = context
        keeping = asyncio.create_task(self._keep(context), name="profile-shown")
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})

    async def settle(self) -> bool:
        """In a driven turn: all of it. True if there was anything."""
        did = False
        while await self._piece():
            did = True
        return did

    async def _keep(self, context: "Context") -> None:
        while True:
            try:
                while not context.clock.state.driven and await self._piece() == PIECE:
                    pass
            except TRANSIENT as error:
                log.warning("BI views wait", extra={"why": type(error).__name__})
            except Exception:  # facts do not stop for what BI tools see
                log.exception("BI views cannot be brought up: it is tried again")
                await asyncio.sleep(AGAIN_S)
            await asyncio.sleep(EVERY_S)

    async def _piece(self) -> int:
        assert self._context is not None
        async with self._context.db.transaction() as connection:
            return await shown.bring_up(connection, PIECE)
