"""The rules of ingest, pure: from the bytes of a request to facts and faults.

`split` opens a request, `normalise` turns each of its events into `Accepted` or `Fault`, `place` says where in the log
it goes. Files: `Table` cuts them into rows, `bind` fits a mapping to their header, `Assembly` makes facts of the rows.
"""

from schemas.facts import Fact
from schemas.ids import partition_of

from .body import MAX_BODY, MAX_EVENT, MAX_EVENTS, Batch, read_shared, split
from .events import KINDS, normalise
from .hooks import Made, make
from .mapping import Mapping, Plan, bind, read_mapping
from .moments import parse as parse_time
from .operations import location, message
from .payloads import MAX_PAYLOAD, read_payload
from .rows import Assembly, Closed, Refused
from .table import DELIMITERS, ENCODINGS, Row, Sniffer, Table
from .updates import Heard, Reads, Update, read_update, telegram, vk
from .values import Accepted, Arrival, Fault, Malformed, Source

__all__ = [
    "DELIMITERS",
    "ENCODINGS",
    "KINDS",
    "MAX_BODY",
    "MAX_EVENT",
    "MAX_EVENTS",
    "MAX_PAYLOAD",
    "Accepted",
    "Arrival",
    "Assembly",
    "Batch",
    "Closed",
    "Fault",
    "Heard",
    "Made",
    "Malformed",
    "Mapping",
    "Plan",
    "Reads",
    "Refused",
    "Row",
    "Sniffer",
    "Source",
    "Table",
    "Update",
    "bind",
    "location",
    "make",
    "message",
    "normalise",
    "parse_time",
    "place",
    "read_mapping",
    "read_payload",
    "read_shared",
    "read_update",
    "split",
    "telegram",
    "vk",
]


def place(fact: Fact, partitions: int) -> tuple[str, int]:
    """(key, partition) of a fact in `facts.raw`: order is promised per source and strongest identifier."""
    key = f"{fact.source}|{fact.identifiers[0]}"
    return key, partition_of(key, partitions)
