"""Facts of `facts.raw`, which others may write too: checked, and in the one spelling that the rest relies on."""

import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from runtime.batch import Item
from runtime.kafka import Record
from schemas import charges
from schemas.accounts import flaw_of
from schemas.facts import ERASE, IDENTIFIER_KINDS, UNMERGE, Erase, Fact, Lane, Unmerge, decode
from schemas.identifiers import is_kind, normalise
from schemas.nesting import MAX_DEPTH, too_deep
from schemas.surveys import attributes_of
from schemas.topics import FACTS_RAW_BULK
from services.profile.domain import Rules

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OURS = ("profile", "home", "bucketing_id", "bucketed_at", "contested", "lost", "ruled")  # what profile says and nobody else
_SOURCE = re.compile(r"[^,\x00-\x1f]{1,200}")  # sources that told a name are kept with it, parted by commas
_LATEST = 253_402_300_800_000  # the year 10000
_AHEAD_MS = 60_000  # clocks of two machines may differ; what is further ahead would fire timers before their time
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19  # perhaps a number beyond 64 bits


def decode_raw(record: Record) -> Fact:
    """A fact of `facts.raw`, which others may write too: what the rest relies on is checked here. Raises ValueError."""
    raw = record.value or b""
    if (field := too_deep(raw)) is not None:
        raise ValueError(f"{field[:60]}: nested deeper than {MAX_DEPTH} levels, send a flatter fact")
    fact = decode(raw)
    if not _UUID.fullmatch(fact.id):
        raise ValueError(f"id: a uuid in lower case is wanted, e.g. uuid5 of source and messageId; got {fact.id[:60]!r}")
    if fact.type.startswith("profile.") or any(getattr(fact, name) for name in _OURS):
        raise ValueError(f"type, {', '.join(_OURS)}: these are the profile service's own; leave them out")
    if not _SOURCE.fullmatch(fact.source):
        raise ValueError(f"source: 1 to 200 characters without commas are wanted; got {fact.source[:60]!r}")
    if fact.about is not None and not _UUID.fullmatch(fact.about):
        raise ValueError(f"about: a profile id (uuid in lower case) is wanted; got {fact.about[:60]!r}")
    if fact.type in (ERASE, UNMERGE):
        _check_asked(fact)
    if flaw := flaw_of(fact.event or fact.type, fact.properties):
        raise ValueError(f"properties.{flaw.field}: {flaw.message} {flaw.mend}")
    if not 0 < fact.received_at < _LATEST or not fact.occurred_at >= 0:
        raise ValueError("received_at, occurred_at: UTC milliseconds are wanted")
    if charges.is_charge(fact):
        charges.read(fact.properties)
    if _LONG in raw.translate(_DIGITS_TO_ZERO):
        _refuse_long(fact)
    return fact


def _check_asked(fact: Fact) -> None:
    if fact.about is None or fact.identifiers:
        raise ValueError(f"about: who asks to {fact.type} names the person by his profile id and by nothing else")
    if fact.type == UNMERGE:
        msgspec.convert(fact.properties, Unmerge)
        return
    asked = msgspec.convert(fact.properties, Erase)
    if unknown := {kind for kind in asked.only if not is_kind(kind)}:
        raise ValueError(
            f"properties.only: {min(unknown)[:60]!r} is no kind of identifier; there are {', '.join(IDENTIFIER_KINDS)}"
        )


def _refuse_long(fact: Fact) -> None:
    """No state can hold a whole number beyond 64 bits: such a fact is undecodable, not a failure of ours."""
    try:
        msgspec.msgpack.encode((fact.attributes, fact.properties, fact.context, fact.occurred_at))
    except OverflowError as error:
        raise ValueError("attributes, properties or context: a number is beyond 64 bits, send it as text") from error


@lru_cache(maxsize=200_000)
def _normal(identifier: str) -> str | None:
    kind, _, value = identifier.partition(":")
    clean = normalise(kind, value)
    return f"{kind}:{clean}" if clean is not None else None


def clean(item: Item, now: int, rules: Rules) -> Fact:
    """The fact as the rest relies on it, whoever wrote it: identifiers in their one spelling and junk left out, no time of the future,
    the second lane's facts marked as such, since history starts no journey, and answers to surveys as attributes.
    """
    fact: Fact = item.value
    received_at = fact.received_at if fact.received_at <= now + _AHEAD_MS else now
    occurred_at = min(fact.occurred_at, received_at)
    lane: Lane = "bulk" if item.place[0] == FACTS_RAW_BULK.name else fact.lane
    names: dict[str, None] = {}
    for identifier in fact.identifiers:
        normal = _normal(identifier)
        if normal is not None and (normal[:3] == "id." or normal in rules.refused):
            normal = rules.spelled(normal)
        if normal is not None:
            names[normal] = None
    known = somebody(fact, names)
    answers = attributes_of(fact)
    if not answers and (known, occurred_at, received_at, lane) == (fact.identifiers, fact.occurred_at, fact.received_at, fact.lane):
        return fact
    said = {**fact.attributes, **answers}
    return msgspec.structs.replace(
        fact, identifiers=known, occurred_at=occurred_at, received_at=received_at, lane=lane, attributes=said
    )


def somebody(fact: Fact, names: Iterable[str]) -> tuple[str, ...]:
    """Without any name: nobody we could know again, a person of one fact, so that nothing is lost; unless it says whom it is about."""
    return tuple(names) or (() if fact.about else (f"anonymous_id:{fact.id}",))
