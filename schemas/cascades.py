"""A message that is tried over one channel after the other: over which, with what, and how long each may take."""

from collections.abc import Sequence

from pydantic import Field, model_validator

from schemas.documents import Document, duration_ms
from schemas.topics import Channel

DELIVERED_AT_ONCE = ("telegram", "vk")  # they say nothing of a delivery: what they accept stands in the chat


class Attempt(Document):
    """One channel of a cascade. delivered_within, read_within: for so long after the provider took it the next channel waits for a
    report of the delivery, or for a sign of a reader (an opening or a click); without either it is tried only where this one fails.
    """

    channel: Channel
    template: str = Field(min_length=1)
    delivered_within: str | None = None
    read_within: str | None = None

    @model_validator(mode="after")
    def _waits(self) -> "Attempt":
        if self.delivered_within is not None and self.channel in DELIVERED_AT_ONCE:
            raise ValueError(f"delivered_within: {self.channel} tells no deliveries, what it accepts is there; use read_within")
        for field, wait in (("delivered_within", self.delivered_within), ("read_within", self.read_within)):
            if wait is not None and not _length(field, wait):
                raise ValueError(f"{field}: longer than nothing, e.g. 2h")
        if self.read_ms and self.delivered_ms > self.read_ms:
            raise ValueError("read_within: who has read it has got it, so it is not shorter than delivered_within")
        return self

    @property
    def delivered_ms(self) -> int:
        """0: a delivery is not waited for."""
        return duration_ms(self.delivered_within) if self.delivered_within else 0

    @property
    def read_ms(self) -> int:
        """0: a reader is not waited for."""
        return duration_ms(self.read_within) if self.read_within else 0


def checked(attempts: Sequence[Attempt], expires: str) -> None:
    """Raise ValueError for a channel that stands there twice, and for a wait after which nothing could follow."""
    channels = [attempt.channel for attempt in attempts]
    for place, attempt in enumerate(attempts):
        if attempt.channel in channels[:place]:
            raise ValueError(f"cascade.{place}.channel: {attempt.channel} is tried already, name each channel once")
        for field in ("delivered_within", "read_within"):
            wait = getattr(attempt, field)
            if wait is not None and duration_ms(wait) >= duration_ms(expires):
                raise ValueError(f"cascade.{place}.{field}: {wait} is not shorter than expires ({expires}): nothing could follow")


def _length(field: str, wait: str) -> int:
    try:
        return duration_ms(wait)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from error
