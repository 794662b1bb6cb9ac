"""A message lets a more important launch go first that has not come to somebody of its audience yet, and does not wait for ever."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.definitions import Published
from services.orchestrator.domain import competing
from tests.orchestrator.mailing import AUDIENCE, EXCLUDE, Mailing, campaign, launch
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, journey, published, rule, send

WITHIN = 2 * HOUR
START = T0 + 5 * HOUR
BOUNDS = rule(compete={"within": "2h"})
LESSER = journey("lesser", send("lesser", expires="3d"), on="Lesser", priority="low", reentry={"mode": "always"})
GREATER = journey("greater", send("greater", expires="3d"), on="Greater", priority="highest", reentry={"mode": "never"})
BRIEF = journey("brief", send("brief", expires="1h"), on="Brief", priority="low", reentry={"mode": "always"})


def world_of(news: Any = None, *documents: Any, **told: Any) -> Mailing:
    known = [one if isinstance(one, Published) else published("journey", one) for one in (LESSER, BRIEF, *documents)]
    world = Mailing(BOUNDS, *known,
                    news=news or campaign(priority="high"), start_at=START, **told)  # fmt: skip
    world.belongs("ann")
    world.prompt = True
    return world


def test_one_that_could_go_shortly_before_the_start_goes_behind_the_launch() -> None:
    world = world_of()
    world.run(START - HOUR)
    world.fact("ann", "Lesser")
    world.run(START + 10 * MINUTE)  # the walk comes to her later than her timers do
    assert world.sent() == []
    world.turn("ann")
    world.later(DAY)
    assert world.sent() == [("news", START + 10 * MINUTE), ("lesser", START + 10 * MINUTE + WITHIN)]


def test_one_that_goes_long_before_the_start_does_not_wait() -> None:
    world = world_of()
    world.run(START - WITHIN - 1)
    world.fact("ann", "Lesser")
    assert world.sent() == [("lesser", START - WITHIN - 1)]


def test_it_is_not_decided_before_the_segmenter_has_said_whether_the_launch_is_for_him() -> None:
    """What starts the journey may be what brings him into the audience: the segmenter says so after it."""
    for enters in (True, False):
        world = world_of()
        world.person("bob")
        world.run(START - HOUR)
        world.fact("bob", "Lesser", place=("facts", 0, 1))
        assert world.sent() == []
        if enters:
            world.membership("bob", AUDIENCE)
        world.mark(2)
        assert len(world.sent()) == (0 if enters else 1)
        world.run(START)
        if enters:
            world.turn("bob")
        world.later(DAY)
        expected = [("news", START), ("lesser", START + WITHIN)] if enters else [("lesser", START - HOUR)]
        assert world.sent() == expected


def test_without_a_launch_near_it_waits_for_no_answer() -> None:
    world = world_of()
    world.run(START - WITHIN - 1)
    world.fact("ann", "Lesser", place=("facts", 0, 1))
    assert world.sent() == [("lesser", START - WITHIN - 1)]


def test_one_that_has_no_way_to_him_is_not_waited_for() -> None:
    world = world_of(campaign(priority="high", channel="sms"))
    world.belongs("bob", kinds="email")
    world.run(START - HOUR)
    for who in ("ann", "bob"):
        world.fact(who, "Lesser")
    assert [intent.profile for intent in world.intents] == ["bob"]


def test_launches_of_long_ago_and_of_days_to_come_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be hundreds of them, and each message that could go asks."""
    looked: list[str] = []
    may = competing._may_write
    monkeypatch.setattr(competing, "_may_write", lambda turn, one: looked.append(one.id) or may(turn, one))
    clock = {"start": {"local": "2010-11-22T10:00"}}
    others = [(f"c{n}", START + (n - 20) * HOUR) for n in range(40)]
    documents = [
        one
        for key, at in others
        for one in (campaign(key, priority="high", **(clock if key == "c10" else {})), launch(key=key, start_at=at))
    ]
    world = world_of(None, *documents)
    world.run(START - HOUR)
    world.fact("ann", "Lesser")
    near = {key for key, at in others if -WITHIN < at - world.now <= WITHIN} | {"c10", "news"}
    assert set(looked) == {one.id for one in world.book.launches.values() if one.launch.campaign in near}


def test_where_the_launch_never_comes_to_him_it_goes_when_the_time_of_the_rule_is_over() -> None:
    world = world_of()
    world.run(START - HOUR)
    world.fact("ann", "Lesser")
    world.later(DAY)
    assert world.sent() == [("lesser", START + WITHIN)]


