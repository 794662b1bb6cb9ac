"""A batch: what the sender learns of people, and intents that become rows of the ledger, all in the batch's transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from runtime import people
from runtime.batch import At, Emit, Item, Tx
from runtime.clock import wall_ms
from runtime.kafka import Record
from runtime.people import People, Saved
from runtime.poison import Vault
from runtime.service import Fired
from schemas import consents, facts
from schemas.facts import PROFILE_CHANGED, PROFILE_ERASED, PROFILE_MERGED, PROFILE_SPLIT, Fact, Split
from schemas.ids import partition_of
from schemas.messages import Intent, decode_intent
from services.sender import domain, erasure, parting, store
from services.sender.delivery import Delivery
from services.sender.domain import Contact
from services.sender.erasure import Refusal
from services.sender.store import Claim
from services.sender.verdicts import verdict_emit
from services.sender.waiting import Job

encode_contact = msgspec.msgpack.Encoder().encode
decode_contact = msgspec.msgpack.Decoder(Contact).decode
_WANTED = frozenset(
    kind.encode()
    for kind in (PROFILE_CHANGED, PROFILE_MERGED, PROFILE_SPLIT, PROFILE_ERASED, domain.BOUNCED, *consents.EVENTS, *domain.CHATTED)
)


def decode_fact(record: Record) -> Fact | None:
    """Only what changes a contact; the header tells, so that a page view is not even decoded."""
    kind = next((value for name, value in record.headers if name == "t"), b"")
    return facts.decode(record.value or b"") if kind in _WANTED else None


def decode_message(record: Record) -> Intent:
    return decode_intent(record.value or b"")


class Handler:
    """Handles batches; the intents that they claim are handed to `delivery` after the commit.

    They are kept until then whatever becomes of the batch: one whose commit was not heard of stands, and its rows are ours. A job
    without a row of ours starts nothing.
    """

    def __init__(self, delivery: Delivery, partitions: int) -> None:
        self._delivery, self._partitions = delivery, partitions
        self._claimed: dict[str, Job] = {}
        self.vault: Vault | None = None

    async def __call__(self, tx: Tx, items: Sequence[Item]) -> list[Emit]:
        news = [item for item in items if isinstance(item.value, Fact)]
        if news:
            await self._learn(tx, [item.value for item in news])
        intents = [item for item in items if isinstance(item.value, Intent)]
        return await self._claim(tx, intents) if intents else []

    async def committed(self) -> None:
        claimed, self._claimed = self._claimed, {}
        for job in claimed.values():
            self._delivery.put(job)

    async def _learn(self, tx: Tx, news: Sequence[Fact]) -> None:
        ids = {fact.profile for fact in news if fact.profile}
        ids |= {fact.properties["loser"] for fact in news if fact.type == PROFILE_MERGED}
        ids |= {other for fact in news if fact.type == PROFILE_ERASED for other in fact.properties["others"]}
        ids |= {part["profile"] for fact in news if fact.type == PROFILE_SPLIT for part in fact.properties["parts"]}
        crowd = await people.load(tx.connection, ids)
        names = erasure.addresses(name for fact in news if fact.type == PROFILE_CHANGED for name in fact.identifiers)
        refused = await erasure.remembered(tx.connection, self._blind, names)
        desk: dict[str, Contact] = {}
        stamped: set[str] = set()
        for fact in news:
            if fact.type == PROFILE_MERGED:
                stamped |= self._merge(crowd, desk, fact)
            person = crowd.canonical(str(fact.profile))
            if fact.type == PROFILE_SPLIT:
                stamped |= self._part(crowd, desk, person, fact, tx.now)
                continue
            if not crowd.gone(person) and await self._hear(tx, crowd, desk, person, fact, refused):
                stamped.add(person)
        saved = [Saved(person, partition_of(person, self._partitions), encode_contact(c), None) for person, c in desk.items()]
        await crowd.save(tx.connection, saved)
        if stamped:
            await tx.connection.execute(store.TOUCH, list(stamped))

    async def _hear(
        self, tx: Tx, crowd: People, desk: dict[str, Contact], person: str, fact: Fact, refused: Mapping[str, Sequence[Refusal]]
    ) -> bool:
        """One fact. True when it may forbid what was allowed."""
        contact = _contact(crowd, desk, person)
        if fact.type == PROFILE_ERASED:
            await self._erase(tx, crowd, contact, fact)
            desk.pop(person)
            return True
        if fact.lost:
            lost = {name: some for name, some in erasure.refusals(contact).items() if name in fact.lost}
            await erasure.remember(tx.connection, self._blind, lost)
        forbidden = domain.learn(contact, fact, blind=self._blind_text)
        recalled = [erasure.recall(contact, name, refused[name]) for name in fact.identifiers if name in refused]
        return forbidden or any(recalled)

    async def _erase(self, tx: Tx, crowd: People, contact: Contact, fact: Fact) -> None:
        ids = [str(fact.profile), *fact.properties["others"]]
        crowd.erase(ids, tx.now)
        await erasure.remember(tx.connection, self._blind, erasure.refusals(contact))
        await erasure.scrub(tx.connection, ids)

    def _merge(self, crowd: People, desk: dict[str, Contact], fact: Fact) -> set[str]:
        pair = crowd.merge(fact.properties["winner"], fact.properties["loser"])
        if pair is None:
            return set()
        winner, loser = pair
        domain.fold(_contact(crowd, desk, winner), _contact(crowd, desk, loser), blind=self._blind_text)
        desk.pop(loser)
        return {winner}

    def _part(self, crowd: People, desk: dict[str, Contact], person: str, fact: Fact, now: int) -> set[str]:
        if crowd.gone(person):
            return set()
        split, was = msgspec.convert(fact.properties, Split), _contact(crowd, desk, person)
        gone = [(part, crowd.canonical(part.profile)) for part in split.parts]
        for part, other in gone:
            crowd.part(other, part.others)
            if other != person and not crowd.gone(other):
                parting.go(_contact(crowd, desk, other), part, was)
        crowd.part(person, split.stay)
        parting.stay(was, fact, split, now=now, blind=self._blind_text)
        return {person, *(other for _, other in gone)}

    def _blind(self, name: str) -> bytes:
        assert self.vault is not None, "the sender needs the installation's secret"
        return self.vault.blind(name)

    def _blind_text(self, name: str) -> str:
        return self._blind(name).hex()

    async def _claim(self, tx: Tx, items: Sequence[Item]) -> list[Emit]:
        found = await store.resolved(tx.connection, {item.value.profile for item in items})
        told: list[tuple[Item, str]] = []
        claims: dict[str, tuple[Item, Intent, Claim]] = {}
        for item in items:
            row = found.get(item.value.profile)
            gone = row is not None and row["erased_at"] is not None
            # What it was for goes with him who was erased, also where it comes only afterwards: nobody scrubs it once more.
            intent: Intent = erasure.bare(item.value) if gone else item.value
            address = (
                None
                if row is None or gone or intent.for_others
                else domain.address_of(decode_contact(row["state"]), intent.channel)
            )
            # Without an address it gets a row all the same: news of the person may be on its way here (Delivery looks again).
            key = domain.address_key(intent, address) if address is not None else domain.nowhere_key(intent)
            claims[intent.id] = (item, intent, _claim_of(intent, key, row["id"] if row is not None else intent.profile))
        claimed, refused = await store.claim(tx.connection, [c for *_, c in claims.values()], self._delivery.owner)
        for id_, (item, intent, claim) in claims.items():
            if id_ in claimed:
                self._claimed[id_] = Job(intent, claim.profile, claim.address_key, since=wall_ms(), shelf=claim.shelf)
            elif id_ in refused:
                told.append((item, "same_address"))
        order = {id(item): n for n, item in enumerate(items)}
        told.sort(key=lambda one: order[id(one[0])])  # a src's emits leave in the order of its records
        return [verdict_emit(item.value, "skipped", rule, tx.now, tx.at(item)) for item, rule in told]


def _contact(crowd: People, desk: dict[str, Contact], person: str) -> Contact:
    if person not in desk:
        state = crowd.state(person)
        desk[person] = decode_contact(state) if state else Contact()
    return desk[person]


def _claim_of(intent: Intent, key: bytes, person: str) -> Claim:
    body = msgspec.json.encode(intent)
    return Claim(
        intent.id,
        key,
        person,
        intent.channel,
        intent.message_class,
        intent.attempt,
        intent.not_after,
        body,
        intent.received_at,
        domain.shelf(intent),
    )


class Doubts:
    """The timer lane: what stays in doubt for 72 hours is closed as unknown, and said so."""

    async def due(self, connection: Any, _partitions: Sequence[int], now: int) -> bool:
        query = "SELECT EXISTS (SELECT FROM attempt WHERE state = 'in_doubt' AND started_at <= $1)"
        return bool(await connection.fetchval(query, now - domain.DOUBT_MS))

    async def fire(self, tx: Tx, ats: Mapping[int, At], limit: int) -> Fired:
        rows = await tx.connection.fetch(store.AGED, tx.now, tx.now - domain.DOUBT_MS, limit)
        at = ats[min(ats)]
        intents = sorted((decode_intent(row["intent"]) for row in rows), key=lambda i: i.id)
        emits = [verdict_emit(intent, "unknown", "in_doubt:72h", tx.now, at) for intent in intents]
        return Fired(emits, len(rows), tx.now if rows else 0)
