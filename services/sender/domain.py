"""May it be sent, and what follows from a provider's answer. Pure."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgspec
import phonenumbers

from schemas import attributes, bots, consents, permission
from schemas.facts import PROFILE_CHANGED, PROFILE_MERGED, Fact
from schemas.messages import Intent
from schemas.permission import FLAT, Said, Tree, subject
from schemas.policies import FORBIDDEN, Cell
from schemas.topics import ADDRESS_KIND

CHATTED = bots.HEARD | {bots.UNBLOCKED}  # whoever does this can be written to by the bot
RUSSIA = dict.fromkeys(("РФ", "РОССИЯ", "РОССИЙСКАЯ ФЕДЕРАЦИЯ", "RUSSIA", "RUSSIAN FEDERATION", "RUS", "643"), "RU")
STALE_MS = 30_000  # a consent copy older than this lets only service messages out
SUPPRESSED = 8  # addresses of a person on a channel that are known to be bad
DOUBT_MS = 72 * 3_600_000  # in doubt for so long is closed as unknown
BACKOFF_MS = (1_000, 5_000, 30_000, 120_000, 600_000, 1_800_000)
# Of a webhook: growing pauses over a day; then it has failed.
WEBHOOK_PAUSES_MS = tuple(1000 * s for s in (5, 30, 120, 600, 1_800, 3_600, 7_200, 10_800, 18_000, 28_800))
LONGEST_PAUSE_MS = 3_600_000  # of an endpoint, whatever it asks for
BOUNCED = "Email Bounced"
# What becomes of an attempt that was not made, where the rule says more than that it is skipped: these are decided again.
UNSENT = {"not_after": "late", "address_changed": "late", "parted": "late", "paused": "held"}
RANK = {"service": 0, "triggered": 1, "mass": 2}


class Outcome(StrEnum):
    """What became of one attempt, by what must be done about it.

    accepted: the provider has it. throttled: later, slower; nothing against the address. transient: nothing was handed over or the
    provider said "not now"; a repeat is safe. permanent_address: never this address again. permanent_content: never this text (stop the
    campaign). blocked_by_user: he refused; he may return. auth, policy: stop the channel or domain, never the address.
    unknown: the request may have been accepted; only the class of the message says whether it may be repeated. not_configured: there is
    no provider to ask. Of webhooks: rejected: the receiver will never take this call; gone: nor any other, ever; forbidden_address: it
    leads where nobody may call.
    """

    ACCEPTED = "accepted"
    THROTTLED = "throttled"
    TRANSIENT = "transient"
    PERMANENT_ADDRESS = "permanent_address"
    PERMANENT_CONTENT = "permanent_content"
    BLOCKED_BY_USER = "blocked_by_user"
    AUTH = "auth"
    POLICY = "policy"
    UNKNOWN = "unknown"
    NOT_CONFIGURED = "not_configured"
    REJECTED = "rejected"
    GONE = "gone"
    FORBIDDEN_ADDRESS = "forbidden_address"


FINAL = frozenset(
    (Outcome.PERMANENT_CONTENT, Outcome.NOT_CONFIGURED, Outcome.REJECTED, Outcome.GONE, Outcome.FORBIDDEN_ADDRESS)
)  # of this message there is nothing more to be hoped, and its address is not to blame


class Contact(msgspec.Struct, array_like=True):
    """What the sender knows of a person.

    addresses: identifier kind -> (since ms, address); attributes: last-write-wins pairs; words: what he agreed to and refused, by
    subject; suppressed: "channel|address hash" -> (at ms, reason), after a permanent failure of that address; the newest
    SUPPRESSED of each channel are kept, for a person may have had several, and a merge brings those of two. lost: blinded names
    ("kind:value") of what was his and is nobody's, in whatever order that is heard of. parted: homes of those who were taken for him;
    parted_at: until when (ms) something may have been meant for one of them. unreachable, consents: what states of before had
    in place of suppressed, one (address hash, reason) for each channel, and of words, the newest one (at ms, granted) on each subject.
    """

    addresses: dict[str, tuple[int, str]] = msgspec.field(default_factory=dict)
    attributes: dict[str, tuple[int, Any]] = msgspec.field(default_factory=dict)
    consents: dict[str, tuple[int, bool]] = msgspec.field(default_factory=dict)
    unreachable: dict[str, tuple[str, str]] = msgspec.field(default_factory=dict)
    suppressed: dict[str, tuple[int, str]] = msgspec.field(default_factory=dict)
    lost: list[str] = msgspec.field(default_factory=list)
    words: dict[str, Said] = msgspec.field(default_factory=dict)
    parted: list[str] = msgspec.field(default_factory=list)
    parted_at: int = -1

    def __post_init__(self) -> None:
        """Read a state of before."""
        while self.unreachable:
            channel, (hashed, reason) = self.unreachable.popitem()
            self.suppressed[f"{channel}|{hashed}"] = (0, reason)
        while self.consents:
            about, (at, granted) = self.consents.popitem()
            hear(self, about, Said(yes=at) if granted else Said(no=at))


def learn(contact: Contact, fact: Fact, *, blind: Callable[[str], str] = lambda name: name) -> bool:
    """Take in a profile.changed fact or a word of consent. True when it may forbid what was allowed.

    blind: how the names that he has lost are kept.
    """
    if fact.type in (PROFILE_CHANGED, PROFILE_MERGED):
        reach(contact, fact, blind)
        if fact.lost:
            contact.lost = sorted({*contact.lost, *map(blind, fact.lost)})
            forget_lost(contact, blind)
        after, _names = attributes.merge(contact.attributes, {k: (v[0], v[1]) for k, v in fact.attributes.items()})
        contact.attributes = dict(after)
        return False
    if fact.event == BOUNCED:
        return _bounced(contact, fact)
    if fact.event in CHATTED:
        _heard_from(contact, fact, blind)
        return False
    if (fact.home or fact.profile) in contact.parted:
        return False  # said before the parting and heard after it: it is in the words with which the other one began
    about, said = permission.word(fact)
    hear(contact, about, said)
    return fact.event not in consents.GRANTS or said.until is not None


def reach(contact: Contact, fact: Fact, blind: Callable[[str], str]) -> None:
    """Take in the addresses that a fact of profile tells."""
    for identifier in fact.identifiers:
        kind, _, value = identifier.partition(":")
        if kind in ADDRESS_KIND.values() and not _is_lost(contact, identifier, blind):
            contact.addresses[kind] = max(contact.addresses.get(kind, (-1, "")), (fact.occurred_at, value))


def hear(contact: Contact, about: str, said: Said) -> None:
    """Take in a word on a subject."""
    contact.words = dict(permission.heard(contact.words, about, said))


def _bounced(contact: Contact, fact: Fact) -> bool:
    """Somebody else's mailer was told that the address does not exist: `type` hard of an import, or of a backend. Of our own letters
    the address is known already, and their facts do not name it.
    """
    told = [name.partition(":")[2] for name in fact.identifiers if name.startswith("email:") and name not in fact.contested]
    if fact.properties.get("type") != "hard":
        return False
    for address in told:
        suppress(contact, "email", address, "bounced", fact.occurred_at)
    return bool(told)


def _heard_from(contact: Contact, fact: Fact, blind: Callable[[str], str]) -> None:
    """He wrote to a bot: that is the chat in which he is written to, and if he had blocked it, he has not any more."""
    channel = str(fact.properties.get("channel"))
    kind = bots.IDENTIFIER.get(channel)
    for identifier in fact.identifiers if kind and fact.source.startswith("bot.") else ():
        named, _, value = identifier.partition(":")
        if named == kind and not _is_lost(contact, identifier, blind):
            contact.addresses[kind] = max(contact.addresses.get(kind, (-1, "")), (fact.occurred_at, value))
            hashed = f"{channel}|{address_hash(value)}"
            at, reason = contact.suppressed.get(hashed, (0, ""))
            if reason == Outcome.BLOCKED_BY_USER and at <= fact.occurred_at:
                del contact.suppressed[hashed]


def _is_lost(contact: Contact, name: str, blind: Callable[[str], str]) -> bool:
    return bool(contact.lost) and blind(name) in contact.lost


def forget_lost(contact: Contact, blind: Callable[[str], str]) -> None:
    """Addresses that were shared by too many to be anybody's, or that were erased."""
    for kind, (_, value) in list(contact.addresses.items()):
        if _is_lost(contact, f"{kind}:{value}", blind):
            del contact.addresses[kind]


