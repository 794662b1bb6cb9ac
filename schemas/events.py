"""Events with seats as documents, and the facts by which people register, get a seat, come or do not."""

from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from schemas.documents import Document, duration_ms, instant_ms
from schemas.steps import FactTrigger
from schemas.zones import names

# What anybody may say, with the event's key as the property `event`.
REGISTERED, UNREGISTERED = "Event Registered", "Event Registration Cancelled"
ATTENDANCE, ATTENDED = "Event Attendance Confirmed", "Event Attended"
# What is said here.
REQUESTED, SEATED, WAITLISTED, DECLINED = "Event Requested", "Event Seat Confirmed", "Event Waitlisted", "Event Seat Declined"
MOVED_ONLINE, MISSED = "Event Moved Online", "Event Missed"
RESCHEDULED, CANCELLED = "Event Rescheduled", "Event Cancelled"
SELECTED = "event.selected"  # type of a fact in `facts.raw` by which somebody is chosen, or not
EVENT = "event"  # the property of all of them
SOURCE = "events"  # of what is said here
SAID = frozenset((REGISTERED, UNREGISTERED, ATTENDANCE, ATTENDED))
# What begins a chain about somebody's place; the second ones end what an earlier one of them began (`domain/rescheduling.py`).
PLACES = frozenset((REQUESTED, SEATED, WAITLISTED, DECLINED, MOVED_ONLINE, RESCHEDULED, REGISTERED))
TURNS = frozenset((SEATED, DECLINED, MOVED_ONLINE, UNREGISTERED, CANCELLED))

Attend = Literal["online", "offline"]
Status = Literal["requested", "confirmed", "waitlisted", "declined", "cancelled", "moved_online", "attended", "no_show"]
Choice = Literal["confirm", "waitlist", "decline"]


class Question(Document):
    """Asked at registration: `name` is the property of the answer, which is text."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    text: str = Field(default="", max_length=500)
    required: bool = True


class Funnel(Document):
    """What the rates are of, beside registration and attendance. seen: who might have registered; paid: what it is worth."""

    seen: FactTrigger | None = None
    paid: FactTrigger | None = None


class Event(Document):
    """An event. starts_at, ends_at, closes_at: instants with their zone; registration closes when it starts if nothing is said.

    seats: of the room, None: no limit; who attends `both` online needs none. confirm_until: so long before the start ("12h") those of
    `both` who have a seat of the room and have not said that they come are moved online. time_zone: in which letters tell its day and time.
    """

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    brand: str
    title: str = Field(min_length=1, max_length=300)
    topic: str = "*"
    format: Literal["online", "offline", "both"]
    starts_at: str
    ends_at: str
    time_zone: str = "UTC"
    place: str = Field(default="", max_length=500)
    link: str = Field(default="", max_length=2000)
    seats: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    selection: Literal["first_come", "by_selection"] = "first_come"
    questions: tuple[Question, ...] = Field(default=(), max_length=20)
    closes_at: str | None = None
    confirm_until: str | None = None
    cancelled: bool = False
    funnel: Funnel = Funnel()

    @field_validator("starts_at", "ends_at", "closes_at")
    @classmethod
    def _instant(cls, value: str | None) -> str | None:
        if value is not None:
            instant_ms(value)
        return value

    @field_validator("confirm_until")
    @classmethod
    def _duration(cls, value: str | None) -> str | None:
        if value is not None:
            duration_ms(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in names():
            raise ValueError(f"{value[:40]!r} is no time zone: write it like Europe/Moscow")
        return value

    @model_validator(mode="after")
    def _whole(self) -> "Event":
        if self.ends_ms <= self.starts_ms:
            raise ValueError("ends_at: it must end after it starts")
        if self.closes_at is not None and instant_ms(self.closes_at) > self.ends_ms:
            raise ValueError("closes_at: registration must close before the event ends")
        if self.confirm_until is not None and self.format != "both":
            raise ValueError("confirm_until: only an event of the format `both` can move people online")
        names = [one.name for one in self.questions]
        if len(set(names)) < len(names) or EVENT in names or "attend" in names:
            raise ValueError("questions: each needs a name of its own, other than `event` and `attend`")
        return self

    @property
    def starts_ms(self) -> int:
        return instant_ms(self.starts_at)

    @property
    def ends_ms(self) -> int:
        return instant_ms(self.ends_at)

    @property
    def closes_ms(self) -> int:
        return instant_ms(self.closes_at) if self.closes_at is not None else self.starts_ms

    @property
    def confirm_ms(self) -> int | None:
        """By when a seat must be confirmed; None: it need not be."""
        return None if self.confirm_until is None else self.starts_ms - duration_ms(self.confirm_until)

    def attends(self, asked: Any) -> Attend:
        """How somebody takes part who asked for that way, or for none."""
        if self.format == "both":
            return "online" if asked == "online" else "offline"
        return self.format

    @property
    def told(self) -> dict[str, Any]:
        """Properties of every fact about a place: what letters and waits need."""
        local = datetime.fromisoformat(self.starts_at).astimezone(ZoneInfo(self.time_zone))
        return {
            EVENT: self.key,
            "title": self.title,
            "topic": self.topic,
            "format": self.format,
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "local_date": f"{local:%Y-%m-%d}",
            "local_time": f"{local:%H:%M}",
            "place": self.place,
            "link": self.link,
        }
