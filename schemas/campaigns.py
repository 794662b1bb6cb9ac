"""Mass mailings as documents (M1), and their launches: which version goes to whom, and whether it goes on."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from pydantic import Field, field_validator, model_validator

from schemas.audience import Condition
from schemas.contact import Priority, SendWindow
from schemas.documents import Document, duration_ms
from schemas.topics import Channel

LETTER = "letter"  # the one step of a campaign
PILOT_MOST = 1000
EXPIRES_MOST_MS = 30 * 86_400_000
LAUNCHES = "launch"  # the kind of document that says how a launch stands
_EARLIEST_MS = 14 * 3_600_000  # no zone is further ahead of UTC


class Variant(Document):
    """share: of 100 of those who get anything."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")
    template: str
    share: int = Field(ge=1, le=100)


class Instant(Document):
    """at: an ISO time with its offset; before it nobody gets anything."""

    at: str

    @field_validator("at")
    @classmethod
    def _whole(cls, value: str) -> str:
        try:
            told = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError("write it like 2026-12-01T10:00+03:00") from error
        if told.tzinfo is None:
            raise ValueError("with the offset from UTC, like 2026-12-01T10:00+03:00; for each person's own clock use `local`")
        return value

    @property
    def ms(self) -> int:
        return round(datetime.fromisoformat(self.at).timestamp() * 1000)


class Local(Document):
    """local: a time of each person's own clock (of the brand's zone, where his is unknown); who is past it when it is launched is next."""

    local: str = Field(pattern=r"^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d$")

    @field_validator("local")
    @classmethod
    def _whole(cls, value: str) -> str:
        try:
            datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError("there is no such day: write it like 2026-12-01T10:00") from error
        return value

    @property
    def wall_ms(self) -> int:
        """As if the clock on the wall were that of UTC."""
        return round(datetime.fromisoformat(self.local + "+00:00").timestamp() * 1000)


class Throttle(Document):
    """At most so many messages a minute or an hour."""

    most: int = Field(ge=1, le=1_000_000)
    per: Literal["minute", "hour"] = "minute"

    @property
    def every_ms(self) -> float:
        """From one message to the next."""
        return {"minute": 60_000, "hour": 3_600_000}[self.per] / self.most


class Campaign(Document):
    """A message to everybody of an audience, once a launch.

    exclude: who meets it is skipped. Either `template`, or `variants` whose shares make 100. control: percent of the audience that get
    nothing and are told as `would_have_sent`; salt: by what chance falls (the key, if it is left out), so that a person falls alike in
    every launch. expires: how long a displaced message is worth sending. audience_at start: the audience stands as it was at the launch;
    live: who does not belong to it any more when his turn comes is skipped, and who came since is added with the rollout of a pilot.
    priority, windows: as of a journey.
    """

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    brand: str
    name: str = Field(default="", max_length=200)
    audience: Condition
    exclude: Condition | None = None
    template: str | None = None
    variants: tuple[Variant, ...] = Field(default=(), max_length=20)
    control: int = Field(default=0, ge=0, le=50)
    salt: str = Field(default="", max_length=100)
    message_class: Literal["mass", "triggered", "service"] = Field(default="mass", alias="class")
    channel: Channel = "email"
    topic: str = "*"
    expires: str = "3d"
    start: Literal["now"] | Instant | Local = "now"
    throttle: Throttle | None = None
    audience_at: Literal["start", "live"] = "start"
    priority: Priority | None = None
    windows: tuple[SendWindow, ...] | None = Field(default=None, min_length=1, max_length=20)

    @field_validator("expires")
    @classmethod
    def _bounded(cls, value: str) -> str:
        if duration_ms(value) > EXPIRES_MOST_MS:
            raise ValueError("at most 30d")
        return value

    @model_validator(mode="after")
    def _whole(self) -> "Campaign":
        if (self.template is None) == (not self.variants):
            raise ValueError("template, variants: give one of them")
        names = [variant.name for variant in self.variants]
        if len(set(names)) != len(names):
            raise ValueError("variants: every variant needs a name of its own")
        if self.variants and sum(variant.share for variant in self.variants) != 100:
            raise ValueError("variants: the shares must make 100")
        if self.throttle is not None and isinstance(self.start, Local):
            raise ValueError("throttle: a start by each person's own clock has its own pace; give one of them")
        if self.control and self.message_class == "service":
            raise ValueError("control: service messages reach everybody")
        return self

    @property
    def letters(self) -> dict[str, str]:
        """Variant -> template; "" where there is one letter."""
        return {v.name: v.template for v in self.variants} if self.variants else {"": str(self.template)}

    def asks(self) -> Iterator[tuple[str, Condition]]:
        """(part, condition) of all that it asks about people."""
        yield "audience", self.audience
        if self.exclude is not None:
            yield "exclude", self.exclude

    def starts_at(self, now: int) -> int:
        """From when on somebody may get it (ms), if it is launched now."""
        if isinstance(self.start, Instant):
            return max(now, self.start.ms)
        if isinstance(self.start, Local):
            return max(now, self.start.wall_ms - _EARLIEST_MS)
        return now


class Launch(Document):
    """How one launch of a campaign stands: told anew with each change, under a growing version.

    key: its id, which stands in the keys of its intents; version: of the campaign; number: of the launch, from 1. stage pilot: only `size`
    people of the audience, by chance; all: the rest too. start_at: from when on somebody may get it; changed_at: when it was told (ms).
    round: grows when the audience is to be looked at anew.
    """

    key: str
    campaign: str
    brand: str
    version: int
    number: int
    state: Literal["running", "paused", "stopped"] = "running"
    stage: Literal["pilot", "all"] = "all"
    size: int = Field(default=0, ge=0, le=PILOT_MOST)
    start_at: int
    changed_at: int
    round: int = 1
