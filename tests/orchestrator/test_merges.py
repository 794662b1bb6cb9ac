"""Two people turn out to be one, before, between and after every step, in both directions."""

import pytest

from tests.orchestrator.welcome import REST, welcome
from tests.orchestrator.world import DAY, HOUR, T0, World, journey, rule, send, wait

NIGHT = {"from": "21:00", "to": "09:00"}
LETTERS = ["price", *(name for name, _ in REST)]
BOTH = pytest.mark.parametrize(("winner", "loser"), [("a", "b"), ("b", "a")])


def two(world: World) -> None:
    world.person("a", at=1)
    world.person("b", at=2, kinds="email telegram_id")


@pytest.mark.parametrize("hours", [-3, 0, 3, 6, 7, 20, 30, 31, 60, 80, 100, 120, 150, 170, 175, 190, 300])
@BOTH
def test_one_welcome_chain_goes_on_and_no_letter_comes_twice_after_the_merge(hours, winner, loser):
    world = World(welcome(), prompt=True)
    two(world)
    world.later(3 * HOUR)
    if hours >= 0:
        world.fact("a", "Registered")
    world.later(HOUR)
    if hours >= 0:
        world.fact("b", "Registered")
    start = world.now
    world.run(T0 + (4 + max(hours, 0)) * HOUR)
    before = [i.template for i in world.intents]
    world.merge(winner, loser)
    if hours < 0:
        world.fact(loser, "Registered")
        world.fact(winner, "Registered")
    world.run(start + 30 * DAY)
    after = [i.template for i in world.intents[len(before) :]]
    assert len(after) == len(set(after)), "nothing twice after the merge"
    further = max((LETTERS.index(t) for t in before), default=-1)
    assert after == LETTERS[further + 1 :], "the one further along goes on to the end"
    assert len({i.id for i in world.intents}) == len(world.intents)
    assert world.people[winner].runs == [] and loser not in world.people
    ended = [r for _, _, r in world.told("left")]
    assert sorted(ended) == sorted(["end", "merged"] if 0 <= hours < 175 else ["end"] * (2 if hours >= 175 else 1))


@BOTH
def test_a_merge_unites_what_the_rules_count(winner, loser):
    chain = journey("m", send("m", **{"class": "mass"}, expires="20d"), on="E", reentry={"mode": "always"})
    world = World(chain, rule(caps=[{"name": "three", "class": "mass", "most": 3, "per": "week"}]))
    two(world)
    for who in "aabb":
        world.fact(who, "E")
    assert len(world.intents) == 4
    world.merge(winner, loser)
    person = world.people[winner]
    assert len(person.reservations) == 4 and len(person.pending) == 4
    assert (person.bucketing, person.reach) == ((1, "a"), ["email", "phone", "telegram_id"])
    world.fact(loser, "E")
    assert world.told("deferred") == [("deferred", "m", "cap:mass:week")]
    world.verdict(next(i for i in world.intents if i.profile == loser), "failed")
    world.fact(winner, "E")
    assert len(world.intents) == 4, "three are left, which is the cap"
    world.verdict(next(i for i in world.intents if i.profile == winner), "skipped")
    world.fact(winner, "E")
    assert len(world.intents) == 5


@BOTH
def test_who_was_in_may_not_enter_again_under_the_other_name(winner, loser):
    world = World(journey("j", send("x"), reentry={"mode": "after", "after": "10d"}))
    two(world)
    world.fact("a", "Registered")
    world.merge(winner, loser)
    world.fact("b", "Registered")
    assert world.told("skipped") == [("skipped", "", "reentry")]


@BOTH
def test_the_goal_of_one_side_ends_the_run_of_the_other(winner, loser):
    world = World(journey("j", wait("w", "1d"), send("x"), goal={"event": "Paid"}))
    two(world)
    world.fact("a", "Registered")
    world.fact("b", "Paid", occurred=T0 + 1)
    world.merge(winner, loser)
    assert world.told("goal") == [("goal", "w", "goal")]
    world.later(2 * DAY)
    assert world.intents == []


