"""The published documents, compiled for deciding: who is interested in which event, segment and answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel

from schemas.bots import HEARD, Bot
from schemas.campaigns import LAUNCHES, Campaign, Launch
from schemas.consents import GRANTS
from schemas.contact import LocalControl
from schemas.controls import Gate, Migration
from schemas.definitions import Published
from schemas.documents import duration_ms
from schemas.events import RESCHEDULED, SAID, SELECTED, TURNS, Event
from schemas.ids import derive
from schemas.journeys import Brand, Journey
from schemas.promo_pools import PromoPool
from schemas.rules import Rule
from schemas.steps import LETTER_EVENTS, PAYS, Branch, Cascade, FactTrigger, Letters, SegmentTrigger, Send, Step, Until
from schemas.triggers import ScheduleTrigger
from schemas.unnamed import audience_key, condition_key
from services.orchestrator.domain.codes import Shelf
from services.orchestrator.domain.controls import Controls
from services.orchestrator.domain.filters import Test, dig, matcher, tests
from services.orchestrator.domain.mailings import PAUSED, STOPPED, Launched, Mailing, mailing
from services.orchestrator.domain.rules import Rules, joined
from services.orchestrator.domain.scripts import Script, compiled
from services.orchestrator.domain.seating import Announced
from services.orchestrator.domain.starting import Start, start_of, time_of, zone_of
from services.orchestrator.domain.state import Person, Place, Run
from services.orchestrator.domain.terms import Terms, terms_of

MODELS: Mapping[str, type[BaseModel]] = {
    "journey": Journey,
    "rule": Rule,
    "brand": Brand,
    "bot": Bot,
    "gate": Gate,
    "migration": Migration,
    "promo-pool": PromoPool,
    "event": Event,
    "campaign": Campaign,
    LAUNCHES: Launch,
}
KINDS = (*MODELS, "template")
UNSUBSCRIBED = "Email Unsubscribed"  # by the link of a letter
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Plan:
    """One version of a journey. following: step -> the next one; durations: ms of a wait, or for how long a send is worth it.

    answers: step (or "audience") -> the segment whose membership answers its condition. sends: does it write to anybody? data_tests: of
    branches by the run's data; watched: steps with letters of which something is asked; awaits: (step, test of a fact's properties). time: of
    his day at which it begins (ms after midnight), where that is said; date_zone: whose day, of people whose zone is unknown; values: of
    its parameters. most_important: the greatest priority of its marketing; -1 of none.
    """

    key: str
    version: int
    brand: str
    trigger: Start
    first: str
    steps: Mapping[str, Step]
    following: Mapping[str, str | None]
    durations: Mapping[str, int]
    answers: Mapping[str, str]
    sends: bool
    matches: Test
    is_goal: Test
    goal: str | None
    exit_segment: str | None
    mode: str
    after: int
    per: str
    data_tests: Mapping[str, Test]
    watched: frozenset[str]
    awaits: Sequence[tuple[Until, Test]]
    terms: Mapping[str, Terms] = field(default_factory=dict)
    control: LocalControl | None = None
    time: int | None = None
    date_zone: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    mailing: Mailing | None = None
    most_important: int = -1

    def letter(self, run: Run, step: str) -> Step | None:
        """A step as it is for a run: of a campaign it says the letter of his variant."""
        return self.mailing.letters[run.data["campaign"].get("variant", "")] if self.mailing else self.steps.get(step)

    def entry(self, run: Run) -> str:
        """The key under which an entry is remembered: for `per`, one for each value of the property."""
        return f"{self.key}|{dig(run.data.get('event', {}), self.per)!r}" if self.mode == "per" else self.key


@dataclass(frozen=True, slots=True)
class Book:
    """triggers, entering: of the current versions; goals, exits: of every version, for people still inside. events: those that are read,
    whatever the journeys: also who bought and who agreed is known from the first day, as the segmenter knows no history.

    awaits: of every version the steps that wait for an event; waiting: those that wait for an answer to become yes.
    conditions: keys of the segments that answer what journeys and rules ask; without any nobody waits for the segmenter. silent: those of them
    that it has not begun to answer about the person at hand, each with what to wait for; of the others, its silence means no.
    scripts: every version of bots; bots: the current ones. scheduled: of every version, by the segment of its audience.
    controls: pauses, and where people of earlier versions go. pools: of promo codes; shelf: the codes that the transaction holds.
    launches: of campaigns, by id, until they are forgotten. seated: events for which people register, by key.
    foremost: the current ones, the most important first. starting: launches and when each starts for the last of its people, by that.
    """

    plans: Mapping[tuple[str, int], Plan]
    current: Mapping[str, Plan]
    triggers: Mapping[str, Sequence[Plan]]
    goals: Mapping[str, Sequence[Plan]]
    entering: Mapping[tuple[str, str], Sequence[Plan]]
    exits: Mapping[str, Sequence[Plan]]
    segments: frozenset[str]
    events: frozenset[str]
    conditions: frozenset[str]
    rules: Rules
    zones: Mapping[str, str]
    templates: Mapping[str, int]
    scripts: Mapping[tuple[str, int], Script]
    bots: Mapping[str, Script]
    awaits: Mapping[str, Sequence[tuple[Plan, Until, Test]]]
    waiting: Mapping[str, Sequence[Plan]]
    scheduled: Mapping[str, Plan]
    silent: Mapping[str, Place] = field(default_factory=dict)
    controls: Controls = field(default_factory=Controls)
    pools: Mapping[str, PromoPool] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)
    launches: Mapping[str, Launched] = field(default_factory=dict)
    seated: Mapping[str, Announced] = field(default_factory=dict)
    foremost: Sequence[Plan] = ()
    starting: Sequence[tuple[int, Launched]] = ()

    def is_behind(self, person: Person) -> bool:
        """Does somebody stand in a version of a journey that is newer than all that are known here?"""
        unknown = [run for run in person.runs if (run.journey, run.version) not in self.plans]
        return any(run.version > max((v for key, v in self.plans if key == run.journey), default=run.version) for run in unknown)

    def gate(self, run: Run) -> str:
        """The rule by which nothing of a run goes now: its launch is paused or stopped. "": it may go."""
        launched = self.launches.get(run.occurrence)
        return "" if launched is None else PAUSED if launched.paused else STOPPED if launched.stopped else ""


def build(documents: Iterable[Published], _revision: int = 0) -> Book:
    """Compile the stored documents: all versions of journeys and bots, the current ones of everything else."""
    documents = list(documents)
    plans = [_plan(bytes(d.body), d.version) for d in documents if d.kind == "journey"]
    launches = _launches(documents)
    plans += _mailings(documents, launches.values())
    pointed = {(d.key, d.version) for d in documents if d.kind == "journey" and d.pointer}
    current = [plan for plan in plans if (plan.key, plan.version) in pointed]
    rules = joined((rule, d.version) for d in documents if d.kind == "rule" and d.pointer and (rule := _rule(bytes(d.body))))
    brands = [_parsed("brand", bytes(d.body)) for d in documents if d.kind == "brand" and d.pointer]
    pools = [_parsed("promo-pool", bytes(d.body)) for d in documents if d.kind == "promo-pool" and d.pointer]
    seated = {d.key: Announced(_read(Event, d), d.version) for d in documents if d.kind == "event" and d.pointer}
    triggers = _grouped((p.trigger.event, p) for p in current if isinstance(p.trigger, FactTrigger))
    goals = _grouped((p.goal, p) for p in plans if p.goal is not None)
    awaits: dict[str, list[tuple[Plan, Until, Test]]] = {}
    for plan in sorted(plans, key=lambda p: (p.key, p.version)):
        for step, test in plan.awaits:
            awaits.setdefault(step.until.fact.event if step.until.fact else "", []).append((plan, step, test))
    watches = LETTER_EVENTS if any(plan.watched or _cascades(plan) for plan in plans) else ()
    scripts = {(d.key, d.version): compiled(bytes(d.body), d.version) for d in documents if d.kind == "bot"}
    bots = {d.key: scripts[d.key, d.version] for d in documents if d.kind == "bot" and d.pointer}
    return Book(
        plans={(plan.key, plan.version): plan for plan in plans},
        current={plan.key: plan for plan in current},
        triggers=triggers,
        goals=goals,
        entering=_grouped(((p.trigger.segment, p.trigger.change), p) for p in current if isinstance(p.trigger, SegmentTrigger)),
        exits=_grouped((p.exit_segment, p) for p in plans if p.exit_segment is not None),
        segments=frozenset([*rules.asks, *(segment for plan in plans for segment in _segments(plan))]),
        events=frozenset(
            [
                *triggers,
                *goals,
                *awaits,
                *watches,
                *PAYS,
                *GRANTS,
                *((*LETTER_EVENTS, UNSUBSCRIBED) if launches else ()),
                *(HEARD if bots else ()),
                *((*SAID, *TURNS, SELECTED, RESCHEDULED) if seated else ()),
            ]
        ),
        conditions=frozenset([*rules.asks, *(answer for plan in plans for answer in plan.answers.values())]),
        rules=rules,
        zones={brand.key: brand.time_zone for brand in brands if isinstance(brand, Brand)},
        templates=_templates(documents),
        scripts=scripts,
        bots=bots,
        awaits=awaits,
        waiting=_grouped(
            (p.answers[s.id], p) for p in plans for s in p.steps.values() if isinstance(s, Until) and s.id in p.answers
        ),
        scheduled={plan.answers["audience"]: plan for plan in plans if isinstance(plan.trigger, ScheduleTrigger)},
        controls=Controls.of(documents),
        pools={pool.key: pool for pool in pools if isinstance(pool, PromoPool)},
        launches=launches,
        seated=seated,
        starting=sorted(((one.last, one) for one in launches.values()), key=lambda pair: pair[0]),
        foremost=sorted(current, key=lambda plan: (-plan.most_important, plan.key)),
    )


def _launches(documents: Sequence[Published]) -> dict[str, Launched]:
    """Those that are under way, by id."""
    campaigns = {(d.key, d.version): d for d in documents if d.kind == "campaign"}
    found: dict[str, Launched] = {}
    for d in documents:
        if d.kind == LAUNCHES and d.pointer:
            launch = _read(Launch, d)
            told = campaigns.get((launch.campaign, launch.version))
            if told is not None:  # it comes before its launch, but may have been forgotten
                campaign = _read(Campaign, told)
                asks = tuple(condition_key("campaign", campaign.key, launch.version, part) for part, _ in campaign.asks())
                found[launch.key] = Launched(launch.key, launch, d.version, asks, mailing(campaign))
    return found


def _mailings(documents: Sequence[Published], launches: Iterable[Launched]) -> list[Plan]:
    """A plan for each version that is launched: the one send step."""
    wanted = {(one.launch.campaign, one.launch.version) for one in launches}
    return [_mailing(bytes(d.body), d.version) for d in documents if d.kind == "campaign" and (d.key, d.version) in wanted]


def supposed(book: Book, campaign: Campaign, at: int) -> tuple[Book, Launched]:
    """What would rule if a draft were launched at an instant (ms), to people who are known to belong to its audience."""
    launch = Launch(
        key=derive("supposed", campaign.key),
        campaign=campaign.key,
        brand=campaign.brand,
        version=0,
        number=0,
        start_at=at,
        changed_at=at,
    )
    plan = replace(_mailing(campaign.model_dump_json(by_alias=True).encode(), 0), answers={})
    mailed = replace(mailing(campaign), live=False)
    plan = replace(plan, mailing=mailed)
    return replace(book, plans={**book.plans, (plan.key, 0): plan}, silent={}), Launched(launch.key, launch, 0, (), mailed)


@lru_cache(maxsize=256)
def _mailing(body: bytes, version: int) -> Plan:
    campaign = Campaign.model_validate_json(body)
    sent = mailing(campaign)
    steps = (next(iter(sent.letters.values())),)
    trigger = FactTrigger(event=f"campaign:{campaign.key}")  # nothing of this name happens
    own: dict[str, Any] = {"priority": campaign.priority, "windows": campaign.windows}
    chain = Journey(key=campaign.key, brand=campaign.brand, trigger=trigger, steps=steps, **own)
    body = chain.model_dump_json(by_alias=True).encode()
    answers = {part: condition_key("campaign", campaign.key, version, part) for part, _ in campaign.asks()}
    return replace(_plan(body, version), key=f"campaign:{campaign.key}", answers=answers, mailing=sent)


def _templates(documents: Sequence[Published]) -> dict[str, int]:
    """The version to send: the current one; of a template that is out of force the newest, for those who stand where it is mentioned."""
    templates: dict[str, int] = {}
    for d in documents:
        if d.kind == "template" and bytes(d.body):
            templates[d.key] = max(d.version, templates.get(d.key, 0))
    return templates | {d.key: d.version for d in documents if d.kind == "template" and d.pointer}


def check(document: Published) -> None:
    """Raise ValueError, which names the field, for a document that this service could not read later."""
    if document.kind in MODELS and bytes(document.body):
        _parsed(document.kind, bytes(document.body))


@lru_cache(maxsize=4096)
def _parsed(kind: str, body: bytes) -> BaseModel:
    return MODELS[kind].model_validate_json(body)


def _read(model: type[M], document: Published) -> M:
    """A document of a kind whose model is known, read once however often a book is made."""
    found = _parsed(document.kind, bytes(document.body))
    assert isinstance(found, model)
    return found


def _rule(body: bytes) -> Rule | None:
    rule = _parsed("rule", body)
    return rule if isinstance(rule, Rule) else None


@lru_cache(maxsize=4096)
def _plan(body: bytes, version: int) -> Plan:
    journey = Journey.model_validate_json(body)
    steps, trigger, goal = journey.steps, start_of(journey), journey.goal
    listed = dict(zip((s.id for s in steps), (*(s.id for s in steps[1:]), None), strict=True))
    answers = {s.id: condition_key("journey", journey.key, version, s.id) for s in steps if s.asked is not None}
    terms = terms_of(journey)
    if journey.audience is not None:
        answers["audience"] = audience_key(journey, version)
    return Plan(
        key=journey.key,
        version=version,
        brand=journey.brand,
        trigger=trigger,
        first=steps[0].id,
        steps={step.id: step for step in steps},
        following={step.id: getattr(step, "next", None) or listed[step.id] for step in steps},
        durations={
            s.id: duration_ms(s.at_most if isinstance(s, Until) else s.expires) for s in steps if isinstance(s, Until | Letters)
        },
        answers=answers,
        sends=any(isinstance(step, Send | Cascade) for step in steps),
        matches=matcher(trigger) if isinstance(trigger, FactTrigger) else bool,
        is_goal=matcher(goal) if goal is not None else bool,
        goal=goal.event if goal is not None else None,
        exit_segment=journey.exit_segment,
        mode=journey.reentry.mode,
        after=duration_ms(journey.reentry.after or "0s"),
        per=(journey.reentry.per or "").removeprefix("properties."),
        data_tests={s.id: tests(s.data) for s in steps if isinstance(s, Branch) and s.data},
        watched=frozenset(s.about.step for s in steps if s.about is not None),
        awaits=[(s, matcher(s.until.fact)) for s in steps if isinstance(s, Until) and s.until.fact is not None],
        terms=terms,
        most_important=max((own.priority for own in terms.values()), default=-1),
        control=journey.control,
        time=time_of(journey),
        date_zone=zone_of(journey),
        values={name: list(value) if isinstance(value, tuple) else value for name, value in (journey.param or {}).items()},
    )


def _cascades(plan: Plan) -> bool:
    return any(isinstance(step, Cascade) for step in plan.steps.values())


def _segments(plan: Plan) -> Iterable[str]:
    yield from plan.answers.values()
    if isinstance(plan.trigger, SegmentTrigger):
        yield plan.trigger.segment
    if plan.exit_segment is not None:
        yield plan.exit_segment


def _grouped(pairs: Iterable[tuple[T, Plan]]) -> dict[T, list[Plan]]:
    """In the order of journey and version, so that what one fact does comes in one order always."""
    found: dict[T, list[Plan]] = {}
    for key, plan in sorted(pairs, key=lambda pair: (pair[1].key, pair[1].version)):
        found.setdefault(key, []).append(plan)
    return found
