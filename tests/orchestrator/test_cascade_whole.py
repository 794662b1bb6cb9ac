"""A cascade is one message: for caps, control groups, and whoever asks what became of it."""

from typing import Any

import pytest

from tests.orchestrator.cascades import EMAIL, KINDS, SMS, TELEGRAM, cascade, channels, started, tells
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, brand, journey, rule, send


def test_all_of_it_is_one_message_in_the_caps() -> None:
    cap = {"name": "one", "class": "triggered", "most": 1, "within": "20d"}
    other = journey("other", send("o", expires="1h"), on="Other", reentry={"mode": "always"})
    world = World(journey("j", cascade()), other, rule(caps=[cap]))
    world.person("p", kinds=KINDS)
    world.fact("p", "Registered")
    world.verdict(world.intents[0], "skipped")
    for number, later in ((1, 10 * MINUTE), (2, HOUR)):
        world.verdict(world.intents[number], "accepted")
        world.fact("p", "Other")
        assert world.told("skipped")[-1] == ("skipped", "o", "expired")
        world.later(later)
    assert [c for c, _ in channels(world)] == ["telegram", "sms", "email"]
    assert [i.cascade for i in world.intents] == ["", world.intents[0].id, world.intents[0].id]
    (first, second) = world.people["p"].reservations
    assert (first.intent, second.cascade) == (world.intents[1].id, first.cascade)


def test_over_two_channels_it_leaves_the_second_place_to_another() -> None:
    cap = {"name": "two", "class": "triggered", "most": 2, "within": "20d"}
    other = journey("other", send("o", expires="1h"), on="Other", reentry={"mode": "always"})
    world = World(journey("j", cascade("c", TELEGRAM, EMAIL)), other, rule(caps=[cap]))
    world.person("p", kinds=KINDS)
    world.fact("p", "Registered")
    world.verdict(world.intents[0], "accepted")
    world.later(2 * HOUR)
    for _ in range(2):
        world.fact("p", "Other")
    assert [i.template for i in world.intents] == ["tg", "mail", "o"]


def test_a_place_that_nothing_took_is_free_for_others() -> None:
    cap = {"name": "one", "class": "triggered", "most": 1, "per": "week"}
    other = journey("other", send("o"), on="Other")
    world = World(journey("j", cascade("c", TELEGRAM, SMS)), other, rule(caps=[cap]))
    world.person("p", kinds=KINDS)
    world.fact("p", "Registered")
    for number in range(2):
        world.verdict(world.intents[number], "skipped")
    world.fact("p", "Other")
    assert world.intents[-1].template == "o"


def test_a_cap_of_one_channel_counts_each_channel_by_itself() -> None:
    cap = {"name": "a text a week", "class": "triggered", "most": 1, "per": "week", "channel": "sms"}
    text = journey("text", send("t", channel="sms", expires="1h"), on="Text", reentry={"mode": "always"})
    world = World(journey("j", cascade(expires="1d")), text, rule(caps=[cap]))
    world.person("p", kinds=KINDS)
    world.fact("p", "Text")
    world.fact("p", "Registered")
    world.verdict(world.intents[-1], "accepted")
    world.later(2 * HOUR)
    assert [c for c, _ in channels(world)] == ["sms", "telegram", "email"], "no text is free within the day: by mail"
    assert world.told("skipped") == [("skipped", "c", "expired")]
    again = World(journey("j", cascade("c", SMS, EMAIL)), text, rule(caps=[cap]))
    again.person("p", kinds=KINDS)
    again.fact("p", "Registered")
    again.fact("p", "Text")
    assert again.told("skipped") == [("skipped", "t", "expired")]


