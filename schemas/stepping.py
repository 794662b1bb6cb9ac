"""What all steps of a journey have in common."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.audience import Condition
from schemas.documents import Document

# No dots: they part the words of `condition_key`. "audience" is the name of the journey's own condition there.
StepId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
# What may become of a letter, in the order in which it does.
Became = Literal["accepted", "delivered", "opened", "clicked", "bounced", "failed", "skipped"]


class OfLetter(Document):
    """What became of the letter of an earlier step of this run, or more: who clicked has opened."""

    step: StepId
    became: Became


class JourneyStep(Document):
    ASKS: ClassVar[tuple[str, ...]] = ()

    id: StepId

    @property
    def asked(self) -> Condition | None:
        """The condition that it asks about the person."""
        return None

    @property
    def about(self) -> OfLetter | None:
        """The letter whose fate it depends on."""
        return None

    @property
    def waits(self) -> bool:
        """Whether time passes on it."""
        return False

    def ways(self, following: str | None) -> Iterator[str | None]:
        """The steps to which it may lead; None: to the end of the run. following: the next one of the list."""
        yield getattr(self, "next", None) or following
