"""Facts that the management API says of people: they go the way of all facts, and have it as their source."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from runtime import own
from schemas.facts import IDENTIFIER_KINDS, Fact, encode
from schemas.identifiers import is_kind, normalise
from schemas.ids import derive
from schemas.topics import FACTS_RAW
from services.gateway.domain.problems import Fault
from services.gateway.handler.call import Call

SERVICE, LANE, SOURCE = "gateway", "starts", "api"


class Whom(NamedTuple):
    """One of both: a profile, or an identifier such as `email:ann@example.org`."""

    profile: UUID | None
    identifier: str | None

    def faults(self, place: str) -> Iterator[Fault]:
        """place: of the two fields, with a dot at its end, or ""."""
        if (self.profile is None) == (self.identifier is None):
            yield Fault(f"{place}profile", "one_person")
        if self.identifier is not None and _normal(self.identifier) is None:
            yield Fault(f"{place}identifier", "identifier", params={"kinds": ", ".join(IDENTIFIER_KINDS)})


class Addressed(BaseModel):
    """What a call tells of one person: `profile` or `identifier`, and more. An identifier makes somebody new of whom nobody has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: UUID | None = None
    identifier: Annotated[str, Field(min_length=1, max_length=500)] | None = None

    @property
    def whom(self) -> Whom:
        return Whom(self.profile, self.identifier)


class Said(NamedTuple):
    """event: "" of a fact that has a type of its own."""

    whom: Whom
    properties: Mapping[str, Any]
    event: str = ""
    type: str = "track"


async def say(call: Call, brand: str, about: tuple[str, str], said: Sequence[Said], idempotency: str | None) -> list[str]:
    """The facts' ids, in the same order. about: what names them beside the API key, `idempotency` and what is said: repeated, they are the
    same facts.
    """
    _, now, _ = await own.lock(call.connection, LANE)
    once = idempotency or secrets.token_hex(16)
    facts = [
        Fact(
            id=derive(*about[:1], call.key.id, *about[1:], one.type, one.event, once, place),
            type=one.type,
            event=one.event,
            brand=brand,
            source=SOURCE,
            occurred_at=now,
            received_at=now,
            identifiers=(_normal(one.whom.identifier) or "",) if one.whom.identifier is not None else (),
            about=str(one.whom.profile) if one.whom.profile is not None else None,
            properties=dict(one.properties),
        )
        for place, one in enumerate(said)
    ]
    keyed = [(f"{SOURCE}|{fact.about or fact.identifiers[0]}", fact) for fact in facts]
    emits = [own.unplaced(FACTS_RAW.name, key, encode(fact), fact.event or fact.type) for key, fact in keyed]
    await own.publish_in(call.connection, call.settings, SERVICE, LANE, emits)
    return [fact.id for fact in facts]


def _normal(identifier: str) -> str | None:
    kind, _, value = identifier.partition(":")
    clean = normalise(kind, value) if is_kind(kind) else None
    return f"{kind}:{clean}" if clean is not None else None
