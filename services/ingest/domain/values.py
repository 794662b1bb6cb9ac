"""What ingest's decisions take and give: plain frozen values."""

import hashlib
from typing import Any

import msgspec

from schemas.facts import Fact, Lane


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where events come from, found by its write key.

    name: unique; part of every fact's id and key. currency: ISO 4217, of amounts that name none. region: two letters of
    the country that a phone number without "+" belongs to.
    """

    brand: str
    name: str
    lane: Lane = "live"
    currency: str | None = None
    region: str = ""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What all the events of one request share. Times are UTC in integer milliseconds.

    kind: the call that the address names ("track"), None when each event says its own `type`. driven: `now` is
    simulated, so the sender's clock means nothing beside it. ip: of the connection. context, integrations: of the
    batch; an event's own win, field by field.
    """

    source: Source
    now: int
    driven: bool = False
    kind: str | None = None
    lane: Lane = "live"
    sent_at: int | None = None
    context: dict[str, Any] = {}
    integrations: dict[str, Any] = {}
    ip: str | None = None
    traceparent: str | None = None


class Fault(msgspec.Struct, frozen=True):
    """Why an event was refused, or what of it was left out. Texts never repeat values: those may be personal.

    path: from the event down, "properties.products[2].price"; "" is the event itself. mend: what the sender should do.
    """

    path: str
    code: str
    message: str
    mend: str


class Accepted(msgspec.Struct, frozen=True):
    """A fact, and what was left out of its identifiers."""

    fact: Fact
    warnings: tuple[Fault, ...] = ()


class Refusal(Exception):  # noqa: N818 - a verdict on the input, not an error of ours
    """Leaves the normalisation of one event from any depth; `normalise` turns it into its fault."""

    def __init__(self, path: str, code: str, message: str, mend: str) -> None:
        super().__init__(code)
        self.fault = Fault(path[:200], code, message, mend)


class Malformed(Exception):  # noqa: N818
    """The request as a whole cannot be read: nothing of it was taken. `fault` says why."""

    def __init__(self, path: str, code: str, message: str, mend: str) -> None:
        super().__init__(code)
        self.fault = Fault(path[:200], code, message, mend)


class Bad(Exception):  # noqa: N818
    """Why a row of a file is refused. column: the name of the one in which it lies, "" for the row itself."""

    def __init__(self, reason: str, column: str = "") -> None:
        super().__init__(reason)
        self.reason, self.column = reason, column


def digest(data: bytes) -> str:
    """The message id of what has none: the same content has the same one."""
    return hashlib.sha256(data).hexdigest()
