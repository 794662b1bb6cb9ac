"""The kinds of documents, and reading one: every fault at once."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas.audience_reading import AudienceError, parse
from schemas.audience_walk import under
from schemas.bots import Bot
from schemas.campaigns import Campaign
from schemas.connectors import Connector
from schemas.events import Event
from schemas.experiment_documents import Experiment
from schemas.identity import Identity
from schemas.journeys import Brand, Journey, dump
from schemas.parameters import Instance, Pattern
from schemas.policies import Policy
from schemas.promo_pools import PromoPool
from schemas.rules import Rule
from schemas.segments import Segment
from schemas.steps import ASKS
from schemas.subscriptions import Topic
from schemas.surveys import Survey
from schemas.templates import Template
from schemas.webhooks import WebhookEndpoint
from services.gateway.domain import brands, contact, markup, patterns, ways
from services.gateway.domain.cost import MOST_OF_ONE, cost
from services.gateway.domain.problems import Fault, Problem
from services.gateway.domain.reading import faults_of, without_echoes

MAX_BYTES = 800_000  # of a document: its record must fit in the log
KEY = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
META = "_meta"
RESERVED = frozenset({("segment", "language"), ("rule", "effective")})  # what the address of something else ends with
EVERYBODY = {"kind": "all", "of": []}
Spot = tuple[tuple[str | int, ...], Any]  # where a condition stands, and what stands there


def _no_spots(_body: Mapping[str, Any]) -> Iterator[Spot]:
    yield from ()


def _segment_spots(body: Mapping[str, Any]) -> Iterator[Spot]:
    if "condition" in body:
        yield ("condition",), body["condition"]


def _journey_spots(body: Mapping[str, Any]) -> Iterator[Spot]:
    if patterns.is_pattern(body):  # nobody is asked about it: what is made of it is
        return
    if body.get("audience") is not None:
        yield ("audience",), body["audience"]
    steps = body.get("steps")
    for place, step in enumerate(steps if isinstance(steps, list) else ()):
        for way in (*ASKS, ("condition",)):
            found: Any = step
            for name in way:
                found = found.get(name) if isinstance(found, dict) else None
            if found is not None:
                yield ("steps", place, *way), found


def _rule_spots(body: Mapping[str, Any]) -> Iterator[Spot]:
    if body.get("manager_only") is not None:
        yield ("manager_only",), body["manager_only"]
    caps = body.get("caps")
    for place, cap in enumerate(caps if isinstance(caps, list) else ()):
        if isinstance(cap, dict) and cap.get("who") is not None:
            yield ("caps", place, "who"), cap["who"]


def _campaign_spots(body: Mapping[str, Any]) -> Iterator[Spot]:
    for part in ("audience", "exclude"):
        if body.get(part) is not None:
            yield (part,), body[part]


@dataclass(frozen=True, slots=True)
class Kind:
    """plural: as in addresses; rank: references go to lower ranks (or within one); needs: the scope that puts one in force. also: other
    ways to write one; what is put in force is the model.
    """

    name: str
    plural: str
    model: type[BaseModel]
    rank: int
    spots: Callable[[Mapping[str, Any]], Iterator[Spot]] = _no_spots
    needs: str = "publish"
    also: tuple[type[BaseModel], ...] = ()

    @property
    def models(self) -> tuple[type[BaseModel], ...]:
        """What a marketer may write."""
        return (self.model, *self.also)

    @property
    def asks(self) -> bool:
        """Whether such documents have conditions."""
        return self.spots is not _no_spots


KINDS = {
    kind.name: kind
    for kind in (
        Kind("brand", "brands", Brand, 0),
        Kind("topic", "topics", Topic, 1),
        Kind("template", "templates", Template, 2),
        Kind("segment", "segments", Segment, 3, _segment_spots),
        Kind("journey", "journeys", Journey, 4, _journey_spots, also=(Pattern, Instance)),
        Kind("campaign", "campaigns", Campaign, 5, _campaign_spots),
        Kind("rule", "rules", Rule, 5, _rule_spots),
        Kind("identity", "identity", Identity, 5),
        Kind("connector", "connectors", Connector, 5),
        Kind("bot", "bots", Bot, 5),
        Kind("policy", "policies", Policy, 5, needs="admin"),
        Kind("survey", "surveys", Survey, 5),
        Kind("experiment", "experiments", Experiment, 6),
        Kind("promo-pool", "promo-pools", PromoPool, 2),
        Kind("event", "events", Event, 2),
        # Personal data leave the installation by it.
        Kind("webhook", "webhooks", WebhookEndpoint, 2, needs="admin"),
    )
}


def read(kind: Kind, key: str, body: Any) -> BaseModel:
    """The document that a marketer wrote. Raises Problem `invalid` with every fault. `_meta` of an answer of ours is passed by."""
    if not isinstance(body, dict):
        raise Problem("invalid", [Fault("", "object")])
    body = {"key": key, **{name: value for name, value in body.items() if name != META}}
    faults = list(_key_faults(kind, key, body["key"]))
    if place := _nul(body):
        raise Problem("invalid", [*faults, Fault(place, "nul")])
    if kind.model is Journey and (patterns.is_pattern(body) or patterns.is_instance(body)):
        return _read_made(kind, key, body, faults)
    return read_whole(kind, body, faults)


def _read_made(kind: Kind, key: str, body: dict[str, Any], faults: Sequence[Fault]) -> BaseModel:
    """A journey with parameters, or one that is made of such a one."""
    if faults:
        raise Problem("invalid", faults)
    if patterns.is_pattern(body):
        return patterns.read_pattern(body, lambda whole: read_whole(kind, {**whole, "key": key}))
    return patterns.read_instance(body)


def reread(kind: Kind, key: str, body: dict[str, Any]) -> BaseModel:
    """A version that was published, as `read` a draft: what was made of a journey with parameters is whole in it. Raises Problem `invalid`."""
    return read_whole(kind, body) if kind.model is Journey and patterns.is_instance(body) else read(kind, key, body)


def kept(kind: str, body: Mapping[str, Any]) -> BaseModel:
    """A document as it was published."""
    model: type[BaseModel] = Pattern if kind == "journey" and patterns.is_pattern(body) else KINDS[kind].model
    return model.model_validate(body)


def read_whole(kind: Kind, body: dict[str, Any], faults: Sequence[Fault] = ()) -> BaseModel:
    """The document that a body is. faults: that were found already. Raises Problem `invalid` with every fault."""
    faults = list(faults)
    if kind.model is Brand:
        faults += brands.faults_of(body)
    for path, condition in kind.spots(body):
        try:
            parse(condition)
        except AudienceError as error:
            faults += faults_at(".".join(map(str, path)), error)
            body = _replaced(body, path, EVERYBODY)
    try:
        document = kind.model.model_validate(body)
    except ValidationError as error:
        raise Problem("invalid", [*faults, *faults_of(body, error)]) from error
    if isinstance(document, Template):
        faults += markup.faults_of(document)
    elif isinstance(document, Bot):
        faults += markup.faults_of_bot(document)
    elif isinstance(document, Journey):
        faults += [*ways.faults_of(document), *contact.faults_of_journey(document), *markup.faults_of_journey(document)]
    elif isinstance(document, Rule):
        faults += contact.faults_of_rule(document)
    elif isinstance(document, Campaign):
        faults += contact.faults_of_campaign(document)
    elif isinstance(document, WebhookEndpoint):
        faults += markup.faults_of_body(document.body, "body")
    faults += _cost_faults(kind, body)
    if faults:
        raise Problem("invalid", faults)
    return document


def faults_at(where: str, error: AudienceError) -> list[Fault]:
    """What is wrong with the condition that stands at `where` of the document."""
    return without_echoes([Fault(under(where, f.path), f.code, f.message, f.params) for f in error.faults])


def cost_of(kind: Kind, body: Mapping[str, Any]) -> int:
    """Of all conditions of a document that can be read (services/gateway/domain/cost.py)."""
    return sum(cost(condition) for _, condition in kind.spots(body))


def key_of(document: BaseModel) -> str:
    """Every kind has a key; what their models have in common does not say so."""
    key: str = document.key  # type: ignore[attr-defined]
    return key


def brand_of(kind: str, document: BaseModel) -> str | None:
    """The brand that a document belongs to; None: all of them."""
    named: str | None = getattr(document, "key" if kind == "brand" else "brand", None)
    return named


def text_of(document: BaseModel) -> dict[str, Any]:
    """The JSON form that is kept and published."""
    return dump(document)


def _cost_faults(kind: Kind, body: Mapping[str, Any]) -> Iterator[Fault]:
    found = cost_of(kind, body)
    if found > MOST_OF_ONE:
        yield Fault(".".join(map(str, next(kind.spots(body))[0])), "cost", params={"cost": found, "limit": MOST_OF_ONE})


def _key_faults(kind: Kind, key: str, named: Any) -> Iterator[Fault]:
    if not KEY.fullmatch(key):
        yield Fault("key", "key")
    elif (kind.name, key) in RESERVED:
        yield Fault("key", "key_reserved", params={"key": key})
    elif named != key:
        yield Fault("key", "key_mismatch", params={"key": key})


def _replaced(node: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy with another value at `path`."""
    if not path:
        return value
    copy: Any = list(node) if isinstance(node, list) else dict(node)
    copy[path[0]] = _replaced(node[path[0]], path[1:], value)
    return copy


def _nul(body: Any) -> str | None:
    """Where a NUL stands, which no text of PostgreSQL can hold."""
    stack: list[tuple[str, Any]] = [("", body)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, str) and "\x00" in node:
            return path
        if isinstance(node, dict):
            if any("\x00" in name for name in node):
                return path or "."
            stack.extend((f"{path}.{name}" if path else name, value) for name, value in node.items())
        elif isinstance(node, list):
            stack.extend((f"{path}.{place}" if path else str(place), value) for place, value in enumerate(node))
    return None
