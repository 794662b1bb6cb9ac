"""What a journey or a message says of its own about contact: how important it is, when it may be sent, and who gets nothing for comparison."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from schemas.documents import Document, clock_ms

Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 86_400_000
WEEK = 7 * DAY
Span = tuple[int, int]  # from, to: ms of a local week that begins on Monday; joined, in order, none passes Sunday's midnight
NAMED: Mapping[str, int] = {"lowest": 0, "low": 25, "middle": 50, "high": 75, "highest": 100}
MIDDLE = NAMED["middle"]


def _given(value: Any) -> str:
    return "Name" if isinstance(value, str) else "Number"


Name = Literal["lowest", "low", "middle", "high", "highest"]
Priority = Annotated[
    Annotated[int, Field(ge=0, le=100, strict=True), Tag("Number")] | Annotated[Name, Tag("Name")], Discriminator(_given)
]


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


@lru_cache(maxsize=4096)
def spans_of(windows: tuple[SendWindow, ...]) -> tuple[Span, ...]:
    """What of the week lies in any of the windows."""
    return joined(span for window in windows for span in _of_one(window))


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same time, without overlaps."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return tuple(found)


def _of_one(window: SendWindow) -> Iterator[Span]:
    length = (clock_ms(window.end) - clock_ms(window.start)) % DAY or DAY
    for day in window.days or WEEKDAYS:
        start = WEEKDAYS.index(day) * DAY + clock_ms(window.start)
        yield start, min(start + length, WEEK)
        if start + length > WEEK:
            yield 0, start + length - WEEK
