"""Personal attributes, which the lake does not have: as profile tells them, in memory that is never written anywhere, for a short while.

Each attribute stands in a DuckDB of its own without a file and without a place to spill to, and questions about it are asked there. What
it finds are numbers of people, as in the index.
"""
# ruff: noqa: S608 - names of ours

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa
from pyroaring import BitMap

from schemas.audience import Anniversary, Attribute, DateAttribute
from services.audience.domain.composing import Found
from services.audience.store.answers import people
from services.audience.store.days import dated_today
from services.audience.store.index import Catalog, Instant
from services.audience.store.leaves import WORDS, Leaves
from services.audience.store.values import of_json
from services.audience.store.windows import zoned

Leaf = Attribute | DateAttribute | Anniversary

NO_CATALOG = Catalog({}, {}, {}, {}, shared=False)
OWN = "SELECT profile::VARCHAR AS profile, n FROM piece WHERE home = profile AND owner IS NOT NULL"
_VALUE = of_json("json::JSON")
TABLE = f"""
CREATE TABLE said AS SELECT n, 0::BIGINT AS moment, json::VARCHAR AS json, {_VALUE.whole} AS whole, {_VALUE.broken} AS broken, {_VALUE.text} AS text,
    {_VALUE.truth} AS truth, {_VALUE.date} AS date
FROM told JOIN own USING (profile)
"""


class TooMany(RuntimeError):  # noqa: N818
    """More values than the memory that they may take."""


class Told:
    """What everybody has of one attribute: `add` it, `number` it, then several threads may ask. Drop it and the memory is free."""

    def __init__(self, memory: str) -> None:
        """memory: what it may take at most."""
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory, "temp_directory": "", "threads": 1, "autoinstall_known_extensions": False,
        }  # fmt: skip
        self._duck = duckdb.connect(":memory:", config=config)
        self._duck.execute("SET TimeZone = 'UTC'")
        self._duck.execute("CREATE TABLE told (profile VARCHAR, json VARCHAR)")

    def add(self, rows: Sequence[tuple[str, str]]) -> None:
        """(profile, value as JSON) of some people. Raises TooMany."""
        portion = pa.table({"profile": [person for person, _ in rows], "json": [value for _, value in rows]})
        self._run("INSERT INTO told SELECT * FROM portion", portion=portion)

    def number(self, instant: Instant) -> None:
        """All are here: each has the number of an instant of the index from here on, and who is not in that is not asked about. Raises
        TooMany.
        """
        self._run(TABLE, own=instant.duck.sql(OWN).to_arrow_table())
        self._duck.execute("DROP TABLE told")

    def _run(self, query: str, **tables: pa.Table) -> None:
        try:
            for name, table in tables.items():
                self._duck.register(name, table)
            self._duck.execute(query)
            for name in tables:
                self._duck.unregister(name)
        except duckdb.OutOfMemoryException as error:
            raise TooMany(
                "the values of a personal attribute take more memory than they may: raise OTKLIK_AUDIENCE_PERSONAL_MEMORY"
            ) from error

    def find(self, leaf: Leaf, instant: Instant, leaves: Leaves, now: int) -> Found:
        """Of whom a leaf is true at an instant (ms). leaves: of the index, of everybody or of some."""
        duck = self._duck.cursor()
        try:
            own = _Words(now, leaves.zones)
            if isinstance(leaf, Anniversary):
                duck.register("zoned", instant.duck.sql(f"SELECT n, zone FROM {zoned(leaves)}").to_arrow_table())
                query, negated = dated_today(duck, own.words(leaf.name), "zoned", leaf, now), False
            else:
                asked = own.ask(leaf)
                (query,), negated = asked.queries, asked.negated
            return Found(_owners(people(duck, query), instant), negated)
        finally:
            duck.close()

    def of(self, whose: Sequence[int]) -> str | None:
        """The value of a person as JSON, by the numbers of his pieces."""
        rows = (
            self._duck.cursor().execute("SELECT json FROM said WHERE n IN (SELECT unnest($1::INTEGER[]))", [list(whose)]).fetchall()
        )
        return rows[0][0] if rows else None


class _Words(Leaves):
    """Queries over `said` in place of the index."""

    def __init__(self, now: int, zones: tuple[str, ...]) -> None:
        super().__init__(NO_CATALOG, now, zones)

    def words(self, name: str) -> str:  # noqa: ARG002
        return f"(SELECT {', '.join(WORDS)} FROM said)"


def _owners(found: BitMap, instant: Instant) -> BitMap:
    """Who became one with another since they were told of stands for whom he is now."""
    if not instant.catalog.shared:
        return found
    moved: Mapping[int, int] = dict(instant.duck.execute("SELECT person, owner FROM shared WHERE person <> owner").fetchall())
    stones = found & BitMap(moved)
    return (found - stones) | BitMap([moved[number] for number in stones])
