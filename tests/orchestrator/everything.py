"""All parts of the orchestrator at once: journeys of every kind of step in versions, a schedule, a campaign, rules and pools, and a sender
that keeps the law and holds what it is given against what it had.
"""

import random
from typing import Any

from hypothesis import strategies as st

from schemas.controls import FINISH, LEAVE, gate_of
from schemas.ids import derive
from schemas.messages import Decision, Intent
from schemas.unnamed import condition_key
from services.orchestrator import holding
from services.orchestrator.domain import decide, homes
from services.orchestrator.domain.book import build
from tests.orchestrator.mailing import AUDIENCE, campaign, launch
from tests.orchestrator.pools import Pools, pool
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, brand, journey, published, rule, send, wait

PEOPLE = "abc"
KINDS = {"a": "telegram_id phone email", "b": "phone email vk_id", "c": "email"}
EVENTS = {"telegram": "Telegram", "sms": "SMS", "email": "Email", "vk": "VK"}
VIP = {"kind": "segment", "key": "vip"}
CASCADE = [
    {"channel": "telegram", "template": "chat", "read_within": "2h"},
    {"channel": "sms", "template": "text", "delivered_within": "1h"},
    {"channel": "email", "template": "mail"},
]
# Steps by their names; "*" stands for the next one, "**" for the one behind it.
STEPS: dict[str, dict[str, Any]] = {
    "a": send("a"),
    "m": send("m", **{"class": "mass", "priority": "high"}),
    "s": send("s", **{"class": "service"}),
    "c": {"id": "c", "cascade": CASCADE, "expires": "2d"},
    "n": {"id": "n", "cascade": CASCADE, "class": "mass"},
    "w": wait("w", "6h"),
    "d": {"id": "d", "wait": {"at": "10:00"}},
    "u": {"id": "u", "until": {"fact": {"event": "Paid"}}, "at_most": "1d", "then": "*", "else": "**"},
    "q": {"id": "q", "until": {"condition": VIP}, "at_most": "2d", "then": "*", "else": "**"},
    "i": {"id": "i", "if": VIP, "then": "*", "else": "**"},
    "x": {"id": "x", "split": [{"name": "x", "share": 70, "then": "*"}, {"name": "y", "share": 30, "control": True, "then": "**"}]},
    "g": {"id": "g", "give": "spring", "per": "person", "empty": "*"},
    "r": {"id": "r", "give": "lent", "returns": True, "empty": "**"},
    "h": {"id": "h", "hand": {"template": "lead", "to": {"address": "sales@shop.example"}}},
    "k": {"id": "k", "webhook": "crm", "type": "lead"},
    "b": {"id": "b", "subscribe": {"topic": "news", "channel": "email", "state": "revoked"}},
    "t": {"id": "t", "set": {"gift": {"data": "promo.g.code"}}},
    "j": {"id": "j", "jump": "after"},
    "l": {"id": "l", "until": {"letter": {"step": "a", "became": "opened"}}, "at_most": "1d", "then": "*", "else": "**"},
    "o": {"id": "o", "if_letter": {"step": "c", "became": "delivered"}, "then": "*", "else": "**"},
}
NEEDS = {"l": "a", "o": "c"}  # a step asks about a letter of another
RULES = {
    "quiet_hours": {"from": "22:00", "to": "08:00"},
    "exclusive_day": ["triggered", "mass"],
    "caps": [
        {"name": "two", "class": "triggered", "most": 2, "per": "day"},
        {"name": "one", "class": "mass", "most": 1, "per": "day"},
    ],
    "compete": {"within": "1h"},
}
AFTER = journey("after", wait("w", "1h"), send("z"), on="Never", reentry={"mode": "always"})
MASS = journey("mass", send("y", **{"class": "mass"}), on="Launch", reentry={"mode": "always"}, control={"share": 3000})
PLAN = journey(
    "plan", STEPS["r"] | {"empty": "news"}, send("news"), on={"schedule": {"every": "day", "at": "12:00"}}, audience=VIP,
)  # fmt: skip
NEWS = campaign(expires="3d", priority="low", control=20, variants=[{"name": n, "template": n, "share": 50} for n in "xy"])


def chain(names: list[str], mode: dict[str, str]) -> dict[str, Any]:
    names = [name for name in dict.fromkeys(names) if NEEDS.get(name, name) in names]
    following = [*names[1:], "end", "end"]

    def placed(value: Any, n: int) -> Any:
        if isinstance(value, dict):
            return {key: placed(one, n) for key, one in value.items()}
        if isinstance(value, list):
            return [placed(one, n) for one in value]
        return {"*": following[n], "**": following[n + 1]}.get(value, value) if isinstance(value, str) else value

    steps = [placed(STEPS[name], n) for n, name in enumerate(names)]
    return journey("j", *steps, {"id": "end", "end": True}, on="Go", reentry=mode, goal={"event": "Goal"}, exit_segment="vip")


