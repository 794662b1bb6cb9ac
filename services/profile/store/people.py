"""The tables of profile: identifiers, profiles, and the ids of facts seen today and yesterday."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg
import msgspec

from runtime.db import Again, Connection
from services.profile.domain import Contradiction, Name, Profile
from services.profile.store import shown

DAY_MS = 86_400_000

KNOWN = """
SELECT i.key, i.profile::text AS profile, p.merged_into::text AS merged_into, i.refused, i.ruled, i.junk_at, i.sources, i.home::text AS home, i.met
FROM identifier i JOIN profile p ON p.id = i.profile WHERE i.key = ANY($1::text[])
"""
STONES = "SELECT id::text AS id, merged_into::text AS at FROM profile WHERE id = ANY($1::uuid[]) AND merged_into IS NOT NULL"
# Inserts what is new and locks what is there, in one order for everybody.
CLAIM = """
INSERT INTO identifier (key, profile, sources, home, met) SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::text[]) ORDER BY 1
ON CONFLICT (key) DO UPDATE SET key = EXCLUDED.key
RETURNING key, profile::text AS profile, refused, ruled, junk_at, sources, home::text AS home, met, (xmax = 0) AS fresh
"""
LOCK = """
SELECT id::text AS id, state, merged_into FROM profile WHERE id = ANY($1::uuid[]) AND erased_at IS NULL ORDER BY id FOR UPDATE
"""
UNCLAIM = "DELETE FROM identifier WHERE key = ANY($1::text[])"
GIVE = """
UPDATE identifier i SET profile = u.profile, home = u.home FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS u (key, profile, home)
WHERE i.key = u.key
"""
INSERT = "INSERT INTO profile (id, first_at, state) SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) ORDER BY 1"
UPDATE = """
UPDATE profile p SET first_at = u.first_at, state = u.state FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS u (id, first_at, state)
WHERE p.id = u.id
"""
BURY = """
UPDATE profile p SET state = '', merged_into = u.winner FROM unnest($1::uuid[], $2::uuid[]) AS u (id, winner) WHERE p.id = u.id
"""
JUDGE = """
UPDATE identifier i SET refused = u.refused, ruled = $3, junk_at = u.junk_at
FROM unnest($1::text[], $2::text[], $4::bigint[]) AS u (key, refused, junk_at) WHERE i.key = u.key
"""
CONTRADICTIONS = """
SELECT i.key, i.profile::text AS profile, i.refused FROM identifier i
WHERE i.refused IS NOT NULL AND i.junk_at IS NULL ORDER BY i.key LIMIT $1
"""
# Rows of before people's names stood in their state.
NAMES_OF = """
WITH RECURSIVE gone AS (
    SELECT id, id AS top FROM profile WHERE id = ANY($1::uuid[])
    UNION SELECT p.id, g.top FROM profile p JOIN gone g ON p.merged_into = g.id
)
SELECT g.top::text AS top, i.key FROM gone g JOIN identifier i ON i.profile = g.id
"""
SEEN = "SELECT id::text AS id FROM seen WHERE day = ANY($1::int[]) AND id = ANY($2::uuid[])"
THERE = "SELECT id::text AS id FROM profile WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL"
PERSON = "SELECT state FROM profile WHERE id = $1::uuid AND merged_into IS NULL AND erased_at IS NULL"
MERGED = """
WITH RECURSIVE gone AS (
    SELECT id FROM profile WHERE merged_into = $1::uuid
    UNION SELECT p.id FROM profile p JOIN gone g ON p.merged_into = g.id
)
SELECT id::text AS id FROM gone ORDER BY id
"""
# Junk under the rules in force: other rules may give it back to him.
JUNK = "junk_at IS NOT NULL AND ruled = coalesce((SELECT version FROM definition_current WHERE kind = 'identity' AND key = 'rules'), 0)"
NAMES = f"SELECT key FROM identifier WHERE profile = ANY($1::uuid[]) AND NOT ({JUNK}) ORDER BY key"  # noqa: S608
OWNED = f"SELECT profile::text FROM identifier WHERE key = $1 AND NOT ({JUNK})"  # noqa: S608
NOTE = """
UPDATE identifier i SET sources = u.sources, met = u.met FROM unnest($1::text[], $2::text[], $3::text[]) AS u (key, sources, met)
WHERE i.key = u.key
"""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Profile).decode


class Seen:
    """Message ids of at least the last 24 hours, kept by day; a day's partition is made when its first fact comes."""

    def __init__(self) -> None:
        self._made: set[int] = set()
        self._making: set[int] = set()

    async def new(self, connection: Connection, ids: Collection[str], now: int) -> set[str]:
        """Which of these fact ids come for the first time; they count as seen when the transaction commits.

        Raises Again where another process has just seen one of them: then the next look finds it.
        """
        day = now // DAY_MS
        if day not in self._made:
            await self._make(connection, day)
        rows = await connection.fetch(SEEN, [day - 1, day], list(ids))
        new = set(ids) - {row["id"] for row in rows}
        try:
            # A copy writes pages where an insert writes rows: of all that is done for a fact this was the dearest.
            await connection.copy_records_to_table(
                f"seen_{day}", records=[(day, id_) for id_ in sorted(new)], columns=("day", "id")
            )
        except asyncpg.UniqueViolationError as error:
            raise Again("a fact was seen by somebody else while we looked") from error
        except asyncpg.UndefinedTableError as error:
            # The clock was driven ahead and given back: another day's maker has dropped the table that we had made.
            self._made.clear()
            raise Again("the table of the day is gone") from error
        return new

    async def _make(self, connection: Connection, day: int) -> None:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('profile.seen'))")
        for wanted in (day - 1, day):
            await connection.execute(f"CREATE TABLE IF NOT EXISTS seen_{wanted} PARTITION OF seen FOR VALUES IN ({int(wanted)})")
        rows = await connection.fetch(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'seen'::regclass"
        )
        for row in rows:
            if int(row["relname"].removeprefix("seen_")) < day - 1:
                await connection.execute(f'DROP TABLE "{row["relname"]}"')
        self._making.add(day)

    def committed(self) -> None:
        """Only now are the partitions that a batch made sure to be there."""
        self._made |= self._making
        self._making.clear()


