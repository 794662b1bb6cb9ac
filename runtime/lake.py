"""The lake as any process reads it: a snapshot of the manifest, and DuckDB over exactly those files (docs/adr/0006).

A snapshot is consistent: the files, how far the warehouse had come in each partition, and which properties have columns are read in
one transaction. Its files stay readable for 15 minutes after they were replaced, so take a new snapshot for new work.

A property stands in a column for each kind of value it ever had, `p_i_total__minor` for the integers of `properties.total.minor`:
kinds are never mixed nor coerced. `Snapshot.columns` answers which there are. What has no column (lists, too deep, too many names)
is in `rest`: `rest.properties.products`.

After an unmerge a row belongs by its home to somebody else than it was told of (runtime/parted.py): `profile` of the tables and views is
whose it is now.
"""

import asyncio
import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

import duckdb

from runtime import parted
from runtime.aliases import Merge, know_aliases
from runtime.db import Connection, Database
from runtime.kafka import Place
from runtime.parted import Parted

Scope = Literal["properties", "attributes", "context"]
Kind = Literal["int", "float", "string", "bool", "big", "null", "object"]

_PLACE = (("topic", "VARCHAR"), ("kafka_partition", "INTEGER"), ("kafka_offset", "BIGINT"))
_TIMES = (("occurred_at", "TIMESTAMP_MS"), ("received_at", "TIMESTAMP_MS"))
# What every file of a dataset holds, but for LATER in those of before. Times are UTC; a membership's occurred_at is its instant `at`, a
# decision's its received_at. home: by which a fact is its person's; NULL where that is the profile's own. kinds: of the identifiers that
# it came with, with commas between. `rest` has, beside what has no column, `ruled`, `bucketing` ([bucketed_at, bucketing_id]) and, of a
# word of consent with evidence, `proven` of the facts that say them.
TABLES: Mapping[str, Sequence[tuple[str, str]]] = {
    "facts": (
        ("id", "UUID"), ("profile", "UUID"), ("type", "VARCHAR"), ("event", "VARCHAR"), ("brand", "VARCHAR"), ("source", "VARCHAR"),
        ("lane", "VARCHAR"), *_TIMES, *_PLACE, ("cause", "VARCHAR"), ("rest", "VARIANT"), ("home", "UUID"), ("kinds", "VARCHAR"),
    ),
    "memberships": (
        ("id", "VARCHAR"), ("profile", "UUID"), ("type", "VARCHAR"), ("segment", "VARCHAR"), ("version", "INTEGER"), ("why", "VARCHAR"),
        *_TIMES, *_PLACE, ("cause", "VARCHAR"),
    ),
    "decisions": (
        ("id", "VARCHAR"), ("profile", "UUID"), ("brand", "VARCHAR"), ("verdict", "VARCHAR"), ("decided_by", "VARCHAR"), ("document", "VARCHAR"),
        ("version", "INTEGER"), ("step", "VARCHAR"), ("occurrence", "VARCHAR"), ("intent", "VARCHAR"), ("attempt", "INTEGER"),
        ("channel", "VARCHAR"), ("message_class", "VARCHAR"), ("rule", "VARCHAR"), ("until_at", "TIMESTAMP_MS"), *_TIMES, *_PLACE,
        ("cause", "VARCHAR"), ("detail", "VARIANT"),
    ),
}  # fmt: skip
LATER = ("home", "kinds")  # columns of facts that files of before are without
# big: an integer beyond 64 bits, as its digits. null: the name was given with null. object: with an empty object.
KINDS: Mapping[str, tuple[str, str]] = {
    "int": ("i", "BIGINT"),
    "float": ("f", "DOUBLE"),
    "string": ("s", "VARCHAR"),
    "bool": ("b", "BOOLEAN"),
    "big": ("t", "VARCHAR"),
    "null": ("n", "BOOLEAN"),
    "object": ("o", "BOOLEAN"),
}
SPILL = "spill"  # beside the datasets: what the queries of running processes hold on the disk
_PLAIN = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*(?:\.[a-z0-9]+(?:_[a-z0-9]+)*)*")
EXISTS = "SELECT to_regclass('warehouse.manifest') IS NOT NULL AND to_regclass('warehouse.property') IS NOT NULL"
HIDES = "SELECT to_regclass('warehouse.hidden') IS NOT NULL"
HIDDEN = "SELECT profile FROM warehouse.hidden WHERE rewritten_at IS NULL"
FILES = """
SELECT file, dataset, event, day, rows, first_at, last_at FROM warehouse.manifest WHERE removed_at IS NULL ORDER BY file
"""
PARTS = "SELECT to_regclass($1) IS NOT NULL"
MERGES = "SELECT to_regclass('warehouse.merged') IS NOT NULL"
MERGED = "SELECT loser::text, winner::text, at FROM warehouse.merged"
PASSED = "SELECT topic, partition, next_offset FROM warehouse.watermark WHERE topic <> 'timers'"
PROPERTIES = "SELECT event, scope, path, kind FROM warehouse.property ORDER BY id"


