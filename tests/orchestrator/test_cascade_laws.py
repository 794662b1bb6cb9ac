"""Cascades under whatever is heard in whatever order: words of the sender, of providers and readers, merges and unmerges, time."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.messages import Decision, Intent
from services.orchestrator.domain.state import Person
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, brand, journey, rule, send, wait

PEOPLE = "abc"
KINDS = {"a": "telegram_id phone email", "b": "phone email vk_id", "c": "telegram_id email"}
WAITS = {"telegram": (0, 2 * HOUR), "sms": (HOUR, 3 * HOUR), "vk": (0, HOUR), "email": (0, 0)}  # delivered within, read within
FINAL = ("failed", "skipped", "late", "in_doubt")


def hours(ms: int) -> str:
    return f"{ms // HOUR}h"


CASCADE = [
    {
        "channel": channel,
        "template": channel,
        **({"delivered_within": hours(delivered)} if delivered else {}),
        **({"read_within": hours(read)} if read else {}),
    }
    for channel, (delivered, read) in WAITS.items()
]
EVENTS = {"telegram": "Telegram", "sms": "SMS", "email": "Email", "vk": "VK"}
ASK = {"id": "ask", "until": {"letter": {"step": "c", "became": "clicked"}}, "at_most": "1d", "then": "after", "else": "after"}


def chain(cls: str) -> dict[str, Any]:
    step = {"id": "c", "cascade": CASCADE, "class": cls, "expires": "2d"}
    return journey("j", step, ASK, wait("after", "1h"), send("end", **{"class": cls}), on="Go", goal={"event": "Goal"})


class Sent(NamedTuple):
    """What the sender made of an intent and when it was heard here. state "": it is with the sender."""

    intent: Intent
    state: str = ""
    at: int = 0
    words: tuple[tuple[str, int], ...] = ()

    def heard(self, word: str) -> int | None:
        return next((at for told, at in self.words if told == word), None)


class Oracle:
    """A sender that keeps the law, and what it makes of each new intent by the words of the documents, not by the code."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sent: dict[str, Sent] = {}
        self.of: dict[str, str] = {}  # occurrence of a run -> another one that has been one person's with it
        self.keys: set[tuple[str, int]] = set()
        self.joined = self.parted = False  # has anybody ever become one with another, or been parted from one?
        self._seen = 0

    def look(self) -> None:
        for emission in self.world.log[self._seen :]:
            self._seen += 1
            if isinstance(emission, Intent) and emission.step == "c":
                self.check(emission)
                self.sent[emission.id] = Sent(emission)
        for name, person in self.world.people.items():
            if not self.joined and name in PEOPLE:
                self.one_place(person)

    def check(self, new: Intent) -> None:
        assert (new.id, new.attempt) not in self.keys, "one key and attempt, one intent"
        self.keys.add((new.id, new.attempt))
        before = self.sent.get(new.id)
        assert before is None or before.state in ("late", "held"), f"decided again after {before.state!r}"
        for old in self.family(new):
            if old.intent.id != new.id:
                why = self.why(old, new)
                assert why, f"{new.channel} while {old.intent.channel} is {old.state or 'under way'}: {old.words}"

    def why(self, old: Sent, new: Intent) -> str:
        """By which word of the document the new one may follow the old one; "" by none."""
        now = new.received_at
        if old.heard("Opened") is not None or old.heard("Link Clicked") is not None:
            return ""
        if old.state in ("failed", "skipped", "late"):
            return old.state
        if old.state == "in_doubt":
            return old.state if new.message_class == "service" else ""
        if old.state != "accepted":
            return ""
        delivered, read = WAITS[old.intent.channel]
        if old.heard("Failed") is not None:
            return "bounced"
        if delivered and now >= old.at + delivered and (old.heard("Delivered") or now) >= old.at + delivered:
            return "not_delivered"
        return "not_read" if read and now >= old.at + read else ""

    def family(self, of: Intent) -> Iterator[Sent]:
        name = self.root(of.occurrence)
        return (sent for sent in self.sent.values() if self.root(sent.intent.occurrence) == name)

    def root(self, occurrence: str) -> str:
        while occurrence in self.of:
            occurrence = self.of[occurrence]
        return occurrence

    def one_place(self, person: Person) -> None:
        """Somebody who was never another has one place in the caps for all of a cascade."""
        mine = [r for r in person.reservations if r.intent in self.sent]
        assert len({r.cascade or r.intent for r in mine}) <= 1, mine

    # ---- moves

    def late(self) -> None:
        self.look()
        for key, sent in list(self.sent.items()):
            if not sent.state and sent.intent.not_after < self.world.now:
                self.tell(key, "late")

    def tell(self, key: str, word: str) -> None:
        sent = self.sent[key]
        self.sent[key] = sent._replace(state=word, at=self.world.now)
        self.world.verdict(sent.intent, word)
        self.look()

    def answer(self, number: int, word: str) -> None:
        """The sender ends one that it has, or knows better of one that was in doubt."""
        self.late()
        able = [k for k, s in self.sent.items() if not s.state or (s.state == "in_doubt" and word in ("accepted", "failed"))]
        if able:
            self.tell(able[number % len(able)], word)

    def once_more(self, number: int) -> None:
        """A verdict comes again."""
        told = [s for s in self.sent.values() if s.state and s.state != "held"]
        if told:
            one = told[number % len(told)]
            self.world.verdict(one.intent, one.state)
            self.look()

    def report(self, number: int, word: str) -> None:
        """Of what was taken, or may have been: it may be heard before the sender's own word is."""
        able = [k for k, s in self.sent.items() if s.state in ("", "accepted", "in_doubt")]
        if able:
            key = able[number % len(able)]
            one = self.sent[key]
            if one.heard(word) is None and (word == "Failed" or not self.parted):  # else it may be another's who reads it
                self.sent[key] = one._replace(words=(*one.words, (word, self.world.now)))
            event = f"{EVENTS[one.intent.channel]} {word}"
            self.world.fact(one.intent.profile, event, lane="bulk", properties={"intent": key})
            self.look()

    def merge(self, winner: str, loser: str) -> None:
        self.late()
        one, other = self.world.canonical(winner), self.world.canonical(loser)
        if one != other:
            runs = [r.occurrence for who in (one, other) for r in self.world.people[who].runs if r.journey == "j"]
            for occurrence in runs[1:]:
                if self.root(occurrence) != self.root(runs[0]):
                    self.of[self.root(occurrence)] = self.root(runs[0])
            self.joined = True
            self.world.merge(one, other)
            self.look()


