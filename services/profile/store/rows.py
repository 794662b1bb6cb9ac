"""All that is known of many people at once, for whoever exports them. A handful of questions for thousands of people."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec

from runtime.db import Connection
from services.profile.domain import Attributes
from services.profile.store.people import JUNK

STATES = """
SELECT id::text AS id, state FROM profile p WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL
    AND ($2::text[] IS NULL OR EXISTS (SELECT FROM profile_brand b WHERE b.profile = p.id AND b.brand = ANY($2)))
ORDER BY id
"""
# With all ids that became one with each.
FAMILY = """
WITH RECURSIVE gone AS (
    SELECT id, merged_into AS person FROM profile WHERE merged_into = ANY($1::uuid[])
    UNION SELECT p.id, g.person FROM profile p JOIN gone g ON p.merged_into = g.id
)
SELECT id::text AS id, person::text AS person FROM gone
"""
NAMES = f"SELECT profile::text AS id, key FROM identifier WHERE profile = ANY($1::uuid[]) AND NOT ({JUNK}) ORDER BY key"  # noqa: S608
BRANDS = """
SELECT profile::text AS id, brand FROM profile_brand WHERE profile = ANY($1::uuid[]) AND ($2::text[] IS NULL OR brand = ANY($2)) ORDER BY brand
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


class Some(msgspec.Struct, array_like=True):
    """The beginning of a `Profile`: what comes behind is not even decoded."""

    first_at: int
    attributes: Attributes


_decode = msgspec.msgpack.Decoder(Some).decode


class Person(NamedTuple):
    """One person: when he was first heard of (ms), attributes, identifiers ("kind:value"), brands in which he was seen, and his last word on
    each subject of consent.
    """

    id: str
    first_at: int
    attributes: Attributes
    identifiers: Sequence[str]
    brands: Sequence[str]
    consents: Sequence[dict[str, Any]]


async def everything(connection: Connection, ids: Sequence[str], brands: Collection[str] | None) -> list[Person]:
    """Those of these canonical profiles that there are, by id. brands: only who was seen in one of these, and what was said to them."""
    some = None if brands is None else sorted(brands)
    states = await connection.fetch(STATES, ids, some)
    people = [row["id"] for row in states]
    owner = {one: one for one in people} | {row["id"]: row["person"] for row in await connection.fetch(FAMILY, people)}
    every = list(owner)
    names: dict[str, list[str]] = {}
    for row in await connection.fetch(NAMES, every):
        names.setdefault(owner[row["id"]], []).append(row["key"])
    seen: dict[str, list[str]] = {}
    for row in await connection.fetch(BRANDS, people, some):
        seen.setdefault(row["id"], []).append(row["brand"])
    words: dict[str, dict[tuple[str, str, str], dict[str, Any]]] = {}
    for id_, *word in await connection.fetch(WORDS, every, some):
        brand, channel, topic, state, action, at = word
        said = {"brand": brand, "channel": channel, "topic": topic, "state": state, "action": action, "at": at}
        words.setdefault(owner[id_], {})[brand, channel, topic] = said
    found = []
    for one, row in zip(people, states, strict=True):
        kept, last = _decode(row["state"]), words.get(one)
        found.append(
            Person(one, kept.first_at, kept.attributes, names.get(one, ()), seen.get(one, ()), list(last.values()) if last else ())
        )
    return found
