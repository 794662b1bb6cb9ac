"""The ledger of consents in PostgreSQL: chains of entries, one for each partition of `facts.raw`."""

from collections.abc import Collection, Mapping, Sequence

from runtime.db import Connection
from services.profile.domain.ledger import GENESIS, Entry

COLUMNS = Entry._fields
SHOWN = ", ".join(f"{name}::text AS {name}" if name in ("profile", "home", "fact") else name for name in COLUMNS)
BEGIN = "INSERT INTO consent_chain (partition, number, hash) SELECT u, 0, $2 FROM unnest($1::int[]) AS u ORDER BY 1 ON CONFLICT DO NOTHING"
HEADS = "SELECT partition, number, hash FROM consent_chain WHERE partition = ANY($1::int[]) ORDER BY partition FOR UPDATE"
MOVE = """
UPDATE consent_chain c SET number = u.number, hash = u.hash
FROM unnest($1::int[], $2::bigint[], $3::bytea[]) AS u (partition, number, hash) WHERE c.partition = u.partition
"""
# Whose an entry is: whom it was recorded of, or was parted from him since.
THEIRS = """(partition, number) IN (
    SELECT c.partition, c.number FROM consent c WHERE c.profile = ANY($1::uuid[])
        AND NOT EXISTS (SELECT FROM consent_parted p WHERE p.partition = c.partition AND p.number = c.number)
    UNION ALL SELECT p.partition, p.number FROM consent_parted p WHERE p.profile = ANY($1::uuid[])
)"""
OF = f"""
SELECT {SHOWN} FROM consent WHERE {THEIRS} AND ($3::text[] IS NULL OR brand = ANY($3))
AND (recorded_at, partition, number) < ($4::bigint, $5::bigint, $6::bigint) ORDER BY recorded_at DESC, partition DESC, number DESC LIMIT $2
"""  # noqa: S608
ALL_OF = f"SELECT {SHOWN} FROM consent WHERE {THEIRS}"  # noqa: S608
PART = """
INSERT INTO consent_parted (partition, number, profile) SELECT * FROM unnest($1::int[], $2::bigint[], $3::uuid[]) ORDER BY 1, 2
ON CONFLICT (partition, number) DO UPDATE SET profile = EXCLUDED.profile
"""
UNSEAL = f"UPDATE consent SET sealed = NULL WHERE sealed IS NOT NULL AND {THEIRS}"  # noqa: S608
WALK = f"SELECT {SHOWN} FROM consent WHERE partition = $1 AND number > $2 ORDER BY number LIMIT $3"  # noqa: S608

Place = tuple[int, int, int]  # recorded_at, partition, number: where an entry stands among those of a person
AFTER_ALL: Place = (2**62, 0, 0)

Head = tuple[int, bytes]  # number and hash of the last entry of a chain


async def chains(connection: Connection, partitions: Collection[int]) -> dict[int, Head]:
    """Lock the ends of these chains, in their order."""
    wanted = sorted(partitions)
    await connection.execute(BEGIN, wanted, GENESIS)
    return {row["partition"]: (row["number"], row["hash"]) for row in await connection.fetch(HEADS, wanted)}


async def heads(connection: Connection) -> dict[int, Head]:
    """The ends of all chains."""
    return {
        row["partition"]: (row["number"], row["hash"])
        for row in await connection.fetch("SELECT partition, number, hash FROM consent_chain")
    }


async def add(connection: Connection, made: Sequence[Entry], heads: Mapping[int, Head]) -> None:
    """Append entries. heads: the ends of the chains with them."""
    await connection.copy_records_to_table("consent", records=made, columns=COLUMNS)
    partitions = sorted(heads)
    await connection.execute(MOVE, partitions, [heads[p][0] for p in partitions], [heads[p][1] for p in partitions])


async def entries(
    connection: Connection, people: Sequence[str], limit: int, brands: Collection[str] | None = None, before: Place = AFTER_ALL
) -> list[Entry]:
    """What these profiles said before a place, newest first. brands: only what they said to these."""
    rows = await connection.fetch(OF, people, limit, None if brands is None else sorted(brands), *before)
    return [Entry(*row.values()) for row in rows]


async def all_entries(connection: Connection, people: Sequence[str]) -> list[Entry]:
    """Whatever these profiles ever said."""
    return [Entry(*row.values()) for row in await connection.fetch(ALL_OF, people)]


async def part_entries(connection: Connection, moved: Sequence[tuple[Entry, str]]) -> None:
    """Entries that are another profile's from now on."""
    await connection.execute(PART, [e.partition for e, _ in moved], [e.number for e, _ in moved], [person for _, person in moved])


async def walk(connection: Connection, partition: int, after: int, limit: int) -> list[Entry]:
    """A piece of a chain, in its order."""
    return [Entry(*row.values()) for row in await connection.fetch(WALK, partition, after, limit)]