class StaleSnapshot(RuntimeError):  # noqa: N818
    """A file of this snapshot is gone, as it was replaced more than 15 minutes ago: take a new snapshot."""


class LakeFile(NamedTuple):
    """event and day are None in a mixed file, which holds what is still too little for files of its own. Times in ms."""

    file: str
    dataset: str
    event: str | None
    day: date | None
    rows: int
    first_at: int
    last_at: int


@contextmanager
def _stale() -> Iterator[None]:
    try:
        yield
    except duckdb.IOException as error:
        raise StaleSnapshot("a file of this snapshot is gone: take a new one") from error


def column(scope: str, path: str, kind: str) -> str:
    """The column for values of `kind` at `path` (keys joined by dots, a dot within a key written as backslash and dot).

    Two paths never share a column, though engines do not tell capitals apart: a path that is not plain carries its hash.
    """
    slug = path.replace(".", "__")
    if len(path) > 60 or _PLAIN.fullmatch(path) is None:
        digest = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:10]
        slug = re.sub(r"[^a-z0-9]+", "_", path.lower()).strip("_")[:40] + "___" + digest
    return f"{scope[0]}_{KINDS[kind][0]}_{slug}"


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def connect(folder: Path, threads: int, memory: str) -> Any:
    """A DuckDB of our own: in memory, never asking the network for extensions, times in UTC.

    What is too large for its memory it puts into a folder of its own under `folder`, or where that may only be read under the machine's
    folder for such things; DuckDB makes that, but not its parents.
    """
    spill = (folder if os.access(folder, os.W_OK) or not folder.exists() else Path(tempfile.gettempdir()) / "otklik") / SPILL
    spill.mkdir(parents=True, exist_ok=True)
    limits: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "memory_limit": memory,
        "temp_directory": str(spill / secrets.token_hex(6)),
        "autoinstall_known_extensions": False,
        "parquet_metadata_cache": True,
    }
    connection = duckdb.connect(config=limits)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def scan(folder: Path, files: Sequence[str], dataset: str, *, named: bool = False) -> str:
    """A table expression over these files of one dataset; without files, an empty table of its shape. named: with `filename`."""
    if not files:
        nothing = ", ".join(f"NULL::{kind} AS {quote(name)}" for name, kind in TABLES[dataset])
        return f"(SELECT {nothing} WHERE false)"
    listed = ", ".join(text(str(folder / file)) for file in files)
    table = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false{', filename = true' if named else ''})"
    if dataset != "facts":
        return table
    # Files of before may all be without them.
    later = ", ".join(f"NULL::{kind} AS {name}" for name, kind in TABLES["facts"] if name in LATER)
    return f"(SELECT {later} WHERE false UNION ALL BY NAME SELECT * FROM {table})"  # noqa: S608


def know_parted(connection: Any, rows: Sequence[Parted]) -> None:
    """Let this DuckDB connection know what was parted, for `owned`."""
    connection.execute("CREATE OR REPLACE TEMP TABLE parted (part UUID, owner UUID, stays UUID, told UUID[])")
    if rows:
        columns = [[row[n] for row in rows] for n in range(3)]
        told = [list(row.told) for row in rows]
        connection.execute(
            "INSERT INTO parted SELECT unnest($1::UUID[]), unnest($2::UUID[]), unnest($3::UUID[]), unnest($4::UUID[][])",
            [*columns, told],
        )


