"""One decision in the making: a copy of the person, and what is told of him."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas.facts import Fact
from schemas.ids import derive
from schemas.messages import Decision, Intent, Verdict
from services.orchestrator.domain.book import Book, Plan
from services.orchestrator.domain.codes import Code, Give, Move
from services.orchestrator.domain.state import Person, Place, Run, Talk
from services.orchestrator.domain.zones import Zone, zone

Emission = Intent | Decision | Fact


class Moment(NamedTuple):
    """now: ms, the only time a decision knows; cause: id of what it reacts to.

    place: the fact that the segmenter may not have seen yet, so that answers about segments must wait; None when it has.
    """

    now: int
    cause: str
    place: Place | None = None


class Outcome(NamedTuple):
    """The person afterwards (the very same object when nothing changed) and what to emit, in order. moves: what becomes of promo codes.

    short: pools of which a code was wanted and none at hand: if there is any, the rest counts for nothing.
    """

    person: Person
    emits: tuple[Emission, ...] = ()
    moves: tuple[Move, ...] = ()
    short: tuple[str, ...] = ()

    @property
    def intents(self) -> list[Intent]:
        return [e for e in self.emits if isinstance(e, Intent)]

    @property
    def decisions(self) -> list[Decision]:
        return [e for e in self.emits if isinstance(e, Decision)]

    @property
    def due_at(self) -> int | None:
        return self.person.due_at()


class Turn:
    """Working state of one decision: made, changed, turned into an Outcome, forgotten."""

    def __init__(self, book: Book, profile: str, person: Person) -> None:
        self.book, self.profile = book, profile
        self.person = person.copy()
        self._before = person
        self._emits: list[Emission] = []
        self.moves: list[Move] = []
        self._short: list[str] = []

    def outcome(self) -> Outcome:
        person = self._before if self.person == self._before else self.person
        return Outcome(person, tuple(self._emits), tuple(self.moves), tuple(self._short))

    def plan(self, run: Run) -> Plan | None:
        return self.book.plans.get((run.journey, run.version))

    def zone(self, brand: str, named: str | None = None) -> Zone:
        """The person's, else the one that is named for those whose own is unknown, else the brand's."""
        own = self.person.zone
        return zone(own[1] if own else None, named, self.book.zones.get(brand))

    def brand_zone(self, brand: str) -> Zone:
        return zone(self.book.zones.get(brand))

    def stands(self, segment: str) -> bool:
        return segment in self.person.segments

    def put(self, run: Run) -> None:
        """Keep a run, in the place of what it was before."""
        runs = self.person.runs
        for place, other in enumerate(runs):
            if same(other, run):
                runs[place] = run
                return
        runs.append(run)

    def drop(self, run: Run) -> None:
        self.person.runs = [other for other in self.person.runs if not same(other, run)]

    def talk(self, bot: str) -> Talk | None:
        """His dialogue with a bot, be it over."""
        return next((talk for talk in self.person.talks if talk.bot == bot), None)

    def keep(self, talk: Talk) -> None:
        self.person.talks = sorted([*(t for t in self.person.talks if t.bot != talk.bot), talk], key=lambda t: t.bot)

    def emit(self, emission: Emission) -> None:
        self._emits.append(emission)

    @property
    def emitted(self) -> Sequence[Emission]:
        return self._emits

    def follow(self, before: Outcome) -> None:
        """Take no code that was taken for somebody whose state is to be taken over."""
        self.moves += before.moves
        self._short += before.short

    def code(self, pool: str) -> Code | None:
        """The next code of a pool that is free; None: there is none, or none at hand."""
        taken = {move.number for move in self.moves if isinstance(move, Give)}
        shelf = self.book.shelf
        found = next((code for code in shelf.ready.get(pool, ()) if code.number not in taken), None)
        if found is None and pool not in shelf.dry:
            self._short.append(pool)
        return found

    def tell(self, run: Run, verdict: Verdict, moment: Moment, rule: str = "", *, step: str = "", **more: Any) -> None:
        """A verdict about a run or one of its steps. Its id derives from what it is about and from the instant."""
        document = run.document
        # Several channels may have one verdict at one instant.
        of: tuple[str, ...] = (more.get("channel", ""),) if run.cascade is not None else ()
        of += (self.profile,) if run.mailed else ()  # a launch is one occurrence of many people
        of += (str(more["until"]),) if more.get("until") else ()  # it may look again at one instant, and wait for another one
        key = (document, run.version, step, run.occurrence, verdict, rule, more.get("attempt", 0), moment.cause, moment.now, *of)
        self.emit(
            Decision(
                id=derive("decision", *key),
                brand=run.brand,
                profile=self.profile,
                verdict=verdict,
                by="orchestrator",
                received_at=moment.now,
                document=document,
                version=run.version,
                step=step,
                occurrence=run.occurrence,
                rule=rule,
                cause=moment.cause,
                **more,
            )
        )


def same(one: Run, other: Run) -> bool:
    """A run is known by its journey and what started it."""
    return one.journey == other.journey and one.occurrence == other.occurrence
