"""Looks into the tables of a run while its database is killed: a question is asked again until it is answered."""

import asyncio
from typing import Any

import asyncpg

from runtime.clock import wall_ms
from tests.chaos.servers import Servers

# InternalClientError: of a connection that was killed in the very middle of an answer.
AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError)
IN_FORCE = "SELECT coalesce(max(version), 0) FROM sender.definition_current WHERE kind = $1 AND key = $2"
PATIENCE_S = 240.0


class Eye:
    """A connection of its own, made anew when it breaks."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._connection: asyncpg.Connection | None = None
        self._asking = asyncio.Lock()

    async def value(self, query: str, *arguments: Any) -> Any:
        rows = await self.rows(query, *arguments)
        return rows[0][0] if rows else None

    async def rows(self, query: str, *arguments: Any) -> list[Any]:
        async with self._asking:
            while True:
                try:
                    self._connection = self._connection or await self._servers.connect()
                    return list(await self._connection.fetch(query, *arguments, timeout=10))
                except AWAY:
                    await self._drop()
                    await asyncio.sleep(0.2)

    async def in_force(self, kind: str, key: str, version: int) -> int:
        """Wait until a version of a document is in the sender's tables. When it was seen there (ms)."""
        await self.until(IN_FORCE, kind, key, wanted=version)
        return wall_ms()

    async def until(self, query: str, *arguments: Any, wanted: int = 1) -> None:
        """Wait until a query counts so many. Raises AssertionError after PATIENCE_S."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while (found := await self.value(query, *arguments) or 0) < wanted:
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"{found} in place of {wanted} after {PATIENCE_S:.0f} s: {query}")
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        await self._drop()

    async def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None