def withdraw(contact: Contact, brand: str, channel: str, topic: str, at: int) -> None:
    """The person said no by a link: in force before the fact has come round."""
    hear(contact, subject(brand, channel, topic), Said(no=at))


def fold(winner: Contact, loser: Contact, *, blind: Callable[[str], str] = lambda name: name) -> None:
    """One person out of two: newest addresses, last-written attributes, the words of both as if one had said them."""
    for kind, address in loser.addresses.items():
        winner.addresses[kind] = max(winner.addresses.get(kind, (-1, "")), address)
    after, _names = attributes.merge(winner.attributes, loser.attributes)
    winner.attributes = dict(after)
    for about, said in loser.words.items():
        hear(winner, about, said)
    for refused, why in loser.suppressed.items():
        winner.suppressed[refused] = max(why, winner.suppressed.get(refused, why))
    _bound(winner)
    winner.lost = sorted({*winner.lost, *loser.lost})
    winner.parted, winner.parted_at = sorted({*winner.parted, *loser.parted}), max(winner.parted_at, loser.parted_at)
    forget_lost(winner, blind)


def suppress(contact: Contact, channel: str, address: str, reason: str, at: int) -> None:
    """Never this address on this channel again. Of two reasons the newest is kept, in whatever order they are heard."""
    name = f"{channel}|{address_hash(address)}"
    contact.suppressed[name] = max((at, reason), contact.suppressed.get(name, (at, reason)))
    _bound(contact)


