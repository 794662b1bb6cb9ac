"""The rules hold whatever happens in whatever order: journeys and mass sends, merges and unmerges heard late, moves to other zones, rules that
are published anew, a sender that is late, silent and in doubt, an owner of the partition that slept. The world is small, so that much happens
at one instant.
"""

import random
from typing import Any

import pytest

from schemas.facts import PROFILE_CHANGED
from schemas.unnamed import condition_key
from services.orchestrator.domain.book import build
from tests.orchestrator.post import Post
from tests.orchestrator.ruled import JOURNEYS, RULES, Law
from tests.orchestrator.test_unmerge_laws import HOMES, Registry
from tests.orchestrator.world import DAY, HOUR, T0, World, brand, published

SCRIPTS = 160  # a machine with time to spare has tried three thousand
ZONES = ("Europe/London", "America/New_York", "Asia/Kolkata", "Pacific/Apia")
EVENTS = ("One", "Two", "Launch", "Launch", "Outlet", "Trial", "Receipt", "Goal")
PARTS = ("manager_only", "cap_0")
WORDS = ("accepted", "in_doubt", "failed", "skipped", "held")
# Kind of a move -> how often it is made, and what it is made with.
MOVES: dict[str, tuple[int, tuple[Any, ...]]] = {
    "did": (30, (HOMES, EVENTS, (1, 2))),
    "hear": (20, (range(6), range(1, 10))),
    "mark": (8, ()),
    "call": (10, (range(10),)),
    "tell": (12, (range(10), WORDS)),
    "again": (8, (range(10),)),
    "pass": (12, ((HOUR, 3 * HOUR, 9 * HOUR, DAY),)),
    "sleep": (4, ((HOUR, 3 * HOUR, 9 * HOUR),)),
    "stands": (6, (HOMES, PARTS, ("entered", "left"))),
    "merge": (3, (HOMES, HOMES)),
    "split": (3, (HOMES, (0, 1))),
    "move": (8, (HOMES, ZONES)),
    "rules": (2, (range(1, len(RULES) + 1),)),
}
# Near the changes of the clocks in London and New York, and at an ordinary week's and month's end.
STARTS = (T0 - 29 * DAY, T0 - 16 * DAY, T0 + 8 * DAY, 1_269_561_600_000)


class Play:
    """A script, played. quiet people are those of whom nothing else is true at the end than was at the beginning."""

    def __init__(self, zone: str, version: int, at: int) -> None:
        self.zone, self.republished = zone, False
        self.world = World(*JOURNEYS, *self._others(version), at=at)
        for place, name in enumerate(HOMES):
            self.world.person(name, at=place)
        self.post = Post(self.world, zone, version)
        self.registry = Registry(self.world, self.post)
        self.registry.place, self.offset = self._place, 0

    def _others(self, version: int) -> list[Any]:
        rules = published("rule", {"key": "rules", **RULES[version - 1]}, version)
        return [rules, brand(self.zone), brand(self.zone, "outlet")]

    def move(self, kind: str, *move: Any) -> None:
        getattr(self, f"_{kind}")(*move)
        self.post.look()

    def _did(self, who: str, event: str, order: int) -> None:
        """What asks about people waits for the segmenter after every second fact."""
        asks = "manager_only" in RULES[self.post.version - 1] and order == 2
        more = {"brand": "outlet"} if event == "Outlet" else {}
        self.registry.did(who, event, order, **more, **({"place": self._place()} if asks else {}))

    def _place(self) -> tuple[str, int, int]:
        """Where something lies that the segmenter has not passed."""
        self.offset += 1
        return "facts", 0, self.offset

    def _mark(self) -> None:
        self.post.late()
        self.world.mark(self.offset + 1)

    def end(self) -> None:
        """Everything is heard and taken."""
        self.registry.hear_all()
        self._mark()
        self.post.look()
        self.post.drain()

    def _hear(self, which: int, most: int) -> None:
        self.registry.hear(which, most)

    def _merge(self, one: str, other: str) -> None:
        self.post.stirred |= {self.registry.owner(one), self.registry.owner(other)}
        self.registry.merge(one, other)

    def _split(self, who: str, more: int) -> None:
        self.registry.split(who, more)

    def _stands(self, who: str, part: str, change: str) -> None:
        """In all versions, each of which asks for itself."""
        person = self.registry.owner(who)
        self.post.late()
        for version in range(1, len(RULES) + 1):
            self.world.membership(person, condition_key("rule", "rules", version, part), change)

    def _move(self, who: str, zone: str) -> None:
        person = self.registry.owner(who)
        self.post.stirred.add(person)
        self.post.late()
        self.world.fact(person, "", type=PROFILE_CHANGED, attributes={"time_zone": [self.world.now, zone]})

    def _rules(self, version: int) -> None:
        self.post.late()
        self.republished = True
        others = self._others(version)
        self.world.book = build([*(published("journey", body) for body in JOURNEYS), *others])
        self.post.republished(version)

    def _pass(self, duration: int) -> None:
        end = self.world.now + duration
        while self.world.now < end:
            self.world.run(min(end, self.world.now + HOUR))
            self.post.late()

    def _sleep(self, duration: int) -> None:
        """Nobody decides anything meanwhile."""
        self.world.now += duration

    def _call(self, which: int) -> None:
        self.post.call(which)

    def _tell(self, which: int, verdict: str) -> None:
        self.post.tell(which, verdict)

    def _again(self, which: int) -> None:
        self.post.again(which)


