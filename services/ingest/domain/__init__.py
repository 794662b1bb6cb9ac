"""The rules of ingest, pure: from the bytes of a request to facts and faults.

`split` opens a request, `normalise` turns each of its events into `Accepted` or `Fault`, `place` says where in the log
it goes.
"""

from schemas.facts import Fact
from schemas.ids import partition_of

from .body import MAX_BODY, MAX_EVENT, MAX_EVENTS, Batch, read_shared, split
from .events import KINDS, normalise
from .moments import parse as parse_time
from .values import Accepted, Arrival, Fault, Malformed, Source

__all__ = [
    "KINDS",
    "MAX_BODY",
    "MAX_EVENT",
    "MAX_EVENTS",
    "Accepted",
    "Arrival",
    "Batch",
    "Fault",
    "Malformed",
    "Source",
    "normalise",
    "parse_time",
    "place",
    "read_shared",
    "split",
]


def place(fact: Fact, partitions: int) -> tuple[str, int]:
    """(key, partition) of a fact in `facts.raw`: order is promised per source and strongest identifier."""
    key = f"{fact.source}|{fact.identifiers[0]}"
    return key, partition_of(key, partitions)