class Known(NamedTuple):
    """An identifier that there is. owner: canonical profile; refused: the profiles it was refused to, under version `ruled` of the rules.

    junk_under: the version under which it was refused to too many, so that it names nobody while that is in force; None: it is not.
    sources: that told it, of the kinds whose contradictions count; "" where it is not known. home, met: as in `Name`.
    """

    owner: str
    home: str
    met: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    ruled: int = 0
    junk_under: int | None = None
    sources: str = ""

    def junk(self, version: int) -> bool:
        return self.junk_under == version

    def name(self, version: int) -> Name:
        """As it is under a version of the rules."""
        return Name(self.owner, self.home, self.refused if self.ruled == version else frozenset(), self.met, self.sources)


class Claimed(NamedTuple):
    """An identifier under our lock; known.owner may be a tombstone. fresh: we have inserted it."""

    known: Known
    fresh: bool


async def known(connection: Connection, keys: Collection[str]) -> dict[str, Known]:
    """What is known of identifiers. Read without a lock: consumers follow a merge that comes later."""
    rows = await connection.fetch(KNOWN, list(keys))
    found = {row["key"]: _known(row, row["merged_into"] or row["profile"]) for row in rows}
    if any(row["merged_into"] for row in rows):
        follow = await resolve(connection, {one.owner for one in found.values()})
        found = {key: one._replace(owner=follow.get(one.owner, one.owner)) for key, one in found.items()}
    return found


def _known(row: Any, owner: str) -> Known:
    home, met = row["home"] or row["profile"], frozenset(row["met"].split(",")) if row["met"] else frozenset()
    if row["refused"] is None:
        return Known(owner, home, met, sources=row["sources"] or "")
    junk = row["ruled"] if row["junk_at"] is not None else None
    return Known(owner, home, met, frozenset(row["refused"].split(",")), row["ruled"], junk, row["sources"] or "")


async def owner_of(connection: Connection, key: str) -> str | None:
    """The canonical profile of one identifier; None where it is nobody's."""
    owner: str | None = await connection.fetchval(OWNED, key)
    return (await resolve(connection, [owner])).get(owner, owner) if owner is not None else None


