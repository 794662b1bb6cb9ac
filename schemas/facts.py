"""The envelope of a fact: one thing that happened to one person. The contract of `facts.raw` and `facts`.

Facts are msgspec structs and not pydantic models because every service decodes each of them (docs/adr/0003).
Schemas only grow. A service passes a fact on as the bytes it got, with fields appended (`extend`), so fields that it does not
know survive; where a name stands twice the last one wins, which is what every JSON reader we use does.
"""

from typing import Any, Literal

import msgspec

Kind = Literal["identify", "track", "page", "screen", "group", "alias"]
Lane = Literal["live", "bulk"]

PROFILE_CHANGED = "profile.changed"
PROFILE_MERGED = "profile.merged"
PROFILE_REFUSED = "profile.refused"
PROFILE_ERASED = "profile.erased"
PROFILE_SPLIT = "profile.split"
UNMERGE = "unmerge"  # type of a fact in `facts.raw` that asks for one: `Unmerge`
ERASE = "erase"  # type of a fact in `facts.raw` that asks for an erasure: `Erase`
CONSENT_CHANGED = "consent.changed"

# Identifier kinds, strongest first: the first one of a fact keys it in `facts.raw`, and names the person in lists.
IDENTIFIER_KINDS = ("user_id", "email", "phone", "telegram_id", "vk_id", "anonymous_id")

# Attributes, properties and context fields that hold personal data. They never enter a log line, a metric, a trace or the lake.
PERSONAL = frozenset(
    [
        "email",
        "phone",
        "name",
        "first_name",
        "last_name",
        "firstName",
        "lastName",
        "middle_name",
        "username",
        "address",
        "street",
        "postal_code",
        "birthday",
        "ip",
        "telegram_id",
        "vk_id",
        "userAgent",
        "device",
        "avatar",
        "title_name",
        "city_address",
        "evidence",
        "written",
    ]
)


class Seq(msgspec.Struct, frozen=True, array_like=True):
    """Where an emitted record stands among those of its `src`: grows strictly, so that a consumer drops what it has seen.

    epoch: raised by an operator's rewind; offset: of the record (or number of the timer batch) that was decided; index: of the emit.
    """

    epoch: int
    offset: int
    index: int


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fact. Times are UTC in integer milliseconds. `identifiers` are "kind:value" texts, strongest first.

    attributes: what the fact says of the person (Segment's traits); properties: of the event; money in both is
    `{"minor": 1999, "currency": "GBP"}`, converted once at ingest. No field is nested deeper than 32 levels, its own object or list
    being the first (schemas/nesting.py). `profile`, `bucketing_id`, `bucketed_at` are added by profile; so is `contested`: identifiers
    that came with it and are somebody else's by the rules of identity; `ruled`: attributes whose values go by rule, so that whether
    this one counts is told by `profile.changed`; and `lost`, of a `profile.changed`: those that are his no more.
    home: id of the identifier by which it is that person's, where it is not the profile's own: after an unmerge it tells whose it is.
    cause: id of the fact, merge or launch that this one follows from. about: a profile id, by which our own services name a person in
    `facts.raw`; whom it means now is found out there, and a fact about nobody (he was erased) is dropped.
    """

    id: str
    type: str
    brand: str
    source: str
    occurred_at: int
    received_at: int
    identifiers: tuple[str, ...] = ()
    version: int = 1
    lane: Lane = "live"
    event: str = ""
    attributes: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    context: dict[str, Any] = {}
    cause: str | None = None
    traceparent: str | None = None
    about: str | None = None
    profile: str | None = None
    home: str | None = None
    bucketing_id: str | None = None
    bucketed_at: int | None = None
    contested: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    ruled: tuple[str, ...] = ()
    src: str | None = None
    seq: Seq | None = None


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """Properties of a `profile.merged` fact, keyed by the winner: everything of `loser` is the winner's from now on.

    by: the kinds of identifiers of the fact that `cause` names through which the two were found to be one, the loser's first:
    "user_id+email".
    """

    winner: str
    loser: str
    by: str = ""


class Erase(msgspec.Struct, frozen=True, kw_only=True):
    """Properties of an `erase` fact, whose id is the act's. only: just the identifiers of these kinds; the person goes when none that
    proves who he is would be left, unless he is to be kept. reason: for the act; it names nobody.
    """

    reason: str = ""
    only: tuple[str, ...] = ()
    keep: bool = False


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """Properties of a `profile.erased` fact: the person is gone, and so are `others`, who had become one with him."""

    act: str
    reason: str = ""
    others: tuple[str, ...] = ()


class Unmerge(msgspec.Struct, frozen=True, kw_only=True):
    """Properties of an `unmerge` fact, whose id is the act's: these identifiers are never one person with the others of his."""

    apart: tuple[str, ...]
    reason: str = ""


class SplitPart(msgspec.Struct, frozen=True, kw_only=True):
    """Who is somebody else from now on: facts of the person with one of these homes are his, and so is what is told of `others`.

    words: what he ever said of consent, as `Words` of schemas/permission.py.
    """

    profile: str
    homes: tuple[str, ...]
    others: tuple[str, ...] = ()
    words: dict[str, tuple[int | None, ...]] = {}


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Properties of a `profile.split` fact, whose attributes are all that are left to the person, whose identifiers all that prove who he
    is, and `lost` the identifiers that left.

    stay: of those who had become one with him, the ones who still are. words: what he ever said of consent himself.
    """

    act: str
    parts: tuple[SplitPart, ...]
    reason: str = ""
    stay: tuple[str, ...] = ()
    words: dict[str, tuple[int | None, ...]] = {}


class Parted(msgspec.Struct, frozen=True, kw_only=True):
    """Properties of the `profile.changed` fact of somebody who was taken for another, `of`, until now: the first that is told of him,
    with all attributes and identifiers of his. The `profile.split` of the same act, in the other's partition, may be heard before or
    after it.
    """

    act: str
    of: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Properties of a `profile.refused` fact: an identifier of this kind did not make the person one with `other`, by this rule."""

    other: str
    by: str
    rule: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Fact)


def encode(value: Any) -> bytes:
    return _encoder.encode(value)


def decode(data: bytes) -> Fact:
    """A fact from its bytes. Raises msgspec.ValidationError or msgspec.DecodeError, which name the field."""
    return _decoder.decode(data)


def extend(record: bytes, more: bytes) -> bytes:
    """Append fields (`b'"profile":"..."'`) to an encoded JSON object without decoding it. Unknown fields are kept for free."""
    if record[-1:] != b"}":
        record = record.rstrip()
        if record[-1:] != b"}":
            raise ValueError("not a JSON object")
    comma = b"" if record[-2:-1] in b" \t\r\n{" and record[:-1].rstrip() == b"{" else b","
    return b"%b%b%b}" % (record[:-1], comma, more)
