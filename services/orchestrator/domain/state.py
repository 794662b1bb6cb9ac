"""What the orchestrator keeps of one person, in one row: his runs, his reservations, and what the rules must know of him."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

replace = msgspec.structs.replace

Place = tuple[str, int, int]  # topic, partition, offset of a fact

UNKNOWN_DAY = -1
OPEN, DOUBT, KEPT = 0, 1, 2  # what the sender said of a reservation's intent: nothing yet, maybe sent, sent


class Letter(msgspec.Struct, array_like=True, frozen=True):
    """A letter of a run whose journey asks what became of it. intent: "" of one that did not go; others: of a cascade, over the channels
    before.
    """

    intent: str
    became: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def told(self, word: str) -> "Letter":
        """Of which that became, too."""
        return replace(self, became=tuple(sorted({*self.became, word})))


class Trying(msgspec.Struct, array_like=True, frozen=True):
    """Where a run stands in a cascade. left: channels that are still to be tried, that at hand first; none: it is over.

    place: of the channel at hand, from 1; letter: by it, None before it is decided; at: when that went to the sender, and once it is
    accepted, when (ms). behind: letters by channels that it has left, or of another run that was merged into this one.
    """

    left: tuple[str, ...]
    place: int = 1
    letter: Letter | None = None
    at: int = 0
    behind: tuple[Letter, ...] = ()

    @property
    def first(self) -> str:
        """The first intent that went of it before the one at hand, "" if none did: it names the message."""
        return next((letter.intent for letter in self.behind if letter.intent), "")

    @property
    def letters(self) -> tuple[Letter, ...]:
        """All that were sent or left, that at hand last."""
        return (*self.behind, self.letter) if self.letter else self.behind

    @property
    def taken(self) -> bool:
        """Has a provider taken it, over any channel?"""
        return any("accepted" in letter.became for letter in self.letters)

    def has(self, intent: str) -> bool:
        """Is this the letter at hand?"""
        return self.letter is not None and self.letter.intent == intent

    @property
    def position(self) -> list[int]:
        """[the place of the channel at hand, of how many]"""
        return [self.place, self.place + len(self.left) - 1]


class Parked(msgspec.Struct, array_like=True, frozen=True):
    """What a pause keeps a run from, until a later gate than number `gate` lets it: the run is taken up again as of the instant `at` (ms).

    due_at: the timer that was due then; None: it came to its step then, and has done nothing there yet.
    """

    at: int
    gate: int
    due_at: int | None = None


class Run(msgspec.Struct, array_like=True, frozen=True):
    """One person's way through one journey version. All times in ms.

    occurrence: id of the fact or membership that started it; trigger_at: when that occurred; started_at: when it came here.
    step "": the entry itself, which waits for the answer about the audience, or until due_at for a name of a stranger. since: when the
    step was reached; due_at: its timer; waits: the fact that the segmenter must have passed first. taken: steps so far; done: send
    steps whose intent went out. held: its send waits for an earlier one of the run, or for the name of somebody who was parted from
    another, at the latest until due_at. home: of the fact that started it (`homes.home_of`), "" where none did; after an unmerge it tells
    whose the run is. letters: step -> what became of its letter, where the journey asks. control: of which experiment he is in the control
    group, "" for none. asked: the last migration of its journey that was asked where this run goes on. parked: by a pause; with a timer
    (due_at) when it is over.
    """

    journey: str
    version: int
    occurrence: str
    brand: str
    trigger_at: int
    started_at: int
    step: str = ""
    since: int = 0
    due_at: int | None = None
    waits: Place | None = None
    taken: int = 0
    done: tuple[str, ...] = ()
    data: dict[str, Any] = {}
    held: bool = False
    home: str = ""
    letters: dict[str, Letter] = {}
    control: str = ""
    exposed: bool = False
    cascade: Trying | None = None
    asked: int = 0
    parked: Parked | None = None

    @property
    def timer(self) -> int | None:
        """When time alone wakes it. Not where it stands and waits for the segmenter's answer: the mark does, and a timer that is over would
        fire for ever. That of a pause which is over fires once.
        """
        asks = self.waits is not None and self.step and self.parked is None
        return None if asks else self.due_at

    @property
    def waits_to_go(self) -> bool:
        """Does a letter that was not sent yet wait for an instant here, if it stands at one? Of a cascade by the channel at hand."""
        unsent = self.step not in self.done if self.cascade is None else self.cascade.letter is None
        return self.timer is not None and not self.held and unsent

    @property
    def tried(self) -> str:
        """The first intent of the cascade in which it stands, "" where there is none."""
        return self.cascade.first if self.cascade else ""

    @property
    def document(self) -> str:
        """What it is a run of; a campaign is one by its full name, which no journey can have."""
        return self.journey if self.mailed else f"journey:{self.journey}"

    @property
    def mailed(self) -> bool:
        """Is it somebody's part in the launch of a campaign?"""
        return ":" in self.journey


