"""The walk to everybody who is inside a journey when a gate opens or people are moved: whoever has news hears of it by himself, the others here.

What is to be done is found in a person's own state (domain/pausing.py, domain/migrating.py), under his row's lock and once; so the walk only
has to reach everybody, and reaching somebody twice does no harm. Rows are looked for without a lock. So it begins when every batch that may
act under earlier documents has ended: whoever is written from then on has heard of it.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from runtime.db import Connection
from services.orchestrator.domain.controls import Controls
from services.orchestrator.domain.state import decode

# Of gates only the one in force; each migration.
WANTED = """
SELECT d.kind, d.key, d.version FROM definition d WHERE d.kind = 'migration'
UNION ALL SELECT c.kind, c.key, c.version FROM definition_current c WHERE c.kind = 'gate'
"""
OPEN = f"""
SELECT w.* FROM ({WANTED}) w
WHERE NOT EXISTS (SELECT FROM walk k WHERE (k.kind, k.key, k.version) = (w.kind, w.key, w.version) AND k.done)
"""  # noqa: S608 - no values
IS_DUE = f"SELECT EXISTS ({OPEN})"
ENSURE = f"INSERT INTO walk (kind, key, version) SELECT * FROM ({OPEN}) o ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING"  # noqa: S608
# Transactions that have locked watermarks, or are about to.
BATCHES = """
SELECT virtualtransaction FROM pg_locks WHERE relation = 'watermark'::regclass AND mode IN ('RowShareLock', 'RowExclusiveLock')
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
"""
LOCK = "SELECT pg_try_advisory_xact_lock(7002, 0)"  # one process walks at a time
TAKE = "SELECT kind, key, version, last_id FROM walk WHERE NOT done ORDER BY kind, key, version LIMIT 1"
# By person.id: the bare name is that of the text here, which no index has.
END_OF_PAGE = "SELECT id FROM person WHERE id > $1 ORDER BY person.id OFFSET $2 LIMIT 1"
# A state names its journeys in plain UTF-8: few others are loaded.
INSIDE = "merged_into IS NULL AND erased_at IS NULL AND position($1::bytea IN state) > 0"
PAGE = f"SELECT id::text AS id, partition FROM person WHERE id > $2 AND ($3::uuid IS NULL OR id <= $3) AND {INSIDE} ORDER BY person.id LIMIT $4"  # noqa: S608
MOVE = "UPDATE walk SET last_id = $4, done = $5 WHERE (kind, key, version) = ($1, $2, $3)"
STATES = f"SELECT state FROM person WHERE {INSIDE}"  # noqa: S608
ROWS = 10_000  # looked at in one transaction, in which timers wait


class Step(NamedTuple):
    """The people of one step of the walk: (id, partition). more: there may be others."""

    people: Sequence[tuple[str, int]] = ()
    more: bool = False


async def is_due(connection: Connection) -> bool:
    """Is there anybody who has perhaps not heard of a gate or a migration?"""
    return bool(await connection.fetchval(IS_DUE))


class Walk:
    """The walk as this process goes it."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, str, int], set[str]] = {}  # batches that may not know yet of what is to be walked for
        self._settled = -1  # revision of the documents at which everybody was seen to have heard

    async def due(self, connection: Connection, revision: int) -> bool:
        """As `is_due`, but that of documents of which nothing is left it is asked once. revision: read before."""
        if revision == self._settled:
            return False
        due = await is_due(connection)
        if not due:
            self._settled = revision
        return due

    async def step(self, connection: Connection, controls: Controls, limit: int, revision: int) -> Step:
        """Up to `limit` people who are to hear of it in this transaction. controls, revision: those of its book."""
        if not controls or revision == self._settled or not await connection.fetchval(LOCK):
            return Step()
        await connection.execute(ENSURE)
        row = await connection.fetchrow(TAKE)
        if row is None:
            self._settled = revision
            return Step()
        if not controls.knows(row["kind"], row["key"], row["version"]):
            return Step()
        name, last = (row["kind"], row["key"], row["version"]), row["last_id"]
        if last.int == 0 and not await self._may_begin(connection, name):
            return Step()
        end = await connection.fetchval(END_OF_PAGE, last, ROWS - 1)
        found = await connection.fetch(PAGE, needle(name[1].removeprefix("journey:")), last, end, limit)
        full = len(found) == limit
        reached = UUID(found[-1]["id"]) if full else end
        await connection.execute(MOVE, *name, reached or last, end is None and not full)
        return Step([(one["id"], one["partition"]) for one in found], more=True)

    async def _may_begin(self, connection: Connection, name: tuple[str, str, int]) -> bool:
        running = {row["virtualtransaction"] for row in await connection.fetch(BATCHES)}
        self._before[name] = self._before.get(name, running) & running
        if self._before[name]:
            return False
        del self._before[name]
        return True


def needle(journey: str) -> bytes:
    """What the states of all who are inside a journey contain, and few others' do."""
    return msgspec.msgpack.encode(journey)


class Standing(NamedTuple):
    """versions: version -> step -> people. entering: who have not entered yet; held: whom a pause holds back; waiting: messages under way
    or deferred.
    """

    versions: dict[int, dict[str, int]]
    entering: int
    held: int
    waiting: int


async def standing(connection: Connection, journey: str) -> Standing:
    """How many stand where in a journey at one instant. The connection is in a transaction."""
    versions: dict[int, dict[str, int]] = {}
    entering = held = waiting = 0
    async for row in connection.cursor(STATES, needle(journey), prefetch=1000):
        person = decode(row["state"])
        waiting += sum(pending.run.journey == journey for pending in person.pending.values())
        for run in person.runs:
            if run.journey != journey:
                continue
            held += run.parked is not None
            if run.step:
                steps = versions.setdefault(run.version, {})
                steps[run.step] = steps.get(run.step, 0) + 1
            else:
                entering += 1
    return Standing(versions, entering, held, waiting)
