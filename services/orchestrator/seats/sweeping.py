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
) OR EXISTS (SELECT FROM hall WHERE ends_at <= $4)
"""
NEXT = """
SELECT u.event FROM unnest($1::text[], $2::int[]) AS u (event, version) LEFT JOIN hall h USING (event)
WHERE h.version IS DISTINCT FROM u.version OR h.due_at <= $3 ORDER BY h.due_at NULLS FIRST, u.event LIMIT 1
"""
# Whether its event is in force or not; of one that is, its row stays.
OVER = "SELECT event FROM hall WHERE ends_at <= $1 ORDER BY ends_at, event LIMIT 1 FOR UPDATE"
FORGET = """
DELETE FROM registration WHERE event = $1 AND profile IN (SELECT profile FROM registration WHERE event = $1 ORDER BY place LIMIT $2)
"""
CLOSE = "DELETE FROM hall WHERE event = $1"
FORGOTTEN = "UPDATE hall SET ends_at = NULL, taken = NULL WHERE event = $1"
DONE = "UPDATE hall SET version = $2, due_at = $3, settles_at = $4, ends_at = $5 WHERE event = $1"
_ACTIVE = "status IN ('requested', 'confirmed', 'waitlisted', 'moved_online')"
_OF = f"SELECT {store.COLUMNS} FROM registration WHERE event = $1 AND "  # noqa: S608 - no values
_LIMIT = " ORDER BY place, profile LIMIT $2"
CANCELLED = f"{_OF} {_ACTIVE} {_LIMIT}"
MOVED = f"{_OF} {_ACTIVE} AND told <> $3 {_LIMIT}"
UNCONFIRMED = f"{_OF} status = 'confirmed' AND NOT online AND NOT coming {_LIMIT}"
HUSHED = f"{_OF} status = 'waitlisted' AND hushed {_LIMIT}"
MISSED = f"{_OF} status IN ('confirmed', 'moved_online') {_LIMIT}"


class _Pass(NamedTuple):
    """Some of an event's people, and what is done to each."""

    query: str
    more: tuple[str, ...]
    do: Callable[[Hall, Registration, Moment], None]
    moment: Moment


async def is_due(connection: Connection, seated: Mapping[str, Announced], now: int) -> bool:
    return bool(await connection.fetchval(IS_DUE, *_versions(seated), now, now - KEEP_MS))


async def sweep(tx: Tx, seated: Mapping[str, Announced], token: Callable[[str], str]) -> list[Fact | Decision] | None:
    """One chunk of the event that has waited longest; None: nothing is due."""
    key = await tx.connection.fetchval(NEXT, *_versions(seated), tx.now) if seated else None
    if key is None:
        return await _forget(tx, seated)
    row = (await store.lock(tx.connection, [key]))[key]
    announced, settles = seated[key], row["settles_at"]
    settled = settles is not None and settles <= tx.now
    code, told = check_in_code(token), list[Fact | Decision]()
    if await _fill(tx, row, announced, code, told, settled=settled):
        return told
    for one in _passes(announced, row, tx.now, settled=settled):
        found = await tx.connection.fetch(one.query, key, CHUNK, *one.more)
        hall = await store.hall(tx.connection, row, announced, (), code, len(found), found)
        hall.gathers &= not settled
        for who in found:
            one.do(hall, hall.rows[who["profile"]], one.moment)
        hall.fill(one.moment)  # of seats that this freed
        await store.save(tx.connection, hall, row, tx.now)
        told += hall.told
        if len(found) == CHUNK:
            return told
    rest = None if settled else settles
    due_at = min(_due_at(announced, tx.now), NEVER if rest is None else rest)
    await tx.connection.execute(DONE, key, announced.version, due_at, rest, announced.event.ends_ms)
    return told


async def _forget(tx: Tx, seated: Mapping[str, Announced]) -> list[Fact | Decision] | None:
    """Some people of an event that ended long ago."""
    key = await tx.connection.fetchval(OVER, tx.now - KEEP_MS)
    if key is None:
        return None
    gone = await tx.connection.execute(FORGET, key, CHUNK)
    if int(gone.rsplit(" ", 1)[1]) < CHUNK:
        await tx.connection.execute(FORGOTTEN if key in seated else CLOSE, key)
    return []


async def _fill(
    tx: Tx, row: dict[str, Any], announced: Announced, code: store.Code, told: list[Fact | Decision], *, settled: bool
) -> bool:
    """Seats that a new version has more of, or of a selection that has been heard, go to those who wait. Answers whether there may be
    more of both.
    """
    hall = await store.hall(tx.connection, row, announced, (), code, 0)
    hall.gathers &= not settled
    waiting = len(hall.rows)
    hall.fill(_selected(announced, row, tx.now) if settled else _moment(announced, "announced", tx.now))
    await store.save(tx.connection, hall, row, tx.now)
    told += hall.told
    return waiting > 0 and len(hall.changed) == waiting


def _passes(announced: Announced, row: Any, now: int, *, settled: bool) -> Iterator[_Pass]:
    event = announced.event
    if event.cancelled:
        yield _Pass(CANCELLED, (), Hall.cancel, _moment(announced, "cancelled", now))
        return
    if settled:
        yield _Pass(HUSHED, (), Hall.tell_waiting, _selected(announced, row, now))
    if row["version"] != announced.version:
        yield _Pass(MOVED, (announced.mark,), Hall.reschedule, _moment(announced, "announced", now))
    if event.confirm_ms is not None and event.confirm_ms <= now < event.ends_ms:
        yield _Pass(UNCONFIRMED, (), Hall.move_online, _moment(announced, "confirm_until", now))
    if event.ends_ms <= now:
        yield _Pass(MISSED, (), Hall.miss, _moment(announced, "ended", now))


def _moment(announced: Announced, what: str, now: int) -> Moment:
    return Moment(now, derive("event", announced.event.key, announced.version, what))


def _selected(announced: Announced, row: Any, now: int) -> Moment:
    return _moment(announced, f"selected:{row['settles_at']}", now)


def _due_at(announced: Announced, now: int) -> int:
    """When something is to be done next."""
    event = announced.event
    ats = () if event.cancelled else (event.confirm_ms, event.ends_ms)
    return min((at for at in ats if at is not None and at > now), default=NEVER)


def _versions(seated: Mapping[str, Announced]) -> tuple[list[str], list[int]]:
    return sorted(seated), [seated[key].version for key in sorted(seated)]