def test_one_that_would_be_worth_nothing_then_goes_at_once() -> None:
    world = world_of()
    world.run(START - HOUR)
    world.fact("ann", "Brief")
    assert world.sent() == [("brief", START - HOUR)]


@pytest.mark.parametrize("news", [{"priority": "low"}, {"priority": "high", "class": "service"}])
def test_a_launch_that_is_not_more_important_is_not_waited_for(news: dict[str, Any]) -> None:
    world = world_of(campaign(**news))
    world.run(START - HOUR)
    world.fact("ann", "Lesser")
    assert len(world.sent()) == 1


@pytest.mark.parametrize("told", [{"state": "paused"}, {"state": "stopped"}, {"stage": "pilot", "size": 5}])
def test_one_that_will_not_write_to_him_or_may_not_is_not_waited_for(told: dict[str, Any]) -> None:
    world = world_of(**told)
    world.run(START - HOUR)
    world.fact("ann", "Lesser")
    assert len(world.sent()) == 1


def test_nor_is_it_of_whom_it_is_not_or_who_is_excluded_or_in_its_control_group() -> None:
    world = world_of(campaign(priority="high", exclude={"kind": "all", "of": []}, control=50))
    world.person("bob")  # not of the audience
    world.belongs("eve", *(f"p{n}" for n in range(20)))
    world.membership("eve", EXCLUDE)
    world.run(START - HOUR)
    launched = world.book.launches[world.id]
    people = ["bob", "eve", *(f"p{n}" for n in range(20))]
    for who in people:
        world.fact(who, "Lesser")
    waits = {who for who in people if who not in {intent.profile for intent in world.intents}}
    assert waits == {f"p{n}" for n in range(20) if not launched.mailing.controls(f"p{n}")}
    assert 0 < len(waits) < 20


def test_a_start_by_his_own_clock_is_waited_for_by_that() -> None:
    world = world_of(campaign(priority="high", start={"local": "2010-11-22T10:00"}))
    world.belongs("kim", zone="Asia/Tokyo")  # ten o'clock there was at one o'clock UTC: by the start it is over
    world.run(START + 3 * HOUR + MINUTE)
    world.fact("ann", "Lesser")  # ten o'clock UTC is in two hours
    world.fact("kim", "Lesser")
    assert [intent.profile for intent in world.intents] == ["kim"]
    world.turn("ann")
    world.later(DAY)
    assert [(i.template, i.received_at) for i in world.intents if i.profile == "ann"] == [
        ("news", T0 + 10 * HOUR), ("lesser", T0 + 12 * HOUR),
    ]  # fmt: skip


moves = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.sampled_from([MINUTE, HOUR, 90 * MINUTE])),
        st.tuples(st.just("did"), st.sampled_from(["Lesser", "Lesser", "Greater"])),
        st.tuples(st.just("flip"), st.just("")),
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(moves, st.sampled_from([0, MINUTE, HOUR, 3 * HOUR]))
def test_no_lesser_message_goes_in_the_time_before_the_start_to_whom_the_launch_will_write(script: Any, walk: int) -> None:
    """Whatever else happens: by each message's own instant he is looked at, as the rule says it, and not as the code does."""
    world = world_of(None, GREATER)
    member, spans = True, [(T0, True)]
    turned: int | None = None
    for kind, what in script:
        if kind == "pass":
            end = world.now + what
            if turned is None and START + walk <= end:
                world.run(START + walk)
                if member:
                    world.turn("ann")
                turned = world.now
            world.run(end)
        elif kind == "did":
            world.fact("ann", what)
        else:
            member = not member
            world.membership("ann", AUDIENCE, "entered" if member else "left")
            spans.append((world.now, member))
    news = [i.received_at for i in world.intents if i.template == "news"]
    for intent in world.intents:
        if intent.template == "lesser":
            at = intent.received_at
            belonged = [stood for since, stood in spans if since < at][-1:] != [False]
            settled = not any(since == at for since, _ in spans)
            taken = bool(news) or (turned is not None and turned <= at)
            assert not (belonged and settled and not taken and START - WITHIN <= at < START + WITHIN), (script, walk)
    ats = sorted(i.received_at for i in world.intents)
    assert all(later - earlier >= WITHIN for earlier, later in pairwise(ats))
