"""The rules of ingest, pure: from the bytes of a request to facts and faults.

`split` opens a request, `normalise` turns each of its events into `Accepted` or `Fault`, `place` says where in the log
it goes. Files: `Sniffer` says what they are, `Table`, `Book` and `Objects` cut them into rows, `bind` fits a mapping to their header,
`Assembly` makes facts of the rows.
"""

from schemas.facts import Fact
from schemas.ids import partition_of

from .binding import Plan, bind
from .body import MAX_BODY, MAX_EVENT, MAX_EVENTS, Batch, read_shared, split
from .book import Book
from .events import KINDS, normalise
from .hooks import Made, make
from .mapping import Mapping, read_mapping
from .moments import parse as parse_time
from .names import Columns
from .objects import Names, Objects
from .operations import location, message
from .payloads import MAX_PAYLOAD, read_payload
from .rows import Assembly, Closed, Encoded, Refused
from .sniffing import ENCODINGS, Shape, Sniffer, cells_of
from .suggesting import suggest
from .table import DELIMITERS, FORMULA_MARKS, Row, Table
from .updates import Heard, Reads, Update, read_update, telegram, vk
from .values import Accepted, Arrival, Fault, Malformed, Source

__all__ = [
    "DELIMITERS",
    "ENCODINGS",
    "FORMULA_MARKS",
    "KINDS",
    "MAX_BODY",
    "MAX_EVENT",
    "MAX_EVENTS",
    "MAX_PAYLOAD",
    "Accepted",
    "Arrival",
    "Assembly",
    "Batch",
    "Book",
    "Closed",
    "Columns",
    "Encoded",
    "Fault",
    "Heard",
    "Made",
    "Malformed",
    "Mapping",
    "Names",
    "Objects",
    "Plan",
    "Reads",
    "Refused",
    "Row",
    "Shape",
    "Sniffer",
    "Source",
    "Table",
    "Update",
    "bind",
    "cells_of",
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
    "suggest",
    "telegram",
    "vk",
]


def place(fact: Fact, partitions: int) -> tuple[str, int]:
    """(key, partition) of a fact in `facts.raw`: order is promised per source and strongest identifier."""
    key = f"{fact.source}|{fact.identifiers[0]}"
    return key, partition_of(key, partitions)
