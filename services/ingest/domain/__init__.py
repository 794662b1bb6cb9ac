"""The rules of ingest, pure: from the bytes of a request to facts and faults.

`split` opens a request, `normalise` turns each of its events into `Accepted` or `Fault`, `places` says where in the log
they go. Files: `Table` cuts them into rows, `bind` fits a mapping to their header, `Assembly` makes facts of the rows.
"""

from collections.abc import Sequence

from schemas.facts import Fact
from schemas.ids import partition_of

from .body import MAX_BODY, MAX_EVENT, MAX_EVENTS, Batch, read_shared, split
from .events import KINDS, normalise
from .mapping import Mapping, Plan, bind, read_mapping
from .moments import parse as parse_time
from .rows import Assembly, Closed, Refused
from .table import DELIMITERS, ENCODINGS, Row, Sniffer, Table
from .values import Accepted, Arrival, Fault, Malformed, Source

__all__ = [
    "DELIMITERS",
    "ENCODINGS",
    "KINDS",
    "MAX_BODY",
    "MAX_EVENT",
    "MAX_EVENTS",
    "Accepted",
    "Arrival",
    "Assembly",
    "Batch",
    "Closed",
    "Fault",
    "Malformed",
    "Mapping",
    "Plan",
    "Refused",
    "Row",
    "Sniffer",
    "Source",
    "Table",
    "bind",
    "normalise",
    "parse_time",
    "places",
    "read_mapping",
    "read_shared",
    "split",
]


def places(facts: Sequence[Fact], partitions: int) -> list[tuple[str, int]]:
    """(key, partition) in `facts.raw` of the facts of one request: order is promised per source and strongest identifier.

    What a site sends at a registration is who somebody is, and then what his device does. The two must stay in their order, so a fact
    without a user id goes where an earlier one of the request went that shares an identifier with it.
    """
    found, known = [], dict[str, str]()
    for fact in facts:
        strongest = fact.identifiers[0]
        if not strongest.startswith("user_id:"):
            for identifier in fact.identifiers:
                if identifier in known:
                    strongest = known[identifier]
                    break
        for identifier in fact.identifiers:
            known[identifier] = strongest
        key = f"{fact.source}|{strongest}"
        found.append((key, partition_of(key, partitions)))
    return found
