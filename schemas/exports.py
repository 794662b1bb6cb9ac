"""The columns of a member of a segment that leaves the house, by which of the services knows them (docs/segments.md).

They tell the gateway in Arrow, thousands of people at once, under these names; instants are int64, UTC ms.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from schemas.facts import IDENTIFIER_KINDS

Kind = Literal["string", "int", "float", "bool", "at"]
TOUCHES = ("first_touch", "last_touch")
CAMPAIGN = ("source", "medium", "name")
OTHER = "other_ids"  # identifiers of kinds without a column of their own, each as kind:value
LINE = "line"  # in place of all other columns where lines are asked for: what the service knows, as JSON


class Column(NamedTuple):
    """at: an instant."""

    name: str
    kind: Kind


PROFILE = Column("profile", "string")
# What the warehouse knows, beside who it is.
STANDING: Sequence[Column] = (Column("since", "at"), Column("why", "string"), Column("cause", "string"))
CAME: Sequence[Column] = tuple(
    column
    for touch in TOUCHES
    for column in (
        Column(f"{touch}_at", "at"),
        Column(f"{touch}_source", "string"),
        *(Column(f"{touch}_campaign_{part}", "string") for part in CAMPAIGN),
    )
)
# What profile knows.
NAMED: Sequence[Column] = (
    Column("brands", "string"),
    Column("first_received_at", "at"),
    *(Column(kind, "string") for kind in IDENTIFIER_KINDS),
    Column(OTHER, "string"),
)
AGREED: Sequence[Column] = (Column("consents", "string"),)

FIXED: Sequence[Column] = (PROFILE, *STANDING, *NAMED, *CAME, *AGREED)