class Reservation(msgspec.Struct, array_like=True, frozen=True):
    """A place in the caps, taken for one intent.

    at: when it was decided, and once the sender has told, when it went; until: the end of its slot while it is under way, else `at`.
    channel, topic: "" in states of before these were kept. unused: in states of before his local day, which follows from `at` and his zone
    of now; it keeps its place in the stored array.
    cascade: the first intent of the cascade whose later one this is: all of them are one message.
    """

    intent: str
    attempt: int
    message_class: str
    brand: str
    at: int
    until: int
    unused: int = 0
    state: int = OPEN
    channel: str = ""
    topic: str = ""
    cascade: str = ""


class Pending(msgspec.Struct, array_like=True, frozen=True):
    """An intent that may come back: what is needed to decide it again.

    due_at: it came back late and was deferred until then; held: as of a run. until: the end of the slot in which
    the sender has it. joined: occurrence of the run that took its own one in when two people became one. parked: the number of the gate
    that holds it back.
    """

    run: Run
    step: str
    first_try: int
    attempt: int = 0
    due_at: int | None = None
    until: int = 0
    held: bool = False
    joined: str = ""
    parked: int = 0

    def of(self, run: Run) -> bool:
        """Is it a letter of this run?"""
        return (self.run.journey, self.joined or self.run.occurrence) == (run.journey, run.occurrence)


class Talk(msgspec.Struct, array_like=True, frozen=True):
    """Where he stands in a dialogue of a bot; one is kept of each bot. Times in ms.

    run: id of the fact that began it; step: the question that waits for him, "" when it is over; at: when it last moved; tries: answers
    to that question that did not fit. answers: question -> (value, points). home: as of a run.
    """

    bot: str
    version: int
    dialogue: str
    run: str
    brand: str
    step: str = ""
    at: int = 0
    tries: int = 0
    answers: dict[str, tuple[str, int]] = {}
    home: str = ""

    @property
    def points(self) -> int:
        """A question that is answered again counts once."""
        return sum(points for _, points in self.answers.values())


class Appointment(msgspec.Struct, array_like=True, frozen=True):
    """When a journey that goes by a schedule comes to him next. due: ms; day: the local day of it, from 1970-01-01; last: of the last one
    that came. day unknown: its journey is to be looked for then.
    """

    due: int | None
    day: int = UNKNOWN_DAY
    last: int = UNKNOWN_DAY


class Held(msgspec.Struct, array_like=True, frozen=True):
    """A promo code of his of which more must be known than his run says. What it was given in: journey to home, as of the run. at: when (ms).

    kept: it is the one that he gets of this pool, whatever asks; lent: it goes back if it never goes out. letters: intents that carry it
    and of which the sender has not told what became, each with its attempt.
    """

    pool: str
    number: int
    code: str
    at: int
    brand: str
    journey: str
    version: int
    step: str
    occurrence: str
    home: str = ""
    kept: bool = False
    lent: bool = False
    letters: dict[str, int] = {}


