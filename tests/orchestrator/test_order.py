"""Letters of one run go in their order, also when one comes back late: the next waits for it, and nothing waits for ever."""

import msgspec
import pytest

from services.orchestrator.domain.state import KEPT, Pending, Reservation, Run
from tests.orchestrator.world import DAY, HOUR, T0, World, journey, rule, send, wait

NIGHT = rule(quiet_hours={"from": "21:00", "to": "09:00"})
CHAIN = journey("j", send("one"), wait("w", "1d"), send("two"), wait("v", "1d"), send("three"), goal={"event": "Paid"})
BOTH = pytest.mark.parametrize(("winner", "loser"), [("a", "b"), ("b", "a")])


def begun(*documents, at=20 * HOUR) -> World:
    """Somebody whose first letter went to the sender in the evening."""
    world = World(*documents)
    world.person("p")
    world.later(at)
    world.fact("p", "Registered")
    return world


def test_the_next_letter_waits_while_the_sender_stands_still_over_the_end_of_the_day():
    world = begun(CHAIN)
    world.later(25 * HOUR)
    assert world.sent() == [("one", T0 + 20 * HOUR)] and world.told("deferred") == [("deferred", "two", "order")]
    (told,) = [d for d in world.decisions if d.verdict == "deferred"]
    assert (told.detail, told.until) == ({"of": "one"}, T0 + (44 + 72) * HOUR + 1)
    world.verdict(world.intents[0], "late")
    assert world.sent()[1:] == [("one", T0 + 45 * HOUR)], "it is under way again, and nobody knows yet"
    world.later(HOUR)
    world.verdict(world.intents[1], "accepted")
    assert world.sent()[2:] == [("two", T0 + 46 * HOUR)]
    world.verdict(world.intents[2], "accepted")
    world.later(3 * DAY)
    assert world.sent()[3:] == [("three", T0 + 70 * HOUR)], "the next pause counts from when it went"
    assert world.people["p"].runs == []


@pytest.mark.parametrize("final", ["accepted", "failed", "skipped", "in_doubt", "unknown"])
def test_two_that_come_back_together_go_again_one_after_the_other(final):
    world = begun(journey("j", send("one"), send("two", channel="sms"), send("three")), NIGHT)
    assert len(world.intents) == 3, "side by side they wait for nothing"
    world.later(2 * HOUR)
    for intent in world.intents[::-1]:  # verdicts of different partitions come in any order
        world.verdict(intent, "late")
    assert {(s, r) for _, s, r in world.told("deferred")} == {("one", "quiet_hours"), ("two", "order"), ("three", "order")}
    world.later(12 * HOUR)
    assert world.sent()[3:] == [("one", T0 + 33 * HOUR)]
    world.verdict(world.intents[3], final)
    assert world.sent()[4:] == [("two", T0 + 34 * HOUR)]
    world.verdict(world.intents[4], final)
    assert world.sent()[5:] == [("three", T0 + 34 * HOUR)]


def test_of_two_that_wait_for_the_same_morning_the_earlier_one_goes_first():
    world = begun(journey("j", send("one"), wait("w", "3h"), send("two")), NIGHT)
    world.later(2 * HOUR)
    world.verdict(world.intents[0], "late")
    world.later(12 * HOUR)
    assert world.sent()[1:] == [("one", T0 + 33 * HOUR)]
    world.verdict(world.intents[1], "accepted")
    assert world.sent()[2:] == [("two", T0 + 34 * HOUR)]


def test_an_earlier_one_that_is_worth_nothing_any_more_lets_the_next_go():
    world = begun(journey("j", send("one", expires="6h"), wait("w", "5h"), send("two")))
    world.later(6 * HOUR + 1)
    assert world.told("deferred") == [("deferred", "two", "order")]
    world.verdict(world.intents[0], "late")
    assert world.told("skipped") == [("skipped", "one", "expired")]
    assert world.sent()[1:] == [("two", T0 + 26 * HOUR + 1)]


def test_an_earlier_one_whose_deferral_ends_in_nothing_lets_the_next_go():
    """Its own timer decides, with no word of the sender: the address is gone."""
    world = begun(journey("j", send("one", channel="sms"), send("two")), NIGHT)
    world.later(2 * HOUR)
    for intent in list(world.intents):
        world.verdict(intent, "late")
    world.people["p"].reach = ["email"]
    world.later(12 * HOUR)
    assert world.told("skipped") == [("skipped", "one", "no_address")]
    assert world.sent()[2:] == [("two", T0 + 33 * HOUR)]


def test_a_word_that_never_comes_stops_no_run_for_ever():
    world = begun(CHAIN)
    world.later(30 * DAY)
    assert world.told("skipped") == [("skipped", "two", "expired"), ("skipped", "three", "expired")]
    assert world.people["p"].runs == [] and world.sent() == [("one", T0 + 20 * HOUR)]


@pytest.mark.parametrize("how", ["goal", "exit"])
@pytest.mark.parametrize("back", [True, False])
def test_a_held_letter_of_a_run_that_ends_meanwhile_never_goes(how, back):
    world = begun({**CHAIN, "exit_segment": "out"})
    world.later(25 * HOUR)
    if back:
        world.verdict(world.intents[0], "late")
    count = len(world.intents)
    if how == "goal":
        world.fact("p", "Paid")
    else:
        world.membership("p", "out", "left")
    world.verdict(world.intents[-1], "accepted")
    world.later(30 * DAY)
    assert len(world.intents) == count and world.people["p"].due_at() is None


