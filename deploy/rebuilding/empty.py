"""The empty database into which state is made anew: on the same server, ours by its comment, made and dropped by nobody else."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from deploy.local.errors import LocalRunError
from runtime.db import Connection
from runtime.migrate import migrate
from runtime.settings import Settings

MARK = "otklik: made anew by `otklik rebuild`; may be dropped"
NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")
WHOSE = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1"


def beside(database_url: str) -> str:
    """The name of the database that is made anew, by that of the live one."""
    return f"{urlsplit(database_url).path.strip('/') or 'otklik'}_rebuilt"


@asynccontextmanager
async def database(settings: Settings, name: str, *, keep: bool) -> AsyncIterator[Settings]:
    """An empty one and the settings with which it is reached; what an earlier run left is dropped first. It goes in the end, unless it is
    to stay. Raises LocalRunError where there is one of this name that is not ours.
    """
    if NAME.fullmatch(name) is None:
        raise LocalRunError(f"--into {name!r}: a name of a database is up to 63 letters, digits, - and _")
    server = await asyncpg.connect(settings.database_url)
    try:
        await _drop(server, name)
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        await server.execute(f"COMMENT ON DATABASE \"{name}\" IS '{MARK}'")
    except asyncpg.InsufficientPrivilegeError:
        raise LocalRunError(
            "the user of DATABASE_URL may not create databases: give it CREATEDB, or run as one that has it"
        ) from None
    finally:
        await server.close()
    try:
        yield settings.model_copy(update={"database_url": _named(settings.database_url, name)})
    finally:
        if not keep:
            server = await asyncpg.connect(settings.database_url)
            try:
                await _drop(server, name)
            finally:
                await server.close()


async def _drop(server: Connection, name: str) -> None:
    if not await server.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
        return
    if await server.fetchval(WHOSE, name) != MARK:
        raise LocalRunError(f"there is a database {name} that `otklik rebuild` has not made: name another one with --into")
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


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
