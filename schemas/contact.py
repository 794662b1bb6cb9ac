"""What a journey or a message says of its own about contact: how important it is, when it may be sent, and who gets nothing for comparison."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from schemas.documents import Document

Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NAMED: Mapping[str, int] = {"lowest": 0, "low": 25, "middle": 50, "high": 75, "highest": 100}
MIDDLE = NAMED["middle"]
Priority = Annotated[int, Field(ge=0, le=100)] | Literal["lowest", "low", "middle", "high", "highest"]


def priority_of(given: int | str | None) -> int:
    """0 to 100; what says nothing is in the middle."""
    if given is None:
        return MIDDLE
    return given if isinstance(given, int) else NAMED[given]


class SendWindow(Document):
    """Local times of a person between which marketing may be sent, on these weekdays (none named: on all).

    "22:00" to "02:00" passes midnight, and belongs to the day on which it begins. "24:00" is the end of a day.
    """

    days: tuple[Weekday, ...] = Field(default=(), max_length=7)
    start: Clock = Field(alias="from")
    end: str = Field(alias="to", pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")

    @field_validator("days")
    @classmethod
    def _once(cls, value: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a weekday stands here twice")
        return value

    @model_validator(mode="after")
    def _lasts(self) -> "SendWindow":
        if self.start == self.end:
            raise ValueError('to: the same as `from` is no time at all; a whole day is from "00:00" to "24:00"')
        return self


class LocalControl(Document):
    """`share` of 10,000 people get no marketing of this journey; service messages reach them. salt: names the test; left out, the journey's key."""

    share: int = Field(ge=1, le=5000)
    salt: str | None = Field(default=None, min_length=1, max_length=200)
