"""What must hold while people are merged and parted again, in whatever order the partitions are heard: facts, acts, time and verdicts."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.orchestrator.sent import JOURNEYS, RULES, Sent
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, brand, rule

HOMES = "abcd"  # of whom a, b and c are one to begin with
home = st.sampled_from(HOMES)
did = st.tuples(st.just("did"), home, st.sampled_from(["One", "Two", "Launch", "Launch", "Receipt", "Goal"]), st.integers(1, 2))
hear = st.tuples(st.just("hear"), st.integers(0, 5), st.integers(1, 9))
moves = st.one_of(
    did,
    did,
    hear,
    hear,
    st.tuples(st.just("merge"), home, home),
    st.tuples(st.just("split"), home, st.integers(0, 1)),
    st.tuples(st.just("pass"), st.sampled_from([MINUTE, HOUR, 5 * HOUR, 9 * HOUR, DAY])),
    st.tuples(st.just("verdict"), st.integers(0, 9), st.sampled_from(["accepted", "failed", "skipped", "in_doubt", "held"])),
    st.tuples(st.just("old"), st.integers(0, 30)),
)
scripts = st.lists(moves, min_size=12, max_size=60)
zones = st.sampled_from(["Europe/London", "America/New_York", "Asia/Kolkata"])


class Registry:
    """Who is who, as the profile service has it, which tells each thing in the partition of the person whom it means then."""

    def __init__(self, world: World, sender: Sent) -> None:
        self.world, self.sender = world, sender
        self.homes: dict[str, list[str]] = {name: [name] for name in HOMES}
        self.others: dict[str, list[str]] = {name: [] for name in HOMES}
        self.cuts: set[tuple[str, str]] = set()
        self.told: dict[str, list[Callable[[], None]]] = {}
        self.place: Callable[[], tuple[str, int, int] | None] = lambda: None  # where an act lies that the segmenter has not passed

    def owner(self, home: str) -> str:
        return next(person for person, homes in self.homes.items() if home in homes)

    def did(self, home: str, event: str, order: int, **more: Any) -> None:
        person = self.owner(home)
        more |= {"home": home} if home != person else {}
        self._tell(person, lambda: self.world.fact(person, event, properties={"order": order}, **more))

    def merge(self, one: str, other: str) -> None:
        winner, loser = self.owner(one), self.owner(other)
        if winner == loser or any((a, b) in self.cuts for a in self.homes[winner] for b in self.homes[loser]):
            return
        self.homes[winner] += self.homes.pop(loser)
        self.others[winner] += [loser, *self.others.pop(loser)]
        self._tell(winner, lambda: self.world.merge(winner, loser, self.place()))

    def split(self, home: str, more: int) -> None:
        """He goes, and so do so many of those who came after him."""
        person = self.owner(home)
        homes = self.homes[person]
        first = homes.index(home)
        goes, stays = homes[first : first + 1 + more], homes[:first] + homes[first + 1 + more :]
        if first == 0:
            return
        self.cuts |= {pair for a in goes for b in stays for pair in ((a, b), (b, a))}
        new, others = f"{person}>{len(self.cuts)}", [other for other in self.others[person] if other in goes]
        self.homes[person], self.homes[new] = stays, goes
        stay = [other for other in self.others[person] if other not in others]
        self.others[person], self.others[new] = stay, others

        said = {"others": tuple(others), "stay": tuple(stay)}

        def part(names: tuple[str, ...] = tuple(goes)) -> None:
            self.sender.part(lambda: self.world.split(person, new, *names, place=self.place(), **said))

        self._tell(person, part)
        self._tell(new, lambda: self.world.introduce(new, person))

    def _tell(self, person: str, act: Callable[[], object]) -> None:
        self.told.setdefault(person, []).append(act)

    def hear(self, number: int, most: int) -> None:
        """Of one of the partitions the next so many."""
        lagging = sorted(person for person, acts in self.told.items() if acts)
        for _ in range(most if lagging else 0):
            acts = self.told[lagging[number % len(lagging)]]
            if acts:
                self.sender.late()
                acts.pop(0)()
                self.sender.look()
                each_run_is_somebodys(self.world)

    def hear_all(self) -> None:
        while any(self.told.values()):
            self.hear(0, 1)


def each_run_is_somebodys(world: World) -> None:
    runs = [(run.journey, run.occurrence) for person in world.people.values() for run in person.runs]
    letters = [key for person in world.people.values() for key in person.pending]
    assert len(set(runs)) == len(runs) and len(set(letters)) == len(letters)
    assert not any(who in world.merged for who in world.people)


def let_pass(world: World, sender: Sent, duration: int) -> None:
    end = world.now + duration
    while world.now < end:
        world.run(min(end, world.now + HOUR))
        sender.late()


def play(script, zone: str) -> tuple[World, Sent, Registry]:
    world = World(*JOURNEYS, rule(**RULES), brand(zone), at=T0 - 29 * DAY)
    for n, name in enumerate(HOMES):
        world.person(name, at=n)
    sender = Sent(world, zone)
    registry = Registry(world, sender)
    for other in "bc":
        registry.merge("a", other)
    for kind, *move in script:
        if kind == "pass":
            let_pass(world, sender, move[0])
        elif kind == "verdict":
            sender.answer(*move)
        elif kind != "old":
            getattr(registry, kind)(*move)
        elif sender.told:
            world.verdict(*sender.told[move[0] % len(sender.told)])
        sender.look()
        each_run_is_somebodys(world)
    return world, sender, registry


@settings(max_examples=250, deadline=None)
@given(scripts, zones)
def test_nothing_is_sent_twice_or_beyond_the_caps_and_each_run_is_his_whose_it_is(script, zone):
    """Each letter is held against the caps where it is decided (`Sent.look`), for him who gets it: with all that he was sent as another."""
    world, sender, registry = play(script, zone)
    registry.hear_all()
    for who, person in world.people.items():
        assert all(world.canonical(registry.owner(run.home)) == who for run in person.runs), "a run is with another"
        went = {i.id for _, i in sender.went.values() if i.message_class != "service" and sender.concerns(i, who)}
        assert {r.intent for r in person.reservations} >= went, "what went is counted"
    seen = len(world.intents)
    let_pass(world, sender, 2 * DAY)
    alive = set(map(world.canonical, registry.homes))
    assert {intent.profile for intent in world.intents[seen:]} <= alive
    attempts = [(i.id, i.attempt) for i in world.intents]
    assert len(set(attempts)) == len(attempts), "one key and attempt, one intent"
    told = {repr(d) for d in world.decisions}  # who waits as before, looked at twice in one instant, is told of twice with one id
    assert len({d.id for d in world.decisions}) == len(told), "one id, one decision"


@settings(max_examples=150, deadline=None)
@given(scripts, zones)
def test_everything_ends(script, zone):
    world, sender, registry = play(script, zone)
    registry.hear_all()
    for _ in range(40):
        for number in range(len(sender.open)):
            sender.answer(number, "accepted")
        let_pass(world, sender, DAY)
    assert not any(person.runs or person.due_at() for person in world.people.values())
    assert not any(r.state == 0 and r.intent not in sender.back for p in world.people.values() for r in p.reservations), (
        "held for ever"
    )
    entered = [d.occurrence for d in world.decisions if d.verdict == "entered"]
    over = [d.occurrence for d in world.decisions if d.verdict in ("left", "goal")]
    assert sorted(entered) == sorted(over), "whoever entered has left, once"
