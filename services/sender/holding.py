"""What the sender keeps of a person, for his copy of it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from runtime.db import Connection
from schemas.messages import decode_intent
from schemas.permission import Said
from services.sender.domain import Contact

STATES = "SELECT state FROM person WHERE id = ANY($1::uuid[]) AND merged_into IS NULL AND erased_at IS NULL AND state <> ''"
SENT = "SELECT intent, state, started_at FROM attempt WHERE profile = ANY($1::uuid[]) ORDER BY received_at, id"
_decode = msgspec.msgpack.Decoder(Contact).decode


async def held(connection: Connection, people: Sequence[str]) -> dict[str, Any]:
    """{addresses, permissions: {"brand|channel|topic": {yes, no, requested, ends}}, refused_by_providers, messages: [{id, brand, channel, class,
    document, step, template, decided_at, sent_at, state, data}]}; times in ms.
    """
    contacts = [_decode(row["state"]) for row in await connection.fetch(STATES, list(people))]
    words = ((key, word) for contact in contacts for key, word in contact.words.items())
    return {
        "addresses": {kind: value for contact in contacts for kind, (_, value) in contact.addresses.items()},
        "permissions": {key: _said(said) for key, said in sorted(words)},
        "refused_by_providers": [
            {"channel": name.partition("|")[0], "at": at, "reason": reason}
            for contact in contacts
            for name, (at, reason) in contact.suppressed.items()
        ],
        "messages": [_message(row) for row in await connection.fetch(SENT, list(people))],
    }


def _said(said: Said) -> dict[str, int]:
    told = {"yes": said.yes, "no": said.no, "requested": said.asked, "ends": -1 if said.until is None else said.until}
    return {name: at for name, at in told.items() if at >= 0}


def _message(row: Any) -> dict[str, Any]:
    intent = decode_intent(row["intent"])
    return {
        "id": intent.id,
        "brand": intent.brand,
        "channel": intent.channel,
        "class": intent.message_class,
        "document": intent.document,
        "step": intent.step,
        "template": f"{intent.template}@{intent.template_version}",
        "decided_at": intent.received_at,
        "sent_at": row["started_at"],
        "state": row["state"],
        "data": intent.data,
    }