def _bound(contact: Contact) -> None:
    """Keep the newest of each channel."""
    newest = sorted(contact.suppressed.items(), key=lambda pair: (pair[1][0], pair[0]), reverse=True)
    seen: Counter[str] = Counter()
    for refused, _ in newest:
        channel = refused.partition("|")[0]
        seen[channel] += 1
        if seen[channel] > SUPPRESSED:
            del contact.suppressed[refused]


def address_of(contact: Contact, channel: str) -> str | None:
    found = contact.addresses.get(ADDRESS_KIND[channel])
    return found[1] if found else None


def forbids(
    contact: Contact,
    intent: Intent,
    consent_age_ms: int,
    forbidden: Collection[Cell] = FORBIDDEN,
    topics: Tree = FLAT,
    now: int = 0,
) -> str | None:
    """The rule that forbids this message at an instant (ms), or None. "stale_consent" means wait, every other one skip.

    forbidden: (country, channel, purpose) where the law does; of whom no country is known it says nothing.
    """
    if intent.received_at < contact.parted_at:
        return "parted"  # it may be somebody else's by now: whoever has it decides anew
    address = address_of(contact, intent.channel)
    if address is None:
        return "no_address"
    refused = contact.suppressed.get(f"{intent.channel}|{address_hash(address)}")
    if refused is not None:
        return f"suppressed:{refused[1]}"
    purpose = "service" if intent.message_class == "service" else "marketing"
    # Most channels are forbidden nowhere, and to parse a phone costs as much as all the rest.
    if any(cell[1:] == (intent.channel, purpose) for cell in forbidden):
        country = country_of(contact)
        if (country, intent.channel, purpose) in forbidden:
            return f"policy:{country}:{intent.channel}"
    return _unconsented(contact, intent, consent_age_ms, topics, now)


def forbids_telling(contact: Contact, intent: Intent, consent_age_ms: int, topics: Tree = FLAT, now: int = 0) -> str | None:
    """The same of what is told to others about him. Marketing by a webhook needs his consent by every channel: it has none of its own."""
    if intent.received_at < contact.parted_at:
        return "parted"
    return _unconsented(contact, intent, consent_age_ms, topics, now)


def _unconsented(contact: Contact, intent: Intent, consent_age_ms: int, topics: Tree, now: int) -> str | None:
    if intent.message_class == "service":
        return None
    if consent_age_ms > STALE_MS:
        return "stale_consent"
    allowed = permission.permitted(contact.words, topics, intent.brand, intent.channel, intent.topic, now)
    return None if allowed else "consent"


def country_of(contact: Contact) -> str:
    """Two letters: what he is said to live in, else where his phone is from; "" where neither is known."""
    said = contact.attributes.get("country", (0, None))[1]
    if isinstance(said, str):
        word = said.strip().upper()
        if (code := RUSSIA.get(word, word)) in phonenumbers.SUPPORTED_REGIONS:
            return code
    phone = contact.addresses.get("phone")
    return _region(phone[1]) if phone else ""


