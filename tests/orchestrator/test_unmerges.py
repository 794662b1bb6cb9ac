"""Somebody is parted into two: what of his journeys, letters and places in the caps is whose, and whom a letter reaches."""

import msgspec
import pytest

from services.orchestrator.domain import state
from services.orchestrator.domain.state import Person, Run, Talk
from tests.orchestrator.bots import Player, bot
from tests.orchestrator.world import DAY, HOUR, T0, World, brand, journey, rule, send, wait

CHAIN = journey("j", wait("w", "1d"), send("x"), wait("v", "1d"), send("y"))
MASS = journey("m", send("m", **{"class": "mass"}, expires="20d"), on="Launch", reentry={"mode": "always"})
NIGHT = {"from": "21:00", "to": "09:00"}
EITHER_FIRST = pytest.mark.parametrize("introduced_first", [True, False])


def one_of_two(*documents, prompt: bool = True, **more) -> World:
    """Ann and Bob are one, Ann: facts by Bob's names have his home."""
    world = World(*documents, prompt=prompt, **more)
    world.person("ann", at=1)
    return world


def part(world: World, introduced_first: bool = True, **more) -> None:
    steps = [lambda: world.introduce("new", "ann", at=2), lambda: world.split("ann", "new", "bob", **more)]
    for step in steps if introduced_first else reversed(steps):
        step()


