"""The steps of a journey: what a run waits for, where it goes on, and what it does.

A step tells by itself what the rest must know of it: `ASKS` is the field of the condition that it asks about the person, `ways` are the
steps to which it may lead.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from schemas.audience import AnyOf, Condition, Did, Filter
from schemas.cascades import Attempt, checked
from schemas.charges import CHARGE, ROLLED_UP
from schemas.contact import Clock, Priority, SendWindow, Weekday
from schemas.documents import Document, checked_duration, checked_offset, duration_ms
from schemas.stepping import JourneyStep as _Step
from schemas.stepping import OfLetter, StepId
from schemas.telling import Hand, Webhook
from schemas.topics import Channel

# Whoever has done one of these has bought something.
PAYS = ("Order Completed", "Order Paid", CHARGE, ROLLED_UP)
DataPath = Annotated[str, Field(min_length=1, max_length=400)]  # of the run's own data, e.g. event.order_id


class FactTrigger(Document):
    """A fact with this event name (for calls other than track: its type) whose properties pass all filters.

    Filters on the fact's own properties are pure and local; a condition on the person is `Journey.audience`.
    """

    event: str = Field(min_length=1, max_length=200)
    where: tuple[Filter, ...] = ()


class SegmentTrigger(Document):
    segment: str
    change: Literal["entered", "left"] = "entered"


class TimeOfDay(Document):
    """The next such time on the person's own clock, not this very instant; on: of these weekdays."""

    at: Clock
    on: tuple[Weekday, ...] = Field(default=(), max_length=7)


class Dated(Document):
    """An instant that the run's data tells, and so long before (-1d) or after it; at: at that time of the person's day then."""

    data: DataPath
    offset: str = "0s"
    at: Clock | None = None

    _check = field_validator("offset")(checked_offset)


def _waiting(value: Any) -> str:
    if isinstance(value, str):
        return "Length"
    return "Dated" if isinstance(value, Dated) or (isinstance(value, dict) and "data" in value) else "TimeOfDay"