@BOTH
@pytest.mark.parametrize(
    ("reentry", "props", "gap", "runs"),
    [
        ({"mode": "always"}, ("1", "1"), 0, 2),
        ({"mode": "per", "per": "order"}, ("1", "1"), 0, 1),
        ({"mode": "per", "per": "order"}, ("1", "2"), 0, 2),
        ({"mode": "after", "after": "5h"}, ("1", "2"), 5, 2),
        ({"mode": "after", "after": "5h"}, ("1", "2"), 4, 1),
        ({"mode": "never"}, ("1", "2"), 24, 1),
    ],
)
def test_runs_that_one_person_could_have_had_at_once_both_go_on(winner, loser, reentry, props, gap, runs):
    world = World(journey("j", wait("w", "9d"), send("x"), reentry=reentry), journey("k", wait("w", "9d")))
    two(world)
    world.fact("a", "Registered", properties={"order": props[0]})
    world.later(gap * HOUR)
    world.fact("b", "Registered", properties={"order": props[1]})
    world.merge(winner, loser)
    kept = [r for r in world.people[winner].runs if r.journey == "j"]
    assert len(kept) == runs
    assert [r.started_at for r in kept] == ([T0, T0 + gap * HOUR] if runs == 2 else [T0]), "the earlier one"
    assert len([r for r in world.people[winner].runs if r.journey == "k"]) == 1


@BOTH
def test_what_the_other_run_has_sent_is_not_sent_again_on_another_way(winner, loser):
    chain = journey(
        "j",
        {"id": "fork", "if": {"kind": "segment", "key": "vip"}, "then": "day", "else": "gift"},
        wait("day", "1d"),
        send("hello"),
        wait("week", "7d"),
        send("gift"),
        wait("rest", "20d"),
        send("last"),
    )
    world = World(chain, prompt=True)
    two(world)
    world.membership("a", "vip")
    world.fact("a", "Registered")
    world.fact("b", "Registered")
    world.later(2 * DAY)
    assert [t for t, _ in world.sent()] == ["gift", "hello"]
    world.merge(winner, loser)
    world.later(40 * DAY)
    assert [t for t, _ in world.sent()] == ["gift", "hello", "last"]
    assert ("skipped", "gift", "already_sent") in world.told()


@BOTH
def test_late_letters_of_both_sides_are_one_letter(winner, loser):
    world = World(journey("j", send("x"), wait("w", "9d")), rule(quiet_hours=NIGHT))
    two(world)
    world.later(20 * HOUR)
    for who in "ab":
        world.fact(who, "Registered")
    world.later(2 * HOUR)
    for intent in list(world.intents):
        world.verdict(intent, "late")
    world.merge(winner, loser)
    assert ("skipped", "x", "merged") in world.told()
    world.later(2 * DAY)
    assert len(world.intents) == 3


@BOTH
def test_a_late_letter_is_not_repeated_when_the_other_side_got_it(winner, loser):
    world = World(journey("j", send("x"), wait("w", "9d")), rule(quiet_hours=NIGHT))
    two(world)
    world.later(20 * HOUR)
    for who in "ab":
        world.fact(who, "Registered")
    late, went = sorted(world.intents, key=lambda i: i.profile)
    world.verdict(went, "accepted")
    world.merge(winner, loser)
    world.later(2 * HOUR)
    world.verdict(late, "late")
    world.later(2 * DAY)
    assert len(world.intents) == 2


def test_a_late_letter_that_only_one_side_sent_still_goes_to_the_one_they_are():
    world = World(journey("j", send("x"), wait("w", "9d")))
    two(world)
    world.fact("b", "Registered")
    world.later(HOUR)
    world.merge("a", "b")
    world.later(DAY)
    world.verdict(world.intents[0], "late")
    again = world.intents[1]
    assert (again.id, again.attempt, again.profile) == (world.intents[0].id, 1, "a")


@BOTH
def test_what_was_due_before_the_merge_happens_to_two_people_and_waits_move_along(winner, loser):
    slow = journey("s", {"id": "ask", "if": {"kind": "segment", "key": "vip"}, "then": "y"}, send("y"), on="Slow")
    world = World(journey("j", wait("w", "1h"), send("x")), slow)
    two(world)
    for who in "ab":
        world.fact(who, "Registered")
    world.fact(loser, "Slow", place=("facts", 3, 5))
    world.now += 2 * HOUR
    world.merge(winner, loser)
    assert sorted((i.profile, i.received_at) for i in world.intents) == [("a", T0 + HOUR), ("b", T0 + HOUR)]
    assert world.people[winner].waits() == ("facts", 3, 5)
    world.membership(winner, "vip")
    world.mark(6, partition=3)
    assert [i.template for i in world.intents] == ["x", "x", "y"]


