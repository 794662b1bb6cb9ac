"""The lake of an installation as the segmenter reads it, and the facts of a person there, for counting them anew: without identifiers,
attributes and personal properties.
"""

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runtime.kafka import Place
from runtime.lake import Lake, Snapshot, StaleSnapshot, quote
from runtime.process import Context
from runtime.property_columns import Source, properties
from schemas.facts import Fact
from schemas.paths import steps_of
from services.segmenter.recount import Recount

log = logging.getLogger(__name__)

AGAIN_S = 10.0  # after trouble with the lake's files

BASE = "id::VARCHAR, type, event, epoch_ms(occurred_at), epoch_ms(received_at), topic, kafka_partition, kafka_offset, rest::JSON::VARCHAR"


def there(context: Context) -> bool:
    """Whether this process sees the lake's files."""
    return (context.settings.home / "lake").is_dir()


class History:
    """The lake, opened when something of before is to be counted."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lake: Lake | None = None
        self._next, self._why = 0.0, ""

    @property
    def troubled(self) -> bool:
        """Whether reading failed a moment ago."""
        return asyncio.get_running_loop().time() < self._next

    def readable(self) -> bool:
        """Whether the lake's files are here, and did not fail a moment ago."""
        if self.troubled:
            return False
        if there(self._context):
            return True
        self.wait("there is no lake under OTKLIK_HOME: the segmenter reads what the warehouse writes there")
        return False

    async def read(self, rows: Sequence[Recount], events: Iterable[str]) -> dict[str, list[Fact]] | None:
        """Of each of them what he did until he was parted; None: not now."""
        if not self.readable():
            return None
        snapshot = await self.snapshot()
        try:
            return {row.person: await facts_of(snapshot, row.ids, row.places, events) for row in rows}
        except StaleSnapshot as error:
            self.wait(str(error))
            return None
        finally:
            snapshot.close()

    async def snapshot(self) -> Snapshot:
        """As it stands now. Whose a fact is goes by what this service has heard: what it hears later it sets right itself."""
        if self._lake is None:
            self._lake = Lake(self._context.settings.home, self._context.db, threads=1)
        return await self._lake.snapshot(parted_as=self._context.service.name)

    def wait(self, why: str) -> None:
        """Leave the lake alone for a while."""
        if why != self._why:
            log.warning("what is to be counted from the lake waits", extra={"why": why})
            self._why = why
        self._next = asyncio.get_running_loop().time() + AGAIN_S

    def close(self) -> None:
        if self._lake is not None:
            self._lake.close()


async def facts_of(snapshot: Snapshot, ids: Sequence[str], places: Mapping[Place, int], events: Iterable[str]) -> list[Fact]:
    """What stands below these offsets, of these event names, in the order in which it was received."""
    found: list[tuple[tuple[Any, ...], Fact]] = []
    for event in sorted(events):
        found += await _of_event(snapshot, ids, places, event)
    return [fact for _, fact in sorted(found, key=lambda one: one[0])]


async def _of_event(
    snapshot: Snapshot, ids: Sequence[str], places: Mapping[Place, int], event: str
) -> list[tuple[tuple[Any, ...], Fact]]:
    table = snapshot.table("facts", event, people=frozenset(ids))
    there = {row[0] for row in await snapshot.query(f"DESCRIBE SELECT * FROM {table}")}  # noqa: S608 - names of ours
    columns = [Source(quote(c), kind, steps_of(p)) for p, kind, c in snapshot.kinds(event, "properties") if c in there]
    asked = "".join(f", {column.sql}" for column in columns)
    rows = await snapshot.query(
        f"SELECT {BASE}{asked} FROM {table} "  # noqa: S608 - names of ours
        f"WHERE profile IN ({', '.join('?' for _ in ids)}) AND coalesce(nullif(event, ''), type) = ?",
        [*ids, event],
    )
    found = []
    for id_, type_, name, occurred, received, topic, partition, offset, rest, *values in rows:
        if offset >= places.get((topic, partition), 0):
            continue
        without = json.loads(rest or "{}").get("properties", {})
        said = properties([*columns, *(Source("", "plain", steps_of(path)) for path in without)], [*values, *without.values()])
        fact = Fact(
            id=id_, type=type_, event=name or "", brand="", source="", occurred_at=occurred, received_at=received, properties=said
        )
        found.append(((received, topic, partition, offset), fact))
    return found
