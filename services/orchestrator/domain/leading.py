"""One made-up person led through a journey, step by step: where he stands, and what may happen to him next. Pure, and nothing is kept:
the choices made so far come with each question.

What decides is what decides live. It is only kept from going on by itself where somebody is to choose: at splits, and at what is asked
about him or about a letter.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace as changed
from typing import Any, NamedTuple

import msgspec

from schemas.documents import FARTHEST_MS, LONGEST_MS, duration_ms
from schemas.facts import Fact
from schemas.ids import derive
from schemas.memberships import Membership
from schemas.messages import Decision, Intent
from schemas.steps import LETTER_EVENTS, Branch, Cascade, FactTrigger, Split, Step, Until, Wait
from schemas.triggers import JOURNEY_START, OF_START, ScheduleTrigger
from services.orchestrator.domain import dates, decide, runs
from services.orchestrator.domain.book import Book, Plan
from services.orchestrator.domain.codes import examples
from services.orchestrator.domain.rehearsing import WAYS
from services.orchestrator.domain.state import Person, Run, replace
from services.orchestrator.domain.steps import letters
from services.orchestrator.domain.turn import Moment, Outcome, Turn

UNASKED = ("walk", 0, 0)  # what an answer waits for
FAR = f"{LONGEST_MS // 86_400_000}d"
VERDICTS = ("accepted", "failed", "skipped")  # of what may become of a letter, that which the sender says
OF_CASCADE = ("delivered", "opened", "bounced")  # what may be heard of the letter at hand while its channel has its time


class Made(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to lead. at: when it begins (ms, up to FARTHEST_MS). time_zone, language: None, unknown. reach: kinds of addresses that he has. bucketing: by which he
    falls into control groups; None: nobody can write to him yet. data: the properties of the fact that starts the run.
    """

    at: int
    time_zone: str | None = None
    language: str | None = None
    reach: tuple[str, ...] = ("email", "phone", "telegram_id", "vk_id")
    bucketing: str | None = "walk"
    data: dict[str, Any] = {}


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens next. do: `time` passes to what is due; `answer`: what is asked about him is so, or not (`is_so`); `arm`: of a split;
    `fact`: he does what is waited for; `letter`: that becomes of one; `goal`, `exit`. after: how long after now, "1h".
    """

    do: str
    is_so: bool | None = None
    arm: str | None = None
    step: str | None = None
    became: str | None = None
    after: str | None = None


class Refused(ValueError):  # noqa: N818
    """A choice that cannot be made where he stands. place: its number; may: those that can."""

    def __init__(self, place: int, may: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(f"choice {place} cannot be made there")
        self.place, self.may = place, may


class Option(NamedTuple):
    """leads: the step to which it does, None: to the end, "": that is not known before."""

    choice: Choice
    leads: str | None = ""


def walk(book: Book, plan: Plan, made: Made, choices: Sequence[Choice]) -> dict[str, Any]:
    """{at, path, stands, over, may}: what was decided about him so far; the step on which he stands, since when and until when at most
    (ms); and what may be chosen. Raises Refused.
    """
    walker = _Walker(book, plan, made)
    walker.start(made)
    for place, choice in enumerate(choices):
        walker.choose(place, choice)
    return walker.told()


class _Walker:
    def __init__(self, book: Book, plan: Plan, made: Made) -> None:
        self._book, self._plan, self._now = changed(book, shelf=examples(book.pools)), plan, made.at
        self._who = derive("walk", plan.key, made.bucketing or "")
        zone = (0, made.time_zone) if made.time_zone else None
        language = (0, made.language) if made.language else None
        pair = (0, made.bucketing) if made.bucketing else None
        self._person = Person(zone=zone, language=language, reach=sorted(made.reach), bucketing=pair)
        self._path: list[dict[str, Any]] = []

    # ---- what happens

    def start(self, made: Made) -> None:
        plan, trigger, id_ = self._plan, self._plan.trigger, derive("walk", self._plan.key, made.at)
        if isinstance(trigger, FactTrigger):
            called = trigger.event == JOURNEY_START
            fact = Fact(
                id=id_, type=JOURNEY_START if called else "track", event="" if called else trigger.event, brand=plan.brand, source="walk",
                occurred_at=made.at, received_at=made.at, profile=self._who,
                properties={**made.data, **({OF_START: plan.key} if called else {})},
            )  # fmt: skip
            self._keep(decide.on_fact(self._held(), self._who, self._person, fact, None))
        elif isinstance(trigger, ScheduleTrigger):
            turn = Turn(self._held(), self._who, self._person)
            run = Run(plan.key, plan.version, id_, plan.brand, made.at, made.at, data={"event": made.data})
            runs.start(turn, plan, run, Moment(made.at, id_))
            self._keep(turn.outcome())
        else:
            self._now = self._dawn()
            self._move(trigger.segment, trigger.change)

    def _dawn(self) -> int:
        """By date with a time of his day: of the next such day, where that time is over."""
        zone, time = dates.zone_of(Turn(self._book, self._who, self._person), self._plan), self._plan.time
        day = zone.day(self._now)
        return self._now if time is None or zone.clock(day, time) >= self._now else zone.clock(day + 1, 0)

    def choose(self, place: int, choice: Choice) -> None:
        may = list(self._options())
        if not any(self._is(choice, option.choice) for option in may):
            raise Refused(place, [_shown(option) for option in may])
        run = self._run()
        assert run is not None
        if choice.after is not None and choice.do != "time":
            self._now += duration_ms(choice.after)
            if self._now > FARTHEST_MS or (run.timer is not None and self._now >= run.timer):
                raise Refused(place, [_shown(option) for option in may])
        self._do(choice, run)
        self._person.segments = {key: at for key, at in self._person.segments.items() if key not in self._plan.answers.values()}

    def _do(self, choice: Choice, run: Run) -> None:
        match choice.do:
            case "time":
                self._now = max(self._now, self._person.due_at() or self._now)
                self._keep(decide.on_timer(self._held(), self._who, self._person, self._now))
            case "answer":
                self._answer(run, is_so=bool(choice.is_so))
            case "arm":
                self._again(run, _arm(self._plan.steps[run.step], choice.arm or ""))
            case "letter":
                self._became(run, choice.step or "", choice.became or "")
            case _:
                self._end_or_go(choice.do, run)

    def _end_or_go(self, what: str, run: Run) -> None:
        turn, moment = Turn(self._held(), self._who, self._person), self._moment()
        step = self._plan.steps.get(run.step)
        if what == "fact" and isinstance(step, Until):
            plan = turn.plan(run)
            assert plan is not None
            runs.let_go(turn, plan, step, [run], moment)
        elif what == "goal":
            runs.end(turn, run, moment, "goal", "goal")
        else:
            runs.end(turn, run, moment, "left", "exit_segment")
        self._keep(turn.outcome())

    def _answer(self, run: Run, *, is_so: bool) -> None:
        """What is asked about him, or about a letter by a branch."""
        step = self._plan.steps.get(run.step)
        if isinstance(step, Branch) and step.letter is not None:
            if is_so:
                self._became(run, step.letter.step, step.letter.became)
            self._again(self._run() or run, step)
            return
        condition = self._plan.answers[run.step or "audience"]
        if run.waits is None:  # he waits until it is so
            self._move(condition, "entered")
            return
        if is_so:
            self._person.segments = {**self._person.segments, condition: self._now}
        mark = Membership(type="mark", received_at=self._now, topic=UNASKED[0], partition=0, offset=1)
        self._keep(decide.on_mark(self._held(condition), self._who, self._person, {UNASKED[:2]: 1}, mark))

    def _again(self, run: Run, step: Step) -> None:
        """Take the step on which he stands, now that it is decided where it leads."""
        self._person.runs = [replace(one, due_at=self._now) if one is run else one for one in self._person.runs]
        self._keep(decide.on_timer(self._held(step=step), self._who, self._person, self._now))

    def _became(self, run: Run, step: str, became: str) -> None:
        at_hand = run.cascade if run.step == step else None
        letter = at_hand.letter if at_hand else run.letters.get(step)
        channel = at_hand.left[0] if at_hand else getattr(self._plan.steps[step], "channel", "email")
        intent = letter.intent if letter else ""
        id_, at, book = derive("walk", intent, became), self._now, self._held()
        if became in VERDICTS:
            verdict = Decision(
                id=id_, brand=run.brand, profile=self._who, verdict=became, by="sender", received_at=at, intent=intent  # type: ignore[arg-type]
            )  # fmt: skip
            self._keep(decide.on_verdict(book, self._who, self._person, verdict))
            return
        events = (
            event for event, tells in LETTER_EVENTS.items() if tells == became and event.startswith(WAYS.get(channel, "Email"))
        )
        fact = Fact(
            id=id_, type="track", event=next(events), brand=run.brand, source="walk", occurred_at=at, received_at=at,
            properties={"intent": intent}, profile=self._who,
        )  # fmt: skip
        self._keep(decide.on_fact(book, self._who, self._person, fact, None))

    def _move(self, segment: str, change: str) -> None:
        id_ = derive("walk", self._plan.key, segment, self._now)
        news = Membership(type=change, received_at=self._now, id=id_, profile=self._who, segment=segment, at=self._now)  # type: ignore[arg-type]
        self._keep(decide.on_membership(self._held(), self._who, self._person, news))

    def _keep(self, outcome: Outcome) -> None:
        """Letters are taken at once."""
        self._person = outcome.person.copy()
        for emission in outcome.emits:
            self._path += [_said(emission)] if not isinstance(emission, Intent) else []
        for intent in outcome.intents:
            verdict = Decision(
                id=derive("walk", intent.id), brand=intent.brand, profile=self._who, verdict="accepted", by="sender",
                received_at=intent.received_at, intent=intent.id, attempt=intent.attempt, message_class=intent.message_class,
            )  # fmt: skip
            self._keep(decide.on_verdict(self._held(), self._who, self._person, verdict))

    # ---- where he stands

    def told(self) -> dict[str, Any]:
        run = self._run()
        stands = None if run is None else {"step": run.step, "since": run.since or run.started_at, "until": self._until(run)}
        may = [_shown(option) for option in self._options()]
        return {"at": self._now, "path": self._path, "stands": stands, "over": run is None, "may": may}

    def _until(self, run: Run) -> int | None:
        return None if self._is_held(run) else run.timer

    def _run(self) -> Run | None:
        return next((run for run in self._person.runs if run.journey == self._plan.key), None)

    def _is_held(self, run: Run) -> bool:
        return run.step in self._plan.steps and _chosen(self._plan.steps[run.step])

    def _moment(self) -> Moment:
        return Moment(self._now, derive("walk", self._plan.key, self._now))

    def _options(self) -> Iterator[Option]:
        run = self._run()
        if run is None:
            return
        step = self._plan.steps.get(run.step)
        if run.waits is not None or (isinstance(step, Branch) and step.letter is not None):
            yield from self._answers(step, run)
        elif isinstance(step, Split):
            following = self._plan.following[step.id]
            yield from (Option(Choice("arm", arm=arm.name), arm.then or following) for arm in step.split)
        else:
            yield from self._events(step, run)
            if run.due_at is not None and run.due_at <= FARTHEST_MS:
                yield Option(Choice("time"), self._leads(step, run))
        if self._plan.goal is not None and run.step:
            yield Option(Choice("goal"), None)
        if self._plan.exit_segment is not None and run.step:
            yield Option(Choice("exit"), None)

    def _answers(self, step: Step | None, run: Run) -> Iterator[Option]:
        letter = step.letter if isinstance(step, Branch) else None
        ways = (
            {True: getattr(step, "then", ""), False: getattr(step, "otherwise", "")}
            if step
            else {True: self._plan.first, False: None}
        )
        yield Option(Choice("answer", is_so=True), ways[True])
        if letter is None or not letters.has_become(run, letter):
            yield Option(Choice("answer", is_so=False), run.step if isinstance(step, Until) else ways[False])

    def _events(self, step: Step | None, run: Run) -> Iterator[Option]:
        if isinstance(step, Cascade) and run.cascade is not None and run.cascade.letter is not None:
            known = run.cascade.letter.became
            yield from (Option(Choice("letter", step=step.id, became=word)) for word in OF_CASCADE if word not in known)
        if not isinstance(step, Until):
            return
        if step.until.fact is not None:
            yield Option(Choice("fact"), step.then)
        elif step.until.letter is not None:
            about = step.until.letter
            yield Option(Choice("letter", step=about.step, became=about.became), step.then)
        else:
            yield Option(Choice("answer", is_so=True), step.then)

    def _leads(self, step: Step | None, run: Run) -> str | None:
        if isinstance(step, Until):
            return step.otherwise
        return self._plan.following[run.step] if isinstance(step, Wait) else ""

    @staticmethod
    def _is(choice: Choice, offered: Choice) -> bool:
        return replace(choice, after=None) == offered

    # ---- the book, kept from going on by itself

    def _held(self, answered: str = "", *, step: Step | None = None) -> Book:
        """answered: a condition about which nothing is waited for; step: one that is to be taken as it is here."""
        steps = {
            name: (step if step is not None and step.id == name else Wait(id=name, wait=FAR))
            for name, one in self._plan.steps.items()
            if _chosen(one)
        }
        run = self._run()
        stays = self._plan.answers.get(run.step) if run is not None and run.waits is None else None
        silent = {key: UNASKED for key in self._plan.answers.values() if key not in (answered, stays)}
        held = changed(self._plan, steps={**self._plan.steps, **steps})
        return changed(_with(self._book, self._plan, held), silent=silent)


def _chosen(step: Step) -> bool:
    """Whether somebody is to say where it leads."""
    return isinstance(step, Split) or (isinstance(step, Branch) and step.letter is not None)


def _arm(step: Step, name: str) -> Step:
    assert isinstance(step, Split)
    arms = tuple(arm.model_copy(update={"share": 100 if arm.name == name else 0}) for arm in step.split)
    return step.model_copy(update={"split": arms})


def _with(book: Book, old: Plan, new: Plan) -> Book:
    def swapped(groups: Mapping[Any, Sequence[Plan]]) -> dict[Any, list[Plan]]:
        return {key: [new if plan is old else plan for plan in plans] for key, plans in groups.items()}

    return changed(
        book,
        plans={**book.plans, (new.key, new.version): new},
        current={**book.current, new.key: new},
        triggers=swapped(book.triggers),
        goals=swapped(book.goals),
        entering=swapped(book.entering),
        exits=swapped(book.exits),
        waiting=swapped(book.waiting),
        foremost=[new if plan is old else plan for plan in book.foremost],
        awaits={
            event: [(new if plan is old else plan, step, test) for plan, step, test in found]
            for event, found in book.awaits.items()
        },
    )


def _said(emission: Decision | Fact) -> dict[str, Any]:
    if isinstance(emission, Fact):
        return {"at": emission.received_at, "says": emission.attributes or {"type": emission.event or emission.type}}
    shown = {
        "at": emission.received_at, "step": emission.step, "verdict": emission.verdict, "rule": emission.rule, "channel": emission.channel,
        "until": emission.until,
    }  # fmt: skip
    return {name: value for name, value in shown.items() if value not in (None, "")}


def _shown(option: Option) -> dict[str, Any]:
    choice = {name: value for name, value in msgspec.structs.asdict(option.choice).items() if value is not None}
    return choice if option.leads == "" else {**choice, "leads": option.leads}
