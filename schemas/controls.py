"""What is done to a journey as a whole while people are inside: it is paused, archived or ended, and people are led to another version.

Published on `definitions` beside the journey's versions: a gate under the kind `gate` and the name of the document that it is of
("journey:welcome"), people's migrations under the kind `migration` and the journey's key. Their versions count up, and are called
numbers here so that they are not taken for those of the journey.
"""

from collections.abc import Mapping
from typing import Literal

from schemas.documents import Document

GateState = Literal["open", "paused", "archived", "ended"]
Entrants = Literal["refuse", "wait"]
FINISH = "finish"  # stay on the version in which one is
LEAVE = "leave"
ANY = "*"  # every step of a version, and the entry


class Gate(Document):
    """Whether a document's people move and its messages go.

    paused: nobody enters, no step is taken, no message goes; nothing is lost. archived: nobody enters, people finish. ended: as archived,
    and everybody was told to leave (by a migration). entrants: what becomes of those who would enter while it is paused. at: since when, ms.
    """

    key: str
    state: GateState
    entrants: Entrants = "refuse"
    at: int


class Migration(Document):
    """Where those go who stand in earlier versions of a journey.

    to: the version to which steps lead. moves: version -> step (or ANY) -> a step of `to`, or LEAVE; whoever stands on no step that is
    named finishes on his version. at: when it was published, ms.
    """

    key: str
    to: int
    moves: Mapping[int, Mapping[str, str]]
    reason: Literal["migration", "ended"] = "migration"
    at: int


def gate_of(journey: str) -> str:
    """The key of a journey's gate, which is its name in intents and decisions too."""
    return f"journey:{journey}"