who = st.sampled_from(PEOPLE)
moves = st.one_of(
    st.tuples(st.just("go"), who),
    st.tuples(st.just("go"), who),
    st.tuples(st.just("goal"), who),
    st.tuples(st.just("merge"), who, who),
    st.tuples(st.just("split"), who, who),
    st.tuples(st.just("pass"), st.sampled_from([MINUTE, HOUR, HOUR, 2 * HOUR, 9 * HOUR, DAY])),
    st.tuples(st.just("verdict"), st.integers(0, 4), st.sampled_from(["accepted", "accepted", *FINAL[:2], "in_doubt", "held"])),
    st.tuples(st.just("verdict"), st.integers(0, 4), st.sampled_from(["accepted", "failed"])),
    st.tuples(
        st.just("report"), st.integers(0, 4), st.sampled_from(["Delivered", "Opened", "Link Clicked", "Failed", "Delivered"])
    ),
    st.tuples(st.just("old"), st.integers(0, 9)),
)
SCRIPTS = st.builds(lambda begun, rest: [*(("go", name) for name in begun), *rest], st.sets(who), st.lists(moves, max_size=40))
CLASSES = st.sampled_from(["triggered", "mass", "service"])
NIGHT = rule(
    quiet_hours={"from": "22:00", "to": "08:00"},
    exclusive_day=["triggered", "mass"],
    caps=[
        {"name": "text", "class": "triggered", "most": 1, "per": "day", "channel": "sms"},
        {"name": "all", "class": "triggered", "most": 1, "per": "day"},
    ],
)


