"""What must hold whatever happens in whatever order: two journeys and a mass mailing, merges, late and doubled verdicts."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.messages import Decision, Intent
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, brand, journey, rule, send, wait

PEOPLE = "abc"
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
who = st.sampled_from(PEOPLE)
moves = st.one_of(
    st.tuples(st.just("fact"), who, st.sampled_from(["One", "Two", "Launch", "Launch", "Receipt", "Goal"]), st.integers(1, 2)),
    st.tuples(st.just("merge"), who, who),
    st.tuples(st.just("pass"), st.sampled_from([MINUTE, HOUR, 5 * HOUR, 9 * HOUR, DAY])),
    st.tuples(st.just("verdict"), st.integers(0, 9), st.sampled_from(["accepted", "failed", "skipped", "in_doubt", "held"])),
    st.tuples(st.just("old"), st.integers(0, 30)),
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
            elif emission.verdict == "skipped":
                self.back.pop(emission.intent, None)
            elif emission.rule == "order":
                assert self.overdue(emission, emission.received_at, folded=True)
            elif emission.verdict == "deferred":
                blocks = self.blocking(emission.profile, emission.message_class, emission.received_at)
                assert emission.rule in blocks, "held back by a rule that holds nothing back"
                assert emission.until > emission.received_at

    def blocking(self, profile: str, cls: str, now: int) -> set[str]:
        """The rules that forbid a message of this class to this person now, by what is under way and what went."""
        mine = [(i.received_at, i.not_after, i) for i in self.open.values()] + [(at, at, i) for at, i in self.went.values()]
        mine = [(a, b, i) for a, b, i in mine if self.world.canonical(i.profile) == self.world.canonical(profile)]
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

    def overdue(self, letter: Intent | Decision, now: int, folded: bool = False) -> list[str]:
        """Earlier letters of the same run that came back late or held, are under way again, or should have been heard of.

        folded: also those of other runs of the journey, which a merge may have made letters of this one.
        """
        chain = [*self.back.values(), *(i for i in self.open.values() if i.attempt or i.not_after < now)]
        same = [i for i in chain if i.document == letter.document and (folded or i.occurrence == letter.occurrence)]
        return [i.step for i in same if i.step < letter.step]

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
        if verdict in ("late", "held"):
            self.back[intent.id] = intent
        self.world.verdict(intent, verdict)
        self.look()

    def answer(self, number: int, verdict: str) -> None:
        self.late()
        if self.open:
            keys = list(self.open)
            self.tell(self.open[keys[number % len(keys)]], verdict)


def play(script, zone: str) -> tuple[World, Sent]:
    world = World(*JOURNEYS, rule(**RULES), brand(zone), at=T0 - 29 * DAY)
    for n, name in enumerate(PEOPLE):
        world.person(name, at=n)
    sender = Sent(world, zone)
    for kind, *move in script:
        if kind == "fact":
            world.fact(move[0], move[1], properties={"order": move[2]})
        elif kind == "merge":
            sender.late()
            world.merge(*move)
        elif kind == "pass":
            # In steps of an hour, as the sender tells what is late within the hour.
            end = world.now + move[0]
            while world.now < end:
                world.run(min(end, world.now + HOUR))
                sender.late()
        elif kind == "verdict":
            sender.answer(*move)
        elif sender.told:
            intent, verdict = sender.told[move[0] % len(sender.told)]
            world.verdict(intent, verdict)  # once more, much later
        sender.look()
    return world, sender


def local(zone: str, at: int) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).astimezone(ZoneInfo(zone))


zones = st.sampled_from(["Europe/London", "America/New_York", "Asia/Kolkata"])


@settings(max_examples=250, deadline=None)
@example(
    [("fact", "a", "One", 1), ("pass", HOUR), ("pass", HOUR), ("verdict", 0, "accepted")], "America/New_York"
)  # at the slot's very end
@given(st.lists(moves, max_size=60), zones)
def test_caps_days_and_quiet_hours_are_exact_whatever_happens(script, zone):
    """Each decision is held against the rules where it is made (`Sent.look`); here, what really went to people never merged."""
    world, sender = play(script, zone)
    for at, intent in sender.went.values():
        clock = local(zone, at).strftime("%H:%M")
        assert intent.message_class == "service" or NIGHT[1] <= clock < NIGHT[0], clock
    for name in PEOPLE:
        went = [(at, i.message_class) for at, i in sender.went.values() if i.profile == name]
        if not world.merged:
            no_more_than_the_caps(zone, went)


def no_more_than_the_caps(zone: str, went: list[tuple[int, str]]) -> None:
    mass = [local(zone, at) for at, cls in went if cls == "mass"]
    triggered = [at for at, cls in went if cls == "triggered"]
    days = [t.date() for t in mass]
    weeks = [t.isocalendar()[:2] for t in mass]
    assert all(days.count(day) <= 1 for day in days)
    assert all(weeks.count(week) <= 2 for week in weeks)
    assert all(sum(at - 36 * HOUR < other <= at for other in triggered) <= 2 for at in triggered)
    assert not set(days) & {local(zone, at).date() for at in triggered}, "a triggered and a mass message on one day"


@settings(max_examples=100, deadline=None)
@given(st.lists(moves, max_size=60), zones)
def test_no_key_twice_no_journey_twice_nothing_lost(script, zone):
    world, sender = play(script, zone)
    attempts = [(i.id, i.attempt) for i in world.intents]
    assert len(set(attempts)) == len(attempts), "one key and attempt, one intent"
    ids = [d.id for d in world.decisions]
    assert len(set(ids)) == len(ids)
    for name, person in world.people.items():
        ones = [r for r in person.runs if r.journey == "one"]
        assert len(ones) <= 1
        orders = [r.data["event"]["order"] for r in person.runs if r.journey == "two"]
        assert len(set(orders)) == len(orders)
        for run in person.runs:
            assert run.due_at is not None and run.due_at > world.now, "a run without a timer would stand for ever"
        assert {r.intent for r in person.reservations} >= {
            i.id for _, i in sender.went.values() if world.canonical(i.profile) == name and i.message_class != "service"
        }, "what went is counted"
    entered = {d.occurrence for d in world.decisions if d.verdict == "entered"}
    over = [d.occurrence for d in world.decisions if d.verdict in ("left", "goal")]
    inside = [r.occurrence for p in world.people.values() for r in p.runs]
    assert sorted(entered) == sorted([*over, *inside]), "whoever entered is inside or has left, once"


@settings(max_examples=40, deadline=None)
@given(st.lists(moves, max_size=40), zones)
def test_the_same_moves_give_the_same_decisions(script, zone):
    assert play(script, zone)[0].log == play(script, zone)[0].log