def owned(table: str, dataset: str) -> tuple[str, str]:
    """What to select from and whose a row of it is, as `runtime.parted.owner` says. All columns of the table keep their names."""
    home = "coalesce(f.home, f.profile)" if dataset == "facts" else "f.profile"
    source = (
        f"{table} AS f LEFT JOIN parted AS own ON own.part = {home} AND list_contains(own.told, f.profile) "
        "LEFT JOIN parted AS had ON had.part = f.profile AND list_contains(had.told, f.profile)"
    )
    return source, "coalesce(own.owner, had.stays, f.profile)"


class Snapshot:
    """What the lake held at one instant. Views `facts`, `memberships` and `decisions` are over all of it.

    passed: (topic, partition) -> the first offset that is not in this snapshot. hidden: people who are erased and whom files may still
    hold: no table shows them. parts: what became of whom an unmerge parted.
    """

    def __init__(
        self,
        folder: Path,
        connection: Any,
        files: Sequence[LakeFile],
        passed: Mapping[Place, int],
        properties: Mapping[tuple[str, str, str], Mapping[str, str]],
        hidden: Sequence[UUID] = (),
        parts: Sequence[Parted] = (),
    ) -> None:
        self.files, self.passed = tuple(files), passed
        self._folder, self._connection, self._properties = folder, connection, properties
        self._lock = asyncio.Lock()
        self._hides, self._parts = bool(hidden), tuple(parts)
        if hidden:
            connection.execute("CREATE TEMP TABLE gone AS SELECT unnest($1::UUID[]) AS profile", [list(hidden)])
        if parts:
            know_parted(connection, parts)
        for dataset in TABLES:
            connection.execute(f"CREATE TEMP VIEW {dataset} AS SELECT * FROM {self.table(dataset)}")  # noqa: S608 - paths of ours

    def table(
        self,
        dataset: str,
        event: str | None = None,
        since: int | None = None,
        until: int | None = None,
        people: frozenset[str] | None = None,
        *,
        as_told: bool = False,
    ) -> str:
        """A table expression over the files that may hold rows of this event name or type, with occurred_at in [since, until] ms.

        It leaves files out and filters no row: the query's own WHERE does. Fewer files are fewer footers to read. people: whom the
        query asks about (canonical text of their ids), so that it is cheap for those whom no unmerge has touched. as_told: `profile`
        is the id with which a row was told, whosever it is now; the table `alias` of a snapshot with merges knows.
        """
        wanted = [
            f.file
            for f in self.files
            if f.dataset == dataset
            and (event is None or f.event is None or f.event == event)
            and (since is None or f.last_at >= since)
            and (until is None or f.first_at <= until)
        ]
        table = scan(self._folder, wanted, dataset)
        table = table if as_told else self._owned(table, dataset, people)
        if not self._hides:
            return table
        return f"(SELECT * FROM {table} AS f WHERE NOT EXISTS (FROM gone AS g WHERE g.profile = f.profile))"  # noqa: S608 - paths of ours

    def _owned(self, table: str, dataset: str, people: frozenset[str] | None) -> str:
        touching = [p for p in self._parts if people is None or p.owner in people or not people.isdisjoint(p.told)]
        if not touching:
            return table
        if people is not None:
            told = ", ".join(map(text, sorted({*people, *(one for p in touching for one in p.told)})))
            table = f"(SELECT * FROM {table} WHERE profile IN ({told}))"  # noqa: S608 - ids
        source, owner = owned(table, dataset)
        return f"(SELECT f.* REPLACE ({owner} AS profile) FROM {source})"  # noqa: S608 - paths of ours

    def columns(self, event: str, scope: Scope, path: str) -> Mapping[str, str]:
        """Columns (kind -> name) of the values seen at this path of this event name (or type, for facts without a name).

        The first is the registered one, seen first; the others are values of another type, kept aside and counted.
        """
        return self._properties.get((event, scope, path), {})

    def paths(self, event: str, scope: Scope) -> Sequence[tuple[str, str]]:
        """(path, column) of all values that were ever seen of this event name, but for nulls and empty objects."""
        return [(path, name) for path, kind, name in self.kinds(event, scope) if kind not in ("null", "object")]

    def kinds(self, event: str, scope: Scope) -> Sequence[tuple[str, str, str]]:
        """(path, kind, column) of all that was ever seen of this event name."""
        return [
            (path, kind, name)
            for (of, where, path), names in self._properties.items()
            if (of, where) == (event, scope)
            for kind, name in names.items()
        ]

    def events_telling(self, names: Collection[str]) -> list[str]:
        """Event names (or types) of facts which ever said one of these attributes with a value that has a column, or may have said a list."""
        found = {of for of, where, path in self._properties if where == "attributes" and path.partition(".")[0] in names}
        return sorted({*found, "identify"})

    async def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query. Raises StaleSnapshot when a file is gone."""
        async with self._lock:
            return await asyncio.to_thread(self._query, sql, parameters)

    def _query(self, sql: str, parameters: Sequence[Any], most: int | None = None) -> list[tuple[Any, ...]]:
        with _stale():
            done = self._connection.execute(sql, list(parameters))
            rows: list[tuple[Any, ...]] = done.fetchall() if most is None else done.fetchmany(most)
        return rows

    async def pages(self, sql: str, parameters: Sequence[Any], size: int) -> AsyncGenerator[list[tuple[Any, ...]], None]:
        """Rows of a query, up to `size` at a time: no more of them are held. Raises StaleSnapshot when a file is gone."""
        async with self._lock:
            rows = await asyncio.to_thread(self._query, sql, parameters, size)
            while rows:
                yield rows
                rows = await asyncio.to_thread(self._connection.fetchmany, size)

    async def batch(self, sql: str, parameters: Sequence[Any]) -> Any:
        """All rows of a query as one Arrow record batch. Raises StaleSnapshot when a file is gone."""
        async with self._lock:
            return await asyncio.to_thread(self._batch, sql, parameters)

    def _batch(self, sql: str, parameters: Sequence[Any]) -> Any:
        with _stale():
            table = self._connection.sql(sql, params=list(parameters)).to_arrow_table()
        (batch,) = table.combine_chunks().to_batches()
        return batch

    def close(self) -> None:
        self._connection.close()


class Lake:
    """Reads the lake under `home` by the manifest in the database of `db`. threads, memory: what queries may take together."""

    def __init__(self, home: Path, db: Database, threads: int = 2, memory: str = "512MB") -> None:
        self.folder = home / "lake"
        self._db, self._connection = db, connect(self.folder, threads, memory)

    async def snapshot(self, parted_as: str = "warehouse", *, merges: bool = False) -> Snapshot:
        """The lake as it stands now; empty before the warehouse first ran. parted_as: the service whose knowledge of who was parted counts.
        merges: it also knows who has become whom (`alias`).
        """
        async with self._db.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            there = await connection.fetchval(EXISTS)
            files = [LakeFile(*row) for row in await connection.fetch(FILES)] if there else []
            passed = {(t, p): n for t, p, n in await connection.fetch(PASSED)} if there else {}
            known = await connection.fetch(PROPERTIES) if there else []
            hides = await connection.fetchval(HIDES)
            hidden = [row["profile"] for row in await connection.fetch(HIDDEN)] if hides else []
            parts = (
                await parted.everything(connection, parted_as) if await connection.fetchval(PARTS, f"{parted_as}.parted") else []
            )
            merged = [Merge(*row) for row in await connection.fetch(MERGED)] if merges and await connection.fetchval(MERGES) else []
        properties: dict[tuple[str, str, str], dict[str, str]] = {}
        for event, scope, path, kind in known:
            properties.setdefault((event, scope, path), {})[kind] = column(scope, path, kind)
        cursor = self._connection.cursor()
        if merges:
            await asyncio.to_thread(know_aliases, cursor, merged, parts)
        return await asyncio.to_thread(Snapshot, self.folder, cursor, files, passed, properties, hidden, parts)

    def close(self) -> None:
        self._connection.close()


async def passed(connection: Connection) -> dict[Place, int]:
    """How far the lake has come: (topic, partition) -> the first offset that it does not have. Empty before the warehouse first ran."""
    if not await connection.fetchval(EXISTS):
        return {}
    return {(t, p): n for t, p, n in await connection.fetch(PASSED)}


def day_of(at: int) -> date:
    """The UTC day of an instant in ms."""
    return datetime.fromtimestamp(at / 1000, UTC).date()
