"""A mailing: one verdict for each, under the rules of every message, and never a second letter."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.campaigns import Campaign
from schemas.ids import bucket
from schemas.messages import Intent, intent_id
from services.orchestrator.domain.state import encode
from services.orchestrator.domain.throttle import allowance
from services.orchestrator.launches_api import held_back
from tests.orchestrator.mailing import AUDIENCE, EVERYBODY, EXCLUDE, Mailing, campaign
from tests.orchestrator.world import DAY, HOUR, T0, rule

DAILY = rule(caps=[{"name": "d", "class": "mass", "most": 1, "per": "day"}])
SEGMENT = {"kind": "segment", "key": "x"}


def test_each_of_the_audience_gets_one_letter_with_the_launch_in_its_key() -> None:
    world = Mailing()
    world.belongs("ann", "bob")
    world.turn("ann", "bob")
    assert [(i.profile, i.document, i.step, i.message_class, i.template) for i in world.intents] == [
        (who, "campaign:news", "letter", "mass", "news") for who in ("ann", "bob")
    ]
    assert world.intents[0].id == intent_id("campaign:news", 1, "letter", "ann", world.id)
    assert [(d.verdict, d.document) for d in world.decisions] == [("sent", "campaign:news")] * 2, "one verdict each"
    assert world.people["ann"].runs == []


def test_who_cannot_be_written_to_or_is_excluded_is_told_so() -> None:
    world = Mailing(news=campaign(exclude=SEGMENT))
    world.belongs("ann", kinds="phone")
    world.belongs("bob")
    world.membership("bob", EXCLUDE)
    world.turn("ann", "bob")
    assert [(d.profile, d.verdict, d.rule) for d in world.decisions] == [
        ("ann", "skipped", "no_address"),
        ("bob", "skipped", "excluded"),
    ]


def test_a_live_audience_is_asked_again_when_his_turn_has_come_and_a_frozen_one_is_not() -> None:
    for mode, expected in (("live", ("skipped", "audience")), ("start", ("sent", ""))):
        world = Mailing(news=campaign(audience_at=mode))
        world.belongs("ann")
        world.membership("ann", AUDIENCE, "left")
        world.turn("ann")
        assert world.last("ann") == expected


def test_what_a_rule_holds_back_goes_when_it_may_and_is_not_decided_twice() -> None:
    world = Mailing(DAILY, campaign("other"))
    world.belongs("ann")
    world.turn("ann")
    world.verdict(world.intents[0], "accepted")
    other = world._documents
    world._documents = [*other]
    world.state(key="other")
    world.turn("ann")
    assert world.last("ann") == ("deferred", "cap:mass:day")
    world.later(DAY)
    assert [i.document for i in world.intents] == ["campaign:news", "campaign:other"]


@pytest.mark.parametrize("expires", ["1h", "3d"])
def test_paused_nothing_goes_and_after_it_each_goes_once_unless_it_is_too_late(expires: str) -> None:
    world = Mailing(news=campaign(expires=expires))
    world.belongs("ann", "bob")
    world.turn("ann")
    world.state(state="paused")
    world.verdict(world.intents[0], "held")
    world.later(2 * HOUR)
    world.state(state="running")
    world.turn("ann", "bob")
    late = expires == "1h"
    assert world.last("ann") == (("skipped", "expired") if late else ("sent", ""))
    assert [(i.profile, i.attempt) for i in world.intents] == (
        [("ann", 0), ("bob", 0)] if late else [("ann", 0), ("ann", 1), ("bob", 0)]
    )
    assert len({i.id for i in world.intents}) == 2, "under the same key"


def test_a_timer_that_is_due_while_it_is_paused_waits_for_the_end_of_the_pause() -> None:
    world = Mailing(rule(quiet_hours={"from": "23:00", "to": "03:00"}))
    world.belongs("ann")
    world.turn("ann")
    assert world.last("ann") == ("deferred", "quiet_hours")
    world.state(state="paused")
    world.later(4 * HOUR)
    assert world.last("ann") == ("deferred", "paused")
    world.state(state="running")
    world.turn("ann")
    assert world.last("ann") == ("sent", "") and len(world.intents) == 1


def test_stopped_everybody_who_waits_is_told_so() -> None:
    world = Mailing(rule(quiet_hours={"from": "23:00", "to": "03:00"}))
    world.belongs("ann", "bob", "cid")
    world.turn("ann")
    world.state(state="stopped")
    world.turn("ann", "bob")
    assert world.last("ann") == world.last("bob") == ("skipped", "stopped")
    world.later(DAY)
    assert world.intents == [] and world.people["ann"].runs == []


def test_each_gets_it_at_the_same_hour_of_his_own_clock() -> None:
    news = campaign(start={"local": "2010-11-22T10:00"})
    world = Mailing(news=news)
    zones = {"east": "Asia/Vladivostok", "west": "America/New_York", "home": None}
    for who, zone in zones.items():
        world.belongs(who, zone=zone)
    world.turn(*zones)
    world.later(2 * DAY)
    went = {i.profile: (i.received_at - T0) // HOUR for i in world.intents}
    assert went == {"east": 0, "home": 10, "west": 15}
    assert Counter(d.rule for d in world.decisions if d.verdict == "deferred") == Counter(local_time=1 + 1)


@given(st.integers(0, 50), st.integers(1, 99))
def test_variants_and_the_control_group_fall_by_who_he_is_and_alike_in_each_launch(control: int, share: int) -> None:
    variants = [{"name": "a", "template": "ta", "share": share}, {"name": "b", "template": "tb", "share": 100 - share}]
    world = Mailing(news=campaign(variants=variants, control=control, salt="s"))
    people = [f"p{n}" for n in range(30)]
    world.belongs(*people)
    world.turn(*people)
    got = {i.profile: i.template for i in world.intents}
    for who in people:
        expected = "ta" if bucket("s", who) < share * 100 else "tb"
        assert got.get(who) == (None if bucket("s.control", who) < control * 100 else expected)
        assert world.last(who) == (("would_have_sent", "local_control") if who not in got else ("sent", ""))
    assert sum(d.verdict == "exposed" for d in world.decisions) == len(people)
    world.verdict(world.intents[0], "late") if world.intents else None
    assert all(i.template == got[i.profile] for i in world.intents), "decided again it is the same letter"


def test_only_who_could_get_it_is_told_into_which_arm_he_falls_once_and_when_it_may_go() -> None:
    world = Mailing(rule(quiet_hours={"from": "23:00", "to": "03:00"}), news=campaign(control=50))
    world.belongs("ann", "bob")
    world.belongs("cid", kinds="phone")
    world.state(state="stopped")
    world.turn("bob")
    world.state()
    world.turn("ann", "cid")
    world.later(DAY)
    assert [d.profile for d in world.decisions if d.verdict == "exposed"] == ["ann"]


def test_what_the_segmenter_has_not_said_yet_is_waited_for_in_a_pause_too() -> None:
    world = Mailing(news=campaign(audience_at="live"))
    world.belongs("ann")
    world.membership("ann", AUDIENCE, "left")
    world.state(state="paused")
    world.book = replace(world.book, silent={AUDIENCE: ("facts", 0, 5)})
    world.turn("ann")
    assert world.last("ann") == ("", ""), "it is not known whether he belongs to it"


def test_a_letter_that_one_got_is_not_sent_to_the_other_whom_he_turns_out_to_be() -> None:
    world = Mailing(rule(quiet_hours={"from": "23:00", "to": "03:00"}))
    world.belongs("ann", zone="Asia/Vladivostok")
    world.belongs("bob")
    world.turn("ann", "bob")
    assert [i.profile for i in world.intents] == ["ann"] and world.last("bob") == ("deferred", "quiet_hours")
    world.verdict(world.intents[0], "accepted")
    world.merge("bob", "ann")
    world.later(DAY)
    assert len(world.intents) == 1


@pytest.mark.parametrize("fate", ["accepted", "held", "late", "failed"])
def test_of_two_letters_that_are_on_their_way_to_one_person_no_third_is_made(fate: str) -> None:
    world = Mailing()
    world.belongs("ann", "bob")
    world.turn("ann", "bob")
    world.merge("ann", "bob")
    first, second = world.intents
    world.verdict(second, "held")
    world.turn("ann")
    assert len(world.intents) == 2, "the other one is on its way"
    world.verdict(first, fate)
    world.turn("ann")
    assert len(world.intents) == (2 if fate in ("accepted", "failed") else 3)


Move = tuple[str, int, int]
moves = st.lists(
    st.tuples(
        st.sampled_from(["turn", "merge", "accepted", "late", "held", "failed", "pause", "resume", "later"]),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    max_size=25,
)


@given(moves, st.booleans(), st.booleans())
def test_whatever_comes_between_nobody_is_written_to_twice_but_by_what_was_under_way_when_two_became_one(
    made: list[Move], quiet: bool, begun: bool
) -> None:
    world = Mailing(*([rule(quiet_hours={"from": "01:00", "to": "03:00"})] if quiet else [DAILY]), news=campaign(expires="30d"))
    people = ["a", "b", "c"]
    world.belongs(*people)
    went: dict[str, list[Intent]] = {}
    flying: dict[str, Intent] = {}
    seen, paused, joined = 0, False, set[str]()

    def look() -> None:
        nonlocal seen
        for one in world.log[seen:]:
            if isinstance(one, Intent):
                who = world.canonical(one.profile)
                assert not paused, "nothing is issued while it is paused"
                assert one.id not in flying
                assert not went.get(who), "he has his letter"
                assert not [f for f in flying.values() if world.canonical(f.profile) == who], "it is on its way to him"
                flying[one.id] = one
        seen = len(world.log)

    def settle(verdict: str, number: int) -> None:
        keys = sorted(flying)
        if keys:
            intent = flying.pop(keys[number % len(keys)])
            if verdict == "accepted":
                went.setdefault(world.canonical(intent.profile), []).append(intent)
            world.verdict(intent, verdict)

    for kind, one, other in [*([("turn", n, 0) for n in range(3)] if begun else []), *made]:
        if kind == "turn":
            if not paused:
                world.turn(world.canonical(people[one]))
        elif kind == "merge":
            winner, loser = sorted(world.canonical(people[n]) for n in (one, other))
            if winner != loser:
                world.merge(winner, loser)
                joined.add(loser)
                went.setdefault(winner, []).extend(went.pop(loser, []))
        elif kind in ("pause", "resume"):
            paused = kind == "pause"
            world.state(state="paused" if paused else "running")
        elif kind == "later":
            world.later((one + 1) * HOUR)
        else:
            settle(kind, one)
        look()
    if paused:
        paused = False
        world.state(state="running")
    for _ in range(3):  # as the walk does, until nothing is left to do
        for who in {world.canonical(one) for one in people}:
            world.turn(who)
            look()
        for _ in range(len(flying)):
            settle("accepted", 0)
            look()
        world.later(DAY)
        look()
    for who in {world.canonical(one) for one in people}:
        told = [d for d in world.decisions if world.canonical(d.profile) == who]
        assert told, "everybody is told something"
        assert len(went.get(who, [])) <= 1 or who in {world.canonical(one) for one in joined}


@given(
    st.integers(1, 1000), st.sampled_from([60_000, 3_600_000]), st.integers(1, 12), st.lists(st.integers(0, 300_000), max_size=30)
)
def test_no_more_go_in_any_time_than_the_throttle_says(most: int, per: int, partitions: int, ticks: list[int]) -> None:
    every = per / most
    nexts = [round(p * every) for p in range(partitions)]
    now, lost, told = 0, 0, [(0, 0)]
    for tick in ticks:
        now += tick
        lost += max(0, tick - 60_000)
        went = 0
        for p in range(partitions):
            allowed = allowance(nexts[p], now, every, partitions)
            went += allowed.most
            nexts[p] = allowed.after(allowed.most)
        told.append((now, told[-1][1] + went))
        assert told[-1][1] <= now / every + 1 + partitions, "rounded to ms"
        assert told[-1][1] >= (now - lost) / every - partitions
    caught_up = max(every * partitions, 60_000)
    for place, (since, _) in enumerate(told[1:]):
        for at, went in told[place + 1 :]:
            assert went - told[place][1] <= (at - since + caught_up) / every + 2 * partitions, "whatever stood still before"


def test_what_a_launch_would_decide_first_is_said_of_some_people_and_nothing_is_changed() -> None:
    world = Mailing(DAILY)
    world.belongs("ann", "bob")
    world.belongs("cid", kinds="phone")
    world.turn("ann")
    states = {who: encode(world.people[who]) for who in ("ann", "bob", "cid")}
    draft = Campaign(key="draft", brand="shop", audience=EVERYBODY, exclude=EVERYBODY, template="news", audience_at="live")
    found = held_back(world.book, draft, states, T0 + HOUR)
    assert found == {
        "people": [
            {"verdict": "deferred", "rule": "cap:mass:day", "people": 1},
            {"verdict": "sent", "rule": "", "people": 1},
            {"verdict": "skipped", "rule": "no_address", "people": 1},
        ]
    }
    assert {who: encode(world.people[who]) for who in states} == states
