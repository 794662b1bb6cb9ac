"""A sender for the laws, and the journeys and rules that they are tried on."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.messages import Decision, Intent
from tests.orchestrator.world import HOUR, World, journey, send, wait

NIGHT = ("22:00", "08:00")
WEEK = {"name": "w", "class": "mass", "most": 2, "per": "week"}
ROLLING = {"name": "r", "class": "triggered", "most": 2, "within": "36h"}
RULES = {
    "caps": [WEEK, {"name": "d", "class": "mass", "most": 1, "per": "day"}, ROLLING],
    "exclusive_day": ["triggered", "mass"],
    "quiet_hours": {"from": NIGHT[0], "to": NIGHT[1]},
}
JOURNEYS = (
    journey("one", send("o1"), wait("w", "20h"), send("o2"), wait("v", "1d"), send("o3"), on="One", goal={"event": "Goal"}),
    journey("two", wait("w", "3h"), send("t1"), send("t2"), on="Two", reentry={"mode": "per", "per": "order"}),
    journey("mass", send("m", **{"class": "mass"}), on="Launch", reentry={"mode": "always"}),
    journey("service", send("s", **{"class": "service"}), on="Receipt", reentry={"mode": "always"}),
)


class Sent:
    """A sender that keeps the law: it calls a provider once for a key, never after the slot, and tells what became of it.

    It also counts for itself what every rule counts, and holds each decision against that at the instant at which it is made.
    """

    def __init__(self, world: World, zone: str) -> None:
        self.world, self.zone = world, zone
        self.open: dict[str, Intent] = {}
        self.went: dict[str, tuple[int, Intent]] = {}
        self.told: list[tuple[Intent, str]] = []
        self.back: dict[str, Intent] = {}  # came back late or held, and no word of it since
        self.counts: dict[str, list[str]] = {}  # intent -> for whom it counts: he to whom it was sent may be several by now
        self.folded: set[str] = set()  # occurrences of runs that gave way to another when two became one
        self.given_up: set[str] = set()  # letters of which another one, of a run that is the same since, is settled
        self._seen = 0

    def look(self) -> None:
        for emission in self.world.log[self._seen :]:
            self._seen += 1
            if isinstance(emission, Intent):
                assert emission.id not in self.went, "an intent that went is decided again"
                assert emission.id not in self.open
                self.back.pop(emission.id, None)
                if emission.message_class != "service":
                    assert self.blocking(emission.profile, emission.message_class, emission.received_at) == set()
                    assert not self.overdue(emission, emission.received_at), "an earlier letter of the run is overdue"
                self.open[emission.id] = emission
                self.counts[emission.id] = [emission.profile]
                continue
            if emission.rule == "merged":
                self.folded.add(emission.occurrence)
                self.give_up([i for i, verdict in self.told if verdict not in ("late", "held")], {emission.occurrence})
            if emission.verdict == "skipped":
                self.back.pop(emission.intent, None)
            elif emission.rule == "order":
                assert self.overdue(emission, emission.received_at, folded=True)
            elif emission.verdict == "deferred" and emission.rule != "parted":
                blocks = self.blocking(emission.profile, emission.message_class, emission.received_at)
                assert emission.rule in blocks, "held back by a rule that holds nothing back"
                assert emission.until > emission.received_at

    def blocking(self, profile: str, cls: str, now: int) -> set[str]:
        """The rules that forbid a message of this class to this person now, by what is under way and what went."""
        mine = [(i.received_at, i.not_after, i) for i in self.open.values()] + [(at, at, i) for at, i in self.went.values()]
        mine = [(a, b, i) for a, b, i in mine if self.concerns(i, profile)]
        day = local(self.zone, now).date()
        days = [(local(self.zone, i.received_at).date(), i.message_class) for _, _, i in mine]
        mass = [d for d, c in days if c == "mass"]
        clock = local(self.zone, now).strftime("%H:%M")
        found = set() if NIGHT[1] <= clock < NIGHT[0] else {"quiet_hours"}
        if {"mass": "triggered", "triggered": "mass"}[cls] in [c for d, c in days if d == day]:
            found.add("same_day")
        if cls == "mass" and day in mass:
            found.add("cap:mass:day")
        if cls == "mass" and sum(d.isocalendar()[:2] == day.isocalendar()[:2] for d in mass) >= 2:
            found.add("cap:mass:week")
        if cls == "triggered" and sum(b > now - 36 * HOUR and i.message_class == cls for _, b, i in mine) >= 2:
            found.add("cap:triggered:36h")
        return found

    def concerns(self, intent: Intent, profile: str) -> bool:
        return self.world.canonical(profile) in map(self.world.canonical, self.counts[intent.id])

    def part(self, act: Callable[[], list[tuple[str, str]]]) -> None:
        """What was sent to one counts for all whom the act makes of him."""
        counts = {key: list(map(self.world.canonical, whom)) for key, whom in self.counts.items()}
        took = act()
        self.counts = {key: [*whom, *(goes for stays, goes in took if stays in whom)] for key, whom in counts.items()}

    def overdue(self, letter: Intent | Decision, now: int, folded: bool = False) -> list[str]:
        """Earlier letters of the same run that came back late or held, are under way again, or should have been heard of, and that are
        waited for.

        folded: also those of other runs of the journey, which a merge may have made letters of this one, and those given up.
        """
        chain = [*self.back.values(), *(i for i in self.open.values() if i.attempt or i.not_after < now)]
        same = [i for i in chain if i.document == letter.document and (folded or i.occurrence == letter.occurrence)]
        return [i.step for i in same if i.step < letter.step and (folded or i.id not in self.given_up)]

    def late(self) -> None:
        """Slots that are over come back, which may make new ones."""
        self.look()
        for intent in [i for i in self.open.values() if i.not_after < self.world.now]:
            self.tell(intent, "late")

    def tell(self, intent: Intent, verdict: str) -> None:
        del self.open[intent.id]
        self.told.append((intent, verdict))
        if verdict in ("accepted", "in_doubt"):
            self.went[intent.id] = (self.world.now, intent)
            self.give_up([intent], self.folded)
        if verdict in ("late", "held"):
            self.back[intent.id] = intent
        self.world.verdict(intent, verdict)
        self.world.run(self.world.now)  # what it freed a place for is due at this very instant, for whom it is for as yet
        self.look()

    def give_up(self, settled: list[Intent], folded: set[str]) -> None:
        """Two runs that became one may have sent one letter by two keys: where one is settled, nobody waits for the other."""
        for one in [*self.back.values(), *self.open.values()]:
            for other in settled:
                same = (one.document, one.step) == (other.document, other.step) and self.concerns(one, other.profile)
                if same and one.id != other.id and {one.occurrence, other.occurrence} & folded:
                    self.given_up.add(one.id)

    def answer(self, number: int, verdict: str) -> None:
        self.late()
        if self.open:
            keys = list(self.open)
            self.tell(self.open[keys[number % len(keys)]], verdict)


def local(zone: str, at: int) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).astimezone(ZoneInfo(zone))
