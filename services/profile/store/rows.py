"""All that is known of many people at once, for whoever exports them. A handful of questions for thousands of people."""

from collections.abc import Collection, Sequence

from runtime.db import Connection
from services.profile.domain.sheet import Person, Word
from services.profile.store.people import JUNK

THERE = """
SELECT p.id::text AS id{more} FROM profile p {joins} WHERE p.id = ANY($1::uuid[]) AND p.merged_into IS NULL AND p.erased_at IS NULL
    AND ($2::text[] IS NULL OR EXISTS (SELECT FROM profile_brand b WHERE b.profile = p.id AND b.brand = ANY($2)))
ORDER BY p.id
"""
NAMES = f"SELECT profile, array_agg(key) AS held FROM identifier WHERE profile = ANY($1::uuid[]) AND NOT ({JUNK}) GROUP BY profile"  # noqa: S608
BRANDS = """
SELECT profile, array_agg(brand) AS held FROM profile_brand WHERE profile = ANY($1::uuid[]) AND ($2::text[] IS NULL OR brand = ANY($2))
GROUP BY profile
"""
EXISTING = THERE.format(more="", joins="")
# A row for each person: what is many of his comes in one array.
EVERYTHING = THERE.format(
    more=", p.state, n.held AS names, b.held AS brands",
    joins=f"LEFT JOIN ({NAMES}) AS n ON n.profile = p.id LEFT JOIN ({BRANDS}) AS b ON b.profile = p.id",
)
# With all ids that became one with each.
FAMILY = """
WITH RECURSIVE gone AS (
    SELECT id, merged_into AS person FROM profile WHERE merged_into = ANY($1::uuid[])
    UNION SELECT p.id, g.person FROM profile p JOIN gone g ON p.merged_into = g.id
)
SELECT id::text AS id, person::text AS person FROM gone
"""
# The last word on each subject; whose it is by now, after an unmerge too.
WORDS = """
WITH words AS (
    SELECT c.profile AS person, c.* FROM consent c WHERE c.profile = ANY($1::uuid[])
        AND NOT EXISTS (SELECT FROM consent_parted p WHERE p.partition = c.partition AND p.number = c.number)
    UNION ALL SELECT p.profile, c.* FROM consent_parted p JOIN consent c USING (partition, number) WHERE p.profile = ANY($1::uuid[])
)
SELECT person::text AS id, brand, channel, topic, state, action, occurred_at AS at FROM words
WHERE $2::text[] IS NULL OR brand = ANY($2) ORDER BY occurred_at, recorded_at, partition, number
"""


async def there(connection: Connection, ids: Sequence[str], brands: Collection[str] | None) -> list[str]:
    """Those of these profiles that there are, by id. Raises asyncpg.DataError for what is no id."""
    rows = await connection.fetch(EXISTING, ids, None if brands is None else sorted(brands))
    return [row["id"] for row in rows]


async def everything(connection: Connection, ids: Sequence[str], brands: Collection[str] | None) -> list[Person]:
    """Those of these canonical profiles that there are, by id. brands: only who was seen in one of these, and what was said to them. Raises
    asyncpg.DataError for what is no id.
    """
    some = None if brands is None else sorted(brands)
    rows = await connection.fetch(EVERYTHING, ids, some)
    people = [row[0] for row in rows]
    owner = {row["id"]: row["person"] for row in await connection.fetch(FAMILY, people)}
    more: dict[str, list[str]] = {}
    for other, held in await connection.fetch(NAMES, list(owner)) if owner else ():
        more.setdefault(owner[str(other)], []).extend(held)
    words: dict[str, dict[tuple[str, str, str], Word]] = {}
    for id_, *word in await connection.fetch(WORDS, [*people, *owner], some):
        said = Word(*word)
        words.setdefault(owner.get(id_, id_), {})[said.brand, said.channel, said.topic] = said
    return [
        Person(
            id_,
            state,
            sorted([*(names or ()), *more.get(id_, ())]),
            sorted(seen or ()),
            list(words[id_].values()) if id_ in words else (),
        )
        for id_, state, names, seen in rows
    ]