def test_each_channel_keeps_the_days_that_classes_do_not_share() -> None:
    mass = journey("m", send("m", **{"class": "mass"}), on="Mass")
    slow = {**TELEGRAM, "read_within": "20h"}
    world = World(
        journey("j", cascade("c", slow, EMAIL)), mass, rule(exclusive_day=["triggered", "mass"]), brand(), at=T0 + 10 * HOUR
    )
    world.person("p", kinds=KINDS)
    world.fact("p", "Registered")
    world.verdict(world.intents[0], "accepted")
    world.later(15 * HOUR)
    world.fact("p", "Mass")
    world.later(5 * HOUR)
    assert world.told("deferred") == [("deferred", "c", "same_day")], "the first day was its own, this one is the other's"
    world.later(DAY)
    assert channels(world)[-1] == ("email", 2 * DAY)


@pytest.mark.parametrize("control", ["global", "local"])
def test_a_control_group_gets_none_of_it_and_is_told_once(control: str) -> None:
    arms = [{"name": "a", "share": 100, "control": True}, {"name": "b", "share": 0}]
    steps = [{"id": "s", "split": arms}, cascade()] if control == "local" else None
    world = started(*([rule(global_control={"share": 5000, "salt": "x"})] if control == "global" else []), steps=steps)
    people = [f"p{n}" for n in range(40)]
    for who in people:
        world.person(who, kinds=KINDS)
        world.fact(who, "Registered")
    told = [d for d in world.decisions if d.verdict == "would_have_sent"]
    assert {d.rule for d in told} == {f"{control}_control"} and {d.channel for d in told} == {"telegram"}
    assert len({d.profile for d in told}) == len(told) >= (41 if control == "local" else 5)
    assert not {d.profile for d in told} & {i.profile for i in world.intents}


def test_what_became_of_it_is_asked_as_of_one_letter() -> None:
    asks = {"id": "ask", "until": {"letter": {"step": "c", "became": "opened"}}, "at_most": "2d", "then": "yes", "else": "no"}
    steps = [cascade("c", TELEGRAM, EMAIL), asks, send("yes"), {"id": "end", "end": True}, send("no")]

    def run(*acts: Any) -> list[str]:
        world = World(journey("j", *steps))
        world.person("p", kinds=KINDS)
        world.fact("p", "Registered")
        for act in acts:
            act(world)
        world.later(9 * DAY)
        return [i.template for i in world.intents]

    def says(number: int, word: str) -> Any:
        return lambda world: world.verdict(world.intents[number], word)

    def told(number: int, word: str) -> Any:
        return lambda world: tells(world, world.intents[number], word)

    later = [says(0, "accepted"), lambda world: world.later(2 * HOUR), says(1, "accepted")]
    assert run(says(0, "accepted"), told(0, "Link Clicked")) == ["tg", "yes"]
    assert run(*later, told(1, "Opened")) == ["tg", "mail", "yes"]
    assert run(*later, told(0, "Link Clicked")) == ["tg", "mail", "yes"], "by whichever channel"
    assert run(*later) == ["tg", "mail", "no"]
    assert run(says(0, "failed"), says(1, "failed")) == ["tg", "mail", "no"]


@pytest.mark.parametrize(("became", "acts", "then"), [
    ("accepted", ["accepted", None, "failed"], True),
    ("failed", ["accepted", None, "failed"], False),
    ("failed", ["failed", "failed"], True),
    ("skipped", ["failed", "skipped"], True),
    ("delivered", ["accepted", None, "accepted"], False),
    ("skipped", ["in_doubt"], False),
])  # fmt: skip
def test_a_branch_asks_about_the_whole(became: str, acts: list[str | None], then: bool) -> None:
    ask = {"id": "ask", "if_letter": {"step": "c", "became": became}, "then": "yes", "else": "no"}
    world = started(steps=[cascade("c", TELEGRAM, EMAIL), ask, send("yes"), {"id": "end", "end": True}, send("no")])
    for word in acts:
        if word is None:
            world.later(2 * HOUR)
        else:
            world.verdict(world.intents[-1], word)
    assert world.intents[-1].template == ("yes" if then else "no")
