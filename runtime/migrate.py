"""Migrations: numbered SQL files of a service, run forward under an advisory lock, each in its own transaction."""

import zlib
from importlib import resources

import asyncpg

from runtime.settings import Settings


class MigrationChanged(RuntimeError):  # noqa: N818
    """A file that already ran was edited; write a new one instead."""


def _files(package: str) -> list[tuple[str, str]]:
    folder = resources.files(package)
    found = [(f.name, f.read_text()) for f in folder.iterdir() if f.name.endswith(".sql")]
    return sorted(found)


async def migrate(settings: Settings, schema: str, *packages: str) -> list[str]:
    """Bring `schema` up to date with the SQL files of `packages`, in order. Returns the names that ran now.

    Every file runs with `search_path` set to the schema, so runtime's tables are made once in each service's own schema.
    """
    connection = await asyncpg.connect(settings.database_url)
    ran = []
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", zlib.crc32(f"migrate:{schema}".encode()))
        await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        await connection.execute(f'SET search_path TO "{schema}"')
        await connection.execute("CREATE TABLE IF NOT EXISTS migration (name text PRIMARY KEY, checksum bigint NOT NULL)")
        done = {row["name"]: row["checksum"] for row in await connection.fetch("SELECT name, checksum FROM migration")}
        for package in packages:
            for name, text in _files(package):
                key, checksum = f"{package}/{name}", zlib.crc32(text.encode())
                if done.get(key) == checksum:
                    continue
                if key in done:
                    raise MigrationChanged(f"{key} was edited after it ran in schema {schema}: restore it, add a new file")
                async with connection.transaction():
                    await connection.execute(text)
                    await connection.execute("INSERT INTO migration VALUES ($1, $2)", key, checksum)
                ran.append(key)
    finally:
        await connection.close()
    return ran
