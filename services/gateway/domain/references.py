"""What documents ask of each other, and whether all of it is there."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import BaseModel

from schemas.audience import Condition
from schemas.audience import references as segments_of
from schemas.audience import topics as topics_of
from schemas.bots import Bot
from schemas.campaigns import Campaign
from schemas.dialogues import Subscribe, Unsubscribe
from schemas.events import Event
from schemas.experiment_documents import Experiment
from schemas.journeys import Journey
from schemas.parameters import OF, SAMPLES, Instance, Pattern
from schemas.rules import Cap, Rule, RuleWindow
from schemas.segments import Segment
from schemas.steps import Cascade, Give, Jump, Letters, SegmentTrigger, Send, Step, Subscription
from schemas.telling import Hand, Webhook
from schemas.webhooks import Letter
from services.gateway.domain.cost import MOST_OF_ALL
from services.gateway.domain.kinds import KINDS, brand_of, cost_of, text_of
from services.gateway.domain.patterns import sampled
from services.gateway.domain.problems import Fault


class Reference(NamedTuple):
    """One mention of a document by another. channel: what a template is to be for; step: of a journey, where one mentions it."""

    path: str
    kind: str
    key: str
    channel: str = ""
    step: str = ""


class Standing(NamedTuple):
    """A document as it is in force. refs: "kind:key" of all that it mentions; cost: of its conditions. pattern: is it a
    journey that has parameters?
    """

    version: int
    brand: str | None
    refs: frozenset[str]
    channel: str = ""
    cost: int = 0
    pattern: bool = False

    def fits_as(self) -> tuple[str | None, str, bool]:
        """What those that mention it look at."""
        return self.brand, self.channel, self.pattern


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
    elif isinstance(document, Pattern):
        whole, samples = sampled(document)
        found += [one for one in _of_journey(whole) if not _is_sample(one, samples)]
    elif isinstance(document, Instance):
        found.append(Reference(OF, "journey", document.of))
    elif isinstance(document, Bot):
        found += _of_bot(document)
    elif isinstance(document, Campaign):
        found += _of_campaign(document)
    elif isinstance(document, Rule):
        found += _of_rule(document)
    elif isinstance(document, Experiment) and (named := document.document) is not None and named.startswith("journey:"):
        found.append(Reference("of.journey", "journey", named.partition(":")[2]))
    elif isinstance(document, Event) and document.topic != "*":
        found.append(Reference("topic", "topic", document.topic))
    parent: str | None = getattr(document, "parent", None)
    if parent is not None:
        found.append(Reference("parent", "topic", parent))
    return tuple(found)


def _of_rule(rule: Rule) -> Iterator[Reference]:
    parts: tuple[tuple[str, Sequence[Cap | RuleWindow]], ...] = (("caps", rule.caps), ("windows", rule.windows))
    for part, several in parts:
        for place, one in enumerate(several):
            if one.brand is not None:
                yield Reference(f"{part}.{place}.brand", "brand", one.brand)
            if one.topic is not None and one.topic != "*":
                yield Reference(f"{part}.{place}.topic", "topic", one.topic)
    for place, link in enumerate(rule.links):
        yield Reference(f"links.{place}.segment", "segment", link.segment)
        if link.brand is not None:
            yield Reference(f"links.{place}.brand", "brand", link.brand)
    for step, path, condition in rule.asks():
        yield from _of_condition(path, condition, step)


def _of_condition(path: str, condition: Condition, step: str = "") -> Iterator[Reference]:
    yield from (Reference(path, "segment", key, step=step) for key in sorted(segments_of(condition)))
    yield from (Reference(path, "topic", key, step=step) for key in sorted(topics_of(condition)))


def _is_sample(one: Reference, samples: Collection[str]) -> bool:
    """Is it the mention of something that will be named by whoever gives the parameters' values?"""
    return one.key == SAMPLES["text"] and any(f"{place}.".startswith(f"{one.path}.") for place in samples)


def _of_journey(journey: Journey) -> Iterator[Reference]:
    if journey.of is not None:
        yield Reference(OF, "journey", journey.of)
    if isinstance(journey.trigger, SegmentTrigger):
        yield Reference("trigger.segment", "segment", journey.trigger.segment)
    if journey.exit_segment is not None:
        yield Reference("exit_segment", "segment", journey.exit_segment)
    if journey.audience is not None:
        yield from _of_condition("audience", journey.audience)
    for place, step in enumerate(journey.steps):
        if step.asked is not None:
            yield from _of_condition(".".join(("steps", str(place), *step.ASKS)), step.asked, step.id)
        yield from _of_step(f"steps.{place}", step)


def _of_step(path: str, step: Step) -> Iterator[Reference]:
    if isinstance(step, Cascade):
        for number, one in enumerate(step.cascade):
            yield Reference(f"{path}.cascade.{number}.template", "template", one.template, one.channel, step.id)
    elif named := _named_by(step):
        field, kind, key, channel = named
        yield Reference(f"{path}.{field}", kind, key, channel, step.id)
    if isinstance(step, Letters) and step.topic != "*":
        yield Reference(f"{path}.topic", "topic", step.topic, step=step.id)


def _named_by(step: Step) -> tuple[str, str, str, str] | None:
    """The document that a step names: (field, kind, key, channel that it is to be for)."""
    match step:
        case Send():
            return "template", "template", step.template, step.channel
        case Hand(hand=Letter()):
            return "hand.template", "template", step.template, step.channel
        case Hand():
            return "hand.webhook", "webhook", step.template, ""
        case Webhook():
            return "webhook", "webhook", step.webhook, ""
        case Jump():
            return "jump", "journey", step.jump, ""
        case Give():
            return "give", "promo-pool", step.give, ""
        case Subscription() if step.subscribe.topic != "*":
            return "subscribe.topic", "topic", step.subscribe.topic, ""
        case _:
            return None


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
        path = next(one.path for one in references(document) if f"{one.kind}:{one.key}" == way[1])
        faults.append(Fault(path, "cycle", params={"through": " > ".join(name.partition(":")[2] for name in way)}))
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
    elif one.kind == "journey" and found.pattern != (one.path == OF):
        yield Fault(one.path, "is_pattern" if found.pattern else "no_pattern", params=params)
    elif one.channel and found.channel != one.channel:
        yield Fault(one.path, "other_channel", params={**params, "channel": found.channel})


def _circle(start: str, refs: frozenset[str], world: World) -> list[str]:
    """The shortest way along which `start` leads back to itself, from `start` to `start`; [] if none does."""
    ways = [[first] for first in sorted(refs)]
    seen = set(refs)
    for way in ways:  # grows while it is walked: the shorter ways first
        if way[-1] == start:
            return [start, *way]
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
