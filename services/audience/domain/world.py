"""What is in force when a question is asked."""

from collections.abc import Mapping
from typing import NamedTuple

from schemas.audience import Condition
from schemas.permission import FLAT, Tree


class World(NamedTuple):
    """segments: key -> condition, which others ask about; topics: of consent; topics_id: another one for other topics."""

    segments: Mapping[str, Condition]
    topics: Tree = FLAT
    topics_id: str = ""
