"""Segments as documents: a named condition. What it means is in schemas/audience.py."""

from pydantic import Field

from schemas.audience import Condition
from schemas.documents import Document


class Segment(Document):
    """A live set of profiles. brand None: over all brands. name: for people to read.

    The keys of a marketer's segments look like `vip`; those that begin with `~` answer conditions of journeys and are published
    with them (schemas.journeys.condition_key).
    """

    key: str = Field(min_length=1, max_length=400)
    name: str = Field(default="", max_length=200)
    brand: str | None = None
    condition: Condition
