"""All that is known of many people at once, for whoever exports them. A handful of questions for thousands of people."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from runtime.db import Connection
from services.profile.domain.sheet import Person, Word
from services.profile.store.people import JUNK

THERE = """
SELECT id::text AS id{more} FROM profile p WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL
    AND ($2::text[] IS NULL OR EXISTS (SELECT FROM profile_brand b WHERE b.profile = p.id AND b.brand = ANY($2)))
ORDER BY p.id
"""
# With all ids that became one with each.
FAMILY = """
WITH RECURSIVE gone AS (
    SELECT id, merged_into AS person FROM profile WHERE merged_into = ANY($1::uuid[])
    UNION SELECT p.id, g.person FROM profile p JOIN gone g ON p.merged_into = g.id
)
SELECT id::text AS id, person::text AS person FROM gone
"""
NAMES = f"SELECT profile::text AS id, array_agg(key) AS held FROM identifier WHERE profile = ANY($1::uuid[]) AND NOT ({JUNK}) GROUP BY profile"  # noqa: S608
BRANDS = """
SELECT profile::text AS id, array_agg(brand) AS held FROM profile_brand
WHERE profile = ANY($1::uuid[]) AND ($2::text[] IS NULL OR brand = ANY($2)) GROUP BY profile
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
    rows = await connection.fetch(THERE.format(more=""), ids, None if brands is None else sorted(brands))
    return [row["id"] for row in rows]


async def everything(connection: Connection, ids: Sequence[str], brands: Collection[str] | None) -> list[Person]:
    """Those of these canonical profiles that there are, by id. brands: only who was seen in one of these, and what was said to them. Raises
    asyncpg.DataError for what is no id.
    """
    some = None if brands is None else sorted(brands)
    states = await connection.fetch(THERE.format(more=", state"), ids, some)
    people = [row["id"] for row in states]
    owner = {row["id"]: row["person"] for row in await connection.fetch(FAMILY, people)}
    every = [*people, *owner]
    names = _held(await connection.fetch(NAMES, every), owner)
    seen = _held(await connection.fetch(BRANDS, people, some), {})
    words: dict[str, dict[tuple[str, str, str], Word]] = {}
    for id_, *word in await connection.fetch(WORDS, every, some):
        said = Word(*word)
        words.setdefault(owner.get(id_, id_), {})[said.brand, said.channel, said.topic] = said
    nothing: Mapping[Any, Word] = {}
    return [
        Person(one, state, names.get(one, ()), seen.get(one, ()), tuple(words.get(one, nothing).values())) for one, state in states
    ]


def _held(rows: Sequence[tuple[str, list[str]]], owner: Mapping[str, str]) -> dict[str, list[str]]:
    """By person, sorted: what rows of his own id and of those that became one with him say."""
    found: dict[str, list[str]] = {}
    for id_, held in rows:
        person = owner.get(id_, id_)
        found[person] = sorted([*found[person], *held] if person in found else held)
    return found
