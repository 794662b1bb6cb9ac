"""What time and a new version of an event do to everybody who registered: told of another time, cancelled, moved online, missed.

An event's people are taken in chunks by whoever fires timers, under the event's lock; each step finds those who are still to be taken by
what their rows say, so it is killed anywhere and done by anybody.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from runtime.batch import Tx
from runtime.db import Connection
from schemas.facts import Fact
from schemas.ids import derive
from schemas.messages import Decision
from services.orchestrator.domain.seating import Announced, Hall, Moment, Registration
from services.orchestrator.seats import store
from services.orchestrator.seats.usher import check_in_code

CHUNK = 500
NEVER = 2**63 - 1
KEEP_MS = 400 * 86_400_000  # after its end, for how long an event's registrations are kept
IS_DUE = """
SELECT EXISTS (
    SELECT FROM unnest($1::text[], $2::int[]) AS u (event, version) LEFT JOIN hall h USING (event)
    WHERE h.version IS DISTINCT FROM u.version OR h.due_at <= $3
)
"""
NEXT = """
SELECT u.event FROM unnest($1::text[], $2::int[]) AS u (event, version) LEFT JOIN hall h USING (event)
WHERE h.version IS DISTINCT FROM u.version OR h.due_at <= $3 ORDER BY h.due_at NULLS FIRST, u.event LIMIT 1
"""
FORGET = "DELETE FROM registration WHERE event = $1"
DONE = "UPDATE hall SET version = $2, due_at = $3 WHERE event = $1"
_ACTIVE = "status IN ('requested', 'confirmed', 'waitlisted', 'moved_online')"
_OF = f"SELECT {store.COLUMNS} FROM registration WHERE event = $1 AND "  # noqa: S608 - no values
_LIMIT = " ORDER BY place, profile LIMIT $2"
CANCELLED = f"{_OF} {_ACTIVE} {_LIMIT}"
MOVED = f"{_OF} {_ACTIVE} AND told <> $3 {_LIMIT}"
UNCONFIRMED = f"{_OF} status = 'confirmed' AND NOT online AND NOT coming {_LIMIT}"
MISSED = f"{_OF} status IN ('confirmed', 'moved_online') {_LIMIT}"


class _Pass(NamedTuple):
    """Some of an event's people, and what is done to each."""

    query: str
    more: tuple[str, ...]
    do: Callable[[Hall, Registration, Moment], None]
    moment: Moment


async def is_due(connection: Connection, seated: Mapping[str, Announced], now: int) -> bool:
    return bool(seated) and bool(await connection.fetchval(IS_DUE, *_versions(seated), now))


async def sweep(tx: Tx, seated: Mapping[str, Announced], token: Callable[[str], str]) -> list[Fact | Decision] | None:
    """One chunk of the event that has waited longest; None: nothing is due."""
    key = await tx.connection.fetchval(NEXT, *_versions(seated), tx.now) if seated else None
    if key is None:
        return None
    rows = await store.lock(tx.connection, [key])
    announced = seated[key]
    code, told = check_in_code(token), list[Fact | Decision]()
    if await _fill(tx, rows[key], announced, code, told):
        return told
    for one in _passes(announced, rows[key]["version"], tx.now):
        found = await tx.connection.fetch(one.query, key, CHUNK, *one.more)
        hall = await store.hall(tx.connection, rows[key], announced, (), code, len(found), found)
        for row in found:
            one.do(hall, hall.rows[row["profile"]], one.moment)
        hall.fill(one.moment)  # of seats that this freed
        await store.save(tx.connection, hall)
        told += hall.told
        if len(found) == CHUNK:
            return told
    if announced.event.ends_ms + KEEP_MS <= tx.now:
        await tx.connection.execute(FORGET, key)
    await tx.connection.execute(DONE, key, announced.version, _due_at(announced, tx.now))
    return told


async def _fill(tx: Tx, row: Any, announced: Announced, code: store.Code, told: list[Fact | Decision]) -> bool:
    """Seats that a new version has more of go to those who wait. Answers whether there may be more of both."""
    hall = await store.hall(tx.connection, row, announced, (), code, 0)
    waiting = len(hall.rows)
    hall.fill(_moment(announced, "announced", tx.now))
    await store.save(tx.connection, hall)
    told += hall.told
    return waiting > 0 and len(hall.changed) == waiting


def _passes(announced: Announced, version: int, now: int) -> Iterator[_Pass]:
    event = announced.event
    if event.cancelled:
        yield _Pass(CANCELLED, (), Hall.cancel, _moment(announced, "cancelled", now))
        return
    if version != announced.version:
        yield _Pass(MOVED, (announced.mark,), Hall.reschedule, _moment(announced, "announced", now))
    if event.confirm_ms is not None and event.confirm_ms <= now < event.ends_ms:
        yield _Pass(UNCONFIRMED, (), Hall.move_online, _moment(announced, "confirm_until", now))
    if event.ends_ms <= now:
        yield _Pass(MISSED, (), Hall.miss, _moment(announced, "ended", now))


def _moment(announced: Announced, what: str, now: int) -> Moment:
    return Moment(now, derive("event", announced.event.key, announced.version, what))


def _due_at(announced: Announced, now: int) -> int:
    """When something is to be done next."""
    event = announced.event
    ats = (event.ends_ms + KEEP_MS, *(() if event.cancelled else (event.confirm_ms, event.ends_ms)))
    return min((at for at in ats if at is not None and at > now), default=NEVER)


def _versions(seated: Mapping[str, Announced]) -> tuple[list[str], list[int]]:
    return sorted(seated), [seated[key].version for key in sorted(seated)]
