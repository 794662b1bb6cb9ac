"""The mapping document: how the columns of a file become facts."""

from typing import Literal

import msgspec

from . import cells
from .values import Malformed

Scalar = str | int | float | bool


class Cell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column whose text is read as something else, or a `value` that is the same for all rows.

    `money` is in the mapping's currency. values: what texts of the column mean, before they are read.
    """

    column: str = ""
    value: Scalar | None = None
    kind: cells.Kind = msgspec.field(name="as", default="text")
    values: dict[str, str] = {}


Spec = str | Cell  # a column's name alone means its text


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Neighbouring rows with one value in column `by` are one fact; each row is a line of its `products`.

    Where products have `price` (as money) and `quantity`, their sum becomes the property `revenue`.
    """

    by: str
    products: dict[str, Spec]


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows (with groups: groups) whose column starts so are another event; the numbers in `negate` change their sign."""

    column: str
    starts_with: str
    event: str
    negate: tuple[str, ...] = ()


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition on one column. value: for equals and starts_with; values: for one_of, in any case."""

    column: str
    when: cells.Condition = msgspec.field(name="is")
    value: str = ""
    values: tuple[str, ...] = ()


class Rule(When, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rows are refused, and what is said of them."""

    reason: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One more fact of each row: an event of the same person.

    timestamp: a column of its own; rows in which it is empty have no such event. Without one it is the row's. when: rows that have it.
    """

    event: str
    timestamp: str = ""
    when: When | None = None
    properties: dict[str, Spec] = {}
    message_id: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column that says yes or no, in the usual words (yes, 1, да, active, подписан ...) and in those that are named here.

    (Named `yes` and `no`, the fields would be true and false in YAML.)
    """

    column: str
    granted: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()


class Consent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word of consent of each row: a yes, a no, or what a column answers; a row in which that one is empty says nothing.

    channel, topic, purpose, basis: the same for all rows, or a column. timestamp: a column, or `{"value": ...}` for all; else the row's.
    evidence: columns that prove the word: a yes without any is kept, and allows nothing. terms: what it was given under (text_id ...).
    """

    answer: Literal["granted", "withdrawn"] | Answer = "granted"
    channel: str | Cell = "email"
    topic: str | Cell = "*"
    purpose: str | Cell = ""
    basis: str | Cell = ""
    timestamp: Spec = ""
    when: When | None = None
    terms: dict[str, Spec] = {}
    evidence: dict[str, Spec] = {}
    message_id: str = ""


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mapping document.

    call: what each row itself is; without one its events and consents alone count. identifiers: kind -> column. message_id: a
    template such as "order-{InvoiceNo}"; without one it is a hash of what the row (or group) says. timestamp: a column; time_zone: of
    times that name none; timestamp_format: of strptime, for what is neither ISO 8601 nor 31.12.2026. decimal: the mark before the
    fraction. if_missing: whether columns that the file does not have are faults of the mapping, or left out. sheet: of a workbook;
    the first one that is not hidden. format, encoding, delimiter: found out unless given.
    """

    identifiers: dict[str, str]
    call: Literal["", "identify", "track"] = ""
    event: str = ""
    attributes: dict[str, Spec] = {}
    properties: dict[str, Spec] = {}
    events: tuple[Event, ...] = ()
    consents: tuple[Consent, ...] = ()
    timestamp: str = ""
    time_zone: str = "UTC"
    timestamp_format: str = ""
    message_id: str = ""
    currency: str = ""
    decimal: Literal[".", ","] = "."
    group: Group | None = None
    variants: tuple[Variant, ...] = ()
    refuse: tuple[Rule, ...] = ()
    if_missing: Literal["refuse", "leave_out"] = "refuse"
    brand: str = ""
    source: str = ""
    region: str = ""
    format: Literal["", "csv", "xlsx", "jsonl"] = ""
    sheet: str = ""
    encoding: str = ""
    delimiter: str = ""


_decoder = msgspec.json.Decoder(Mapping)


def read_mapping(data: bytes) -> Mapping:
    """Raises Malformed (`mapping_wrong`), which names the place in the document."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        text, _, place = str(error).partition(" - at `$.")
        mend = "send a mapping as the documentation of imports shows it"
        raise Malformed(place.rstrip("`"), "mapping_wrong", text, mend) from error


def seed_of(mapping: Mapping) -> bytes:
    """What ids that derive from content have of the mapping: what a row means, not how its file was read."""
    return msgspec.json.encode(msgspec.structs.replace(mapping, format="", sheet="", encoding="", delimiter=""))