class Everything(Pools):
    def __init__(self, first: dict[str, Any]) -> None:
        self.versions, self.gates, self.migrations, self.revision = [first], [], [], 1
        self.told, self.parted = {"state": "running"}, False
        self.around = [*(published("journey", one) for one in (AFTER, MASS, PLAN)), rule(**RULES), brand("Europe/London"), NEWS]
        self.around += [pool("spring"), pool("lent")]
        super().__init__(first, *self.around, codes={"spring": 4, "lent": 4}, at=T0 + 9 * HOUR)
        self.known()
        for number, name in enumerate(PEOPLE):
            self.person(name, at=number, kinds=KINDS[name])
            self.membership(name, AUDIENCE)

    def _hold_true(self) -> None:
        """Since an unmerge a code may be in the runs of two: it was given to one person."""
        if not self.parted:
            super()._hold_true()

    def known(self) -> None:
        """The orchestrator hears of what was published."""
        last = len(self.versions)
        documents = [published("journey", body, n, pointer=n == last) for n, body in enumerate(self.versions, 1)]
        documents += [published("gate", body, n, pointer=n == len(self.gates)) for n, body in enumerate(self.gates, 1)]
        documents += [published("migration", body, n) for n, body in enumerate(self.migrations, 1)]
        self.launch = launch(self.revision, **self.told)
        self.book = build([*documents, *self.around, self.launch])
        asked = [("i", n) for n in range(1, last + 1)] + [("q", n) for n in range(1, last + 1)]
        self.answers["vip"] = [
            *(condition_key("journey", "j", n, step) for step, n in asked), condition_key("journey", "plan", 1, "audience.schedule"),
        ]  # fmt: skip

    def publish(self, body: dict[str, Any], moves: dict[str, str]) -> None:
        self.versions.append(body)
        to, known = len(self.versions), {step["id"] for step in body["steps"]} | {LEAVE}
        found = {}
        for n in range(1, to):
            steps = [step["id"] for step in self.versions[n - 1]["steps"]]
            named = {step: moves[step] for step in steps if moves.get(step, FINISH) in known}
            found |= {n: named} if named else {}
        if found:
            self.migrations.append({"key": "j", "to": to, "moves": found, "at": self.now})
        self.known()

    def gate(self, state: str, entrants: str = "refuse") -> None:
        self.gates.append({"key": gate_of("j"), "state": state, "at": self.now, "entrants": entrants})
        self.known()

    def state(self, state: str) -> None:
        if self.told["state"] != "stopped":
            self.revision, self.told = self.revision + 1, {"state": state}
            self.known()

    @property
    def paused(self) -> bool:
        return bool(self.gates) and self.gates[-1]["state"] == "paused"

    def fire(self, who: str) -> None:
        self._take(who, lambda person, state: decide.on_timer(self.book, person, state, self.now))

    def turn(self, who: str) -> None:
        launched = self.book.launches[derive("launch", "news", 1)]
        self._take(who, lambda person, state: decide.on_launch(self.book, person, state, launched, self.now))

    def tell(self, intent: Intent, verdict: str) -> None:
        gate = len(self.gates) if verdict == "held" and intent.document == "journey:j" else 0
        told = Decision(
            id=self._id(), brand=intent.brand, profile=intent.profile, verdict=verdict, by="sender", received_at=self.now,
            document=intent.document, occurrence=intent.occurrence, intent=intent.id, attempt=intent.attempt,
            message_class=intent.message_class, gate=gate,
        )  # fmt: skip
        for who in homes.holders(self._look, intent.profile, intent.id):
            self._take(who, lambda person, state: decide.on_verdict(self.book, person, state, told))


