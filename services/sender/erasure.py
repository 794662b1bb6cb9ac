"""Somebody is forgotten: what his address has refused is kept by its keyed hash, what was sent to him without its content."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from runtime.db import Connection
from schemas.messages import Intent, decode_intent
from schemas.topics import ADDRESS_KIND
from services.sender import domain
from services.sender.domain import Contact, Outcome

Blind = Callable[[str], bytes]

REMEMBER = """
INSERT INTO suppression (hash, word, at, reason) SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::text[]) ORDER BY 1, 2
ON CONFLICT (hash, word) DO UPDATE SET at = greatest(suppression.at, EXCLUDED.at), reason = EXCLUDED.reason
"""
REMEMBERED = "SELECT hash, word, at, reason FROM suppression WHERE hash = ANY($1::bytea[])"
OF_PEOPLE = "SELECT id::text AS id, intent FROM attempt WHERE profile = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
SCRUB = """
UPDATE attempt a SET intent = u.intent, address_key = u.address_key, links = NULL
FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS u (id, intent, address_key) WHERE a.id = u.id
"""
# Where he stood in surveys that he has not ended: their links open for nobody any more.
LEAVE = "DELETE FROM survey_answer WHERE message = ANY($1::uuid[])"


class Refusal(NamedTuple):
    """What is remembered of an address. word: "brand|channel|topic" of a no, or a channel whose provider refused it for `reason`."""

    word: str
    at: int
    reason: str


def refusals(contact: Contact, kinds: Collection[str] = tuple(ADDRESS_KIND.values())) -> dict[str, list[Refusal]]:
    """What the addresses of these kinds have refused: "kind:address" -> refusals."""
    found: dict[str, list[Refusal]] = {}
    channels = {kind: channel for channel, kind in ADDRESS_KIND.items()}
    for kind in contact.addresses.keys() & set(kinds):
        channel, address = channels[kind], contact.addresses[kind][1]
        nos = (
            Refusal(key, said.no, "") for key, said in contact.words.items() if said.no >= max(said.yes, 0) and _is_of(key, channel)
        )
        bad = contact.suppressed.get(f"{channel}|{domain.address_hash(address)}")
        # A block lasts until he writes to the bot again, and what he wrote last goes with him. That he wanted no letters is a word.
        lasting = [Refusal(channel, *bad)] if bad and bad[1] != Outcome.BLOCKED_BY_USER else []
        found[f"{kind}:{address}"] = [*nos, *lasting]
    return found


def _is_of(key: str, channel: str) -> bool:
    return key.split("|")[1] in (channel, "*")


def recall(contact: Contact, name: str, known: Iterable[Refusal]) -> bool:
    """An address that was somebody's before: what it refused then still holds. True when there was anything."""
    held = list(known)
    for refusal in held:
        brand, *rest = refusal.word.split("|", 2)
        if rest:
            domain.withdraw(contact, brand, rest[0], rest[1], refusal.at)
        else:
            domain.suppress(contact, refusal.word, name.partition(":")[2], refusal.reason, refusal.at)
    return bool(held)


def addresses(names: Iterable[str]) -> set[str]:
    """Those that something can have been refused for: of what else a person is known by nothing is remembered."""
    return {name for name in names if name.partition(":")[0] in ADDRESS_KIND.values()}


async def remember(connection: Connection, blind: Blind, refused: Mapping[str, Sequence[Refusal]]) -> None:
    rows = [(blind(name), *refusal) for name, some in refused.items() for refusal in some]
    if rows:
        await connection.execute(REMEMBER, *(list(column) for column in zip(*rows, strict=True)))


async def remembered(connection: Connection, blind: Blind, names: Collection[str]) -> dict[str, list[Refusal]]:
    """What these names ("kind:address") have refused when they were somebody's who was erased."""
    by_hash = {blind(name): name for name in names}
    found: dict[str, list[Refusal]] = {}
    for row in await connection.fetch(REMEMBERED, list(by_hash)) if by_hash else ():
        found.setdefault(by_hash[row["hash"]], []).append(Refusal(row["word"], row["at"], row["reason"]))
    return found


def bare(intent: Intent) -> Intent:
    """That it was, and nothing of what it said."""
    return replace(intent, data={})


async def scrub(connection: Connection, ids: Sequence[str]) -> None:
    """Leave of what was sent to these people that it was, and nothing of what it said or to which address."""
    rows = [(row["id"], decode_intent(row["intent"])) for row in await connection.fetch(OF_PEOPLE, list(ids))]
    if rows:
        intents = [msgspec.json.encode(bare(intent)) for _, intent in rows]
        await connection.execute(SCRUB, [id_ for id_, _ in rows], intents, [domain.nowhere_key(intent) for _, intent in rows])
        await connection.execute(LEAVE, [id_ for id_, _ in rows])
