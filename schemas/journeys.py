"""Journeys and the rules over them, as documents."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from schemas.audience import Condition
from schemas.documents import Document, duration_ms
from schemas.steps import FactTrigger, SegmentTrigger, Send, Step

CONDITION = "~journey."  # what the keys of segments begin with that answer conditions of journeys


class Reentry(Document):
    """mode never: once in a life; always; after: not before `after` since the last entry; per: once for each value of a property;
    outside: whenever he is not inside.
    """

    mode: Literal["never", "always", "after", "per", "outside"] = "never"
    after: str | None = None
    per: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Reentry":
        if self.mode == "after" and self.after is None:
            raise ValueError("after: say how long, e.g. 30d")
        if self.mode == "per" and self.per is None:
            raise ValueError("per: name the property, e.g. properties.order_id")
        if self.after is not None:
            duration_ms(self.after)
        return self


class Journey(Document):
    """A triggered chain. Steps run in the order of the list unless `next` says otherwise; the first one starts.

    audience: only people who meet it enter. goal: this fact ends the run at once wherever the person stands. exit_segment: leaving
    it ends the run too.
    """

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    brand: str
    trigger: FactTrigger | SegmentTrigger
    steps: tuple[Step, ...] = Field(min_length=1, max_length=200)
    audience: Condition | None = None
    goal: FactTrigger | None = None
    exit_segment: str | None = None
    reentry: Reentry = Reentry()

    def leads(self) -> dict[str, list[str]]:
        """Step -> the steps to which it may lead."""
        following = [*(step.id for step in self.steps[1:]), None]
        return {
            step.id: [to for to in step.ways(after) if to is not None] for step, after in zip(self.steps, following, strict=True)
        }

    @model_validator(mode="after")
    def _connected(self) -> "Journey":
        ids = [step.id for step in self.steps]
        if len(set(ids)) != len(ids):
            raise ValueError("steps: every step needs an id of its own")
        if "audience" in ids:
            raise ValueError("steps: `audience` is the journey's own condition, call the step otherwise")
        leads = self.leads()
        faults = [f"steps.{step}: there is no step {to!r}" for step, ways in leads.items() for to in ways if to not in leads]
        faults += [
            f"steps.{step.id}: {step.about.step!r} is no letter of this journey"
            for step in self.steps
            if step.about is not None and not any(isinstance(one, Send) and one.id == step.about.step for one in self.steps)
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self


def condition_key(journey: str, version: int, step: str) -> str:
    """The segment that answers a condition of a journey: published with it, unnamed for the marketer."""
    return f"{CONDITION}{journey}.{version}.{step}"


def conditions(journey: Journey, version: int) -> dict[str, Condition]:
    """Segment key -> condition, of every branch and purge and of the audience.

    A plain reference to a segment has one too: so that who stood there long before the journey came is told to it.
    """
    found = {step.id: condition for step in journey.steps if (condition := step.asked) is not None}
    if journey.audience is not None:
        found["audience"] = journey.audience
    return {condition_key(journey.key, version, step): c for step, c in found.items()}


class Cap(Document):
    """At most `most` messages of the class per person in a calendar day or week (his own), or in a rolling window.

    brand None: counted over all brands.
    """

    name: str
    message_class: Literal["triggered", "mass"] = Field(alias="class")
    most: int = Field(ge=1)
    per: Literal["day", "week"] | None = None
    within: str | None = None
    brand: str | None = None

    @model_validator(mode="after")
    def _one_window(self) -> "Cap":
        if (self.per is None) == (self.within is None):
            raise ValueError("per, within: give one of them, e.g. per: week or within: 7d")
        if not duration_ms(self.within or "1s"):
            raise ValueError("within: longer than nothing, e.g. 7d")
        return self


class QuietHours(Document):
    """Local times "21:00" and "09:00" between which nothing but service messages is sent."""

    start: str = Field(alias="from", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    end: str = Field(alias="to", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")


class GlobalControl(Document):
    """`share` of 10,000 people get no marketing at all; `salt` names the season, e.g. gcg-2026."""

    share: int = Field(ge=0, le=5000)
    salt: str


class Rule(Document):
    """The rules over everything that is sent (R1-R4). Several may be published; all hold. Service messages pass every one."""

    key: str
    caps: tuple[Cap, ...] = ()
    exclusive_day: tuple[Annotated[str, Field(pattern="^(triggered|mass)$")], ...] = ()
    quiet_hours: QuietHours | None = None
    global_control: GlobalControl | None = None


class Brand(Document):
    """time_zone: for people whose own is unknown (IANA name); sender: address and name that letters come from."""

    key: str
    name: str
    time_zone: str = "UTC"
    language: str = "en"
    from_email: str = ""
    from_name: str = ""
    currency: str = "RUB"


def dump(document: BaseModel) -> dict[str, Any]:
    """The JSON form of a document, with the names that a marketer writes."""
    return document.model_dump(mode="json", by_alias=True, exclude_none=True)
