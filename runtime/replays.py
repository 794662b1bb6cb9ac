"""Dead letters: listed, and published again for the service that could not take them.

A replayed record goes to the partition that it came from through the service's own outbox, in the transaction that marks it, with
a new `src` and `seq` (the old ones would be dropped as seen). Its `t` header says for whom it is: the other readers of the topic
have had it already.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from runtime import own
from runtime.batch import Decode, Emit
from runtime.db import Database
from runtime.kafka import Headers, Record
from runtime.poison import name_of
from schemas.topics import BY_NAME

if TYPE_CHECKING:
    from runtime.process import Context

LANE = "replays"
MARK = b"replay:"
LIST = """
SELECT id, topic, partition, "offset", reason, detail, buried_at, expires_at, replayed_at FROM dead_letter
WHERE id > $1 ORDER BY id LIMIT $2
"""
TAKE = """
SELECT id, topic, partition, "offset", record FROM dead_letter WHERE id = ANY($1::bigint[]) AND replayed_at IS NULL
ORDER BY id FOR UPDATE
"""
MARKED = "UPDATE dead_letter SET replayed_at = $2 WHERE id = ANY($1::bigint[])"
_NOTHING = own.unplaced("", "", b"").at


class Typed(msgspec.Struct):
    type: str = ""
    event: str = ""


class Again:
    """A replayed record as its decoder wants to see it: the `t` header says the record's type, as every emit's does."""

    __slots__ = ("headers", "key", "offset", "partition", "timestamp", "topic", "value")

    def __init__(self, record: Record) -> None:
        self.topic, self.partition, self.offset = record.topic, record.partition, record.offset
        self.timestamp, self.key, self.value = record.timestamp, record.key, record.value
        named = msgspec.json.decode(record.value or b"", type=Typed)
        kind = named.event or named.type
        self.headers: Headers = [("t", kind.encode())] if kind else []


def for_me(service: str, decode: Decode) -> Decode:
    """The decoder of one service, passing by what is replayed for another."""
    mine = MARK + service.encode()

    def decoded(record: Record) -> Any:
        headers = record.headers
        if headers and headers[0][1].startswith(MARK):
            return decode(Again(record)) if headers[0][1] == mine else None
        return decode(record)

    return decoded


async def listed(db: Database, after: int, limit: int) -> list[dict[str, Any]]:
    """Dead letters with ids above `after`, oldest first, without their records."""
    async with db.connection() as connection:
        return [dict(row) for row in await connection.fetch(LIST, after, limit)]


async def replay(context: "Context", ids: Sequence[int]) -> dict[str, Any]:
    """Publish these again. Answers `{"replayed": [ids], "refused": [{"id", "code"}]}`; what was replayed before is passed by.

    code: `not_found` (or replayed already), `not_json` (nobody could read it a second time either), `no_record` (it never was one of
    a topic: the service has its own way).
    """
    name = context.service.name
    refused: dict[int, str] = {}
    emits: list[Emit] = []
    done: list[int] = []
    async with context.db.transaction() as connection:
        rows = await connection.fetch(TAKE, list(ids))
        refused.update(dict.fromkeys(set(ids) - {row["id"] for row in rows}, "not_found"))
        for row in rows:
            if row["topic"] not in BY_NAME:
                refused[row["id"]] = "no_record"
                continue
            record = context.vault.open(row["record"], name_of(row["topic"], row["partition"], row["offset"]))
            if not (record.lstrip()[:1] == b"{" and record.rstrip()[-1:] == b"}"):
                refused[row["id"]] = "not_json"
                continue
            emits.append(Emit(row["topic"], "", record, _NOTHING, (MARK + name.encode()).decode(), row["partition"]))
            done.append(row["id"])
        if emits:
            now = await own.publish_in(connection, context.settings, name, LANE, emits)
            await connection.execute(MARKED, done, now)
    context.relay.wake.set()
    return {"replayed": done, "refused": [{"id": number, "code": code} for number, code in sorted(refused.items())]}
