"""From one Segment call to one fact: the rules of what each call means."""

import hashlib
from typing import Any, cast

import msgspec

from schemas import ids
from schemas.accounts import flaw_of
from schemas.charges import CHARGE
from schemas.facts import Fact, Kind

from . import moments, money, people
from .body import read
from .charging import charge
from .values import Accepted, Arrival, Fault, Refusal

MAX_MESSAGE_ID = 100
MAX_EVENT_NAME = 200
KINDS = ("identify", "track", "page", "screen", "group", "alias")

_NAMED = {"page": "Page Viewed", "screen": "Screen Viewed"}


class Call(msgspec.Struct, rename="camel", gc=False):
    """A call as it comes: nothing is trusted yet. Fields that are not listed are accepted and left out."""

    type: Any = None
    message_id: Any = None
    user_id: Any = None
    anonymous_id: Any = None
    previous_id: Any = None
    group_id: Any = None
    timestamp: Any = None
    sent_at: Any = None
    event: Any = None
    name: Any = None
    category: Any = None
    traits: Any = None
    properties: Any = None
    context: Any = None
    integrations: Any = None


_decoder = msgspec.json.Decoder(Call)


def normalise(data: bytes, arrival: Arrival, index: int = 0) -> Accepted | Fault:
    """One event (its JSON) as a fact, or why it is refused. Never raises, whatever the bytes are. index: its place in the batch.

    The fact's id derives from the source and `messageId`; without one, from a hash of the bytes, and of the moment of
    receipt and the place when there is no timestamp either: then the same bytes twice are two facts, since nothing tells
    a repeat from a second click.
    """
    try:
        return build(read(data, _decoder), data, arrival, index)
    except Refusal as refusal:
        return refusal.fault


def build(call: Call, data: bytes, arrival: Arrival, index: int = 0) -> Accepted:
    """The fact of a call. data: the bytes it was read from, for its id when it has no `messageId`. Raises Refusal."""
    source = arrival.source
    kind = _kind(arrival.kind or call.type)
    warnings: tuple[Fault, ...] = ()
    sent_at = arrival.sent_at
    if call.sent_at is not None:
        sent_at = moments.parse(call.sent_at)
        if sent_at is None:
            warnings = (Fault("sentAt", "sent_at_ignored", "It cannot be read.", "send ISO 8601"),)
    occurred_at, received_at = moments.settle(call.timestamp, sent_at, arrival.now, driven=arrival.driven)
    context = {**arrival.context, **_object(call.context, "context")}
    about = _object(context.pop("traits", None), "context.traits")
    event = _event(kind, call.event)
    attributes, properties = _payload(kind, call, about)
    properties = fit(kind, event, properties, source.currency)
    users, devices = _own_ids(kind, call)
    named = people.find(users, devices, _places(kind, call, about), context.get("externalIds"), source.region)
    if arrival.integrations or call.integrations:
        context["integrations"] = {**arrival.integrations, **_object(call.integrations, "integrations")}
    if named.refused:
        context["refused"] = named.refused
    if arrival.ip is not None and context.get("direct") is True:
        context["ip"] = arrival.ip
    message_id = _message_id(call, data, f"{received_at}-{index}" if index else str(received_at))
    fact = Fact(
        id=ids.derive(source.name, message_id),
        type=kind,
        brand=source.brand,
        source=source.name,
        lane=arrival.lane,
        occurred_at=occurred_at,
        received_at=received_at,
        identifiers=tuple(named.identifiers),
        event=event,
        attributes=money.convert(attributes, source.currency, "traits") if attributes else attributes,
        properties=money.convert(properties, source.currency, "properties") if properties else properties,
        context=context,
        traceparent=arrival.traceparent,
    )
    return Accepted(fact, (*warnings, *named.warnings) if named.warnings else warnings)


def fit(kind: Kind, event: str, properties: dict[str, Any], currency: str | None) -> dict[str, Any]:
    """The properties as those who keep charges, companies and deals can take them. Raises Refusal where they cannot."""
    if event == CHARGE and kind == "track":
        properties = charge(properties, currency)
    if flaw := flaw_of(event or kind, properties):
        field = "groupId" if kind == "group" else f"properties.{flaw.field}"
        raise Refusal(field, "value_unusable", flaw.message, flaw.mend)
    return properties


def _kind(value: Any) -> Kind:
    if value not in KINDS:
        raise Refusal("type", "call_unknown", "The type of call is not known.", f"send one of {', '.join(KINDS)}")
    return cast("Kind", value)


def _object(value: Any, path: str) -> dict[str, Any]:
    if value is None:
        return {}
    if type(value) is not dict:
        raise Refusal(path, "wrong_type", "It must be an object.", "send an object or leave it out")
    return value


def _payload(kind: Kind, call: Call, about: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(attributes of the person, properties of the event). A group's traits describe the company, not the person."""
    traits = _object(call.traits, "traits")
    properties = _object(call.properties, "properties")
    if kind == "identify":
        return {**about, **traits}, properties
    if kind == "group":
        if call.group_id is None or call.group_id == "" or type(call.group_id) not in (str, int):
            raise Refusal("groupId", "group_id_missing", "There is no usable groupId.", "send groupId as text")
        return about, {**traits, "group_id": str(call.group_id)}
    if kind in _NAMED:
        named = {"name": call.name, "category": call.category}
        return about, {**{name: value for name, value in named.items() if value is not None}, **properties}
    return about, properties


def _event(kind: Kind, value: Any) -> str:
    if kind != "track":
        return _NAMED.get(kind, "")
    if type(value) is not str or not value.strip():
        raise Refusal("event", "event_missing", "A track call needs the event's name.", "send event as text")
    if len(value) > MAX_EVENT_NAME:
        message = "The event's name is longer than 200 characters."
        raise Refusal("event", "event_too_long", message, "send a constant name; what varies goes into properties")
    return value


def _own_ids(kind: Kind, call: Call) -> tuple[people.Values, people.Values]:
    user = ("userId", call.user_id)
    device = ("anonymousId", call.anonymous_id)
    if kind != "alias":
        return (user,), (device,)
    if call.previous_id is None:
        raise Refusal("previousId", "previous_id_missing", "An alias call needs previousId.", "send previousId")
    # Segment does not say whether the old id was a device's or a user's: both are named, whoever had it is this person.
    former = ("previousId", call.previous_id)
    return (user, former), (former, device)


def _places(kind: Kind, call: Call, about: dict[str, Any]) -> people.Places:
    """Where the person's own addresses may stand.

    Not in a group's traits (the company's), nor in properties: a "Referral Sent" names a friend, who is somebody else.
    """
    places: people.Places = (("context.traits", about),) if about else ()
    if kind == "identify" and call.traits:
        return (("traits", call.traits), *places)
    return places


def _message_id(call: Call, data: bytes, moment: str) -> str:
    value = call.message_id
    if value is None or value == "":
        content = hashlib.sha256(data).hexdigest()[:32]
        return f"hash-{content}" if call.timestamp is not None else f"hash-{content}-{moment}"
    if type(value) is int:
        value = str(value)
    if type(value) is not str or len(value) > MAX_MESSAGE_ID:
        message = "The messageId is not a text of at most 100 characters."
        raise Refusal("messageId", "message_id_invalid", message, "send a unique text such as a UUID")
    return value
