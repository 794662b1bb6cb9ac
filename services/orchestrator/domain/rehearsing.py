"""One person's days played again under a book of documents, with the sending off. Pure, and by the very functions that decide live.

Of each letter it is assumed what becomes of it; all else that he does is what he did.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import zip_longest
from typing import NamedTuple

from schemas.consents import GRANTS
from schemas.documents import duration_ms
from schemas.facts import PROFILE_CHANGED, Fact
from schemas.ids import bucket, derive
from schemas.memberships import Membership
from schemas.messages import Decision, Intent
from schemas.steps import LETTER_EVENTS, PAYS, Purge
from services.orchestrator.domain import campaigns, decide, purging, rescheduling, schedules
from services.orchestrator.domain.book import Book
from services.orchestrator.domain.codes import examples
from services.orchestrator.domain.mailings import PLACES
from services.orchestrator.domain.state import Person
from services.orchestrator.domain.throttle import turn_of
from services.orchestrator.domain.turn import Outcome, Turn

Place = tuple[int, str, int, int]  # received_at, topic, partition, offset of a fact
Told = Decision | Intent
WAYS: Mapping[str, str] = {"email": "Email", "sms": "SMS", "telegram": "Telegram", "vk": "VK"}
BECAME = (
    ("Delivered", "delivered", "1m"),
    ("Opened", "opened", "1h"),
    ("Link Clicked", "clicked", "1h5m"),
)  # so long after it went


class Assumed(NamedTuple):
    """What becomes of letters beside being accepted: shares of 100, of whom it does."""

    delivered: int = 0
    opened: int = 0
    clicked: int = 0


class Piece(NamedTuple):
    """A fact of his, or that he entered or left a segment: there `place` is that of the fact which brought it, or (at, "", -1, -1)."""

    place: Place
    item: Fact | Membership


class Days(NamedTuple):
    """What is known of somebody. before: facts of before `since`, which tell who he is; standing: segment -> since when he stands in it at
    `since`; entered: journey -> when he last entered it before; pieces: in order.
    """

    person: str
    before: Sequence[Fact]
    standing: Mapping[str, int]
    pieces: Sequence[Piece]
    entered: Mapping[str, int] = {}


class Played(NamedTuple):
    """told: all verdicts and intents, in order; person: his state at the end; chosen: he belongs to the audience of the launch."""

    told: Sequence[Told]
    person: Person
    chosen: bool = False


NOTHING = Played((), Person())


def ordered(facts: Iterable[tuple[Place, Fact]], memberships: Iterable[tuple[Place, Membership]]) -> list[Piece]:
    """As they came: a fact before what it brought, and what time brought before a fact of that very instant."""
    keyed = [((*place, 0), number, Piece(place, fact)) for number, (place, fact) in enumerate(facts)]
    keyed += [((*place, 1), number, Piece(place, one)) for number, (place, one) in enumerate(memberships)]
    return [piece for _, _, piece in sorted(keyed, key=lambda one: one[:2])]


def events(book: Book) -> frozenset[str]:
    """Names of facts that a rehearsal under this book reads: dialogues of bots are not played, and letters are not those that went, so what
    was told of those is not heard, whatever asks for it.
    """
    places = rescheduling.FOLLOWED if book.triggers.keys() & rescheduling.SAID else ()
    return frozenset((*book.triggers, *book.goals, *book.awaits, *places, *ties(book))) - {PROFILE_CHANGED, *LETTER_EVENTS}


def ties(book: Book) -> frozenset[str]:
    """Events of which is asked whether he ever did them, as somebody may be taken out."""
    purges = any(isinstance(step, Purge) for plan in book.plans.values() for step in plan.steps.values())
    return frozenset((*PAYS, *GRANTS)) if purges else frozenset()


class Stage:
    """A book as rehearsals play under it, made once for all people. heard: names of the facts that are read; once: journeys into which is let by
    when he last entered. Not where he may come again for another value of a property, as it is not known for which he came. launched: the
    only launch; audience: about how many people it is for, which says when whose turn comes where it is throttled.
    """

    def __init__(self, book: Book, audience: int = 0) -> None:
        self.book = replace(book, shelf=examples(book.pools))
        self.launched = next(iter(book.launches.values()), None)
        self.audience = audience
        self.heard = events(book)
        self.once = frozenset(key for key, plan in book.current.items() if plan.mode in ("never", "after"))
        self.asked = (
            frozenset(self.launched.conditions[:1]) if self.launched else frozenset[str]()
        )  # who meets it is of the audience


def play(stage: Stage, days: Days, since: int, until: int, assumed: Assumed) -> Played:
    """His days from `since` to `until` (ms, that instant included). Who never met a trigger, nor an audience, is passed by at once."""
    book = stage.book
    comes = days.standing.keys() & (book.scheduled.keys() | stage.asked)
    if not (comes or any(_begins(stage, piece.item) for piece in days.pieces)):
        return NOTHING
    player = _Player(stage, days, assumed)
    player.begin(since)
    following = [piece.place for piece in days.pieces[1:]]
    for piece, then in zip_longest(days.pieces, following):
        player.take(piece)
        if then != piece.place:
            player.settle(piece.place[0])
    player.finish(until)
    return Played(player.told, player.person, player.chosen)


def _begins(stage: Stage, item: Fact | Membership) -> bool:
    book = stage.book
    if isinstance(item, Fact):
        return (item.event or item.type) in book.triggers
    return (item.segment, item.type) in book.entering or item.segment in book.scheduled or item.segment in stage.asked


class _Player:
    def __init__(self, stage: Stage, days: Days, assumed: Assumed) -> None:
        self._stage, self._book, self._days, self._assumed = stage, stage.book, days, assumed
        self._to_come: list[tuple[int, int, Fact]] = []  # what is assumed of letters
        self._count = 0
        self._turn_at = stage.launched.launch.start_at if stage.launched else None  # when the launch comes to him next
        self.chosen = False
        self.told: list[Told] = []
        self.person = Person()

    def begin(self, since: int) -> None:
        for fact in self._days.before:
            if fact.type == PROFILE_CHANGED:
                self.person = decide.on_fact(self._book, self._days.person, self.person, fact, None).person
            else:
                purging.learn(self.person, fact, fact.event or fact.type)
        self.person.segments = {key: at for key, at in self._days.standing.items() if key in self._book.segments}
        self.person.entries = {key: at for key, at in self._days.entered.items() if key in self._stage.once}
        self._appoint(since)
        self.pass_to(since - 1)

    def _appoint(self, since: int) -> None:
        """Who stands in the audience of a schedule on the first day comes due like anybody else."""
        turn = Turn(self._book, self._days.person, self.person)
        for key in sorted(self.person.segments.keys() & self._book.scheduled.keys()):
            schedules.heard(turn, Membership(type="entered", received_at=since - 1, segment=key))
        self.person = turn.person

    def take(self, piece: Piece) -> None:
        if isinstance(piece.item, Membership):
            self._move(piece.item)
        elif piece.item.type == PROFILE_CHANGED or (piece.item.event or piece.item.type) in self._stage.heard:
            self._hear(piece.item, piece.place)

    def pass_to(self, until: int) -> None:
        """Let time come to an instant, before what else is of it: a launch comes last of all that is of one."""
        while self._turn_at is not None and self._turn_at < until:
            self._fire(self._turn_at)
            self._launch(self._turn_at)
        self._fire(until)

    def finish(self, until: int) -> None:
        self.pass_to(until)
        while self._turn_at == until:
            self._launch(until)

    def _launch(self, at: int) -> None:
        """The walk looks whether he belongs to the audience; then his turn comes, at once or at the pace of the launch."""
        launched = self._stage.launched
        assert launched is not None
        self._turn_at = None
        if not self.chosen:
            place = campaigns.place_of(launched, self._days.person, self.person)
            self.chosen = place is not None
            later = turn_of((place or 0) / PLACES, self._stage.audience, launched.mailing.every_ms)
            if later or not self.chosen:
                self._turn_at = at + later if self.chosen else None
                return
        self._keep(decide.on_launch(self._book, self._days.person, self.person, launched, at))

    def _fire(self, until: int) -> None:
        """Fire what is due, each at its instant, and hear of letters what is assumed of them."""
        while True:
            due, comes = self.person.due_at(), self._to_come[0][0] if self._to_come else None
            if due is not None and due <= until and (comes is None or due <= comes):
                self._keep(decide.on_timer(self._book, self._days.person, self.person, due))
            elif comes is not None and comes <= until:
                self._hear(heappop(self._to_come)[2], None)
            else:
                return

    def _hear(self, fact: Fact, place: Place | None) -> None:
        if place is not None:
            self.pass_to(fact.received_at)
        waits = None if place is None or not self._book.conditions else place[1:]
        self._keep(decide.on_fact(self._book, self._days.person, self.person, fact, waits))

    def _move(self, news: Membership) -> None:
        if news.segment in self._book.segments:
            self.pass_to(news.received_at)
            self._keep(decide.on_membership(self._book, self._days.person, self.person, news))

    def settle(self, at: int) -> None:
        """All that a fact brought is heard: the segmenter has passed it, and what waits for its answer goes on."""
        while (waits := self.person.waits()) is not None:
            mark = Membership(type="mark", received_at=at, topic=waits[0], partition=waits[1], offset=waits[2] + 1)
            self._keep(decide.on_mark(self._book, self._days.person, self.person, {waits[:2]: waits[2] + 1}, mark))

    def _keep(self, outcome: Outcome) -> None:
        self.person = outcome.person
        for emission in outcome.emits:
            if not isinstance(emission, Fact):
                self.told.append(emission)
        for intent in outcome.intents:
            self._accept(intent)

    def _accept(self, intent: Intent) -> None:
        """It went at once."""
        name, at = derive("rehearsal", intent.id, intent.attempt), intent.received_at
        taken = Decision(
            id=name, brand=intent.brand, profile=intent.profile, verdict="accepted", by="sender", received_at=at, document=intent.document,
            version=intent.version, step=intent.step, occurrence=intent.occurrence, intent=intent.id, attempt=intent.attempt,
            channel=intent.channel, message_class=intent.message_class,
        )  # fmt: skip
        self._keep(decide.on_verdict(self._book, self._days.person, self.person, taken))
        for tells, became, later in BECAME if intent.channel in WAYS and not intent.for_others else ():
            event = f"{WAYS[intent.channel]} {tells}"
            share = getattr(self._assumed, became)
            if event in self._book.events and bucket(f"rehearsal.{became}", intent.id) < share * 100:
                self._count += 1
                then = at + duration_ms(later)
                heard = Fact(
                    id=derive(name, became), type="track", event=event, brand=intent.brand, source="rehearsal", occurred_at=then,
                    received_at=then, properties={"intent": intent.id}, profile=intent.profile,
                )  # fmt: skip
                heappush(self._to_come, (then, self._count, heard))
