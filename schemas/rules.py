"""The rules over everything that is sent, as documents (R1-R8)."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.audience import Condition
from schemas.contact import Clock, SendWindow
from schemas.documents import Document, duration_ms
from schemas.topics import Channel

MINUTE, DAY = 60_000, 86_400_000
MessageKind = Literal["triggered", "mass"]


class Cap(Document):
    """At most `most` messages of the class per person in a calendar day, week or month (his own), or in a rolling window.

    brand, channel, topic: only messages of it are counted and held back; left out, all. who: only for people who meet it now.
    """

    name: str
    message_class: MessageKind = Field(alias="class")
    most: int = Field(ge=1)
    per: Literal["day", "week", "month"] | None = None
    within: str | None = None
    brand: str | None = None
    channel: Channel | None = None
    topic: str | None = None
    who: Condition | None = None

    @model_validator(mode="after")
    def _one_window(self) -> "Cap":
        if (self.per is None) == (self.within is None):
            raise ValueError("per, within: give one of them, e.g. per: week or within: 7d")
        if not duration_ms(self.within or "1s"):
            raise ValueError("within: longer than nothing, e.g. 7d")
        return self


class QuietHours(Document):
    """Local times "21:00" and "09:00" between which nothing but service messages is sent."""

    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")


class RuleWindow(SendWindow):
    """class, brand, channel, topic: only messages of it; left out, all. Windows of equal scope are alternatives, those of different scopes
    all hold.
    """

    message_class: MessageKind | None = Field(default=None, alias="class")
    brand: str | None = None
    channel: Channel | None = None
    topic: str | None = None


class Compete(Document):
    """At most one marketing message per person in any `within`, the most important first; the others go later, up to their `expires`.

    One that may still be outdone waits for `within` after it was ready (docs/adr/0024).
    """

    within: str

    @model_validator(mode="after")
    def _short(self) -> "Compete":
        if not MINUTE <= duration_ms(self.within) <= 7 * DAY:
            raise ValueError("within: from 1m to 7d, e.g. 2h")
        return self


class GlobalControl(Document):
    """`share` of 10,000 people get no marketing at all; `salt` names the season, e.g. gcg-2026."""

    share: int = Field(ge=0, le=5000)
    salt: str


class LinkRule(Document):
    """No letter to people of `segment` may lead to an address in which one of `links` stands. brand: only its letters; left out, all.

    Asked by the pre-flight check of a campaign.
    """

    name: str
    links: tuple[str, ...] = Field(min_length=1, max_length=200)
    segment: str
    brand: str | None = None


class Rule(Document):
    """Several may be published; all hold. Service messages pass every one. manager_only: who meets it gets no marketing, whatever matches."""

    key: str
    caps: tuple[Cap, ...] = ()
    exclusive_day: tuple[Annotated[str, Field(pattern="^(triggered|mass)$")], ...] = ()
    quiet_hours: QuietHours | None = None
    global_control: GlobalControl | None = None
    manager_only: Condition | None = None
    windows: tuple[RuleWindow, ...] = Field(default=(), max_length=100)
    compete: Compete | None = None
    links: tuple[LinkRule, ...] = ()

    def asks(self) -> Iterator[tuple[str, str, Condition]]:
        """(part, path, condition) of all that it asks about people."""
        if self.manager_only is not None:
            yield "manager_only", "manager_only", self.manager_only
        for place, cap in enumerate(self.caps):
            if cap.who is not None:
                yield f"cap_{place}", f"caps.{place}.who", cap.who