class Wait(_Step):
    """For a length of time, until a time of day, or until an instant. missed: where to go when that instant is over already, or there is
    none.
    """

    wait: Annotated[
        Annotated[str, Tag("Length")] | Annotated[TimeOfDay, Tag("TimeOfDay")] | Annotated[Dated, Tag("Dated")],
        Discriminator(_waiting),
    ]
    missed: StepId | None = None
    next: StepId | None = None

    @field_validator("wait")
    @classmethod
    def _length(cls, value: Any) -> Any:
        return checked_duration(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _dated(self) -> "Wait":
        if self.missed is not None and not isinstance(self.wait, Dated):
            raise ValueError("missed: only an instant that the run's data tells can be over already")
        return self

    @property
    def waits(self) -> bool:
        return not isinstance(self.wait, str) or duration_ms(self.wait) > 0

    def ways(self, following: str | None) -> Iterator[str | None]:
        yield self.next or following
        if self.missed is not None:
            yield self.missed


class AwaitedFact(FactTrigger):
    """same: a property that must be that of the fact which started the run, e.g. order_id."""

    same: DataPath | None = None


class Awaited(Document):
    """A fact of his, a condition that becomes true of him, or what becomes of a letter of this run."""

    fact: AwaitedFact | None = None
    condition: Condition | None = None
    letter: OfLetter | None = None

    @model_validator(mode="after")
    def _one(self) -> "Awaited":
        if sum(one is not None for one in (self.fact, self.condition, self.letter)) != 1:
            raise ValueError("fact, condition, letter: give one of them")
        return self


class Until(_Step):
    """Wait for something, at the most so long. A fact counts if it occurred after the step was reached (of the first step: after what
    started the run), in whatever order they come; a condition if it is true already, too.
    """

    ASKS = ("until", "condition")

    until: Awaited
    at_most: str
    then: StepId | None = None
    otherwise: StepId | None = Field(default=None, alias="else")

    _check = field_validator("at_most")(checked_duration)

    @property
    def asked(self) -> Condition | None:
        return self.until.condition

    @property
    def about(self) -> OfLetter | None:
        return self.until.letter

    @property
    def waits(self) -> bool:
        return duration_ms(self.at_most) > 0

    def ways(self, _following: str | None) -> Iterator[str | None]:
        yield from (self.then, self.otherwise)


class Branch(_Step):
    """Go to `then` if something is so now, else to `otherwise`; None ends the run. That is a condition on the person, filters on the
    run's own data, or what became of a letter of it.
    """

    ASKS = ("if",)

    condition: Condition | None = Field(default=None, alias="if")
    data: tuple[Filter, ...] = Field(default=(), alias="if_data")
    letter: OfLetter | None = Field(default=None, alias="if_letter")
    then: StepId | None = None
    otherwise: StepId | None = Field(default=None, alias="else")

    @model_validator(mode="after")
    def _one(self) -> "Branch":
        if sum((self.condition is not None, bool(self.data), self.letter is not None)) != 1:
            raise ValueError("if, if_data, if_letter: give one of them")
        return self

    @property
    def asked(self) -> Condition | None:
        return self.condition

    @property
    def about(self) -> OfLetter | None:
        return self.letter

    def ways(self, _following: str | None) -> Iterator[str | None]:
        yield from (self.then, self.otherwise)


class Arm(Document):
    """share: of 100. control: messages of the run that are no service are not sent from here on, and are told as `would_have_sent`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    share: int = Field(ge=0, le=100)
    then: StepId | None = None
    control: bool = False


class Split(_Step):
    """By chance, and the same way for one person each time: by a hash of who he is and of `salt` (else of the journey and step). The
    exposure is told as a verdict `exposed`.
    """

    split: tuple[Arm, ...] = Field(min_length=2, max_length=20)
    salt: str | None = Field(default=None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _whole(self) -> "Split":
        if sum(arm.share for arm in self.split) != 100:
            raise ValueError(f"split: the shares add up to {sum(arm.share for arm in self.split)}, not to 100")
        if len({arm.name for arm in self.split}) != len(self.split):
            raise ValueError("split: every arm needs a name of its own")
        return self

    def ways(self, following: str | None) -> Iterator[str | None]:
        yield from (arm.then or following for arm in self.split)


class Send(_Step):
    """expires: how long a displaced message is worth sending; afterwards it is skipped and the run goes on.

    priority, windows: in place of the journey's.
    """

    template: str
    channel: Channel = "email"
    message_class: Literal["service", "triggered", "mass"] = Field(default="triggered", alias="class")
    topic: str = "*"
    expires: str = "3d"
    next: StepId | None = None
    priority: Priority | None = None
    windows: tuple[SendWindow, ...] | None = Field(default=None, min_length=1, max_length=20)

    _check = field_validator("expires")(checked_duration)


class Cascade(_Step):
    """One message, over the first channel that reaches him: the one he prefers (his attribute `preferred_channel`), then the others in their
    order. The run stays on the step until it is through. expires: of the whole of it.
    """

    cascade: tuple[Attempt, ...] = Field(min_length=2, max_length=10)
    message_class: Literal["service", "triggered", "mass"] = Field(default="triggered", alias="class")
    topic: str = "*"
    expires: str = "3d"
    preferred_first: bool = True
    priority: Priority | None = None
    windows: tuple[SendWindow, ...] | None = Field(default=None, min_length=1, max_length=20)
    next: StepId | None = None

    _check = field_validator("expires")(checked_duration)

    @model_validator(mode="after")
    def _whole(self) -> "Cascade":
        checked(self.cascade, self.expires)
        return self

    def over(self, channel: str) -> Send:
        """The message as it goes over one of the channels."""
        return self._sends[channel]

    @cached_property
    def _sends(self) -> Mapping[str, Send]:
        """Made once: to look them up by the whole step would hash it for every letter."""
        return {attempt.channel: self._over(attempt) for attempt in self.cascade}

    def _over(self, attempt: Attempt) -> Send:
        return Send(
            id=self.id,
            template=attempt.template,
            channel=attempt.channel,
            message_class=self.message_class,
            topic=self.topic,
            expires=self.expires,
            priority=self.priority,
            windows=self.windows,
        )


class Purge(_Step):
    """Erase the person, or only his addresses of a channel, unless he meets `keep`. Whoever has ever bought is kept whatever that says,
    and of who has agreed to anything (other than by a request that he never confirmed) no more is taken than the addresses of a channel.
    """

    ASKS = ("keep",)

    purge: Literal["person"] | Channel
    keep: Condition = AnyOf(of=tuple(Did(event=event) for event in PAYS))
    next: StepId | None = None

    @property
    def asked(self) -> Condition | None:
        return self.keep


class SetAttributes(_Step):
    """Say attributes of the person, as a fact of his. A value is JSON, or `{"data": "event.plan"}` of the run's data."""

    set: dict[Annotated[str, Field(min_length=1, max_length=200)], Any] = Field(min_length=1, max_length=50)
    next: StepId | None = None


class Word(Document):
    """A word of consent that is known from elsewhere: of a call, a contract, what the brand's rules say. topic "*": all of the brand's.

    basis: why it may be said, as the ledger keeps it; text_id, expires_in: what it was given under, and for how long.
    """

    topic: str = Field(default="*", min_length=1, max_length=63)
    channel: Channel = "email"
    state: Literal["granted", "revoked"] = "granted"
    basis: str = Field(default="consent", min_length=1, max_length=200)
    text_id: str | None = Field(default=None, min_length=1, max_length=200)
    expires_in: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Word":
        if self.expires_in is not None and (self.state == "revoked" or not duration_ms(self.expires_in)):
            raise ValueError("expires_in: for how long a yes is given, e.g. 365d; a no has no end")
        return self


class Subscription(_Step):
    """Say that he agrees to a topic, or no longer does, as a fact of his: what proves it is the run."""

    subscribe: Word
    next: StepId | None = None


class Give(_Step):
    """Give a promo code of a pool: one for each run and step, or (`per: person`) the one that he gets of this pool whatever asks. empty:
    where to go when there is none. return: it goes back to the pool when the run is over and no message with it ever went out.
    """

    give: str
    empty: StepId
    per: Literal["run", "person"] = "run"
    returns: bool = Field(default=False, alias="return")
    next: StepId | None = None

    def ways(self, following: str | None) -> Iterator[str | None]:
        yield self.next or following
        yield self.empty


class Jump(_Step):
    """End here and enter another journey with the data of this run, if its audience and its re-entry let him in."""

    jump: str

    def ways(self, _following: str | None) -> Iterator[str | None]:
        yield None


class End(_Step):
    end: Literal[True] = True

    def ways(self, _following: str | None) -> Iterator[str | None]:
        yield None


Sends = Send | Webhook | Hand  # steps of which an intent goes out
Letters = Sends | Cascade  # steps of which one may ask what became of it
# By the event that tells what became of a letter; its first word is the channel.
_TELLS = {
    "Delivered": "delivered",
    "Read": "opened",
    "Opened": "opened",
    "Link Clicked": "clicked",
    "Bounced": "bounced",
    "Failed": "bounced",
}
LETTER_EVENTS: Mapping[str, str] = {
    f"{way} {tells}": became for way in ("Email", "SMS", "Telegram", "VK") for tells, became in _TELLS.items()
}
# What tells a step from others in a document.
STEP_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Wait": ("wait",), "Until": ("until",), "Branch": ("if", "if_data", "if_letter"), "Split": ("split",), "Send": ("template",), "Cascade": ("cascade",),
    "Webhook": ("webhook",), "Hand": ("hand",), "Purge": ("purge",), "SetAttributes": ("set",), "Subscription": ("subscribe",), "Jump": ("jump",),
    "End": ("end",), "Give": ("give",),
}  # fmt: skip


def _kind(value: Any) -> str | None:
    if isinstance(value, _Step):
        return type(value).__name__
    found = value if isinstance(value, dict) else {}
    return next((name for name, fields in STEP_FIELDS.items() if any(field in found for field in fields)), None)


Step = Annotated[
    Annotated[Wait, Tag("Wait")] | Annotated[Until, Tag("Until")] | Annotated[Branch, Tag("Branch")] | Annotated[Split, Tag("Split")]
    | Annotated[Send, Tag("Send")] | Annotated[Webhook, Tag("Webhook")] | Annotated[Hand, Tag("Hand")] | Annotated[Cascade, Tag("Cascade")]
    | Annotated[Purge, Tag("Purge")] | Annotated[SetAttributes, Tag("SetAttributes")] | Annotated[Subscription, Tag("Subscription")]
    | Annotated[Give, Tag("Give")] | Annotated[Jump, Tag("Jump")] | Annotated[End, Tag("End")],
    Discriminator(_kind),
]  # fmt: skip
ASKS = tuple(kind.ASKS for kind in (Until, Branch, Purge))  # where conditions stand in the JSON of a step
