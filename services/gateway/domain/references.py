"""What documents ask of each other, and whether all of it is there."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel

from schemas.audience import Condition
from schemas.audience import references as segments_of
from schemas.audience import topics as topics_of
from schemas.bots import Bot
from schemas.campaigns import Campaign
from schemas.dialogues import Subscribe, Unsubscribe
from schemas.journeys import Journey
from schemas.rules import Rule
from schemas.segments import Segment
from schemas.steps import Jump, SegmentTrigger, Send
from services.gateway.domain.cost import MOST_OF_ALL
from services.gateway.domain.kinds import KINDS, brand_of, cost_of, text_of
from services.gateway.domain.problems import Fault


class Reference(NamedTuple):
    """One mention of a document by another. channel: what a template is to be for; step: of a journey, where one mentions it."""

    path: str
    kind: str
    key: str
    channel: str = ""
    step: str = ""


class Standing(NamedTuple):
    """A document as it is in force. refs: "kind:key" of all that it mentions; cost: of its conditions."""

    version: int
    brand: str | None
    refs: frozenset[str]
    channel: str = ""
    cost: int = 0


World = Mapping[tuple[str, str], Standing]


def references(document: BaseModel) -> tuple[Reference, ...]:
    """Every mention, with its place in the document."""
    found: list[Reference] = []
    brand: str | None = getattr(document, "brand", None)
    if brand is not None:
        found.append(Reference("brand", "brand", brand))
    if isinstance(document, Segment):
        found += _of_condition("condition", document.condition)
    elif isinstance(document, Journey):
        found += _of_journey(document)
    elif isinstance(document, Bot):
        found += _of_bot(document)
    elif isinstance(document, Campaign):
        found += _of_campaign(document)
    elif isinstance(document, Rule):
        caps = enumerate(document.caps)
        found += [Reference(f"caps.{place}.brand", "brand", cap.brand) for place, cap in caps if cap.brand is not None]
        topics = enumerate(document.caps)
        found += [Reference(f"caps.{place}.topic", "topic", cap.topic) for place, cap in topics if cap.topic not in (None, "*")]
        found += [Reference(f"links.{place}.segment", "segment", link.segment) for place, link in enumerate(document.links)]
        found += [
            Reference(f"links.{n}.brand", "brand", link.brand) for n, link in enumerate(document.links) if link.brand is not None
        ]
        for part, path, condition in document.asks():
            found += _of_condition(path, condition, part)
    parent: str | None = getattr(document, "parent", None)
    if parent is not None:
        found.append(Reference("parent", "topic", parent))
    return tuple(found)


def _of_condition(path: str, condition: Condition, step: str = "") -> Iterator[Reference]:
    yield from (Reference(path, "segment", key, step=step) for key in sorted(segments_of(condition)))
    yield from (Reference(path, "topic", key, step=step) for key in sorted(topics_of(condition)))


def _of_journey(journey: Journey) -> Iterator[Reference]:
    if isinstance(journey.trigger, SegmentTrigger):
        yield Reference("trigger.segment", "segment", journey.trigger.segment)
    if journey.exit_segment is not None:
        yield Reference("exit_segment", "segment", journey.exit_segment)
    if journey.audience is not None:
        yield from _of_condition("audience", journey.audience)
    for place, step in enumerate(journey.steps):
        if step.asked is not None:
            yield from _of_condition(".".join(("steps", str(place), *step.ASKS)), step.asked, step.id)
        if isinstance(step, Send):
            yield Reference(f"steps.{place}.template", "template", step.template, step.channel, step.id)
            if step.topic != "*":
                yield Reference(f"steps.{place}.topic", "topic", step.topic, step=step.id)
        elif isinstance(step, Jump):
            yield Reference(f"steps.{place}.jump", "journey", step.jump, step=step.id)


def _of_campaign(campaign: Campaign) -> Iterator[Reference]:
    for part, condition in campaign.asks():
        yield from _of_condition(part, condition, part)
    for place, template in enumerate(campaign.letters.values()):
        path = f"variants.{place}.template" if campaign.variants else "template"
        yield Reference(path, "template", template, campaign.channel)
    if campaign.topic != "*":
        yield Reference("topic", "topic", campaign.topic)


def _of_bot(bot: Bot) -> Iterator[Reference]:
    for place, dialogue in enumerate(bot.dialogues):
        for number, step in enumerate(dialogue.steps):
            path = f"dialogues.{place}.steps.{number}"
            if isinstance(step, Subscribe) and step.subscribe != "*":
                yield Reference(f"{path}.subscribe", "topic", step.subscribe, step=step.id)
            elif isinstance(step, Unsubscribe) and step.unsubscribe != "*":
                yield Reference(f"{path}.unsubscribe", "topic", step.unsubscribe, step=step.id)


def refs_of(document: BaseModel) -> frozenset[str]:
    return frozenset(f"{one.kind}:{one.key}" for one in references(document))


def check(kind: str, key: str, document: BaseModel, world: World) -> list[Fault]:
    """What stands in the way of publishing: something mentioned is not published, of another brand or channel, a circle, or conditions that
    cost too much together with all others.
    """
    own = brand_of(kind, document)
    faults: list[Fault] = []
    for one in references(document):
        if (one.kind, one.key) != (kind, key):  # that one is said as a circle
            faults += _misfit(one, own, world)
    way = _circle(f"{kind}:{key}", refs_of(document), world)
    if way:
        faults.append(Fault("condition" if kind == "segment" else "parent", "cycle", params={"through": " > ".join(way)}))
    own_cost = cost_of(KINDS[kind], text_of(document)) if kind in KINDS else 0
    others = sum(standing.cost for name, standing in world.items() if name != (kind, key))
    if own_cost and own_cost + others > MOST_OF_ALL:
        faults.append(Fault("", "cost_of_all", params={"cost": own_cost, "others": others, "limit": MOST_OF_ALL}))
    return faults


def _misfit(one: Reference, own: str | None, world: World) -> Iterator[Fault]:
    """What is wrong with a mention by a document of the brand `own`."""
    found = world.get((one.kind, one.key))
    params = {"kind": one.kind, "key": one.key}
    if found is None:
        yield Fault(one.path, "unknown_reference", params=params)
    elif one.kind != "brand" and own is not None and found.brand is not None and found.brand != own:
        yield Fault(one.path, "other_brand", params={**params, "brand": found.brand})
    elif one.channel and found.channel != one.channel:
        yield Fault(one.path, "other_channel", params={**params, "channel": found.channel})


def _circle(start: str, refs: frozenset[str], world: World) -> list[str]:
    """The shortest way along which `start` leads back to itself, as keys from `start` to `start`; [] if none does."""
    ways = [[first] for first in sorted(refs)]
    seen = set(refs)
    for way in ways:  # grows while it is walked: the shorter ways first
        if way[-1] == start:
            return [name.partition(":")[2] for name in (start, *way)]
        kind, _, key = way[-1].partition(":")
        standing = world.get((kind, key))
        onward = sorted(standing.refs - seen) if standing else ()
        seen.update(onward)
        ways += [[*way, name] for name in onward]
    return []


def users(kind: str, key: str, world: World) -> list[tuple[str, str]]:
    """(kind, key) of the documents in force that mention this one."""
    name = f"{kind}:{key}"
    return sorted(one for one, standing in world.items() if name in standing.refs and one != (kind, key))


class Misfit(NamedTuple):
    """A mention in force that what was published anew no longer fits. where: "journey welcome, step mail"."""

    where: str
    fault: Fault


def misfits(published: Collection[tuple[str, str]], using: Mapping[tuple[str, str], BaseModel], world: World) -> list[Misfit]:
    """Of the documents in force in `using`, the mentions that the ones just `published` break: another channel, another brand."""
    found = []
    for (kind, key), document in using.items():
        own = brand_of(kind, document)
        for one in references(document):
            if (one.kind, one.key) in published:
                where = f"{kind} {key}, step {one.step}" if one.step else f"{kind} {key}"
                found += [
                    Misfit(where, Fault(f"{KINDS[kind].plural}.{key}.{fault.path}", fault.code, params=fault.params))
                    for fault in _misfit(one, own, world)
                ]
    return found