class Play:
    """The world with a sender. counts: intent -> for whom it counts, as he may be several by now."""

    def __init__(self, first: dict[str, Any]) -> None:
        self.world = Everything(first)
        self.open: dict[str, Intent] = {}
        self.states: dict[str, str] = {}
        self.attempts: set[tuple[str, int]] = set()
        self.letters: dict[tuple[str, ...], str] = {}
        self.counts: dict[str, list[str]] = {}
        self.decided: set[str] = set()
        self._seen = 0

    def look(self) -> None:
        world = self.world
        for emission in world.log[self._seen :]:
            self._seen += 1
            if isinstance(emission, Intent):
                self.check(emission)
                self.open[emission.id] = emission
                self.states[emission.id] = ""
                self.counts.setdefault(emission.id, [emission.profile])
            elif isinstance(emission, Decision):
                assert emission.id not in self.decided, f"told twice by one id: {emission}"
                self.decided.add(emission.id)
        for person in world.people.values():
            intents = [one.intent for one in person.reservations]
            assert len(set(intents)) == len(intents), "one place in the caps for one message"
        holding.told(list(world.people.values()))

    def check(self, new: Intent) -> None:
        world = self.world
        assert (new.id, new.attempt) not in self.attempts, "one key and attempt, one intent"
        self.attempts.add((new.id, new.attempt))
        assert self.states.get(new.id, "late") in ("late", "held"), f"decided again after {self.states[new.id]!r}"
        assert not (world.paused and new.document == "journey:j"), "a letter goes while its journey is paused"
        if new.document == "campaign:news":
            assert world.told["state"] == "running", "a letter goes while its launch is not going on"
            for key in self.counts:
                if key != new.id and self.of(key) == new.document and self.concerns(key, new.profile):
                    assert self.states[key] in ("failed", "skipped", "late", "held"), "he has his letter, or it is on its way"
            return
        name = (new.document, new.occurrence, new.step, new.channel)
        assert self.letters.setdefault(name, new.id) == new.id, "a letter of a run has one key, whoever he is by now"

    def of(self, key: str) -> str:
        return next(i.document for i in self.world.intents if i.id == key)

    def concerns(self, key: str, profile: str) -> bool:
        return self.world.canonical(profile) in map(self.world.canonical, self.counts[key])

    # ---- moves

    def move(self, kind: str, *move: Any) -> None:
        getattr(self, kind)(*move)
        self.look()

    def fact(self, who: str, event: str) -> None:
        self.world.fact(who, event)

    def vip(self, who: str, change: str) -> None:
        self.world.membership(self.world.canonical(who), "vip", change)

    def turn(self, who: str) -> None:
        """The walk comes to him, if it has not yet, or has to come again."""
        who, world = self.world.canonical(who), self.world
        told = [
            d
            for d in world.decisions
            if d.document == "campaign:news" and world.canonical(d.profile) == who and d.verdict != "exposed"
        ]
        last = (told[-1].verdict, told[-1].rule) if told else ("", "")
        held = last[0] == "sent" and self.states.get(told[-1].intent) == "held"
        stops = world.told["state"] == "stopped" and last[0] == "deferred"
        if world.told["state"] != "paused" and (not told or held or stops or last == ("deferred", "paused")):
            world.turn(who)

    def walk(self, who: str) -> None:
        self.world.fire(self.world.canonical(who))

    def gate(self, state: str, entrants: str) -> None:
        self.world.gate(state, entrants)

    def launch(self, state: str) -> None:
        self.world.state(state)

    def publish(self, names: list[str], moves: dict[str, str]) -> None:
        self.world.publish(chain(names, self.world.versions[0]["reentry"]), moves)

    def merge(self, one: str, other: str) -> None:
        winner, loser = map(self.world.canonical, (one, other))
        if winner != loser:
            self.world.merge(winner, loser)

    def split(self, one: str, other: str) -> None:
        """He who became one with another, and nobody with him before, is somebody of his own again, under a new id."""
        world = self.world
        if world.merged.get(other) == one and one not in world.merged and other not in world.merged.values():
            new = f"{other}>{len(world.people)}"
            stay = [name for name, into in world.merged.items() if into == one != name != other]
            counts = {key: list(map(world.canonical, whom)) for key, whom in self.counts.items()}
            world.parted = True
            took = world.split(one, new, other, others=(other,), stay=stay)
            self.counts = {key: [*whom, *(goes for stays, goes in took if stays in whom)] for key, whom in counts.items()}
            self.look()
            world.introduce(new, one, kinds=KINDS[other[0]])
            world.membership(new, AUDIENCE)

    def passes(self, duration: int) -> None:
        """In steps of an hour, as the sender tells what is late within the hour."""
        end = self.world.now + duration
        while self.world.now < end:
            self.world.run(min(end, self.world.now + HOUR))
            self.look()
            self.late()

    def late(self) -> None:
        for intent in [i for i in self.open.values() if i.not_after < self.world.now]:
            self.tell(intent, "late")

    def answer(self, number: int, verdict: str) -> None:
        self.late()
        able = [i for i in self.open.values() if verdict != "held" or self.shut(i)]
        if able:
            self.tell(able[number % len(able)], verdict)

    def shut(self, intent: Intent) -> bool:
        world = self.world
        return (intent.document == "journey:j" and world.paused) or (
            intent.document == "campaign:news" and world.told["state"] == "paused"
        )

    def tell(self, intent: Intent, verdict: str) -> None:
        del self.open[intent.id]
        self.states[intent.id] = verdict
        self.world.tell(intent, verdict)
        self.look()

    def report(self, number: int, word: str) -> None:
        able = [i for i in self.world.intents if i.channel in EVENTS and self.states[i.id] in ("", "accepted", "in_doubt")]
        if able:
            one = able[number % len(able)]
            event = f"{EVENTS[one.channel]} {word}"
            self.world.fact(one.profile, event, lane="bulk", properties={"intent": one.id})

    def rest(self) -> None:
        """All gates are open, everybody was walked to, every letter is taken, and time passes."""
        self.world.gate("open")
        self.world.state("running")
        for who in list(self.world.people):
            self.world.membership(who, condition_key("journey", "plan", 1, "audience.schedule"), "left")
        for _ in range(40):
            for who in list(self.world.people):
                self.walk(who)
                self.turn(who)
            self.look()
            while self.open:
                self.tell(next(iter(self.open.values())), "accepted")
            self.passes(DAY)


