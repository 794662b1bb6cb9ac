"""The index: one DuckDB file under OTKLIK_HOME, made of nothing but the lake, so it may be deleted at any time.

It follows the lake by the places of the log: a commit of the index holds exactly the facts below `place`, each once. Who reads it takes a
View, which is one instant of it, while the next facts come in.
"""
# ruff: noqa: S608 - names of ours

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import duckdb

from runtime.following import News
from runtime.kafka import Place
from runtime.lake import StaleSnapshot, scan, text
from services.audience.store import consenting, happenings, people, said, verdicts
from services.audience.store.happenings import AT, Events, Loose
from services.audience.store.said import Said
from services.audience.store.versions import Part, Versions

VERSION = 5  # of the tables here: a file of another one is built anew
AT_ONCE = 2_000_000  # rows of the lake that are held at a time
TABLES = """
CREATE TABLE meta (version INTEGER, lake VARCHAR, state VARCHAR, newest BIGINT);
CREATE TABLE place (topic VARCHAR, kafka_partition INTEGER, next_offset BIGINT);
CREATE TABLE property (event VARCHAR, path VARCHAR, kind VARCHAR, name VARCHAR);
"""
FRESH = """
CREATE OR REPLACE TEMP TABLE fresh AS
SELECT f.* REPLACE (CASE WHEN profile IN (SELECT profile FROM apart) THEN coalesce(home, profile) ELSE profile END AS home), coalesce(nullif(event, ''), type) AS name,
    {at} AS moment, epoch_ms(received_at) AS received
FROM {table} f JOIN bounds b USING (topic, kafka_partition)
WHERE kafka_offset >= low AND kafka_offset < high AND profile IS NOT NULL{only}
"""
BOUNDS = """
CREATE OR REPLACE TEMP TABLE bounds AS
SELECT unnest($1::VARCHAR[]) AS topic, unnest($2::INTEGER[]) AS kafka_partition, unnest($3::BIGINT[]) AS low, unnest($4::BIGINT[]) AS high
"""


class Catalog(NamedTuple):
    """Which tables there are at an instant. events, attributes: name -> number of its table; properties: event -> path -> kind -> column.
    loose: event -> keys of what has no column (happenings.Loose); shared: whether anybody has several pieces of history. tags: event ->
    which tags of campaigns (happenings.CAMPAIGN) its facts have.
    """

    events: Mapping[str, int]
    attributes: Mapping[str, int]
    properties: Mapping[str, Mapping[str, Mapping[str, str]]]
    loose: Mapping[str, Loose]
    shared: bool
    tags: Mapping[str, frozenset[str]] = MappingProxyType({})


class Instant(NamedTuple):
    """A connection that sees one instant of the index, for one thread at a time. newest: the greatest received_at there (ms); places: the
    first offsets that are not.
    """

    duck: Any
    versions: Versions
    catalog: Catalog
    newest: int
    places: Mapping[Place, int]


class AnotherLake(RuntimeError):  # noqa: N818
    """What is indexed is not a part of this lake: begin anew."""


