"""States that were made anew take the place of those that live has: of people who differ, where live still stands at the stated instant.

He is written as of no plan and as standing where it was told that he does; so the sweep brings him under the ruling
one like anybody after a publication, and tells what is otherwise as `backfill`, which starts no journey.
"""

from collections.abc import Sequence

import msgspec

from runtime import people
from runtime.db import Connection, Database
from runtime.people import Saved
from schemas.ids import partition_of
from services.segmenter.domain import state
from services.segmenter.domain.horizons import NEVER
from services.segmenter.domain.state import OUTSIDE, State
from services.segmenter.filling import TOPICS
from services.segmenter.rebuilding import STAND, Stated

LOCK = "SELECT FROM watermark WHERE topic = ANY($1::text[]) ORDER BY topic, partition FOR UPDATE"
PLAN = "SELECT number FROM plan FOR UPDATE"
ANEW = "SELECT id::text AS id, state FROM person WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL"
SWEEP = "DELETE FROM sweep"


class Moved(RuntimeError):  # noqa: N818
    """Live has gone on since the stated instant: the message says how."""


async def mend(db: Database, anew: Connection, where: Stated, ids: Sequence[str], partitions: int) -> int:
    """Returns how many of these people have the state that was made anew; the others are nobody there. Raises Moved."""
    async with db.transaction() as connection:
        await connection.execute(LOCK, list(TOPICS))
        stands = {(topic, partition): n for topic, partition, n in await connection.fetch(STAND, list(TOPICS))}
        if stands != where.places:
            raise Moved("the segmenter has handled more facts since the stated instant: stop it, and run again")
        if await connection.fetchval(PLAN) != where.plan.revision or where.plan.filling.number:
            raise Moved("other conditions were published since, or history is being brought: run again when that is done")
        fresh = {row["id"]: state.decode(row["state"]) for row in await anew.fetch(ANEW, list(ids))}
        crowd = await people.load(connection, list(fresh))
        rows = []
        for person, one in sorted(fresh.items()):
            raw = crowd.state(person)
            if crowd.canonical(person) == person and not crowd.gone(person):
                told = state.decode(raw) if raw else State()
                mended = state.encode(_before_the_plan(one, told))
                rows.append(Saved(person, partition_of(person, partitions), mended, None))
        await crowd.save(connection, rows)
        await connection.execute(SWEEP)
    return len(rows)


def _before_the_plan(one: State, told: State) -> State:
    """As if a plan were still to come to him."""
    return msgspec.structs.replace(one, revision=OUTSIDE, members=told.members, horizons={}, due=NEVER, clock=told.clock)
