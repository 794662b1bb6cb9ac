"""The ledger of consents: what each word becomes there, and the chain that shows that none was changed or left out. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from schemas import consents, permission
from schemas.facts import Fact
from schemas.permission import Said

GENESIS = b"\0" * 32
_KEPT = ("text_id", "text_sha256", "language", "policy_version", "controller", "jurisdiction", "actor")
_YES = ("granted", "requested", "confirmed_doi")
_encode = msgspec.json.Encoder(order="deterministic").encode


class Entry(NamedTuple):
    """One word of one person. partition, number: its place in a chain; prev, hash: of the entry before and its own (sha256).

    home: of the identifier by which it is his, None in entries of before. terms: what the word was given under, as JSON; sealed: what identifies the person or proves the word, encrypted, None once it was
    erased: the chain holds its hash. Times in ms.
    """

    partition: int
    number: int
    profile: str
    home: str | None
    fact: str
    brand: str
    channel: str
    topic: str
    purpose: str
    action: str
    basis: str
    state: str
    source: str
    occurred_at: int
    recorded_at: int
    expires_at: int | None
    terms: bytes
    sealed: bytes | None
    sealed_hash: bytes
    prev: bytes
    hash: bytes


def entry(fact: Fact, profile: str, home: str, place: tuple[int, int], prev: bytes, sealed: bytes) -> Entry:
    """The entry of a word at a place of a chain. sealed: `evidence_of(fact)`, encrypted."""
    channel, topic = consents.about(fact)
    said = fact.properties
    made = Entry(
        *place,
        profile=profile,
        home=home,
        fact=fact.id,
        brand=fact.brand,
        channel=channel,
        topic=topic,
        purpose=_text(said.get("purpose"), "marketing"),
        action=consents.action(fact),
        basis=_text(said.get("basis"), "consent"),
        state=_state(fact),
        source=fact.source,
        occurred_at=fact.occurred_at,
        recorded_at=fact.received_at,
        expires_at=consents.ends_at(fact),
        terms=_encode(_terms(said)),
        sealed=sealed,
        sealed_hash=hashlib.sha256(sealed).digest(),
        prev=prev,
        hash=b"",
    )
    return made._replace(hash=hash_of(made))


def _terms(said: Mapping[str, Any]) -> dict[str, Any]:
    terms: dict[str, Any] = {name: _text(said[name], "") for name in _KEPT if said.get(name)}
    if type(asked := said.get("requested_at")) is int:
        terms["requested_at"] = asked
    return terms


def _state(fact: Fact) -> str:
    """pending: it permits nothing before it is confirmed; unproven: nothing that marketing may rely on."""
    if consents.is_request(fact):
        return "pending"
    return "proven" if consents.is_proven(fact) else "unproven"


def evidence_of(fact: Fact, only: Sequence[str] | None = None) -> bytes:
    """What identifies the person or proves the word, as JSON: his identifiers then, the evidence, the connection.

    only: of a no that somebody else said, the identifiers of his that it named; all else is that one's.
    """
    if only is not None:
        return _encode({"identifiers": only, "evidence": None, "context": {}})
    context = {name: fact.context[name] for name in ("ip", "userAgent", "page") if name in fact.context}
    return _encode({"identifiers": fact.identifiers, "evidence": fact.properties.get("evidence"), "context": context})


def hash_of(one: Entry) -> bytes:
    """Of all that an entry says, with the hash of the one before; of what is sealed its hash, so that it can be erased."""
    said = {name: value for name, value in one._asdict().items() if name not in ("sealed", "hash")}
    if one.home is None:
        del said["home"]  # entries of before had none
    plain: Mapping[str, Any] = {name: value.hex() if isinstance(value, bytes) else value for name, value in said.items()}
    return hashlib.sha256(_encode(plain)).digest()


def broken(one: Entry, prev: bytes, number: int) -> str:
    """What is wrong with an entry that must follow another one in its chain, "" if nothing is."""
    if one.number != number:
        return "missing"
    if one.prev != prev or one.hash != hash_of(one):
        return "changed"
    if one.sealed is not None and hashlib.sha256(one.sealed).digest() != one.sealed_hash:
        return "evidence"
    return ""


def words(entries: Iterable[Entry]) -> dict[str, Said]:
    """What these entries come to, by subject: what `permission.word` says of their facts, joined."""
    found: dict[str, Said] = {}
    for one in entries:
        if (said := _said(one)) != Said():
            key = permission.subject(one.brand, one.channel, one.topic)
            found[key] = permission.joined(found.get(key, said), said)
    return found


def _said(one: Entry) -> Said:
    if one.action not in _YES:
        return Said(no=one.occurred_at)
    if one.channel not in (*consents.CHANNELS, permission.ALL):
        return Said()
    if one.state == "pending":
        return Said(asked=one.occurred_at, asked_until=one.expires_at)
    if one.state != "proven":
        return Said()
    asked = msgspec.json.decode(one.terms).get("requested_at", -1) if one.action == "confirmed_doi" else -1
    return Said(yes=min(asked, one.occurred_at) if asked >= 0 else one.occurred_at, until=one.expires_at)


def _text(value: Any, default: str) -> str:
    return str(value)[:500].replace("\x00", "") if value else default