def play(script: list[Any], cls: str) -> tuple[World, Oracle]:
    world = World(chain(cls), journey("k", send("other"), on="Go"), NIGHT, brand("Europe/London"), at=T0 + 9 * HOUR)
    for number, name in enumerate(PEOPLE):
        world.person(name, at=number, kinds=KINDS[name])
    oracle = Oracle(world)
    for kind, *move in script:
        if kind == "go":
            world.fact(move[0], "Go")
        elif kind == "goal":
            world.fact(move[0], "Goal")
        elif kind == "merge":
            oracle.merge(*move)
        elif kind == "split":
            parts(oracle, *move)
        elif kind == "pass":
            passes(oracle, move[0])
        elif kind == "verdict":
            oracle.answer(*move)
        elif kind == "report":
            oracle.report(*move)
        elif kind == "old":
            oracle.once_more(*move)
        oracle.look()
    return world, oracle


def parts(oracle: Oracle, one: str, other: str) -> None:
    """He who became one with another, and nobody with him before, is somebody of his own again, under a new id."""
    world = oracle.world
    if world.merged.get(other) == one and one not in world.merged and other not in world.merged.values():
        new = f"{other}>{len(world.people)}"
        world.split(
            one, new, other, others=(other,), stay=[name for name, into in world.merged.items() if into == one != name != other]
        )
        oracle.parted = True
        world.introduce(new, one, kinds=KINDS[other[0]])


def passes(oracle: Oracle, duration: int) -> None:
    """In steps of an hour, as the sender tells what is late within the hour."""
    end = oracle.world.now + duration
    while oracle.world.now < end:
        oracle.world.run(min(end, oracle.world.now + HOUR))
        oracle.late()


@settings(max_examples=300, deadline=None)
@example([("go", "a"), ("verdict", 0, "accepted"), ("pass", 2 * HOUR), ("verdict", 0, "accepted"), ("pass", HOUR)], "triggered")
@given(SCRIPTS, CLASSES)
def test_the_next_channel_follows_only_what_the_document_says_and_it_always_ends(script, cls):
    """Each intent is held against the document where it is made (`Oracle.check`); here, that nobody stands in a cascade for ever."""
    world, oracle = play(script, cls)
    passes(oracle, 12 * DAY)
    assert [run for person in world.people.values() for run in person.runs] == []
    told = [d for d in world.decisions if d.by == "orchestrator"]
    assert len({d.id for d in told}) == len(told)
    entered, over = ({d.occurrence for d in told if d.verdict in words} for words in (("entered",), ("left", "goal")))
    assert entered <= over


@settings(max_examples=100, deadline=None)
@given(SCRIPTS, CLASSES)
def test_every_channel_that_is_left_is_told_with_its_place(script, cls):
    world, _ = play(script, cls)
    chains: dict[str, list[Decision]] = {}
    for d in world.decisions:
        if d.step == "c" and d.by == "orchestrator" and "cascade" in d.detail and d.verdict in ("sent", "fallback", "skipped"):
            chains.setdefault(d.occurrence, []).append(d)
    for told in chains.values() if not world.merged else ():
        places = [d.detail["cascade"][0] for d in told]
        assert places == sorted(places) and set(places) == set(range(1, places[-1] + 1))


@settings(max_examples=40, deadline=None)
@given(SCRIPTS, CLASSES)
def test_the_same_moves_give_the_same_decisions(script, cls):
    assert play(script, cls)[0].log == play(script, cls)[0].log