who = st.sampled_from(PEOPLE)
names = st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=9)
targets = st.dictionaries(st.sampled_from(sorted(STEPS)), st.sampled_from([*sorted(STEPS), LEAVE, FINISH]), max_size=5)
modes = st.sampled_from([{"mode": "never"}, {"mode": "always"}, {"mode": "after", "after": "2d"}, {"mode": "outside"}])
moves = st.one_of(
    st.tuples(st.just("fact"), who, st.sampled_from(["Go", "Go", "Go", "Paid", "Goal", "Launch"])),
    st.tuples(st.just("vip"), who, st.sampled_from(["entered", "entered", "left"])),
    st.tuples(st.just("turn"), who),
    st.tuples(st.just("merge"), who, who),
    st.tuples(st.just("split"), who, who),
    st.tuples(st.just("passes"), st.sampled_from([MINUTE, HOUR, 3 * HOUR, 9 * HOUR, DAY])),
    st.tuples(st.just("gate"), st.sampled_from(["paused", "open", "open", "archived"]), st.sampled_from(["refuse", "wait"])),
    st.tuples(st.just("launch"), st.sampled_from(["paused", "running", "running", "stopped"])),
    st.tuples(st.just("publish"), names, targets),
    st.tuples(st.just("walk"), who),
    st.tuples(
        st.just("answer"), st.integers(0, 5), st.sampled_from(["accepted", "accepted", "failed", "skipped", "in_doubt", "held"])
    ),
    st.tuples(st.just("answer"), st.integers(0, 5), st.sampled_from(["accepted", "failed", "held"])),
    st.tuples(st.just("report"), st.integers(0, 5), st.sampled_from(["Delivered", "Opened", "Link Clicked", "Failed"])),
)
scripts = st.builds(
    lambda begun, rest: [*(("fact", name, "Go") for name in begun), *rest], st.sets(who), st.lists(moves, max_size=40)
)


def play(first: list[str], mode: dict[str, str], script: list[Any]) -> Play:
    played = Play(chain(first, mode))
    for move in script:
        played.move(*move)
    return played


def drawn(seed: int) -> tuple[list[str], dict[str, str], list[Any]]:
    """A long script: people enter, become one and are parted, and most letters are answered."""
    draw = random.Random(seed)
    one = lambda *of: draw.choice(of)  # noqa: E731
    any_of, person = lambda most: draw.sample(sorted(STEPS), draw.randint(2, most)), lambda: draw.choice(PEOPLE)
    kinds = [
        *[lambda: ("fact", person(), one("Go", "Go", "Go", "Paid", "Goal", "Launch"))] * 5,
        lambda: ("vip", person(), one("entered", "entered", "left")),
        *[lambda: ("turn", person())] * 2,
        lambda: ("merge", *draw.sample(PEOPLE, 2)),
        *[lambda: ("split", *draw.sample(PEOPLE, 2))] * 2,
        *[lambda: ("passes", one(MINUTE, HOUR, 3 * HOUR, 9 * HOUR, DAY))] * 4,
        lambda: ("gate", one("paused", "open", "open", "archived"), one("refuse", "wait")),
        lambda: ("launch", one("paused", "running", "running", "running", "stopped")),
        lambda: ("publish", any_of(9), {a: one(*STEPS, LEAVE, FINISH) for a in draw.sample(sorted(STEPS), 4)}),
        lambda: ("walk", person()),
        *[lambda: ("answer", draw.randrange(6), one("accepted", "accepted", "failed", "skipped", "in_doubt", "held"))] * 5,
        *[lambda: ("report", draw.randrange(6), one("Delivered", "Opened", "Link Clicked", "Failed"))] * 2,
    ]
    mode = one({"mode": "never"}, {"mode": "always"}, {"mode": "after", "after": "2d"}, {"mode": "outside"})
    return any_of(9), mode, [draw.choice(kinds)() for _ in range(draw.randint(20, 90))]


__all__ = ["Play", "World", "drawn", "modes", "names", "play", "scripts"]
