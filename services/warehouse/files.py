"""Parquet files of the lake on disk: written whole, on the disk before anybody hears of them, never changed.

DuckDB writes them, as pyarrow knows no VARIANT (docs/adr/0006); Arrow only carries the columns there.
"""
# ruff: noqa: S608 - what is put into SQL is quoted by runtime.lake.text and quote, and comes from our own files

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from runtime.kafka import Place
from runtime.lake import SPILL, TABLES, column, connect, know_parted, owned, quote, scan, text
from runtime.parted import Parted
from services.warehouse.domain.names import LONG
from services.warehouse.domain.names import folder as folder_name
from services.warehouse.domain.sheets import Sheet
from services.warehouse.domain.walk import Cells

_ARROW = {
    "UUID": pa.string(), "VARCHAR": pa.string(), "VARIANT": pa.string(), "INTEGER": pa.int32(), "BIGINT": pa.int64(),
    "TIMESTAMP_MS": pa.timestamp("ms"),
}  # fmt: skip
_CELL = {"int": pa.int64(), "float": pa.float64(), "string": pa.string(), "bool": pa.bool_(), "big": pa.string(), "null": pa.bool_(),
         "object": pa.bool_()}  # fmt: skip
_CAST = {"UUID": "{0}::UUID", "VARIANT": "{0}::JSON::VARIANT"}
_ORDER = {"facts": "event, type, occurred_at", "memberships": "occurred_at", "decisions": "occurred_at"}
_TAIL = "topic, kafka_partition, kafka_offset"
# Row groups of mixed files are small, so that a query for one event skips most of them.
_FORMAT = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, USE_TMP_FILE false"
MIXED_GROUP, OWN_GROUP = 16_384, 122_880
NAME = "coalesce(nullif(event, ''), type)"  # of the event, as in the manifest

_json = msgspec.json.Encoder().encode


class Written(NamedTuple):
    """A file that is on the disk. offsets: (topic, partition) -> (first, last); times in ms of occurred_at."""

    file: str
    dataset: str
    event: str | None
    day: date | None
    level: int
    rows: int
    bytes: int
    first_at: int
    last_at: int
    offsets: Mapping[Place, tuple[int, int]]


class Group(NamedTuple):
    """The rows of a merge that get a file of their own: one event (None: dataset without events) and one UTC day."""

    event: str | None
    day: date


class Target(NamedTuple):
    """Where merged rows go. group None: into a mixed file. keep: the columns of properties that can hold anything there, None: all."""

    group: Group | None
    level: int
    number: int
    keep: frozenset[str] | None = None


class LakeTrouble(OSError):  # noqa: N818
    """The disk or the memory, not the data: the batch runs again."""


class TooLarge(LakeTrouble):
    """Out of memory: with fewer files at a time it may go."""


@contextmanager
def _trouble() -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise TooLarge(str(error)[:200]) from error
    except duckdb.IOException as error:
        raise LakeTrouble(str(error)[:200]) from error


class Sieve(NamedTuple):
    """What goes through into a new file. without: people whose rows do not; parted: what is known of unmerges, which says whose rows are;
    since: only what occurred from this instant (ms) on; part: which of so many parts, by the place in the log.
    """

    without: Sequence[str] = ()
    parted: Sequence[Parted] = ()
    since: int | None = None
    part: tuple[int, int] = (0, 1)


ALL_OF_IT = Sieve()