@lru_cache(65_536)
def _region(phone: str) -> str:
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(phone)) or ""
    except phonenumbers.NumberParseException:
        return ""


def address_hash(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:32]


def address_key(intent: Intent, address: str) -> bytes:
    """The second key of law 7: the same message to the same address, whoever the address belongs to by now."""
    parts = (intent.document, str(intent.version), intent.step, intent.occurrence, intent.channel, address_hash(address))
    return hashlib.sha256("\x1f".join(parts).encode()).digest()[:20]


def nowhere_key(intent: Intent) -> bytes:
    """In the place of that key while we know no address, or where it is not his own: of this intent alone."""
    return hashlib.sha256(f"nowhere\x1f{intent.id}".encode()).digest()[:20]


class Next(NamedTuple):
    """What becomes of an attempt: a final state with the rule that gave it, or `retry` at an instant (ms).

    suppress: never this address on this channel again. pause_ms: nothing of the channel for so long.
    """

    state: Literal["accepted", "failed", "in_doubt", "late", "retry"]
    rule: str = ""
    at: int = 0
    suppress: str = ""
    pause_ms: int = 0
    repeat: bool = False


def after(outcome: Outcome, intent: Intent, tries: int, now: int, retry_after_ms: int | None = None) -> Next:
    """What to do after the `tries`-th call (1 is the first) was answered with `outcome`."""
    if outcome is Outcome.ACCEPTED:
        return Next("accepted")
    if outcome in FINAL:
        return Next("failed", f"provider:{outcome}")
    if intent.channel == "webhook":
        return _after_call(outcome, intent, tries, now, retry_after_ms or 0)
    if outcome is Outcome.UNKNOWN:
        # Only a class that may come twice is called again: a second password mail is better than none.
        if intent.message_class == "service" and tries <= len(BACKOFF_MS):
            return Next("retry", "repeat", now + BACKOFF_MS[min(tries, len(BACKOFF_MS)) - 1], repeat=True)
        return Next("in_doubt", "provider:unknown")
    if outcome in (Outcome.PERMANENT_ADDRESS, Outcome.BLOCKED_BY_USER):
        return Next("failed", f"provider:{outcome}", suppress=str(outcome))
    wait = retry_after_ms if retry_after_ms is not None else BACKOFF_MS[min(tries, len(BACKOFF_MS)) - 1]
    if now + wait > intent.not_after:
        return Next("late", "not_after")
    pause = wait if outcome in (Outcome.AUTH, Outcome.POLICY, Outcome.THROTTLED) else 0
    return Next("retry", f"provider:{outcome}", now + wait, pause_ms=pause)


def lane(intent: Intent) -> str:
    """What waits and pauses by itself: a channel, and of webhooks each endpoint."""
    return f"webhook:{intent.template}" if intent.channel == "webhook" else intent.channel


def shelf(intent: Intent, *, again: bool = False) -> str:
    """Where an attempt waits in the ledger, of its lane and class; "" for a message that was not tried yet. again: it was."""
    return f"{lane(intent)}:{intent.message_class}" if again or intent.channel == "webhook" else ""


def _after_call(outcome: Outcome, intent: Intent, tries: int, now: int, retry_after_ms: int) -> Next:
    """A call that may be made again is, with growing pauses, none shorter than the receiver asked for; who says that there are too many is
    left alone by the others to him too. One without an answer is repeated where the class allows it: receivers drop repeats by its id.
    """
    doubtful = outcome is Outcome.UNKNOWN
    wait = max(WEBHOOK_PAUSES_MS[min(tries, len(WEBHOOK_PAUSES_MS)) - 1], retry_after_ms)
    if tries <= len(WEBHOOK_PAUSES_MS) and now + wait <= intent.not_after and (not doubtful or intent.message_class == "service"):
        pause = min(retry_after_ms, LONGEST_PAUSE_MS) if outcome is Outcome.THROTTLED else 0
        return Next("retry", "repeat" if doubtful else f"provider:{outcome}", now + wait, pause_ms=pause, repeat=doubtful)
    return Next("in_doubt" if doubtful else "failed", f"provider:{outcome}")


def variables(contact: Contact, intent: Intent) -> dict[str, Any]:
    """What a template may use; the caller adds the links."""
    profile = {name: value for name, (_at, value) in contact.attributes.items() if value is not None}
    return {"profile": profile, **intent.data, "language": profile.get("language"), "timezone": profile.get("timezone")}