def whose(world: World) -> list[tuple[str, str, int]]:
    return [(i.profile, i.template, (i.received_at - T0) // HOUR) for i in world.intents]


@EITHER_FIRST
def test_each_run_goes_on_with_him_whose_fact_began_it(introduced_first):
    world = one_of_two(journey("j", wait("w", "1d"), send("x"), wait("v", "1d"), send("y"), reentry={"mode": "always"}))
    world.fact("ann", "Registered", properties={"of": "ann"})
    world.later(HOUR)
    mine = world.fact("ann", "Registered", home="bob", properties={"of": "bob"})
    world.later(HOUR)
    before = world.people["ann"].runs[1]
    part(world, introduced_first)
    assert [r.home for r in world.people["ann"].runs] == ["ann"]
    assert world.people["new"].runs == [before] and before.occurrence == mine, "as it stood: data, step and timer"
    world.later(9 * DAY)
    assert whose(world) == [("ann", "x", 24), ("new", "x", 25), ("ann", "y", 48), ("new", "y", 49)]
    assert [i.data["event"] for i in world.intents if i.profile == "new"] == [{"of": "bob"}] * 2
    assert not any(person.runs or person.pending for person in world.people.values())


def test_what_no_home_is_known_of_stays():
    by_segment = journey("s", wait("w", "1d"), send("z"), on={"segment": "vip"})
    world = one_of_two(CHAIN, by_segment)
    world.membership("ann", "vip")
    world.fact("ann", "Registered", home="bob")
    old = msgspec.msgpack.decode(state.encode(world.people["ann"]))
    old[5][1] = old[5][1][:14]  # a run of before homes were kept
    world.people["ann"] = state.decode(msgspec.msgpack.encode(old[:14]))
    part(world)
    assert [(r.journey, r.home) for r in world.people["ann"].runs] == [("s", ""), ("j", "")]
    assert world.people["new"].runs == []


@pytest.mark.parametrize("others", [(), ("bob",)])
def test_facts_and_verdicts_told_of_one_who_was_merged_before_are_his_whose_he_is_now(others):
    world = World(CHAIN, prompt=True)
    world.person("ann", at=1)
    world.person("bob", at=2)
    world.fact("bob", "Registered")
    world.merge("ann", "bob")
    world.introduce("new", "ann")
    world.split("ann", "new", "bob", others=others)
    world.later(DAY)
    assert whose(world) == [("new", "x", 24)]
    world.fact("bob", "Registered")
    assert world.told("skipped") == [("skipped", "", "reentry")], "Bob is the new one, by his tombstone or by his home"
    assert [d.profile for d in world.decisions if d.verdict == "skipped"] == ["new"]


@pytest.mark.parametrize(("verdict", "left"), [("accepted", 1), ("in_doubt", 1), ("failed", 0), ("skipped", 0)])
def test_a_letter_under_way_is_settled_with_him_whose_it_is_and_its_place_with_both(verdict, left):
    world = one_of_two(CHAIN, prompt=False)
    world.fact("ann", "Registered", home="bob")
    world.later(DAY)
    (letter,) = world.intents
    part(world)
    assert letter.id in world.people["new"].pending and letter.id not in world.people["ann"].pending
    world.later(HOUR)
    world.verdict(letter, verdict)
    for who in ("ann", "new"):
        places = world.people[who].reservations
        assert len(places) == left and world.people[who].pending == {}
        assert [p.state for p in places] == [state.DOUBT if verdict == "in_doubt" else state.KEPT] * left
        assert [p.at for p in places] == [world.now] * left


def test_a_letter_that_comes_back_late_is_tried_again_by_him_whose_it_is():
    world = one_of_two(CHAIN, rule(quiet_hours=NIGHT), prompt=False, at=T0 + 10 * HOUR)
    world.fact("ann", "Registered", home="bob")
    world.later(DAY)
    (letter,) = world.intents
    part(world)
    world.later(DAY)
    assert [i.template for i in world.intents] == ["x"], "the next of the chain waits for the one whose slot is over"
    world.verdict(letter, "late")
    assert world.people["ann"].reservations == [] and len(world.people["new"].reservations) == 1
    world.verdict(world.intents[-1], "accepted")
    assert [(i.profile, i.template, i.attempt) for i in world.intents] == [("ann", "x", 0), ("new", "x", 1), ("new", "y", 0)]
    assert world.intents[1].id == letter.id
    world.verdict(world.intents[-1], "accepted")
    world.verdict(letter, "late")
    assert len(world.intents) == 3 and world.people["ann"].reservations == world.people["ann"].runs == []
    assert {p.state for p in world.people["new"].reservations} == {state.KEPT} and not world.people["new"].pending


def test_a_letter_that_was_parted_twice_is_found():
    world = one_of_two(CHAIN, prompt=False)
    world.fact("ann", "Registered", home="cat")
    world.later(DAY)
    (letter,) = world.intents
    world.introduce("new", "ann")
    world.split("ann", "new", "bob", "cat")
    world.introduce("newer", "new")
    world.split("new", "newer", "cat")
    assert list(world.people["newer"].pending) == [letter.id]
    world.verdict(letter, "failed")
    assert not any(p.pending or p.reservations for p in world.people.values())
    world.fact("ann", "Registered", home="cat")
    assert [d.profile for d in world.decisions if d.rule == "reentry"] == ["newer"], "a fact told late as well"


def test_what_was_sent_to_one_counts_for_both():
    world = one_of_two(MASS, rule(caps=[{"name": "two", "class": "mass", "most": 2, "per": "week"}]), prompt=False)
    for home in ("ann", "bob"):
        world.fact("ann", "Launch", home=home)
    part(world)
    for who in ("ann", "new"):
        world.fact(who, "Launch")
    assert world.told("deferred") == [("deferred", "m", "cap:mass:week")] * 2
    world.verdict(world.intents[1], "failed")
    for who in ("ann", "new"):
        world.fact(who, "Launch")
    assert [i.profile for i in world.intents] == ["ann", "ann", "ann", "new"], "one that did not go is given back to both"


def test_nobody_is_led_twice_through_what_the_one_went_through():
    per = journey("p", send("p"), on="Ordered", reentry={"mode": "per", "per": "order"})
    goal = journey("g", wait("w", "1d"), send("g"), on="Went", goal={"event": "Paid"})
    world = one_of_two(CHAIN, per, goal)
    world.fact("ann", "Registered", home="bob")
    world.fact("ann", "Ordered", properties={"order": 7})
    world.fact("ann", "Paid")
    world.later(9 * DAY)
    part(world)
    log = len(world.log)
    for who in ("ann", "new"):
        world.fact(who, "Registered")
        world.fact(who, "Ordered", properties={"order": 7})
        world.fact(who, "Went", occurred=T0)
    assert [d.rule for d in world.log[log:]] == ["reentry", "reentry", "goal"] * 2
    world.fact("new", "Ordered", properties={"order": 8})
    assert whose(world)[-1][:2] == ("new", "p")


def test_what_keeps_somebody_from_being_erased_keeps_both():
    world = one_of_two(CHAIN)
    world.people["ann"].bought = world.people["ann"].agreed = True
    part(world)
    assert world.people["ann"].bought and world.people["new"].bought and world.people["new"].agreed


def test_each_has_his_own_names_group_zone_and_language():
    world = one_of_two(CHAIN, brand("Europe/London"))
    world.fact("ann", "", type="profile.changed", attributes={"time_zone": [1, "Asia/Omsk"], "language": [1, "ru"]})
    told = {"time_zone": [1, "Asia/Tokyo"], "locale": [3, "ja"]}
    world.introduce("new", "ann", kinds="phone", at=7, attributes=told)
    left = {"time_zone": [0, "Asia/Perm"], "city": [1, "Omsk"]}
    world.split("ann", "new", "bob", bucketing_id="own", bucketed_at=5, lost=("phone:x",), attributes=left)
    ann, new = world.people["ann"], world.people["new"]
    assert (ann.zone, ann.language, ann.bucketing) == ((0, "Asia/Perm"), None, (5, "own"))
    assert ann.reach == ["email"]
    assert (new.zone, new.language, new.bucketing, new.reach) == ((1, "Asia/Tokyo"), (3, "ja"), (7, "new"), ["phone"])


def test_who_is_left_without_an_address_is_not_written_to():
    world = one_of_two(CHAIN)
    world.fact("ann", "Registered")
    part(world, contact=False)
    world.later(DAY)
    assert world.people["ann"].reach == [] and world.told("skipped")[0] == ("skipped", "x", "no_address")


def test_the_letters_of_one_of_whom_nothing_was_heard_yet_wait_for_his_name():
    world = one_of_two(CHAIN)
    world.fact("ann", "Registered", home="bob")
    world.split("ann", "new", "bob")
    world.later(DAY + HOUR)
    assert world.told("deferred") == [("deferred", "x", "parted")] and world.intents == []
    world.introduce("new", "ann")
    assert whose(world) == [("new", "x", 25)]
    world.later(2 * DAY)
    assert whose(world)[1:] == [("new", "y", 49)]


def test_a_letter_that_comes_back_before_his_name_is_heard_waits_too():
    world = one_of_two(CHAIN, prompt=False)
    world.fact("ann", "Registered", home="bob")
    world.later(DAY)
    world.split("ann", "new", "bob")
    world.verdict(world.intents[0], "late")
    assert len(world.intents) == 1
    world.introduce("new", "ann")
    assert [(i.profile, i.attempt) for i in world.intents] == [("ann", 0), ("new", 1)]


@EITHER_FIRST
def test_who_cannot_be_written_to_holds_nothing_up(introduced_first):
    world = one_of_two(journey("j", send("x", expires="3h"), wait("v", "1d"), send("y"), on="Go"), CHAIN)
    world.fact("ann", "Registered", home="bob")
    steps = [lambda: world.introduce("new", "ann", kinds="", contact=False), lambda: world.split("ann", "new", "bob")]
    for step in steps if introduced_first else reversed(steps):
        step()
    world.later(DAY)
    assert world.told("skipped") == [("skipped", "x", "no_address")] and not world.told("deferred")


def test_a_name_that_never_comes_stops_no_run_for_ever():
    world = one_of_two(CHAIN)
    world.fact("ann", "Registered", home="bob")
    world.split("ann", "new", "bob")
    world.later(30 * DAY)
    assert world.told("skipped") == [("skipped", "x", "no_address"), ("skipped", "y", "no_address")]
    assert world.people["new"].runs == []


def test_a_run_that_asks_waits_until_the_segmenter_knows_of_the_two():
    ask = {"id": "ask", "if": {"kind": "segment", "key": "vip"}, "then": "gold", "else": "plain"}
    fork = journey("f", wait("w", "1h"), ask, send("gold", next="stop"), send("plain"), {"id": "stop", "end": True})
    world = one_of_two(fork)
    world.membership("ann", "vip")
    world.fact("ann", "Registered", home="bob")
    part(world, place=("facts", 3, 40))
    assert world.people["new"].segments == {} and "vip" in world.people["ann"].segments
    world.later(2 * HOUR)
    assert world.people["new"].waits() == ("facts", 3, 40) and world.intents == []
    world.membership("new", "vip", why="merge", carried=True)
    world.mark(41, partition=3)
    assert whose(world) == [("new", "gold", 2)] and world.people["new"].merges == []


def test_a_run_that_waits_for_the_segmenter_goes_on_waiting():
    slow = journey("f", {"id": "ask", "if": {"kind": "segment", "key": "vip"}, "then": "y"}, send("y"))
    world = one_of_two(slow)
    world.fact("ann", "Registered", home="bob", place=("facts", 3, 5))
    part(world)
    assert world.people["new"].waits() == ("facts", 3, 5) and world.people["ann"].waits() is None
    world.membership("new", "vip")
    world.mark(6, partition=3)
    assert whose(world) == [("new", "y", 0)]


@EITHER_FIRST
def test_what_he_did_by_himself_before_it_was_heard_is_kept_and_of_two_runs_the_further_one_goes_on(introduced_first):
    world = one_of_two(CHAIN, MASS)
    world.fact("ann", "Registered", home="bob")
    world.later(DAY)
    if introduced_first:
        world.introduce("new", "ann")
    world.fact("new", "Registered")
    world.fact("new", "Launch")
    assert len(world.people["new"].runs) == 1 + (not introduced_first)
    world.split("ann", "new", "bob")
    (run,) = [r for r in world.people["new"].runs if r.journey == "j"]
    assert run.home == "bob" and world.told("left", "skipped")[-1][2] == "merged"
    world.introduce("new", "ann")
    world.later(9 * DAY)
    assert sorted(i.template for i in world.intents if i.profile == "new") == ["m", "y"], "x went before"
    assert len({r.intent for r in world.people["new"].reservations}) == 3


def test_a_fact_that_comes_late_is_his_to_whom_its_home_belongs():
    chain = journey("j", wait("w", "1d"), send("x"), goal={"event": "Paid"}, reentry={"mode": "always"})
    world = one_of_two(chain)
    for home in ("ann", "bob"):
        world.fact("ann", "Registered", home=home)
    part(world)
    world.fact("ann", "Paid", home="bob", lane="bulk")
    assert [len(world.people[who].runs) for who in ("ann", "new")] == [1, 0]
    assert world.people["new"].bought is False and "j" not in world.people["ann"].goals


def test_both_may_have_become_others_meanwhile():
    world = one_of_two(CHAIN)
    world.fact("ann", "Registered", home="bob")
    for who in ("dan", "eve"):
        world.person(who, at=1, zone="Asia/Omsk")
    world.introduce("new", "ann")
    world.merge("dan", "ann")
    world.merge("eve", "new")
    world.split("ann", "new", "bob", attributes={"time_zone": [0, "Asia/Perm"]})
    assert world.people["dan"].zone == (0, "Asia/Omsk") and world.people["dan"].runs == []
    world.later(DAY)
    assert whose(world) == [("eve", "x", 24)]
    world.fact("ann", "Registered", home="bob")
    assert [d.profile for d in world.decisions if d.rule == "reentry"] == ["eve"]


def test_a_merge_that_is_heard_late_finds_whose_he_is_by_now():
    """Bob had become one with Cat, and Cat with Ann: the first of the merges lies in Cat's partition, which lags."""
    world = World(CHAIN, prompt=True)
    for n, who in enumerate(("ann", "bob", "cat")):
        world.person(who, at=n)
    world.fact("bob", "Registered")
    world.merge("ann", "cat")
    world.introduce("new", "ann")
    world.split("ann", "new", "bob", others=("bob",))
    world.merge("cat", "bob")
    assert [r.home for r in world.people["new"].runs] == ["bob"] and world.people["ann"].runs == []
    world.later(DAY)
    assert whose(world) == [("new", "x", 24)]


def test_a_held_letter_of_the_chain_moves_with_it_in_its_order():
    world = one_of_two(journey("j", send("x", expires="9d"), wait("v", "1h"), send("y", expires="9d")), prompt=False)
    world.fact("ann", "Registered", home="bob")
    world.verdict(world.intents[0], "held")
    world.later(HOUR)
    assert world.told("deferred") == [("deferred", "y", "order")]
    part(world)
    assert len(world.intents) == 1
    world.verdict(world.intents[0], "late")
    assert [(i.profile, i.template) for i in world.intents] == [("ann", "x"), ("new", "x")]
    world.verdict(world.intents[1], "accepted")
    assert [(i.profile, i.template) for i in world.intents][2:] == [("new", "y")]


def test_a_dialogue_goes_with_him_who_began_it():
    world = World(bot(), brand())
    player = Player(world, "ann")
    player.writes("/quiz")
    talk = world.people["ann"].talks[0]
    assert talk.home == "ann"
    world.people["ann"].talks = [msgspec.structs.replace(talk, home="bob")]
    world.split("ann", "new", "bob")
    assert world.people["ann"].talks == [] and world.people["new"].talks[0].run == talk.run
    assert Player(world, "new").presses("quiz", "q1", 0, talk.run) == ["quiz.mail"]


def test_rows_of_before_are_read():
    person = Person(runs=[Run("j", 1, "o", "shop", 1, 2)], talks=[Talk("b", 1, "d", "r", "shop")], bought=True)
    old = msgspec.msgpack.decode(state.encode(person))[:14]
    old[5], old[11] = [run[:14] for run in old[5]], [talk[:9] for talk in old[11]]
    assert state.decode(msgspec.msgpack.encode(old)) == person


def test_a_letter_that_stays_is_settled_though_it_was_sent_by_the_name_of_one_who_goes():
    """A service letter has no place in the caps that would tell of it."""
    world = one_of_two(journey("j", send("x", **{"class": "service"})), prompt=False)
    world.person("cat", at=2)
    world.fact("cat", "Registered", home="dan")
    world.merge("ann", "cat")
    world.split("ann", "new", "cat", others=("cat",))
    assert list(world.people["ann"].pending) == [world.intents[0].id], "Dan's, who is Ann still"
    world.later(DAY + HOUR)
    world.verdict(world.intents[0], "late")
    assert whose(world) == [("cat", "x", 0), ("ann", "x", 25)]
