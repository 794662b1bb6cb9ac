"""One instant of the database as several services see it, for whoever compares them: a connection for each, over one snapshot."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from runtime.clock import NOW
from runtime.db import Connection
from runtime.settings import Settings


@asynccontextmanager
async def instant(settings: Settings, *services: str) -> AsyncIterator[tuple[int, Mapping[str, Connection]]]:
    """The instant (ms) and a connection in the schema of each service. Nothing that is committed later is seen, until the block ends.

    While it lasts PostgreSQL keeps rows that were replaced: hours of that make tables grow.
    """
    async with AsyncExitStack() as stack:
        connections: dict[str, Connection] = {}
        snapshot, now = "", 0
        for service in services:
            connection = connections[service] = await asyncpg.connect(
                settings.database_url,
                server_settings={
                    "search_path": service, "application_name": "otklik-instant", "idle_in_transaction_session_timeout": "0", "jit": "off",
                },
            )  # fmt: skip
            stack.push_async_callback(connection.close)
            await stack.enter_async_context(connection.transaction(isolation="repeatable_read", readonly=True))
            if not snapshot:
                snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
                now = await connection.fetchval(NOW)
            else:
                await connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        yield now, connections
