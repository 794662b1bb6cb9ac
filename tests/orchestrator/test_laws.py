"""What must hold whatever happens in whatever order: two journeys and a mass mailing, merges, late and doubled verdicts."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.orchestrator.sent import JOURNEYS, NIGHT, RULES, Sent, local
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, brand, rule

PEOPLE = "abc"
who = st.sampled_from(PEOPLE)
moves = st.one_of(
    st.tuples(st.just("fact"), who, st.sampled_from(["One", "Two", "Launch", "Launch", "Receipt", "Goal"]), st.integers(1, 2)),
    st.tuples(st.just("merge"), who, who),
    st.tuples(st.just("pass"), st.sampled_from([MINUTE, HOUR, 5 * HOUR, 9 * HOUR, DAY])),
    st.tuples(st.just("verdict"), st.integers(0, 9), st.sampled_from(["accepted", "failed", "skipped", "in_doubt", "held"])),
    st.tuples(st.just("old"), st.integers(0, 30)),
)

TWINS = [  # of one letter that both were sent, one is held and the other went
    *[("fact", "a", "One", 1), ("pass", 9 * HOUR), ("fact", "b", "One", 1), ("merge", "b", "a")],
    *[("verdict", 0, "held"), ("verdict", 0, "accepted"), ("pass", DAY), ("pass", DAY)],
]


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


zones = st.sampled_from(["Europe/London", "America/New_York", "Asia/Kolkata"])


@settings(max_examples=250, deadline=None)
@example(
    [("fact", "a", "One", 1), ("pass", HOUR), ("pass", HOUR), ("verdict", 0, "accepted")], "America/New_York"
)  # at the slot's very end
@example(TWINS, "Europe/London")
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


FREED = [("fact", "a", "One", 1), ("pass", 5 * HOUR), ("fact", "a", "Two", 1), ("pass", 5 * HOUR), ("verdict", 0, "failed")]


@settings(max_examples=100, deadline=None)
@example(FREED, "Europe/London")
@given(st.lists(moves, max_size=60), zones)
def test_no_key_twice_no_journey_twice_nothing_lost(script, zone):
    world, sender = play(script, zone)
    attempts = [(i.id, i.attempt) for i in world.intents]
    assert len(set(attempts)) == len(attempts), "one key and attempt, one intent"
    told = {repr(d) for d in world.decisions}  # who waits as before, looked at twice in one instant, is told of twice with one id
    assert len({d.id for d in world.decisions}) == len(told), "one id, one decision"
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
