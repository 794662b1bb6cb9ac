"""What is said of people: a table of last-write-wins values for each attribute, kinds of identifiers, bucketing pairs."""
# ruff: noqa: S608 - names of ours

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from runtime.following import News
from schemas.attributes import Entry, canonical, date_ms
from schemas.attributes import merge as merge_attributes
from schemas.facts import PROFILE_SPLIT
from services.audience.domain.said import entries, nested
from services.audience.store.cells import cells, columns_of
from services.audience.store.values import Value, extract, of_json
from services.audience.store.versions import Part

TABLES = """
CREATE TABLE attribute (k INTEGER, name VARCHAR);
CREATE TABLE kind (person INTEGER, kind VARCHAR);
CREATE TABLE bucketing (person INTEGER, moment BIGINT, id VARCHAR);
CREATE TABLE cut (profile UUID, received BIGINT);
"""
# json: the canonical text, by which ties are decided; the others: the value by its type. date: as schemas.attributes reads it, ms.
COLUMNS = "person INTEGER, moment BIGINT, json VARCHAR, whole BIGINT, broken DOUBLE, text VARCHAR, truth BOOLEAN, date BIGINT"
_SHAPE = pa.schema(
    [("person", pa.int32()), ("moment", pa.int64()), ("json", pa.string()), ("whole", pa.int64()), ("broken", pa.float64()),
     ("text", pa.string()), ("truth", pa.bool_()), ("date", pa.int64())]
)  # fmt: skip
UPSERT = """
CREATE OR REPLACE TEMP TABLE best AS FROM (SELECT * FROM said UNION ALL SELECT a.* FROM {table} a SEMI JOIN said USING (person))
QUALIFY row_number() OVER (PARTITION BY person ORDER BY moment DESC, json DESC) = 1
"""
TELLING = (
    "SELECT fresh.rowid, n, type, moment, epoch_ms(occurred_at), rest::JSON::VARCHAR FROM fresh JOIN numbers USING (profile, home)"
)
KINDS = """
INSERT INTO kind SELECT DISTINCT n AS person, kind FROM (
    SELECT n, received >= cut AS counts, unnest(string_split(kinds, ',')) AS kind FROM fresh JOIN numbers USING (profile, home)
    WHERE kinds IS NOT NULL
) WHERE counts OR kind = 'anonymous_id' EXCEPT SELECT person, kind FROM kind
"""
BUCKETING = """
INSERT INTO bucketing SELECT DISTINCT n AS person, (rest::JSON ->> '/bucketing/0')::BIGINT AS moment, (rest::JSON ->> '/bucketing/1') AS id
FROM fresh JOIN numbers USING (profile, home) WHERE received >= cut AND rest IS NOT NULL AND (rest::JSON -> '/bucketing') IS NOT NULL
EXCEPT SELECT person, moment, id FROM bucketing
"""
# People from whom somebody was parted, and who had become one with them: what is told with the split is all that is left to each.
CUTS = """
WITH split AS (SELECT profile::VARCHAR AS profile, epoch_ms(received_at) AS received, rest::JSON -> '/properties' AS said FROM {table} WHERE type = ?)
SELECT profile, received FROM split
UNION ALL SELECT unnest((said -> '/stay')::VARCHAR[]), received FROM split
UNION ALL SELECT unnest(flatten((said -> '$.parts[*].others')::VARCHAR[][])), received FROM split
"""
UNPROVEN = "anonymous_id"  # of the kinds, the one of which a split tells nothing


