"""What came to the lake since somebody last looked, for a reader that keeps an index of it: each fact once, whatever was merged meanwhile.

A reader keeps how far it has come in each partition, as the warehouse does. New facts are the rows of current files that lie between the
two, whichever file holds them by now. Erasures and unmerges are told with every look, as they change whose old facts are.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from runtime import lake, parted
from runtime.db import Connection, Database
from runtime.kafka import Place
from runtime.lake import column
from runtime.parted import Parted
from schemas.topics import DECISIONS, FACTS, FACTS_BULK

TOPICS = (FACTS.name, FACTS_BULK.name)
WITH_VERDICTS = (*TOPICS, DECISIONS.name)
# Another lake has another manifest. Nothing of it ever comes back under the same two numbers in one cluster.
IDENTITY = """
SELECT (SELECT oid FROM pg_database WHERE datname = current_database())::text || '.' || 'warehouse.manifest'::regclass::oid::text
"""
FILES = """
SELECT file, rows FROM warehouse.manifest m WHERE removed_at IS NULL AND dataset = $4 AND EXISTS (
    SELECT FROM unnest(m.topics, m.partitions, m.last_offsets) AS holds (topic, partition, last_offset)
    LEFT JOIN unnest($1::text[], $2::int[], $3::bigint[]) AS had (topic, partition, next_offset) USING (topic, partition)
    WHERE holds.last_offset >= coalesce(had.next_offset, 0)
) ORDER BY file
"""
EVERY = "SELECT file, rows FROM warehouse.manifest WHERE removed_at IS NULL AND dataset = 'facts' ORDER BY file"
ERASED = "SELECT profile::text AS profile FROM warehouse.hidden ORDER BY profile"
COUNTED = "SELECT (SELECT count(*) FROM warehouse.hidden), (SELECT coalesce(sum(at), 0) + count(*) FROM warehouse.parted)::text"


class News(NamedTuple):
    """One look at the lake. identity: of the lake, for there may be another one in its place. files: paths under `folder` and their rows,
    in which facts may stand that were not there before; every: all files, where an erasure or an unmerge came; verdicts: files with new
    decisions, for who follows them too. had, passed: (topic, partition) -> first offset that is new, and that is not
    there yet. properties: (event, scope) -> (path, kind, column). erased: everybody who ever was. parts: what unmerges made of whom.
    state: differs when any erasure or unmerge came.
    """

    identity: str
    folder: Path
    files: Sequence[tuple[str, int]]
    every: Sequence[tuple[str, int]]
    had: Mapping[Place, int]
    passed: Mapping[Place, int]
    properties: Mapping[tuple[str, str], Sequence[tuple[str, str, str]]]
    erased: Sequence[str]
    parts: Sequence[Parted]
    state: str
    verdicts: Sequence[tuple[str, int]] = ()

    @property
    def behind(self) -> bool:
        """The reader has been where this lake has not: it is another one, or its log was made anew."""
        return any(self.passed.get(place, 0) < offset for place, offset in self.had.items())


async def look(db: Database, home: Path, had: Mapping[Place, int], state: str, topics: Sequence[str] = TOPICS) -> News | None:
    """What is new beside `had` and `state` (of the last look); None: nothing is, or the warehouse has not run yet. topics: that are followed."""
    async with db.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        if not await connection.fetchval(lake.EXISTS):
            return None
        passed = {place: max(0, n) for place, n in (await lake.passed(connection)).items() if place[0] in topics}
        identity = await connection.fetchval(IDENTITY)
        now = f"{identity}/{'/'.join(map(str, await connection.fetchrow(COUNTED)))}"
        if passed == had and now == state:
            return None
        every = [(row["file"], row["rows"]) for row in await connection.fetch(EVERY)] if now != state else []
        return await _news(connection, identity, home / "lake", (had, passed), now, every)


async def _news(
    connection: Connection,
    identity: str,
    folder: Path,
    places: tuple[Mapping[Place, int], Mapping[Place, int]],
    state: str,
    every: Sequence[tuple[str, int]],
) -> News:
    had, passed = places
    ordered = sorted(had)
    columns = [topic for topic, _ in ordered], [partition for _, partition in ordered], [had[place] for place in ordered]
    properties: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for event, scope, path, kind in await connection.fetch(lake.PROPERTIES):
        properties.setdefault((event, scope), []).append((path, kind, column(scope, path, kind)))
    return News(
        identity=identity,
        folder=folder,
        files=[(row["file"], row["rows"]) for row in await connection.fetch(FILES, *columns, "facts")],
        verdicts=[(row["file"], row["rows"]) for row in await connection.fetch(FILES, *columns, DECISIONS.name)],
        every=every,
        had=had,
        passed=passed,
        properties=properties,
        erased=[row["profile"] for row in await connection.fetch(ERASED)],
        parts=await parted.everything(connection, "warehouse"),
        state=state,
    )
