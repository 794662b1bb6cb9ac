"""The tables of events with seats. Whoever changes a registration holds the row of its event in `hall`, so that seats are counted exactly;
a registration begins under the lock of its person's row too, so that merges and erasures miss none.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec

from runtime.db import Again, Connection
from services.orchestrator.domain.seating import Announced, Hall, Registration

ENSURE = "INSERT INTO hall (event) SELECT u FROM unnest($1::text[]) AS u ORDER BY u ON CONFLICT DO NOTHING"
LOCK = "SELECT event, version, place, settles_at, taken FROM hall WHERE event = ANY($1::text[]) ORDER BY event FOR UPDATE"
TAKEN = "SELECT count(*) FROM registration WHERE event = $1 AND seated"
COLUMNS = "profile::text AS profile, id::text AS id, status, online, seated, rank, place, said_at, coming, answers, home, code, told, others, hushed"
OF_PEOPLE = f"SELECT {COLUMNS} FROM registration WHERE event = $1 AND profile = ANY($2::uuid[])"  # noqa: S608 - no values
WAITING = f"""
SELECT {COLUMNS} FROM registration WHERE event = $1 AND status = 'waitlisted' ORDER BY rank NULLS LAST, place LIMIT $2
"""  # noqa: S608
EVENTS_OF = "SELECT DISTINCT event FROM registration WHERE profile = ANY($1::uuid[])"
DROP = "DELETE FROM registration WHERE event = $1 AND profile = ANY($2::uuid[])"
SAVE = """
INSERT INTO registration AS r (event, profile, id, status, online, seated, rank, place, said_at, coming, answers, home, code, told, others, hushed)
SELECT $1, u.* FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::boolean[], $6::boolean[], $7::int[], $8::bigint[], $9::bigint[],
    $10::boolean[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::boolean[]) AS u
ON CONFLICT (event, profile) DO UPDATE SET id = EXCLUDED.id, status = EXCLUDED.status, online = EXCLUDED.online, seated = EXCLUDED.seated,
    rank = EXCLUDED.rank, place = EXCLUDED.place, said_at = EXCLUDED.said_at, coming = EXCLUDED.coming, answers = EXCLUDED.answers,
    home = EXCLUDED.home, code = EXCLUDED.code, told = EXCLUDED.told, others = EXCLUDED.others, hushed = EXCLUDED.hushed
"""
PLACE = "UPDATE hall SET place = $2, ends_at = $3, taken = $4 WHERE event = $1"
# Each of its facts makes the seats wait a little longer for the others: they come by several partitions.
GATHER = "UPDATE hall SET settles_at = $2, due_at = least(due_at, $2) WHERE event = $1"
# Of events that are in force no more: their seats are counted once they are again.
UNCOUNT = "UPDATE hall SET taken = NULL WHERE event = $1"
REST = """
UPDATE registration r SET profile = $2 WHERE profile = $1 AND event <> ALL($3::text[])
    AND NOT EXISTS (SELECT FROM registration o WHERE (o.event, o.profile) = (r.event, $2))
"""
FORGET = "DELETE FROM registration WHERE profile = ANY($1::uuid[]) AND event <> ALL($2::text[])"

GATHER_MS = 5_000  # so long after the last that was heard of a selection its seats are given
AT_ONCE = 100  # so many who wait are seated in one transaction when a limit is taken away

_json = msgspec.json.Encoder().encode
_answers = msgspec.json.Decoder(dict[str, str]).decode
_others = msgspec.json.Decoder(tuple[Registration, ...]).decode
Code = Callable[[str], str]


async def lock(connection: Connection, events: Collection[str]) -> dict[str, dict[str, Any]]:
    """The rows of these events by key, locked in one order."""
    if not events:
        return {}
    await connection.execute(ENSURE, sorted(events))
    return {row["event"]: dict(row) for row in await connection.fetch(LOCK, sorted(events))}


async def hall(
    connection: Connection,
    row: Any,
    announced: Announced,
    people: Collection[str],
    code: Code,
    acts: int,
    more: Sequence[Any] = (),
) -> Hall:
    """An event whose row is locked, with these people and who may be seated next. acts: at most so many of them free a seat; more: rows
    that were read already.
    """
    event = announced.event
    if row["version"] > announced.version:
        raise Again("the event was announced anew since the batch began")
    taken = row["taken"] if row["taken"] is not None else await connection.fetchval(TAKEN, event.key)
    found = {one["profile"]: one for one in more}
    if people:
        found |= {one["profile"]: one for one in await connection.fetch(OF_PEOPLE, event.key, sorted(people))}
    free = max(0, (event.seats or 0) - taken)
    most = acts * 2 + (free if event.seats is not None else 0) + (AT_ONCE if event.seats is None else 0)
    found |= {one["profile"]: one for one in await connection.fetch(WAITING, event.key, most) if one["profile"] not in found}
    return Hall(
        announced, [registration(one) for one in found.values()], taken, row["place"], code, gathers=row["settles_at"] is not None
    )


async def save(connection: Connection, hall: Hall, row: dict[str, Any], now: int) -> None:
    """row: that of the event, which tells afterwards what it has now. now: ms."""
    key = hall.event.key
    if hall.gone:
        await connection.execute(DROP, key, hall.gone)
    if changed := hall.changed:
        columns = zip(*(_columns(one) for one in changed), strict=True)
        await connection.execute(SAVE, key, *map(list, columns))
    await connection.execute(PLACE, key, hall.place, hall.event.ends_ms, hall.taken)
    row.update(place=hall.place, taken=hall.taken)
    if hall.selected:
        await connection.execute(GATHER, key, now + GATHER_MS)


def registration(row: Any) -> Registration:
    return Registration(
        row["profile"], row["id"], row["status"], row["online"], row["place"], row["said_at"], row["home"], row["seated"], row["rank"],
        row["coming"], _answers(row["answers"]), row["code"], row["told"], _others(row["others"]),
        row["hushed"],
    )  # fmt: skip


def _columns(one: Registration) -> tuple[Any, ...]:
    return (
        one.profile, one.id, one.status, one.online, one.seated, one.rank, one.place, one.said_at, one.coming,
        _json(one.answers).decode(), one.home, one.code, one.told, _json(one.others).decode(), one.hushed,
    )  # fmt: skip