def test_within_its_slot_an_earlier_one_holds_nothing_and_service_waits_for_nobody():
    later = journey("s", send("mail"), wait("w", "1d"), send("code", channel="sms", **{"class": "service"}), on="Code")
    world = begun(journey("j", send("one"), wait("w", "1h"), send("two")), later, at=HOUR)
    world.fact("p", "Code")
    world.later(HOUR)
    assert [t for t, _ in world.sent()] == ["one", "mail", "two"], "a mail server that is down holds no text message back"
    world.later(DAY)
    assert [t for t, _ in world.sent()][3:] == ["code"]
    assert world.told("deferred") == []


def test_one_that_a_gate_holds_holds_the_next():
    world = begun(journey("j", send("one"), wait("w", "1h"), send("two")), at=HOUR)
    world.verdict(world.intents[0], "held")
    world.later(HOUR)
    assert world.told("deferred") == [("deferred", "two", "order")]
    world.verdict(world.intents[0], "accepted")
    assert world.sent()[1:] == [("two", T0 + 2 * HOUR)]


def test_letters_of_another_run_wait_for_nothing():
    world = begun({**CHAIN, "reentry": {"mode": "always"}})
    world.later(25 * HOUR)
    world.fact("p", "Registered")
    assert world.sent()[1:] == [("one", T0 + 45 * HOUR)]


def two(chain, *more) -> World:
    world = World(chain, *more)
    for n, who in enumerate("ab"):
        world.person(who, at=n)
    return world


@BOTH
def test_a_late_letter_of_the_run_that_was_taken_in_still_goes_before_the_next(winner, loser):
    """The run that is further along had skipped the letter that the other one had sent."""
    world = two({**CHAIN, "exit_segment": "out"})
    world.people["a"].reach = ["phone"]
    world.fact("a", "Registered")  # "one" finds no address
    world.people["a"].reach = ["email"]
    world.later(DAY - 1)
    world.fact("b", "Registered")
    world.later(1)
    assert [(i.profile, i.step) for i in world.intents] == [("b", "one"), ("a", "two")]
    world.verdict(world.intents[1], "accepted")
    world.merge(winner, loser)
    world.later(DAY)
    assert world.told("deferred") == [("deferred", "three", "order")]
    world.verdict(world.intents[0], "late")
    world.verdict(world.intents[2], "accepted")
    assert [i.step for i in world.intents] == ["one", "two", "one", "three"]


@BOTH
def test_a_late_letter_of_the_run_that_was_taken_in_ends_with_the_run_that_took_it(winner, loser):
    chain = journey("j", send("one"), wait("w", "9d"), send("two"), exit_segment="out")
    world = two(chain, NIGHT)
    world.people["a"].reach = []
    world.later(19 * HOUR)
    for who in "ab":
        world.fact(who, "Registered")
    world.merge(winner, loser)
    world.later(3 * HOUR)
    world.verdict(world.intents[0], "late")
    world.membership(winner, "out", "left")
    assert world.told("skipped")[-1] == ("skipped", "one", "exit_segment")
    world.later(2 * DAY)
    assert len(world.intents) == 1


@BOTH
@pytest.mark.parametrize("first", ["a", "b"])
@pytest.mark.parametrize(("words", "goes"), [(("accepted", "late"), 0), (("late", "accepted"), 0), (("late", "late"), 1)])
def test_of_two_letters_under_way_to_one_person_at_most_one_is_repeated(winner, loser, first, words, goes):
    """Both left before the two were known to be one; what the sender says of them comes later, in either order."""
    world = two(journey("j", send("x"), wait("w", "9d")))
    for who in "ab":
        world.fact(who, "Registered")
    world.merge(winner, loser)
    world.later(25 * HOUR)
    for intent, word in zip(sorted(world.intents, key=lambda i: i.profile != first), words, strict=True):
        world.verdict(intent, word)
    assert len(world.intents) == 2 + goes
    world.later(3 * DAY)
    assert len(world.intents) == 2 + goes
    assert len(world.people[winner].pending) == goes


@BOTH
def test_a_held_letter_goes_when_the_one_before_it_turns_out_to_have_come_to_the_other_side(winner, loser):
    world = two(CHAIN)
    for who in "ab":
        world.fact(who, "Registered")
        world.later(HOUR)
    behind, ahead = sorted(world.intents, key=lambda i: i.profile == "a")
    world.verdict(behind, "accepted")
    world.later(DAY - 2 * HOUR)
    assert ahead.profile == "a" and world.told("deferred") == [("deferred", "two", "order")]
    world.merge(winner, loser)
    assert world.sent()[2:] == [("two", T0 + DAY)]


@BOTH
def test_one_under_way_is_not_given_up_for_one_that_waits(winner, loser):
    world = two(journey("j", send("x"), wait("w", "9d")), NIGHT)
    world.later(20 * HOUR)
    for who in "ab":
        world.fact(who, "Registered")
    flying, waiting = world.intents
    world.later(2 * HOUR)
    world.verdict(waiting, "late")
    world.merge(winner, loser)
    world.verdict(flying, "accepted")
    world.later(3 * DAY)
    assert len(world.intents) == 2


def test_states_of_before_are_read_and_hold_until_they_are_heard_of():
    run = Run("j", 1, "o", "shop", T0, T0, step="two", since=T0, due_at=T0 + DAY, taken=2, done=("one",))
    before = msgspec.msgpack.encode([msgspec.to_builtins(run)[:-1], "one", T0, 0, None])
    old = msgspec.msgpack.decode(before, type=Pending)
    assert (old.run, old.until, old.held, old.joined) == (run, 0, False, "")
    with_its_day = msgspec.msgpack.encode(["key", 1, "mass", "shop", T0, T0 + HOUR, T0 // DAY, KEPT])
    kept = msgspec.msgpack.decode(with_its_day, type=Reservation)
    assert (kept.until, kept.state) == (T0 + HOUR, KEPT)
