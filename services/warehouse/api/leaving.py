"""Everybody who is in a segment, or was at an instant, for whoever takes them out of the house: since when, and how each came to us."""
# ruff: noqa: S608 - what is put into SQL is of our own making; what a caller says is a parameter

from collections.abc import AsyncGenerator

from runtime.batches import framed, packed
from runtime.lake import Snapshot, column, quote
from schemas.exports import CAMPAIGN, LINE, TOUCHES
from services.warehouse.api.members import people_at

PIECE = 2_000  # people that are told at once
READ = 10 * PIECE  # that are read at once: a query has a price of its own
# Two tables, made one after the other: a query that joins and sorts all of it at once holds it all several times over. What the memory of
# the connection has no room for goes to the disk. n: the place of a person in the order of ids.
PEOPLE = "CREATE TEMP TABLE people AS {people} ORDER BY person"
# What a person does, or others see him do; what our own services tell of him is no touch.
CAME = """
CREATE TEMP TABLE came AS
SELECT p.rowid AS n, min(occurred_at) AS first_touch_at, max(occurred_at) AS last_touch_at,
    arg_min(source, occurred_at) AS first_touch_source, arg_max(source, occurred_at) AS last_touch_source,
    arg_min({campaign}, occurred_at) FILTER ({has_campaign}) AS first_touch_campaign,
    arg_max({campaign}, occurred_at) FILTER ({has_campaign}) AS last_touch_campaign
FROM {table} AS f LEFT JOIN alias AS a ON a.told = f.profile JOIN people AS p ON p.person = coalesce(a.person, f.profile)
WHERE type IN ('track', 'page', 'screen', 'identify') AND source <> 'otklik' AND occurred_at <= make_timestamp_ms(?::BIGINT)
GROUP BY p.rowid ORDER BY n
"""
SOME = """
SELECT {columns} FROM (SELECT rowid AS n, * FROM people WHERE rowid >= $1 AND rowid < $2) AS p
LEFT JOIN (SELECT * FROM came WHERE n >= $1 AND n < $2) AS t ON t.n = p.n ORDER BY p.n
"""


def _touch_columns(touch: str) -> str:
    parts = ", ".join(f"{touch}_campaign.{part} AS {touch}_campaign_{part}" for part in CAMPAIGN)
    return f"epoch_ms({touch}_at) AS {touch}_at, {touch}_source, {parts}"


def _touch_object(touch: str) -> str:
    told = f"{{'at': epoch_ms({touch}_at), 'source': {touch}_source, 'campaign': {touch}_campaign}}"
    return f"'{touch}', CASE WHEN t.n IS NOT NULL THEN {told} END"


_WHO = "person::VARCHAR AS profile"
_OBJECT = "'id', person, 'since', since, 'why', why, 'cause', cause, 'version', version"
TABLE = SOME.format(columns=", ".join((_WHO, "since, why, cause", *map(_touch_columns, TOUCHES))))
LINES = SOME.format(columns=f"{_WHO}, json_object({', '.join((_OBJECT, *map(_touch_object, TOUCHES)))})::VARCHAR AS {LINE}")


async def stream(snapshot: Snapshot, segment: str, at: int, *, lines: bool) -> AsyncGenerator[bytes, None]:
    """Arrow batches, framed (runtime/batches.py), of who was in it at an instant, by id: since when and why, and by which source he first
    and last came until then (schemas/exports.py); or the same as a line of JSON for each. The snapshot is this caller's: it gets tables.
    """
    people, parameters = people_at(snapshot, segment, at)
    ((count,),) = await snapshot.query(PEOPLE.format(people=people), parameters)
    if count:
        await snapshot.query(await _came(snapshot, at), [at])
    for start in range(0, count, READ):
        batch = await snapshot.batch(LINES if lines else TABLE, [start, start + READ])
        for row in range(0, batch.num_rows, PIECE):
            yield framed(packed(batch.slice(row, PIECE)))


async def _came(snapshot: Snapshot, at: int) -> str:
    table = snapshot.table("facts", until=at)
    there = {row[0] for row in await snapshot.query(f"DESCRIBE SELECT * FROM {table}")}
    names = {name: column("context", f"campaign.{name}", "string") for name in CAMPAIGN}
    known = {name: quote(held) if held in there else "NULL::VARCHAR" for name, held in names.items()}
    campaign = ", ".join(f"'{name}': {held}" for name, held in known.items())
    has = f"coalesce({', '.join(known.values())}) IS NOT NULL"
    return CAME.format(table=table, campaign=f"{{{campaign}}}", has_campaign=f"WHERE {has}")
