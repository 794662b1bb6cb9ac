"""Open charges in PostgreSQL: a row for each person, product and day that is not told yet."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from runtime.db import Again, Connection
from schemas.ids import partition_of
from services.profile.domain.charges import Day, Open

KEYS = "$1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[]"
SAME = "(c.profile, c.brand, c.product, c.currency, c.day, c.lane) = (u.profile, u.brand, u.product, u.currency, u.day, u.lane)"
ORDER = "ORDER BY c.profile, c.brand, c.product, c.currency, c.day, c.lane"
SHOWN = ", ".join(
    f"c.{name}::text" if name in ("profile", "first") else f"c.{name}" for name in (*Day._fields, *Open._fields, "partition")
)
OF = f"SELECT {SHOWN} FROM charge c WHERE c.profile = ANY($1::uuid[]) {ORDER}"  # noqa: S608
LOCK = f"""
SELECT {SHOWN} FROM charge c JOIN unnest({KEYS}) AS u ({", ".join(Day._fields)}) ON {SAME} {ORDER} FOR UPDATE OF c
"""  # noqa: S608
INSERT = f"""
INSERT INTO charge ({", ".join((*Day._fields, *Open._fields, "partition"))})
SELECT * FROM unnest({KEYS}, $7::uuid[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::smallint[])
ORDER BY 1, 2, 3, 4, 5, 6 ON CONFLICT DO NOTHING
"""  # noqa: S608
UPDATE = f"""
UPDATE charge c SET {", ".join(f"{name} = u.{name}" for name in Open._fields)}
FROM unnest({KEYS}, $7::uuid[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])
AS u ({", ".join((*Day._fields, *Open._fields))}) WHERE {SAME}
"""  # noqa: S608
DELETE = f"DELETE FROM charge c USING unnest({KEYS}) AS u ({', '.join(Day._fields)}) WHERE {SAME}"  # noqa: S608
# A partition at a time, each by its end of the index (see runtime/people.py).
IS_DUE = """
SELECT EXISTS (
    SELECT FROM unnest($1::smallint[]) AS mine (partition)
    WHERE (SELECT min(c.due_at) FROM charge c WHERE c.partition = mine.partition) <= $2
)
"""
DUE = f"""
SELECT {SHOWN} FROM unnest($1::smallint[]) AS mine (partition) CROSS JOIN LATERAL (
    SELECT * FROM charge c WHERE c.partition = mine.partition AND c.due_at <= $2 ORDER BY c.due_at, c.profile, c.first LIMIT $3
) AS c ORDER BY c.due_at, c.profile, c.first LIMIT $3
"""  # noqa: S608


class Row(NamedTuple):
    """An open day as it stands in the table. partition: in which its timer is."""

    key: Day
    open: Open
    partition: int


async def of(connection: Connection, people: Collection[str]) -> list[Row]:
    """The open days of these people, without a lock."""
    return _rows(await connection.fetch(OF, list(people)))


async def lock(connection: Connection, keys: Collection[Day]) -> list[Row]:
    """Lock those of these days that are open, in the order of their keys."""
    return _rows(await connection.fetch(LOCK, *_columns(keys))) if keys else []


async def save(connection: Connection, before: Mapping[Day, Open], after: Mapping[Day, Open], partitions: int) -> None:
    """Write what a batch decided of the days that it locked. Raises Again where somebody else has opened one of them meanwhile."""
    if gone := before.keys() - after.keys():
        await connection.execute(DELETE, *_columns(gone))
    if new := sorted(after.keys() - before.keys()):
        places = [partition_of(key.profile, partitions) for key in new]
        answer = await connection.execute(INSERT, *_columns(new), *_columns([after[key] for key in new], Open._fields), places)
        if int(answer.rsplit(" ", 1)[1]) != len(new):
            raise Again("a day was opened while we decided")
    if moved := [key for key, part in after.items() if key in before and before[key] != part]:
        await connection.execute(UPDATE, *_columns(moved), *_columns([after[key] for key in moved], Open._fields))


async def tell(connection: Connection, keys: Collection[Day]) -> None:
    """These days were told: nothing of them is open any more."""
    await connection.execute(DELETE, *_columns(keys))


async def forget(connection: Connection, people: Sequence[str]) -> None:
    """These people were erased: what is open of them is told to nobody."""
    await connection.execute("DELETE FROM charge WHERE profile = ANY($1::uuid[])", list(people))


async def is_due(connection: Connection, partitions: Sequence[int], now: int) -> bool:
    return bool(await connection.fetchval(IS_DUE, list(partitions), now))


async def due(connection: Connection, partitions: Sequence[int], now: int, limit: int) -> list[Row]:
    """The earliest due days, locked as they are now."""
    found = _rows(await connection.fetch(DUE, list(partitions), now, limit))
    return [row for row in await lock(connection, [row.key for row in found]) if row.open.due_at <= now]


def _columns(rows: Iterable[tuple[Any, ...]], names: Sequence[str] = Day._fields) -> list[list[Any]]:
    """Of rows, one list for each column."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]


def _rows(found: Iterable[Any]) -> list[Row]:
    width = len(Day._fields)
    return [Row(Day(*row[:width]), Open(*row[width:-1]), row[-1]) for row in map(tuple, found)]
