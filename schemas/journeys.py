"""Journeys as documents, and the brands that they write for."""

from typing import Any, Literal

from pydantic import BaseModel, Field, model_validator

from schemas.audience import Condition
from schemas.audience_nodes import Literals
from schemas.contact import LocalControl, Priority, SendWindow
from schemas.documents import Document, duration_ms
from schemas.steps import FactTrigger, Letters, Step
from schemas.telling import Told
from schemas.triggers import ScheduleTrigger, Trigger, reentry_of


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

    audience: only people who meet it enter. goal: this fact ends the run at once wherever the person stands. exit_segment: leaving it ends
    the run too. reentry, where nothing is said: of what comes by a date or a schedule whenever he is not inside, by the API always, else
    never again. priority, windows: of its marketing, where a step says nothing else; control: who gets none of it. of, with: the journey
    with parameters that this one was made of, and the values that were given for them; param: all their values.
    """

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    brand: str
    trigger: Trigger
    steps: tuple[Step, ...] = Field(min_length=1, max_length=200)
    audience: Condition | None = None
    goal: FactTrigger | None = None
    exit_segment: str | None = None
    reentry: Reentry = Reentry()
    priority: Priority | None = None
    windows: tuple[SendWindow, ...] | None = Field(default=None, min_length=1, max_length=20)
    control: LocalControl | None = None
    of: str | None = None
    values: dict[str, Literals] | None = Field(default=None, alias="with")
    param: dict[str, Literals] | None = None

    @model_validator(mode="before")
    @classmethod
    def _again(cls, body: Any) -> Any:
        if not isinstance(body, dict) or "reentry" in body:
            return body
        return {**body, "reentry": {"mode": reentry_of(body.get("trigger"))}}

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
        if self.of is None and (self.values is not None or self.param is not None):
            name = "with" if self.values is not None else "param"
            raise ValueError(f"{name}: only a journey that is made `of` one with parameters has values for them")
        if isinstance(self.trigger, ScheduleTrigger) and self.audience is None:
            raise ValueError("audience: say for whom the schedule is, e.g. {kind: segment, key: customers}")
        leads = self.leads()
        faults = [f"steps.{step}: there is no step {to!r}" for step, ways in leads.items() for to in ways if to not in leads]
        faults += [
            f"steps.{step.id}: {step.about.step!r} is no letter of this journey"
            for step in self.steps
            if step.about is not None and not any(isinstance(one, Letters) and one.id == step.about.step for one in self.steps)
        ]
        told = {step.id: step for step in self.steps if isinstance(step, Told)}
        faults += [
            f"steps.{step.id}: of {step.about.step!r} it is known whether it was {', '.join(Told.FATES)}, not {step.about.became}"
            for step in self.steps
            if step.about is not None and step.about.step in told and step.about.became not in Told.FATES
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self


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
