"""Whose a fact is after an unmerge, for a service that keeps or reads facts of before it (docs/adr/0012).

A `profile.split` names the homes that left a person and whose they are. What was told of him, or of somebody who had become one with
him, belongs by its home to one of the parts, also where it is only heard now: from the second lane, or from a process that lags.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from runtime.db import Connection
from schemas.facts import Split

# part: a home, or an id of somebody who had become one with another; owner: whose it is; stays: with whom other homes of that id stayed;
# told: the ids with which such facts may have been told. In each service's own migration.
TABLE = """
CREATE TABLE parted (part uuid PRIMARY KEY, owner uuid NOT NULL, stays uuid NOT NULL, told uuid[] NOT NULL, at bigint NOT NULL)
"""
LEARN = """
INSERT INTO parted AS p (part, owner, stays, told, at)
SELECT u.part, coalesce(later.stays, u.owner), $3, ARRAY(SELECT DISTINCT unnest($4::uuid[] || later.told)), $5
FROM unnest($1::uuid[], $2::uuid[]) AS u (part, owner)
LEFT JOIN parted later ON later.part = u.owner AND later.at > $5 ORDER BY 1  -- he has left somebody since, and not with this one
ON CONFLICT (part) DO UPDATE SET at = greatest(p.at, EXCLUDED.at),
    owner = CASE WHEN EXCLUDED.at < p.at THEN p.owner ELSE EXCLUDED.owner END,
    told = ARRAY(SELECT DISTINCT unnest(p.told || EXCLUDED.told))
"""
# What had come to somebody before who leaves now, and does not leave with him.
REMAIN = """
UPDATE parted SET owner = $1, told = ARRAY(SELECT DISTINCT unnest(told || $4::uuid[]))
WHERE owner = ANY($2::uuid[]) AND part <> ALL($3::uuid[]) AND at < $5
"""
KNOWN = "SELECT part::text, owner::text, stays::text, told::text[] FROM parted WHERE part = ANY($1::uuid[])"
ALL = "SELECT part::text, owner::text, stays::text, told::text[] FROM {schema}parted ORDER BY part"


class Parted(NamedTuple):
    """A row of the table."""

    part: str
    owner: str
    stays: str
    told: Sequence[str]


def parted_by(person: str, split: Split) -> list[Parted]:
    """What a `profile.split` says of this person."""
    told = sorted({person, *split.stay, *(other for part in split.parts for other in part.others)})
    return [Parted(home, one.profile, person, told) for one in split.parts for home in sorted({*one.homes, *one.others})]


async def learn(connection: Connection, person: str, split: Split, at: int) -> None:
    """Keep what a `profile.split` says of this person. at: its received_at, by which the later one of two rules in whatever order."""
    rows = parted_by(person, split)
    if not rows:
        return
    parts, owners, told = [row.part for row in rows], [row.owner for row in rows], list(rows[0].told)
    left = [other for one in split.parts for other in one.others]
    await connection.execute(REMAIN, person, left, parts, told, at)
    await connection.execute(LEARN, parts, owners, person, told, at)


async def known(connection: Connection, ids: Iterable[str]) -> dict[str, Parted]:
    """Of these homes and ids, what became of those that were parted."""
    return {row[0]: Parted(*row) for row in await connection.fetch(KNOWN, sorted(ids))}


async def everything(connection: Connection, schema: str = "") -> list[Parted]:
    """All rows, of the own schema or of another one: few, as each takes a person's decision."""
    return [Parted(*row) for row in await connection.fetch(ALL.format(schema=f"{schema}." if schema else ""))]


def owner(profile: str, home: str | None, rows: Mapping[str, Parted]) -> str:
    """Whose a fact is that was told of `profile`."""
    own = rows.get(home or profile)
    if own is not None and profile in own.told:
        return own.owner
    had = rows.get(profile)
    return had.stays if had is not None and profile in had.told else profile


def asked(facts: Iterable[Any]) -> set[str]:
    """What `known` must be asked of these facts to say whose they are. Where a fact has no home its profile's tombstone says it."""
    return {one for fact in facts if fact.home for one in (fact.home, fact.profile) if one}
