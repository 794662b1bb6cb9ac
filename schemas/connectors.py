"""Connectors: webhooks of other systems as documents. Each turns payloads of any shape into calls of the tracking API."""

from typing import Annotated, Literal, Protocol

from pydantic import Field, field_validator, model_validator

from schemas.documents import Document
from schemas.expressions import MAX_EXPRESSION, fault_of

Expression = Annotated[str, Field(min_length=1, max_length=MAX_EXPRESSION)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Fields = Annotated[dict[Name, Expression], Field(max_length=200)]


def _expression(value: str | None) -> str | None:
    if value is not None and (fault := fault_of(value)):
        raise ValueError(fault)
    return value


class HookCall(Document):
    """One call that is made of a payload. All but `call` and `event` are expressions (schemas/expressions.py) over `body`, `query` and,
    with `each`, `item`: the payload, what stands behind the ? of the address, one entry of the list.

    operations: system names of those of Mindbox of which it is made, all if none is named.
    when: true or false: whether the call is made at all; each: a list, of each entry of which a call is made. id: what the same
    thing has the same of when it is told again; without it, the payload's hash and its minute. at: when it happened. traits: of the
    person, addresses included; properties: of the event, of a `group` call those of the company, which `groupId` names; of a track it
    names the company for which it was done. What an expression does not find is left out.
    """

    call: Literal["identify", "track", "group"] = "track"
    event: str = Field(default="", max_length=200)
    operations: tuple[Name, ...] = Field(default=(), max_length=100)
    when: Expression | None = None
    each: Expression | None = None
    id: Expression | None = None
    at: Expression | None = None
    user_id: Expression | None = Field(default=None, alias="userId")
    anonymous_id: Expression | None = Field(default=None, alias="anonymousId")
    group_id: Expression | None = Field(default=None, alias="groupId")
    traits: Fields = Field(default_factory=dict)
    properties: Fields = Field(default_factory=dict)

    _single = field_validator("when", "each", "id", "at", "user_id", "anonymous_id", "group_id")(_expression)

    @field_validator("traits", "properties")
    @classmethod
    def _each_compiles(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if fault := fault_of(text):
                raise ValueError(f"{name}: {fault}")
        return value

    @model_validator(mode="after")
    def _named(self) -> "HookCall":
        if (self.call == "track") != bool(self.event.strip()):
            raise ValueError("event: a track call needs the event's name, the others have none")
        if self.call == "group" and self.group_id is None:
            raise ValueError("groupId: a group call needs it, it names the company")
        return self


class Endpoint(Document):
    """Makes a connector an endpoint of Mindbox: `POST /v3/operations/{async,sync}?endpointId={key}`, in whatever case.

    secret: sha256 (hex) of its secret key; open: system names of operations that are taken without one, as pages and apps send them.
    """

    secret: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    open: tuple[Name, ...] = Field(default=(), max_length=100)


class Connector(Document):
    """A webhook in: `POST /hooks/{key}/{secret}`. source: of its facts, `hook.<key>` if it is not said. currency: ISO 4217, of amounts
    that name none; region: two letters of the country of phones without "+".

    answer: the text that the sender is answered with, for those that want a certain one. secret_version: another one gives another
    address, and ends the one of before. A payload that makes no call is kept for some days and can be replayed.
    """

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,57}$")
    brand: str = Field(min_length=1)
    name: str = Field(default="", max_length=200)
    source: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    region: str = Field(default="", pattern=r"^([A-Z]{2})?$")
    lane: Literal["live", "bulk"] = "live"
    answer: str = Field(default="ok", max_length=200)
    secret_version: int = Field(default=1, ge=1, le=1_000_000, strict=True)
    endpoint: Endpoint | None = None
    calls: tuple[HookCall, ...] = Field(min_length=1, max_length=20)

    @field_validator("key")
    @classmethod
    def _is_free(cls, value: str) -> str:
        if value in ("smsc", "telegram", "vk"):
            raise ValueError("another webhook has this address: take another key")
        return value

    @model_validator(mode="after")
    def _says_of_what(self) -> "Connector":
        if self.endpoint is not None and not all(call.operations for call in self.calls):
            raise ValueError("calls: each call of an endpoint names the `operations` of which it is made")
        return self

    def knows(self, operation: str) -> bool:
        """Is anything made of this operation?"""
        return any(operation in call.operations for call in self.calls)

    def told_by(self) -> str:
        """The source of its facts."""
        return self.source or f"hook.{self.key}"


class Signs(Protocol):
    """Makes an unguessable word of a name, the same in every process of an installation."""

    def token(self, name: str) -> str: ...


def secret_of(vault: Signs, connector: Connector) -> str:
    """What stands at the end of a connector's address."""
    return vault.token(f"hook:{connector.brand}:{connector.key}:{connector.secret_version}")