Script = tuple[list[tuple[Any, ...]], str, int, int]  # moves, zone of the brands, first rules, instant at which it begins


def script(seed: int) -> Script:
    chance = random.Random(seed)
    kinds = chance.choices(list(MOVES), [often for often, _ in MOVES.values()], k=chance.randint(20, 90))
    moves = [(kind, *map(chance.choice, MOVES[kind][1])) for kind in kinds]
    return moves, chance.choice(ZONES), chance.randint(1, len(RULES)), chance.choice(STARTS)


def broken(moves: list[tuple[Any, ...]], zone: str, version: int, at: int) -> str:
    """Each decision is held against the rules where it is made (`Post.look`); at the end what really went, and what became of everything.

    What does not hold; "" if all does.
    """
    play = Play(zone, version, at)
    try:
        for kind, *move in moves:
            play.move(kind, *move)
        play.end()
        each_has_one_fate(play)
        if not play.republished:
            for name in set(HOMES) - play.post.stirred:
                what_went_keeps_the_rules(play, name)
    except AssertionError as error:
        return str(error).partition("\n")[0] or "?"
    return ""


def shortest(found: Script) -> Script:
    """Without the moves that it does not need to break."""
    moves, *rest = found
    for size in (8, 4, 2, 1, 1):
        place = 0
        while place < len(moves):
            fewer = moves[:place] + moves[place + size :]
            if broken(fewer, *rest):
                moves = fewer
            else:
                place += size
    return (moves, *rest)


@pytest.mark.parametrize("part", range(4))
def test_the_rules_hold_whatever_happens_and_nothing_is_lost(part: int) -> None:
    for seed in range(part, SCRIPTS, 4):
        if broken(*(found := script(seed))):
            least = shortest(found)
            pytest.fail(f"script {seed}: {broken(*least)}\n{least}")


def each_has_one_fate(play: Play) -> None:
    post = play.post
    for person in play.world.people.values():
        assert person.pending == {}, "waits for ever"
        assert all(run.due_at is None or run.due_at > play.world.now for run in person.runs)
    for key, letter in post.letters.items():
        fates = post.fates.get(key, [])
        assert len(fates) == 1 or (not fates and letter.intent.occurrence in post.over), f"{letter} {fates}"
    for (occurrence, _), last in post.last.items():
        assert getattr(last, "verdict", "") != "deferred" or occurrence in post.over, "moved and lost"


def what_went_keeps_the_rules(play: Play, name: str) -> None:
    person = play.world.people[name]
    law = Law(
        RULES[play.post.version - 1], play.post.version, play.zone, frozenset(), person.bucketing[1] if person.bucketing else None
    )
    went = sorted(
        ((one.called, one.intent) for one in play.post.letters.values() if one.called is not None and one.intent.profile == name),
        key=lambda pair: pair[0],
    )
    marketing = [(intent, at, at) for at, intent in went if intent.message_class != "service"]
    for place, (intent, at, _) in enumerate(marketing):
        assert law.blocking(intent, at, marketing[:place]) == set()
