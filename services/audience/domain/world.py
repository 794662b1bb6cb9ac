"""What is in force when a question is asked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.audience import Condition
from schemas.permission import FLAT, Tree


class World(NamedTuple):
    """segments: key -> condition, which others ask about; topics: of consent; topics_id: another one for other topics; told: personal
    attributes that are asked about, as store/personal.py has them.
    """

    segments: Mapping[str, Condition]
    topics: Tree = FLAT
    topics_id: str = ""
    told: Mapping[str, Any] = {}