class Said:
    """The attribute tables: which there are."""

    def __init__(self, duck: Any) -> None:
        self.numbers: dict[str, int] = dict(duck.execute("SELECT name, k FROM attribute").fetchall())

    def take(self, duck: Any, news: News) -> set[Part]:
        """What the fresh facts say. What moved."""
        moved: set[Part] = set()
        for table, insert in (("kind", KINDS), ("bucketing", BUCKETING)):
            if duck.execute(insert).fetchall()[0][0]:
                moved.add((table, ""))
        for name, people in _gathered(_told(duck, news)).items():
            rows = [_row(person, entry) for person, entry in people.items()]
            self._upsert(duck, name, pa.Table.from_pylist(rows, schema=_SHAPE))
            moved.add(("attribute", name))
        return moved

    def _upsert(self, duck: Any, name: str, rows: pa.Table) -> None:
        table = self._ready(duck, name)
        duck.register("said", rows)
        duck.execute(UPSERT.format(table=table))
        duck.unregister("said")
        duck.execute(f"DELETE FROM {table} WHERE person IN (SELECT person FROM best)")
        duck.execute(f"INSERT INTO {table} SELECT * FROM best")

    def _ready(self, duck: Any, name: str) -> str:
        if name not in self.numbers:
            self.numbers[name] = len(self.numbers)
            duck.execute("INSERT INTO attribute VALUES (?, ?)", [self.numbers[name], name])
            duck.execute(f"CREATE TABLE a_{self.numbers[name]} ({COLUMNS})")
        return f"a_{self.numbers[name]}"

    def part(self, duck: Any, table: str) -> bool:
        """Learn of the splits among these new rows of the lake. What was said of those people until then is forgotten. Whether there are any."""
        found = duck.execute(CUTS.format(table=table), [PROFILE_SPLIT]).fetchall()
        if not found:
            return False
        duck.execute(
            "INSERT INTO cut SELECT unnest($1::UUID[]), unnest($2::BIGINT[])",
            [[row[0] for row in found], [row[1] for row in found]],
        )
        of = "(SELECT n FROM piece WHERE profile IN (SELECT unnest($1::UUID[])))"
        for name in ("bucketing", *(f"a_{k}" for k in self.numbers.values())):
            duck.execute(f"DELETE FROM {name} WHERE person IN {of}", [[row[0] for row in found]])
        duck.execute(f"DELETE FROM kind WHERE kind <> '{UNPROVEN}' AND person IN {of}", [[row[0] for row in found]])
        return True

    def forget(self, duck: Any, pieces: Sequence[int]) -> None:
        for table in ("kind", "bucketing", "word", "seen", *(f"a_{k}" for k in self.numbers.values())):
            duck.execute(f"DELETE FROM {table} WHERE person IN (SELECT unnest($1::INTEGER[]))", [list(pieces)])


def _told(duck: Any, news: News) -> Iterator[tuple[int, dict[str, Entry]]]:
    """(piece, entries) of each fresh fact that says something."""
    told = cells(duck, columns_of(news, "attributes"))
    loose = {
        row[0]
        for row in duck.execute(
            "SELECT rowid FROM fresh WHERE rest IS NOT NULL AND (rest::JSON -> '/attributes') IS NOT NULL"
        ).fetchall()
    }
    duck.execute("CREATE OR REPLACE TEMP TABLE telling AS SELECT unnest($1::BIGINT[]) AS row", [sorted(told.keys() | loose)])
    for row, person, kind, at, occurred, rest in duck.execute(
        f"{TELLING} JOIN telling ON row = fresh.rowid WHERE received >= cut"
    ).fetchall():
        more = json.loads(rest) if rest else {}
        values = nested([*told.get(row, ()), *more.get("attributes", {}).items()])
        yield person, entries(kind, values, at, occurred, more.get("ruled", ()))


def _gathered(told: Iterator[tuple[int, dict[str, Entry]]]) -> dict[str, dict[int, Entry]]:
    """Attribute -> piece -> the entry that stays of these."""
    found: dict[str, dict[int, Entry]] = {}
    for person, said in told:
        for name, entry in said.items():
            people = found.setdefault(name, {})
            held = people.get(person)
            people[person] = entry if held is None else merge_attributes({name: held}, {name: entry})[0][name]
    return found


def _row(person: int, entry: Entry) -> dict[str, Any]:
    at, value = entry
    kind = type(value)
    small = kind is int and -(2**63) <= value < 2**63
    when = date_ms(value)
    return {
        "person": person,
        "moment": at,
        "json": canonical(value).decode(),
        "whole": value if small else None,
        "broken": value if kind is float else None,
        "text": value if kind is str else None,
        "truth": value if kind is bool else None,
        "date": when if when is not None and -(2**63) <= when < 2**63 else None,
    }


def value(steps: Sequence[str]) -> Value:
    """An attribute, or what lies in it."""
    if steps:
        return of_json(extract("json::JSON", steps))
    whole = of_json("json::JSON")
    return Value("whole", "NULL", "broken", "text", "truth", whole.listed, "date", "json <> 'null'")
