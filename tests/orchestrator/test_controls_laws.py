"""Random publishes with moves, pauses and merges between facts, letters that come back and time: nobody is lost, no step is taken twice."""

from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.controls import FINISH, LEAVE
from tests.orchestrator.controlled import Controlled
from tests.orchestrator.world import DAY, HOUR, MINUTE, journey, send, wait

PEOPLE = "abc"
STEPS = ("early", "a", "middle", "b", "late", "c")
MORE = {"reentry": {"mode": "after", "after": "2d"}, "goal": {"event": "Goal"}}
UNTIL = {"id": "early", "until": {"fact": {"event": "Paid"}}, "at_most": "2d", "then": "a", "else": "middle"}
VERSIONS = (
    journey("j", wait("early", "1d"), send("a"), wait("middle", "6h"), send("b", expires="30d"), **MORE),
    journey("j", send("a"), wait("late", "3d"), send("c", **{"class": "service"}), wait("middle", "1h"), send("b"), **MORE),
    journey("j", UNTIL, send("a"), wait("late", "1h"), send("c"), wait("middle", "2d"), send("b"), **MORE),
)

who = st.sampled_from(PEOPLE)
targets = st.sampled_from([*STEPS, LEAVE, FINISH])
moves = st.one_of(
    st.tuples(st.just("fact"), who, st.sampled_from(["Registered", "Registered", "Paid", "Goal", "Else"])),
    st.tuples(st.just("merge"), who, who),
    st.tuples(st.just("pass"), st.sampled_from([MINUTE, HOUR, 9 * HOUR, DAY, 3 * DAY])),
    st.tuples(st.just("gate"), st.sampled_from(["paused", "paused", "open", "archived"]), st.sampled_from(["refuse", "wait"])),
    st.tuples(st.just("publish"), st.integers(0, 2), st.dictionaries(st.sampled_from(STEPS), targets, max_size=4)),
    st.tuples(st.just("walk"), who),
    st.tuples(st.just("answer"), st.integers(0, 9), st.sampled_from(["accepted", "failed", "late", "held", "held"])),
)
BOTH_HELD = [  # the letters of two who become one while both stand at the gate
    *[("publish", 1, {}), ("fact", "a", "Registered"), ("fact", "b", "Registered"), ("gate", "paused", "refuse")],
    *[("answer", 0, "held"), ("answer", 0, "held"), ("merge", "a", "b"), ("gate", "open", "refuse")],
]

LET_GO = [("publish", 2, {}), ("fact", "a", "Registered"), ("gate", "paused", "refuse"), ("fact", "a", "Paid")]


class Play:
    """The world with a sender that answers of each letter what it is told to."""

    def __init__(self) -> None:
        self.world = Controlled(VERSIONS[0])
        self.open: dict[str, object] = {}
        self.went: list[object] = []
        self._seen = 0
        for n, name in enumerate(PEOPLE):
            self.world.person(name, at=n)

    @property
    def paused(self) -> bool:
        return bool(self.world.gates) and self.world.gates[-1]["state"] == "paused"

    def look(self) -> None:
        fresh = self.world.intents[self._seen :]
        self._seen += len(fresh)
        assert not (self.paused and fresh), "a letter goes while the journey is paused"
        self.open.update({intent.id: intent for intent in fresh})

    def answer(self, number: int, verdict: str) -> None:
        if not self.open or (verdict == "held" and not self.world.gates):
            return
        intent = self.open.pop(list(self.open)[number % len(self.open)])
        if verdict == "held":
            self.world.held(intent)
        else:
            self.went += [intent] if verdict == "accepted" else []
            self.world.verdict(intent, verdict)

    def move(self, kind: str, *move) -> None:
        if kind == "fact":
            self.world.fact(*move)
        elif kind == "merge":
            self.world.merge(*move)
        elif kind == "pass":
            self.world.later(*move)
        elif kind == "walk":
            self.world.fire(self.world.canonical(*move))
        elif kind == "gate":
            self.world.gate(move[0], entrants=move[1])
        elif kind == "publish":
            known = {step["id"] for step in VERSIONS[move[0]]["steps"]} | {LEAVE, FINISH}
            self.world.publish(VERSIONS[move[0]], **{step: to for step, to in move[1].items() if to in known})
        else:
            self.answer(*move)
        self.look()

    def rest(self) -> None:
        """The gate is open, everybody was walked to, every letter is taken, and time passes."""
        self.world.gate("open")
        self.world.walk()
        for _ in range(60):
            self.look()
            while self.open:
                self.answer(0, "accepted")
                self.look()
            self.world.later(DAY)


def played(script) -> Play:
    play = Play()
    for move in script:
        play.move(*move)
        for person in play.world.people.values():
            for run in person.runs:
                stands = run.parked is not None and play.world.gates[-1]["state"] in ("paused", "open", "archived")
                assert run.due_at is not None or stands, "a run without a timer would stand for ever"
    return play


@settings(max_examples=300, deadline=None)
@example(BOTH_HELD)
@example(LET_GO)
@given(st.lists(moves, max_size=40))
def test_nobody_is_lost_and_no_step_is_taken_twice(script):
    play = played(script)
    play.rest()
    world = play.world
    assert [run for person in world.people.values() for run in person.runs] == [], "everybody comes to an end"
    assert not [p for person in world.people.values() for p in person.pending.values()], "and every letter"
    entered = [d.occurrence for d in world.decisions if d.verdict == "entered"]
    over = [d.occurrence for d in world.decisions if d.verdict in ("left", "goal")]
    assert sorted(entered) == sorted(over), "whoever entered has left, once"
    attempts = [(i.id, i.attempt) for i in world.intents]
    assert len(set(attempts)) == len(attempts), "one key and attempt, one intent"
    letters = Counter((i.occurrence, i.step) for i in play.went)
    assert all(often == 1 for often in letters.values()), "one letter of a run and step, in whatever version"
    asked = Counter((d.occurrence, d.cause) for d in world.decisions if d.verdict == "moved")
    assert all(often == 1 for often in asked.values()), "an order is carried out once"
    ids = [d.id for d in world.decisions]
    assert len(set(ids)) == len(ids)


@settings(max_examples=60, deadline=None)
@given(st.lists(moves, max_size=30))
def test_the_same_moves_give_the_same_decisions(script):
    assert played(script).world.log == played(script).world.log
