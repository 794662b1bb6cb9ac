"""The segmenter's state made anew: who people are from profile, what they did from the lake."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from runtime import parted
from runtime.db import Connection, Database
from runtime.kafka import Place
from runtime.lake import Lake
from runtime.settings import Settings
from services.profile.store import identities
from services.profile.store.identities import Identity
from services.segmenter.domain.rebuilding import Known
from services.segmenter.rebuilding import Found, Person, Rebuild, Stated, Whose, count

AT_ONCE = 2000
MEMORY = "1GB"

Step = Callable[[str, int, int], None]  # what is done, how much of it, of how much


class Instant(NamedTuple):
    """Live in the stated instant, as both services have it. ends: of the log, see `Whose`."""

    where: Stated
    segmenter: Connection
    profile: Connection
    ends: Mapping[Place, int]


async def rebuild(settings: Settings, db: Database, live: Instant, into: Connection, step: Step) -> Found:
    """Raises StaleSnapshot when a file of the lake is gone meanwhile."""
    async with db.connection() as connection:
        parts = await parted.everything(connection, "warehouse")
    lake = Lake(settings.home, db, memory=MEMORY)
    try:
        step("counting what the lake has", 0, 0)
        counted = await count(await lake.snapshot(), live.where, parts, settings.partitions)
        gone = await identities.gone(live.profile)
        work = Rebuild(live.segmenter, into, live.where, counted, Whose(*gone, live.ends), settings.partitions)
        total, done, after = await identities.count(live.profile), 0, None
        while True:
            page = await identities.page(live.profile, after, AT_ONCE)
            await work.take([_person(one) for one in page], last=len(page) < AT_ONCE)
            done += len(page)
            step("people", done, total)
            if len(page) < AT_ONCE:
                return await work.finish()
            after = page[-1].id
    finally:
        lake.close()


def _person(one: Identity) -> Person:
    return Person(one.id, one.others, Known(one.attributes, one.kinds, one.bucketing, one.words))
