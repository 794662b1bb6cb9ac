"""What is written when an attempt ends: the row, the verdict, the fact, and what it says of the address, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from runtime import own, people
from runtime.batch import At, Emit
from runtime.db import Connection
from runtime.people import Saved
from runtime.settings import Settings
from schemas.ids import partition_of
from schemas.messages import Intent, decode_intent
from services.sender import domain, store
from services.sender.channels.contract import Rendered, Result
from services.sender.domain import Contact, Next, Outcome
from services.sender.store import Ended
from services.sender.verdicts import bounced_emit, sent_emit, verdict_emit

NOWHERE = At("", 0, 0)
RESULTS = "results"
LOCK_CLASS = 7001  # of the advisory locks that say which incarnation lives

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Contact).decode


class Record(NamedTuple):
    """How an attempt ended. state retry: again at next_at; suppress: why its address is never to be used again; gate: number of that which
    holds it. gone: the version of the endpoint that is to be called no more, 0 for none.
    """

    intent: Intent
    person: str
    state: str
    rule: str = ""
    next_at: int = 0
    code: str = ""
    provider_id: str | None = None
    repeat: bool = False
    suppress: str = ""
    address: str = ""
    gate: int = 0
    gone: int = 0


def record_of(intent: Intent, person: str, after: Next, result: Result, message: Rendered) -> Record:
    return Record(
        intent,
        person,
        after.state,
        after.rule,
        after.at,
        result.code,
        result.provider_id,
        after.repeat,
        after.suppress,
        message.address,
        gone=message.options.get("version", 0) if result.outcome is Outcome.GONE else 0,
    )


async def write(connection: Connection, settings: Settings, owner: int, now: int, group: Sequence[Record]) -> set[str]:
    """Write a group. Returns the ids whose rows were still ours to end; the others changed nothing.

    An attempt ends once: of two records of it (clicks that come together reconcile it twice) the first one counts.
    """
    group = list({r.intent.id: r for r in reversed(group)}.values())[::-1]
    await _suppress(connection, settings, now, [r for r in group if r.suppress and not r.intent.for_others])
    managers = {domain.address_hash(r.address): r.suppress for r in group if r.suppress and r.intent.for_others}
    if managers:
        await store.refuse_managers(connection, managers, now)
    await store.switch_off(connection, {(r.intent.template, r.gone) for r in group if r.gone}, now)
    rows = [_ended(record) for record in group]
    ended = await store.finish(connection, owner, now, rows)
    emits: list[Emit] = []
    for record in group:
        if record.intent.id not in ended or record.state == "retry":
            continue
        emits.append(verdict_emit(record.intent, record.state, record.rule, now, NOWHERE, record.gate))
        if record.state == "accepted":
            emits.append(sent_emit(record.intent, record.person, now, NOWHERE))
        elif record.suppress == Outcome.PERMANENT_ADDRESS and record.intent.channel == "email" and not record.intent.for_others:
            emits.append(bounced_emit(record.intent, record.person, now, NOWHERE))
    if emits:
        await own.publish_in(connection, settings, "sender", RESULTS, emits)
    return ended


def _ended(record: Record) -> Ended:
    intent, again = record.intent, record.state == "retry"
    state, shelf = ("taken", domain.shelf(intent, again=True)) if again else (record.state, "")
    return Ended(intent.id, intent.attempt, state, record.code, record.provider_id, record.next_at, record.repeat, shelf)


async def _suppress(connection: Connection, settings: Settings, now: int, records: Sequence[Record]) -> None:
    if not records:
        return
    crowd = await people.load(connection, {r.person for r in records})
    desk: dict[str, Contact] = {}
    for record in records:
        person = crowd.canonical(record.person)
        state = crowd.state(person)
        contact = desk.setdefault(person, _decode(state) if state else Contact())
        domain.suppress(contact, record.intent.channel, record.address, record.suppress, now)
    saved = [Saved(p, partition_of(p, settings.partitions), _encode(c), None) for p, c in desk.items()]
    await crowd.save(connection, saved)


@dataclass(slots=True)
class Adopted:
    """What is ours now of incarnations that are gone: rows to be held, and the shelves with when something of them is due (ms)."""

    rows: list[Any] = field(default_factory=list)
    shelves: list[tuple[str, int]] = field(default_factory=list)


async def adopt(connection: Connection, settings: Settings, owner: int, prober: Any, now: int) -> Adopted:
    """Take over what incarnations that are gone have left."""
    adopted = Adopted()
    for row in await connection.fetch(store.OWNERS, owner):
        dead = row["owner"]
        if not await prober.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCK_CLASS, dead):
            continue  # it lives, perhaps frozen: its attempts are its own
        try:
            doubtful = [decode_intent(r["intent"]) for r in await connection.fetch(store.DOUBT, dead)]
            if doubtful:
                emits = [verdict_emit(i, "in_doubt", "process ended", now, NOWHERE) for i in sorted(doubtful, key=lambda i: i.id)]
                await own.publish_in(connection, settings, "sender", RESULTS, emits)
            adopted.shelves += [(r["shelf"], r["due"]) for r in await connection.fetch(store.ADOPT_SHELVES, dead, owner)]
            for query in (store.REPEAT, store.ADOPT):
                adopted.rows += await connection.fetch(query, dead, owner)
        finally:
            await prober.execute("SELECT pg_advisory_unlock($1, $2)", LOCK_CLASS, dead)
    return adopted
