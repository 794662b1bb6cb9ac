"""Steps of a journey that tell somebody else about the person: a customer's system, or a manager."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from schemas.documents import checked_duration
from schemas.stepping import Became, JourneyStep, StepId
from schemas.topics import Carrier
from schemas.webhooks import Body, Call, EventType, Letter, checked_body


class Told(JourneyStep):
    """Goes out as a message does, about the person and to somebody else: whatever is asked of a `Send` can be asked of it."""

    FATES: ClassVar[tuple[Became, ...]] = ("accepted", "failed", "skipped")

    topic: str = "*"
    expires: str = "1d"
    next: StepId | None = None

    _check = field_validator("expires")(checked_duration)


class Webhook(Told):
    """Call a customer's system. webhook: the endpoint; type: of the envelope, else `journey.step`; body: in place of the endpoint's. A class
    that is no service makes it marketing: by the rules, and with the person's consent to everything by every channel.
    """

    webhook: str
    type: EventType | None = None
    body: Body | None = None
    message_class: Literal["service", "triggered", "mass"] = Field(default="service", alias="class")

    _body = field_validator("body", mode="before")(checked_body)

    @property
    def channel(self) -> Carrier:
        return "webhook"

    @property
    def template(self) -> str:
        return self.webhook


class Hand(Told):
    """Hand the person to a manager, by a webhook or by a letter. It is no message to the person: no rule holds it back."""

    hand: Call | Letter

    @property
    def channel(self) -> Carrier:
        return "webhook" if isinstance(self.hand, Call) else "email"

    @property
    def template(self) -> str:
        return self.hand.webhook if isinstance(self.hand, Call) else self.hand.template

    @property
    def message_class(self) -> Literal["service"]:
        return "service"
