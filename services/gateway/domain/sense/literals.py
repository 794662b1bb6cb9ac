"""What a conjunction is made of."""

from typing import NamedTuple

from schemas.audience import Condition


class Literal(NamedTuple):
    """A part that must be true (positive) or false. path: where it stands in the condition."""

    path: str
    node: Condition
    positive: bool

    @property
    def negated(self) -> "Literal":
        return self._replace(positive=not self.positive)
