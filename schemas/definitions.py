"""Published documents on the `definitions` topic: versions, kept while anyone stands in them, and pointers to the current ones."""

import msgspec

from schemas.facts import Seq

KINDS = (
    "segment",
    "journey",
    "campaign",
    "launch",
    "template",
    "topic",
    "brand",
    "rule",
    "identity",
    "connector",
    "bot",
    "policy",
    "survey",
    "experiment",
    "webhook",
    "write_key",
    "gate",
    "migration",
)


class Published(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One document version, or (pointer) the news which version rules now, or (pointer and deleted) that none does.

    A version and the pointer to it travel in one record when they are published together. body: the document's JSON.
    """

    kind: str
    key: str
    version: int
    body: msgspec.Raw = msgspec.Raw(b"")
    pointer: bool = False
    deleted: bool = False
    received_at: int = 0
    src: str | None = None
    seq: Seq | None = None