class Files:
    """Writes under one folder. One call at a time."""

    def __init__(self, folder: Path, threads: int = 2, memory: str = "512MB") -> None:
        self.folder = folder
        self._busy = threading.Lock()  # a cancelled caller leaves his query behind: it must have ended before the close
        self._duck = connect(folder, threads, memory)

    def close(self) -> None:
        with self._busy:
            self._duck.close()

    def interrupt(self) -> None:
        """End the query that another thread runs here, if there is one: it raises there."""
        self._duck.interrupt()

    def write(self, sheet: Sheet, number: int) -> Written:
        """A batch as one mixed file of level 0."""
        table = arrow(sheet)
        selected = []
        base = dict(TABLES[sheet.dataset])
        for name in table.column_names:
            cast = _CAST.get(base.get(name, ""), "{0}")
            selected.append(f"{cast.format(quote(name))} AS {quote(name)}")
        query = f"SELECT {', '.join(selected)} FROM batch ORDER BY {_ORDER[sheet.dataset]}, {_TAIL}"
        with self._busy:
            self._duck.register("batch", table)
            try:
                return self._copy(query, sheet.dataset, Target(None, 0, number))
            finally:
                self._duck.unregister("batch")

    def groups(self, dataset: str, sources: Sequence[str], least: int) -> list[Group]:
        """The (event, day) groups with at least `least` rows among these files."""
        name = f"{NAME} AS name" if dataset == "facts" else "NULL AS name"
        told = f"length({NAME}) <= {LONG} AND instr({NAME}, chr(0)) = 0" if dataset == "facts" else "true"
        query = (
            f"SELECT {name}, occurred_at::DATE AS day FROM {scan(self.folder, sources, dataset)} WHERE {told} "
            f"GROUP BY ALL HAVING count(*) >= {least} ORDER BY ALL"
        )
        with self._busy, _trouble():
            return [Group(*row) for row in self._duck.execute(query).fetchall()]

    def holding(self, dataset: str, sources: Sequence[str], people: Sequence[str], known: Sequence[Parted] = ()) -> dict[str, int]:
        """Of these files (of one dataset) those that have rows of these people -> how many. known: as for `merge`."""
        source, owner = owned(scan(self.folder, sources, dataset, named=True), dataset)
        query = f"SELECT filename, count(*) FROM {source} WHERE {owner} IN ({_uuids(people)}) GROUP BY filename"
        with self._busy, _trouble():
            know_parted(self._duck, known)
            return {str(Path(name).relative_to(self.folder)): count for name, count in self._duck.execute(query).fetchall()}

    def merge(
        self,
        dataset: str,
        sources: Sequence[str],
        target: Target,
        besides: Sequence[Group] = (),
        sieve: Sieve = ALL_OF_IT,
    ) -> Written:
        """The rows of `sources` that belong to the target's group, or (without a group) to none of `besides`, as one file."""
        group, keep = target.group, target.keep
        table = scan(self.folder, sources, dataset)
        with self._busy, _trouble():
            there = [row[0] for row in self._duck.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()]
        base = {name for name, _ in TABLES[dataset]}
        names = ", ".join(quote(name) for name in there if keep is None or name in base or name in keep)
        chosen = _is(group) if group else " AND ".join(["true", *(f"NOT ({_is(other)})" for other in besides)])
        if sieve.without:
            table, owner = owned(table, dataset)
            chosen += f" AND ({owner} IS NULL OR {owner} NOT IN ({_uuids(sieve.without)}))"
        if sieve.since is not None:
            chosen += f" AND occurred_at >= epoch_ms({sieve.since})"
        if sieve.part != (0, 1):
            chosen += f" AND kafka_offset % {sieve.part[1]} = {sieve.part[0]}"
        query = f"SELECT {names} FROM {table} WHERE {chosen} ORDER BY {_ORDER[dataset]}, {_TAIL}"
        with self._busy:
            know_parted(self._duck, sieve.parted)
            return self._copy(query, dataset, target)

    def _copy(self, query: str, dataset: str, target: Target) -> Written:
        event, day = target.group or (None, None)
        folder = self.folder / dataset
        if event is not None:
            folder /= f"event={folder_name(event)}"
        folder /= "mixed" if day is None else f"day={day.isoformat()}"
        self._make(folder)
        path = folder / f"{target.number:012d}.parquet"
        draft = path.with_suffix(".writing")
        size = MIXED_GROUP if day is None else OWN_GROUP
        with _trouble():
            self._duck.execute(f"COPY ({query}) TO {text(str(draft))} ({_FORMAT}, ROW_GROUP_SIZE {size})")
            # Read back what was written: the manifest says what is in the file, not what we meant to put there.
            told = self._duck.execute(
                f"SELECT topic, kafka_partition, min(kafka_offset), max(kafka_offset), count(*), epoch_ms(min(occurred_at)), "
                f"epoch_ms(max(occurred_at)) FROM {scan(folder, [draft.name], dataset)} GROUP BY ALL ORDER BY ALL"
            ).fetchall()
        _to_disk(draft)
        draft.rename(path)
        _to_disk(folder)
        return Written(
            str(path.relative_to(self.folder)), dataset, event, day, target.level, sum(r[4] for r in told), path.stat().st_size,
            min((r[5] for r in told), default=0), max((r[6] for r in told), default=0), {(r[0], r[1]): (r[2], r[3]) for r in told},
        )  # fmt: skip

    def _make(self, folder: Path) -> None:
        """Make the folder, each new one on the disk within its parent."""
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for one in missing:
            _to_disk(one.parent)

    def remove(self, files: Sequence[str]) -> None:
        for file in files:
            with suppress(FileNotFoundError):
                (self.folder / file).unlink()

    def touch(self, files: Sequence[str]) -> None:
        """Start the time that replaced files stay for readers who have the old manifest."""
        for file in files:
            with suppress(FileNotFoundError):
                os.utime(self.folder / file)

    def aged(self) -> dict[str, float]:
        """Every file under the folder with its age in seconds, by the file system's own clock."""
        probe = self.folder / "clock"
        self.folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        now = probe.stat().st_mtime
        found = {}
        for part in (*TABLES, SPILL):
            for path in (self.folder / part).rglob("*"):
                with suppress(FileNotFoundError):
                    if path.is_file():
                        found[str(path.relative_to(self.folder))] = now - path.stat().st_mtime
        return found


def _is(group: Group) -> str:
    named = "" if group.event is None else f"{NAME} = {text(group.event)} AND "
    return f"{named}occurred_at::DATE = DATE {text(group.day.isoformat())}"


def _uuids(people: Sequence[str]) -> str:
    return ", ".join(f"UUID {text(person)}" for person in people)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def arrow(sheet: Sheet) -> pa.Table:
    """The sheet as an Arrow table: VARIANT columns as JSON text, which the copy turns over."""
    arrays: dict[str, pa.Array] = {}
    for name, kind in TABLES[sheet.dataset]:
        if kind == "VARIANT":
            texts = [_json(sheet.rest[row]).decode() if row in sheet.rest else None for row in range(sheet.count)]
            arrays[name] = pa.array(texts, pa.string())
        else:
            arrays[name] = pa.array(sheet.columns[name], _ARROW[kind])
    joined: dict[tuple[str, str, str], Cells] = {}
    for key, cells in sheet.cells.items():  # events share the columns of equal paths and kinds
        into = joined.setdefault(key[1:], Cells())
        into.rows += cells.rows
        into.values += cells.values
    for (scope, path, kind), cells in joined.items():
        places = pc.inverse_permutation(pa.array(cells.rows, pa.int32()), max_index=sheet.count - 1, output_type=pa.int32())
        arrays[column(scope, path, kind)] = pa.array(cells.values, _CELL[kind]).take(places)
    return pa.table(arrays)
