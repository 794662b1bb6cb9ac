"""The empty database into which state is made anew: on the same server, ours by its comment, made and dropped by nobody else."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from deploy.local.errors import LocalRunError
from runtime.db import Connection
from runtime.migrate import migrate
from runtime.settings import Settings

MARK = "otklik: made anew by `otklik rebuild`; may be dropped"
WHOSE = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1"


def beside(database_url: str) -> str:
    """The name of the database that is made anew, by that of the live one."""
    return f"{urlsplit(database_url).path.strip('/') or 'otklik'}_rebuilt"


async def make(settings: Settings, name: str) -> Settings:
    """An empty one; what an earlier run left is dropped first. Returns the settings with which it is reached."""
    server = await asyncpg.connect(settings.database_url)
    try:
        if await server.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
            if await server.fetchval(WHOSE, name) != MARK:
                raise LocalRunError(f"there is a database {name} that `otklik rebuild` has not made: name another one with --into")
            await server.execute(f'DROP DATABASE "{name}"')
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        await server.execute(f"COMMENT ON DATABASE \"{name}\" IS '{MARK}'")
    except asyncpg.InsufficientPrivilegeError:
        raise LocalRunError(
            "the user of DATABASE_URL may not create databases: give it CREATEDB, or run as one that has it"
        ) from None
    finally:
        await server.close()
    return settings.model_copy(update={"database_url": _named(settings.database_url, name)})


async def drop(settings: Settings, name: str) -> None:
    server = await asyncpg.connect(settings.database_url)
    try:
        await server.execute(f'DROP DATABASE IF EXISTS "{name}"')
    finally:
        await server.close()


@asynccontextmanager
async def schema(settings: Settings, service: str, migrations: Sequence[str]) -> AsyncIterator[Connection]:
    """A connection in the schema of a service, made by its migrations."""
    await migrate(settings, "runtime", "runtime.clocksql")
    await migrate(settings, service, "runtime.sql", *migrations)
    connection = await asyncpg.connect(settings.database_url, server_settings={"search_path": service})
    try:
        yield connection
    finally:
        await connection.close()


def _named(database_url: str, name: str) -> str:
    return urlunsplit(urlsplit(database_url)._replace(path=f"/{name}"))
