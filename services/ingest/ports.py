"""What the HTTP edge and imports need from its surroundings. The service plugs in the Kafka log and the table of dead letters."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from runtime.publisher import Outgoing as Record
from schemas.facts import Fact, encode
from schemas.topics import FACTS_RAW, FACTS_RAW_BULK
from services.ingest.domain import Fault, Source, place

__all__ = ["Buried", "Clock", "Log", "Overloaded", "Record", "Sources", "Unavailable", "Unread", "record"]


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was acknowledged but not understood.

    raw: its bytes (personal data: kept encrypted, erasable, expiring), as they came, except that a request which no JSON
    reader takes was patched first: NUL bytes and halves of surrogate pairs are escaped NULs, what is nested too deep is null.
    index: its place in its batch. kind: the call that its address named, needed to read it again. received_at: UTC, ms.
    """

    source: Source
    kind: str | None
    index: int
    received_at: int
    fault: Fault
    raw: bytes


def record(fact: Fact, partitions: int) -> Record:
    """A fact as it goes into the log: by its lane, to the place of its source and strongest identifier."""
    key, partition = place(fact, partitions)
    topic = FACTS_RAW if fact.lane == "live" else FACTS_RAW_BULK
    return Record(topic.name, partition, key.encode(), encode(fact))


class Overloaded(Exception):  # noqa: N818 - an answer, not a failure
    """There is no room in the log now; ask again in `retry_after_s`."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"no room, retry after {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Unavailable(Exception):  # noqa: N818
    """The log, or the table of dead letters, does not answer: nothing is known to be kept."""


class Log(Protocol):
    async def publish(self, records: Sequence[Record]) -> None:
        """Returns when the log has acknowledged all, in order per key. Raises Overloaded or Unavailable."""
        ...


class Buried(Protocol):
    async def bury(self, faults: Sequence[Unread]) -> None:
        """Returns when all are kept. A repeated request brings the same event again. Raises Unavailable."""
        ...


Sources = Callable[[str], Source | None]  # by write key
Clock = Callable[[], Awaitable[tuple[int, bool]]]  # (UTC ms, driven: simulated time)