class Mailed(NamedTuple):
    """That a letter of a launch was handed to the sender. until: another one of it might come by then, from him who he was before (ms);
    went: it has gone, for all that is known.
    """

    until: int
    went: bool = False


class Timer(NamedTuple):
    """Something of a person that is due, in the order in which things fire. intent: of a pending one, "" for a run. occurrence: "" of an
    appointment.
    """

    due: int
    journey: str
    occurrence: str
    intent: str


class Person(msgspec.Struct, array_like=True):
    """The whole state of a person. Changed on a copy only (`copy`).

    zone, language: (occurred_at, value), last write wins; reach: kinds of identifiers; bucketing: (bucketed_at, id), the smallest.
    segments: those he stands in, key -> since. entries: "journey" or "journey|value" ->
    last entered at; goals: journey -> last occurred at. bought, agreed: has he ever? merges: where the merges, and the unmerges, lie which
    the segmenter may not have passed: until then it has not told where he stands since.
    Of an unmerge: parted: home -> who it is whose facts of this home are; mine: home -> who had it before him, where he was made by one;
    shared: intent -> who else has its letter or its place in the caps; introduced: his own first fact was heard, which may come first.
    heard: first steps that wait for a fact -> when it last occurred, for a run that comes after it. appointments: journey -> when it comes.
    preferred: (occurred_at, channel). codes: promo codes that he keeps or that may go back.
    campaigns: launches of which he was written to.
    """

    zone: tuple[int, str] | None = None
    language: tuple[int, str] | None = None
    reach: list[str] = []
    bucketing: tuple[int, str] | None = None
    segments: dict[str, int] = {}
    runs: list[Run] = []
    entries: dict[str, int] = {}
    goals: dict[str, int] = {}
    reservations: list[Reservation] = []
    pending: dict[str, Pending] = {}
    merges: list[Place] = []
    talks: list[Talk] = []
    bought: bool = False
    agreed: bool = False
    parted: dict[str, str] = {}
    mine: dict[str, str] = {}
    shared: dict[str, list[str]] = {}
    introduced: bool = False
    heard: dict[str, int] = {}
    appointments: dict[str, Appointment] = {}
    preferred: tuple[int, str] | None = None
    codes: list[Held] = []
    campaigns: dict[str, Mailed] = {}

    @property
    def awaited(self) -> bool:
        """Was he parted from another, and has nobody said yet how he can be reached?"""
        return bool(self.mine) and not self.introduced and self.bucketing is None

    def copy(self) -> "Person":
        """One whose containers may be changed; what they hold is frozen."""
        return replace(
            self,
            segments=dict(self.segments),
            runs=list(self.runs),
            entries=dict(self.entries),
            goals=dict(self.goals),
            reservations=list(self.reservations),
            pending=dict(self.pending),
            merges=list(self.merges),
            talks=list(self.talks),
            parted=dict(self.parted),
            mine=dict(self.mine),
            shared=dict(self.shared),
            heard=dict(self.heard),
            appointments=dict(self.appointments),
            codes=list(self.codes),
            campaigns=dict(self.campaigns),
        )

    def timers(self) -> Iterator[Timer]:
        for run in self.runs:
            if run.timer is not None:
                yield Timer(run.timer, run.journey, run.occurrence, "")
        for intent, pending in self.pending.items():
            if pending.due_at is not None:
                yield Timer(pending.due_at, pending.run.journey, pending.run.occurrence, intent)
        for journey, appointment in self.appointments.items():
            if appointment.due is not None:
                yield Timer(appointment.due, journey, "", "")

    def due_at(self) -> int | None:
        """The earliest timer."""
        return min((timer.due for timer in self.timers()), default=None)

    def waits(self) -> Place | None:
        """The first of the facts that runs wait for; its mark is what wakes him."""
        return min((run.waits for run in self.runs if run.waits is not None), default=None)


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Person).decode