async def resolve(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Tombstone -> the profile that it means now, through chains."""
    direct: dict[str, str] = {}
    ask = set(ids)
    while ask:
        rows = await connection.fetch(STONES, list(ask))
        direct.update({row["id"]: row["at"] for row in rows})
        ask = {row["at"] for row in rows} - set(direct)
    return {start: _end(start, direct) for start in direct}


def _end(start: str, direct: Mapping[str, str]) -> str:
    while start in direct:
        start = direct[start]
    return start


async def meant(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Whom profile ids mean now, of those there are."""
    stones = await resolve(connection, ids)
    there = {row["id"] for row in await connection.fetch(THERE, list({stones.get(one, one) for one in ids}))}
    return {one: stones.get(one, one) for one in ids if stones.get(one, one) in there}


async def person(connection: Connection, person: str) -> tuple[Profile, list[str], list[str]] | None:
    """A canonical profile with its identifiers and the ids that were merged into it; None if there is none."""
    row = await connection.fetchrow(PERSON, person)
    if row is None:
        return None
    merged = await merged_into(connection, person)
    names = await connection.fetch(NAMES, [person, *merged])
    return _decode(row["state"]), [r["key"] for r in names], merged


async def merged_into(connection: Connection, person: str) -> list[str]:
    """Ids of those who have become one with a person, however long ago."""
    return [row["id"] for row in await connection.fetch(MERGED, person)]


class Wanted(NamedTuple):
    """What an identifier becomes if nobody has it: whose it is, who tells it, its home, and of the strongest told with it ("")."""

    owner: str
    source: str
    home: str
    met: str


async def claim(connection: Connection, wanted: Mapping[str, Wanted]) -> dict[str, Claimed]:
    """Insert or lock identifiers, in key order."""
    keys = sorted(wanted)
    columns = [list(column) for column in zip(*(wanted[key] for key in keys), strict=True)]
    rows = await connection.fetch(CLAIM, keys, *columns) if keys else []
    return {r["key"]: Claimed(_known(r, r["profile"]), r["fresh"]) for r in rows}


async def lock(connection: Connection, ids: Collection[str], fresh: Collection[str] = ()) -> dict[str, Profile]:
    """Lock canonical profiles in id order. A tombstone among them means that a merge came first: Again.

    fresh: identifiers that this transaction has just inserted, which are not yet anybody's.
    """
    if not ids:
        return {}
    rows = await connection.fetch(LOCK, sorted(ids))
    if any(row["merged_into"] is not None for row in rows):
        raise Again("merged while we waited for the lock")
    return await _with_names(connection, {row["id"]: _decode(row["state"]) for row in rows}, fresh)


async def _with_names(connection: Connection, found: dict[str, Profile], fresh: Collection[str] = ()) -> dict[str, Profile]:
    if old := [id_ for id_, profile in found.items() if profile.names is None]:
        for profile in (found[id_] for id_ in old):
            profile.names = {}
        for row in [row for row in await connection.fetch(NAMES_OF, old) if row["key"] not in fresh]:
            found[row["top"]].known_as()[row["key"]] = f"~{row['key']}"  # who told it is not known: it contradicts no other
    return found


async def save(
    connection: Connection,
    *,
    new: Mapping[str, Profile],
    old: Mapping[str, Profile],
    buried: Mapping[str, str],
    given: Mapping[str, tuple[str, str]],
    unclaimed: Sequence[str] = (),
) -> None:
    """Write what the batch decided. buried: loser -> winner; given: identifier -> (profile, home) where it is not what `claim` inserted;
    unclaimed: what `claim` inserted and nobody got.
    """
    for statement, rows in ((INSERT, new), (UPDATE, old)):
        if rows:
            await connection.execute(statement, *_columns(rows))
    if changed := {*new, *old, *buried}:
        await shown.note(connection, changed)
    if buried:
        await connection.execute(BURY, list(buried), list(buried.values()))
    if given:
        await connection.execute(GIVE, list(given), *(list(column) for column in zip(*given.values(), strict=True)))
    if unclaimed:
        await connection.execute(UNCLAIM, unclaimed)


def _columns(rows: Mapping[str, Profile]) -> tuple[Sequence[Any], ...]:
    return list(rows), [p.first_at for p in rows.values()], [_encode(p) for p in rows.values()]


async def note(connection: Connection, names: Mapping[str, Name]) -> None:
    """Keep which sources have told identifiers, and with which others they were told."""
    columns = [name.sources for name in names.values()], [",".join(sorted(name.met)) for name in names.values()]
    await connection.execute(NOTE, list(names), *columns)


async def judge(connection: Connection, judged: Mapping[str, Sequence[str]], junk: Mapping[str, int], version: int) -> None:
    """Keep to whom identifiers were refused, under a version of the rules. junk: those that are nobody's from an instant (ms) on."""
    names = sorted(judged)
    await connection.execute(JUDGE, names, [",".join(judged[name]) for name in names], version, [junk.get(name) for name in names])


async def contradictions(connection: Connection, most: int) -> tuple[list[Contradiction], bool]:
    """What up to `most` identifiers that were refused to somebody keep apart, of people who are two now; and whether that is all."""
    rows = await connection.fetch(CONTRADICTIONS, most + 1)
    told = [Contradiction(row["key"], row["profile"], person) for row in rows[:most] for person in row["refused"].split(",")]
    stones = await resolve(connection, {person for one in told for person in (one.owner, one.person)})
    now = (one._replace(owner=stones.get(one.owner, one.owner), person=stones.get(one.person, one.person)) for one in told)
    return [one for one in now if one.owner != one.person], len(rows) <= most


async def people(connection: Connection, ids: Iterable[str]) -> dict[str, Profile]:
    """Canonical profiles, without a lock."""
    wanted = sorted(set(ids))
    rows = await connection.fetch(
        "SELECT id::text AS id, state FROM profile WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL", wanted
    )
    return await _with_names(connection, {row["id"]: _decode(row["state"]) for row in rows})