class Index:
    """The file at `path`. threads, memory: what its queries may take together. One `take` at a time; views are read in other threads."""

    def __init__(self, path: Path, threads: int = 2, memory: str = "1GB") -> None:
        self._path = path
        self._limits: dict[str, str | int] = {"threads": threads, "memory_limit": memory}
        self.building = 0  # grows when it begins anew: numbers of people are other ones then
        self._commit = threading.Lock()  # held while what a view is made of changes
        self._duck = self._open()
        self._load()

    def _open(self) -> Any:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        spill = self._path.with_suffix(".spill")
        config: dict[str, str | bool | int | float | list[str]] = {
            **self._limits, "temp_directory": str(spill), "autoinstall_known_extensions": False,
        }  # fmt: skip
        duck = duckdb.connect(str(self._path), config=config)
        duck.execute("SET TimeZone = 'UTC'")
        tables = {row[0] for row in duck.execute("SHOW TABLES").fetchall()}
        version = duck.execute("SELECT version FROM meta").fetchall() if "meta" in tables else None
        if version == [(VERSION,)]:
            return duck
        if tables:
            duck.close()
            self._delete()
            return self._open()
        duck.execute("BEGIN")
        for tables_of in (TABLES, people.TABLES, happenings.TABLES, said.TABLES, consenting.TABLES, verdicts.TABLES):
            duck.execute(tables_of)
        duck.execute("INSERT INTO meta VALUES (?, '', '', 0)", [VERSION])
        duck.execute("COMMIT")
        return duck

    def _delete(self) -> None:
        for path in (self._path, self._path.with_name(self._path.name + ".wal")):
            path.unlink(missing_ok=True)

    def _load(self) -> None:
        self.events, self.said = Events(self._duck), Said(self._duck)
        self.versions = Versions()
        self.lake, self.state, self.newest = self._duck.execute("SELECT lake, state, newest FROM meta").fetchall()[0]
        self.places: dict[Place, int] = {(t, p): n for t, p, n in self._duck.execute("FROM place").fetchall()}
        self.properties: dict[str, dict[str, dict[str, str]]] = {}
        for event, path, kind, name in self._duck.execute("FROM property").fetchall():
            self.properties.setdefault(event, {}).setdefault(path, {})[kind] = name
        self._catalog = self._read_catalog()

    def _read_catalog(self) -> Catalog:
        properties = {event: {path: dict(kinds) for path, kinds in paths.items()} for event, paths in self.properties.items()}
        shared = self._duck.execute("SELECT EXISTS (FROM shared)").fetchall()[0][0]
        return Catalog(
            dict(self.events.numbers), dict(self.said.numbers), properties, dict(self.events.loose), shared, self.events.tags(),
        )  # fmt: skip

    def use_threads(self, threads: int) -> None:
        """How many threads queries may take from here on. New ones have the niceness of the caller's."""
        self._duck.execute(f"SET threads = {int(threads)}")

    def begin_anew(self) -> None:
        """Forget everything. Nobody may be reading."""
        with self._commit:
            self._duck.close()
            self._delete()
            self._duck = self._open()
            self._load()
            self.building += 1

    def close(self) -> None:
        self._duck.close()

    def take(self, news: News) -> None:
        """Bring the index up to these. Raises AnotherLake, or StaleSnapshot when a file went meanwhile; then nothing has changed."""
        if news.behind or self.lake not in ("", news.identity):
            raise AnotherLake("this index is of another lake")
        self._duck.execute("BEGIN")
        try:
            moved = self._take(news)
        except duckdb.IOException as error:
            self._undo()
            raise StaleSnapshot("a file of the lake is gone: look again") from error
        except BaseException:
            self._undo()
            raise
        with self._commit:
            self._duck.execute("COMMIT")
            self.lake, self.state, self.places = news.identity, news.state, dict(news.passed)
            self.newest = self._duck.execute("SELECT newest FROM meta").fetchall()[0][0]
            self.versions.move(moved)
            self._catalog = self._read_catalog()

    def _undo(self) -> None:
        with suppress(duckdb.Error):
            self._duck.execute("ROLLBACK")
        self._load()

    def _take(self, news: News) -> set[Part]:
        moved: set[Part] = set()
        apart = people.newly_apart(self._duck, news.parts)
        self._bound(news.passed, news.had)
        for files in _portions(news.files):
            if self.said.part(self._duck, self._between(scan(news.folder, files, "facts"))):
                moved.add(("people", ""))
        if apart and news.had:
            moved |= self._read_again(news, apart)
            self._bound(news.passed, news.had)
        for files in _portions(news.verdicts):
            moved |= verdicts.decided(self._duck, scan(news.folder, files, "decisions"))
        merges: list[tuple[str, str]] = []
        for files in _portions(news.files):
            moved |= self._read(news, files)
            merges += people.merges_of(self._duck)
            self._duck.execute("UPDATE meta SET newest = greatest(newest, coalesce((SELECT max(received) FROM fresh), 0))")
        gone = people.settle(self._duck, merges, news.parts, news.erased)
        if gone:
            self._forget(gone)
            verdicts.forget(self._duck, gone)
        self._learn(news)
        if merges or gone or news.state != self.state:
            moved.add(("people", ""))
        return moved

    def _read(self, news: News, files: Sequence[str], only: str = "") -> set[Part]:
        """What stands in these files between the bounds. What moved."""
        self._duck.execute(FRESH.format(at=AT, table=scan(news.folder, files, "facts"), only=only))
        moved: set[Part] = {("new", "")} if people.admit(self._duck) else set()
        moved |= {("event", name) for name in self.events.take(self._duck, news)}
        moved |= self.said.take(self._duck, news)
        if consenting.take(self._duck, news):
            moved.add(("word", ""))
        verdicts.heard(self._duck)
        return moved

    def _read_again(self, news: News, profiles: Sequence[str]) -> set[Part]:
        """What was told of these profiles until now, apart by home. Who became one with whom is known."""
        pieces = people.pieces_of(self._duck, profiles)
        self._forget(pieces)
        verdicts.forget(self._duck, pieces, told=True)
        self._bound(news.had, {})
        moved: set[Part] = set()
        only = f" AND profile IN ({', '.join(map(text, profiles))})"
        for files in _portions(news.every):
            moved |= self._read(news, files, only)
        return moved

    def _forget(self, pieces: Sequence[int]) -> None:
        self.events.forget(self._duck, pieces)
        self.said.forget(self._duck, pieces)

    def _bound(self, passed: Mapping[Place, int], had: Mapping[Place, int]) -> None:
        places = sorted(passed)
        columns = [t for t, _ in places], [p for _, p in places], [had.get(at, 0) for at in places], [passed[at] for at in places]
        self._duck.execute(BOUNDS, list(columns))

    def _between(self, table: str) -> str:
        return f"(SELECT f.* FROM {table} f JOIN bounds USING (topic, kafka_partition) WHERE kafka_offset >= low AND kafka_offset < high)"

    def _learn(self, news: News) -> None:
        """Keep where the index stands, and what the catalogue of properties says of the events that are here."""
        known = [
            (event, path, kind, name)
            for (event, scope), columns in news.properties.items() if scope == "properties" and event in self.events.numbers
            for path, kind, name in columns if name in self.events.columns[event]
        ]  # fmt: skip
        new = [row for row in known if row[3] != self.properties.get(row[0], {}).get(row[1], {}).get(row[2])]
        for event, path, kind, name in new:
            self.properties.setdefault(event, {}).setdefault(path, {})[kind] = name
        if new:
            self._duck.executemany("INSERT INTO property VALUES (?, ?, ?, ?)", new)
        self._duck.execute("UPDATE meta SET lake = ?, state = ?", [news.identity, news.state])
        self._duck.execute("DELETE FROM place")
        self._duck.execute("INSERT INTO place SELECT topic, kafka_partition, high FROM bounds")

    def keep_house(self) -> bool:
        """Write one table anew whose rows came out of order. False: there is none."""
        name = self.events.disordered()
        if name is None:
            return False
        self._duck.execute("BEGIN")
        self.events.sort(self._duck, name)
        with self._commit:
            self._duck.execute("COMMIT")
        return True

    def forget_before(self, since: int) -> None:
        """Keep no fact that occurred before an instant (ms)."""
        self._duck.execute("BEGIN")
        moved = self.events.forget_before(self._duck, since)
        verdicts.forget_before(self._duck, since)
        with self._commit:
            self._duck.execute("COMMIT")
            self.versions.move(moved)

    @contextmanager
    def instant(self) -> Iterator[Instant]:
        """What is here now, and stays as it is while facts come in."""
        with self._commit:
            duck = self._duck.cursor()
            duck.execute("BEGIN TRANSACTION READ ONLY")
            duck.execute("SELECT version FROM meta").fetchall()
            found = Instant(duck, self.versions.copy(), self._catalog, self.newest, dict(self.places))
        try:
            yield found
        finally:
            duck.execute("ROLLBACK")
            duck.close()


def _portions(files: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """Files in portions of about AT_ONCE rows."""
    portion: list[str] = []
    rows = 0
    for file, count in files:
        if portion and rows + count > AT_ONCE:
            yield portion
            portion, rows = [], 0
        portion.append(file)
        rows += count
    if portion:
        yield portion
