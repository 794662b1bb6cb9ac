"""PostgreSQL: a pool for one service in its own schema, and the only place that commits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from runtime.settings import Settings

Connection = Any  # asyncpg's pool proxy; its stubs do not cover what we use
Row = Any

# Errors after which the same batch simply runs again: connection, lock, disk and resource trouble, never the data's fault.
TRANSIENT: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the client says when its connection ends between two of its steps
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InsufficientResourcesError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,  # the old primary after a failover
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    ConnectionError,
    asyncio.TimeoutError,
    OSError,
)


class Again(Exception):  # noqa: N818  (it is not an error: the transaction's view was stale)
    """Roll back and run the same batch again at once: an alias or a row changed between reading and locking."""


async def _as_it_is(_connection: Connection) -> None:
    """A connection goes back to the pool without the client's reset, a round trip a transaction: nobody here leaves a session changed."""


class Database:
    """A pool in the schema of one service. `transaction()` is the only way to write."""

    def __init__(self, settings: Settings, service: str, size: int = 4) -> None:
        self._settings, self._service, self._size = settings, service, size
        self._pool: Any = None

    @property
    def schema(self) -> str:
        return self._service

    async def open(self) -> "Database":
        self._pool = await asyncpg.create_pool(
            self._settings.database_url,
            min_size=1,
            max_size=self._size,
            command_timeout=60,
            max_inactive_connection_lifetime=0,
            server_settings=self.server_settings(),
            reset=_as_it_is,
        )
        return self

    def server_settings(self) -> dict[str, str]:
        return {
            "search_path": self._service,
            "application_name": f"otklik-{self._service}",
            # A frozen process must not hold the rows of its partitions: law 2.
            "idle_in_transaction_session_timeout": str(self._settings.transaction_timeout_s * 1000),
            "jit": "off",
        }

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """For reads outside a batch (the API)."""
        async with self._pool.acquire() as connection:
            yield connection

    async def dedicated(self) -> Connection:
        """A connection of its own, for LISTEN and for locks that live as long as the session."""
        return await asyncpg.connect(self._settings.database_url, server_settings=self.server_settings(), command_timeout=60)