def test_a_waiting_entry_of_one_side_gives_way_to_the_run_of_the_other():
    chain = journey("j", wait("w", "1d"), send("x"), audience={"kind": "segment", "key": "vip"})
    world = World(chain)
    two(world)
    world.membership("a", "vip")
    world.fact("a", "Registered")
    world.fact("b", "Registered", place=("facts", 0, 1))
    world.merge("b", "a")
    assert world.told() == [("entered", "", ""), ("skipped", "", "merged")]


def test_old_news_of_the_loser_says_nothing_of_where_the_winner_stands():
    out = journey("j", wait("w", "1d"), send("x"), on={"segment": "t"}, exit_segment="s")
    world = World(out, journey("k", send("y"), on={"segment": "s"}))
    two(world)
    world.membership("b", "t")
    world.membership("a", "s")
    world.merge("a", "b")
    world.membership("b", "s", "left")
    assert world.told("left") == [("left", "y", "end")], "he stands in it still"
    world.membership("b", "u")
    world.membership("a", "s", "left")
    assert world.told("left")[1:] == [("left", "w", "exit_segment")]
    world.membership("b", "s")
    assert "s" not in world.people["a"].segments and world.told("skipped") == [("skipped", "", "reentry")]


def test_a_run_whose_version_is_gone_merges_as_if_it_could_be_entered_once():
    world = World(journey("j", wait("w", "9d")))
    two(world)
    for who in "ab":
        world.fact(who, "Registered")
    gone = World()
    gone.people = world.people
    gone.merge("a", "b")
    assert len(gone.people["a"].runs) == 1


@BOTH
def test_two_runs_of_one_side_are_no_rivals(winner, loser):
    world = World(journey("j", wait("w", "9d"), reentry={"mode": "always"}))
    two(world)
    for _ in range(2):
        world.fact("a", "Registered")
    gone = World()  # without its version nobody knows that it may be entered twice, but one person was in both
    gone.people = world.people
    gone.merge(winner, loser)
    assert len(gone.people[winner].runs) == 2


@pytest.mark.parametrize("asks", ["branch", "audience"])
def test_who_was_merged_while_he_waited_is_asked_about_when_the_segmenter_has_passed_the_merge_too(asks):
    """The answer was told of the loser; of the winner it is told with the merge, which lies in another partition."""
    legal = {"kind": "attribute", "name": "legal_entity", "op": "eq", "value": True}
    steps = [{"id": "b", "if": legal, "then": "gold", "else": "plain"}, send("gold", next="stop"), send("plain")]
    chain = journey("j", *steps, {"id": "stop", "end": True}) if asks == "branch" else journey("j", send("gold"), audience=legal)
    world = World(chain)
    two(world)
    world.fact("b", "Registered", place=("facts", 2, 7))
    world.membership("b", f"~journey.j.1.{asks if asks == 'audience' else 'b'}")
    world.merge("a", "b", place=("facts", 1, 30))
    world.mark(8, partition=2)
    assert world.intents == [], "what it has told so far is of the loser"
    world.membership("a", f"~journey.j.1.{asks if asks == 'audience' else 'b'}", why="merge", carried=True)
    world.mark(31, partition=1)
    assert [i.template for i in world.intents] == ["gold"]
    assert world.people["a"].merges == []


def test_a_fact_that_comes_late_for_the_loser_waits_for_the_merge_as_well():
    legal = {"kind": "attribute", "name": "legal_entity", "op": "eq", "value": True}
    world = World(journey("j", send("gold"), audience=legal))
    two(world)
    world.merge("a", "b", place=("facts", 1, 30))
    world.fact("b", "Registered", place=("facts", 2, 7))
    world.mark(8, partition=2)
    assert world.intents == [] and world.told() == []
    world.membership("a", "~journey.j.1.audience", why="merge", carried=True)
    world.mark(31, partition=1)
    assert [i.template for i in world.intents] == ["gold"]
