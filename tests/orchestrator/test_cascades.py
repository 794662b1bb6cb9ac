"""Cascades: which channel is tried when, and what each word of the sender, of a reader or of time does to it."""

import re
from typing import Any

import msgspec
import pytest

from schemas.facts import PROFILE_CHANGED
from schemas.journeys import Journey
from services.orchestrator.domain.state import Person, Run, encode
from services.orchestrator.domain.state import decode as reread
from tests.orchestrator.cascades import EMAIL, KINDS, SMS, TELEGRAM, cascade, channels, fell, stands, started, tells
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, World, brand, journey, rule, send, wait


@pytest.mark.parametrize("word", ["failed", "skipped"])
def test_where_it_cannot_go_the_next_channel_is_tried_at_once(word: str) -> None:
    world = started()
    for number, channel in enumerate(("telegram", "sms", "email")):
        assert world.intents[-1].channel == channel and stands(world) == "c"
        assert len(world.intents) == number + 1, "never two at a time"
        world.verdict(world.intents[-1], word)
    assert stands(world) == "after"
    assert fell(world) == [
        ("telegram", word, "sms", [1, 3]), ("sms", word, "email", [2, 3]), ("email", word, "", [3, 3]),
    ]  # fmt: skip
    assert world.people["p"].reservations == [] and len({i.id for i in world.intents}) == 3
    assert [i.template for i in world.intents] == ["tg", "text", "mail"]


def test_who_cannot_be_reached_there_is_told_and_passed_by() -> None:
    world = started(kinds="email")
    assert channels(world) == [("email", 0)]
    assert [(d.verdict, d.channel, d.rule, d.detail["cascade"]) for d in world.decisions[1:]] == [
        ("skipped", "telegram", "no_address", [1, 3]),
        ("skipped", "sms", "no_address", [2, 3]),
        ("sent", "email", "", [3, 3]),
    ]
    nobody = started(kinds="vk_id")
    assert channels(nobody) == [] and stands(nobody) == "after"


def test_what_is_not_read_in_time_goes_on_and_what_is_read_does_not() -> None:
    world = started()
    world.later(MINUTE)
    world.verdict(world.intents[0], "accepted")
    tells(world, world.intents[0], "Delivered")
    world.later(2 * HOUR - 1)
    assert channels(world) == [("telegram", 0)] and stands(world) == "c"
    read = reread(encode(world.people["p"])), world.now
    world.later(1)
    assert channels(world) == [("telegram", 0), ("sms", 2 * HOUR + MINUTE)]
    assert fell(world) == [("telegram", "not_read", "sms", [1, 3])]
    world.people["p"], world.now = read
    tells(world, world.intents[0], "Link Clicked")
    assert stands(world) == "after"
    world.later(20 * DAY)
    assert len(world.intents) == 2


def test_what_is_not_delivered_in_time_goes_on_and_what_is_delivered_is_waited_for_no_more() -> None:
    world = started(steps=[cascade("c", SMS, EMAIL)])
    world.verdict(world.intents[0], "accepted")
    kept = reread(encode(world.people["p"]))
    world.later(10 * MINUTE)
    assert channels(world) == [("sms", 0), ("email", 10 * MINUTE)] and fell(world) == [("sms", "not_delivered", "email", [1, 2])]
    world.people["p"], world.now = kept, T0 + MINUTE
    tells(world, world.intents[0], "Delivered")
    assert stands(world) == "after"


def test_delivered_and_read_are_waited_for_one_after_the_other() -> None:
    both = {**SMS, "read_within": "1h"}
    world = started(steps=[cascade("c", both, EMAIL)])
    tells(world, world.intents[0], "Delivered")  # heard of before the sender's own word
    world.verdict(world.intents[0], "accepted")
    world.later(HOUR - 1)
    assert len(world.intents) == 1
    world.later(1)
    assert fell(world) == [("sms", "not_read", "email", [1, 2])]


def test_a_bounce_goes_on_at_once_and_one_of_a_channel_that_was_left_does_not() -> None:
    world = started()
    world.verdict(world.intents[0], "accepted")
    tells(world, world.intents[0], "Failed")
    assert fell(world) == [("telegram", "bounced", "sms", [1, 3])]
    tells(world, world.intents[0], "Failed")
    assert len(world.intents) == 2
    world.verdict(world.intents[1], "accepted")
    tells(world, world.intents[0], "Failed")
    assert len(world.intents) == 2 and stands(world) == "c"


def test_without_a_wait_the_first_that_is_taken_is_the_message() -> None:
    world = started(steps=[cascade("c", EMAIL, SMS)])
    world.verdict(world.intents[0], "accepted")
    assert stands(world) == "after" and fell(world) == []


@pytest.mark.parametrize(("said", "first"), [("sms", "sms"), (" Email", "email"), ("pigeon", "telegram"), (None, "telegram")])
def test_the_channel_that_he_prefers_is_tried_first(said: Any, first: str) -> None:
    for wanted in (True, False):
        world = World(journey("j", cascade(preferred_first=wanted)))
        world.person("p", kinds=KINDS)
        world.fact("p", "", type=PROFILE_CHANGED, attributes={"preferred_channel": [5, said]})
        world.fact("p", "Registered")
        assert world.intents[0].channel == (first if wanted else "telegram")


def test_a_changed_mind_changes_nothing_midway_and_the_newest_word_counts_after_a_merge() -> None:
    world = started()
    world.fact("p", "", type=PROFILE_CHANGED, attributes={"preferred_channel": [9, "email"]})
    world.verdict(world.intents[0], "failed")
    assert world.intents[1].channel == "sms"
    world.person("q")
    world.fact("q", "", type=PROFILE_CHANGED, attributes={"preferred_channel": [8, "sms"]})
    world.merge("q", "p")
    assert world.people["q"].preferred == (9, "email")


@pytest.mark.parametrize(("cls", "goes"), [("service", True), ("triggered", False), ("mass", False)])
@pytest.mark.parametrize("word", ["in_doubt", "unknown"])
def test_doubt_stops_it_unless_it_is_a_service_message(cls: str, goes: bool, word: str) -> None:
    world = started(**{"class": cls})
    world.verdict(world.intents[0], word)
    assert [c for c, _ in channels(world)] == ["telegram", *(["sms"] if goes else [])]
    assert fell(world) == [("telegram", "in_doubt", "sms" if goes else "", [1, 3])]
    assert stands(world) == ("c" if goes else "after")
    world.verdict(world.intents[0], "failed")
    assert len(world.intents) == (2 if goes else 1)
    world.verdict(world.intents[0], "accepted")
    assert stands(world) == "after", "it has come after all: nothing follows"
    if goes:
        world.verdict(world.intents[1], "failed")
        assert len(world.intents) == 2


@pytest.mark.parametrize("word", ["late", "held"])
def test_one_that_came_back_goes_again_by_its_own_channel(word: str) -> None:
    world = evening()
    world.verdict(world.intents[0], word)
    world.later(30 * MINUTE)
    assert [c for c, _ in channels(world)] == ["telegram"], "not the next one while the first may go"
    if word == "held":
        world.verdict(world.intents[0], "failed")
        assert world.told("deferred") == [("deferred", "c", "quiet_hours")], "the next one keeps them too"
    world.later(12 * HOUR)
    again = world.intents[1]
    assert again.received_at == T0 + 33 * HOUR
    if word == "held":
        assert again.channel == "sms"
        return
    assert (again.channel, again.id, again.attempt) == ("telegram", world.intents[0].id, 1)
    world.verdict(again, "failed")
    assert world.intents[2].channel == "sms"


def evening() -> World:
    """A message that went at eight in the evening and has not been heard of when the quiet hours begin."""
    world = World(
        journey("j", cascade("c", {"channel": "telegram", "template": "tg"}, SMS), wait("w", "9d")),
        NIGHT,
        brand(),
        at=T0 + 20 * HOUR,
    )
    world.person("p", kinds=KINDS)
    world.fact("p", "Registered")
    world.later(2 * HOUR)
    return world


NIGHT = rule(quiet_hours={"from": "21:00", "to": "09:00"})


def test_a_provider_that_is_down_for_longer_than_its_time_holds_nothing_up() -> None:
    world = World(journey("j", cascade("c", SMS, EMAIL), wait("w", "9d")), NIGHT, brand(), at=T0 + 20 * HOUR)
    world.person("p", kinds=KINDS)
    world.fact("p", "Registered")
    world.later(HOUR)
    world.verdict(world.intents[0], "late")
    assert fell(world) == [("sms", "not_delivered", "email", [1, 2])]
    assert ("skipped", "c", "not_delivered") in world.told("skipped")
    assert world.people["p"].pending == {} and world.people["p"].reservations == []
    world.later(12 * HOUR)
    assert channels(world)[1:] == [("email", 33 * HOUR)], "quiet hours are for all channels"


def test_late_after_it_was_read_or_left_sends_nothing_again() -> None:
    world = started()
    world.verdict(world.intents[0], "accepted")
    world.later(2 * HOUR)
    tells(world, world.intents[0], "Link Clicked")
    assert stands(world) == "after" and world.people["p"].pending == {}
    world.later(30 * HOUR)
    world.verdict(world.intents[1], "late")
    assert len(world.intents) == 2 and world.people["p"].pending == {}


def test_a_read_stops_what_waits_for_its_slot() -> None:
    world = World(journey("j", cascade(), wait("w", "9d")), NIGHT, brand(), at=T0 + 20 * HOUR)
    world.person("p", kinds=KINDS)
    world.fact("p", "Registered")
    world.verdict(world.intents[0], "accepted")
    world.later(3 * HOUR)
    assert world.told("deferred") == [("deferred", "c", "quiet_hours")]
    tells(world, world.intents[0], "Delivered")
    assert world.told("deferred") == [("deferred", "c", "quiet_hours")], "a delivery by a channel that was left says nothing"
    tells(world, world.intents[0], "Link Clicked")
    world.later(8 * DAY)
    assert len(world.intents) == 1


def test_the_whole_of_it_is_over_when_it_expires() -> None:
    world = started(expires="1d")
    world.later(DAY)
    assert stands(world) == "c", "nothing was heard of the first"
    world.later(1)
    assert stands(world) == "after" and fell(world) == [("telegram", "expired", "", [1, 3])]
    world.verdict(world.intents[0], "late")
    assert world.told("skipped") == [("skipped", "c", "expired")]
    late = started(expires="3h")
    late.later(2 * HOUR)
    late.verdict(late.intents[0], "accepted")
    late.later(HOUR + 1)
    assert stands(late) == "after" and fell(late) == [] and len(late.intents) == 1


def test_a_goal_stops_it_at_once_wherever_it_stands() -> None:
    for accepted in (False, True):
        world = World(journey("j", cascade(), goal={"event": "Paid"}))
        world.person("p", kinds=KINDS)
        world.fact("p", "Registered")
        if accepted:
            world.verdict(world.intents[0], "accepted")
        world.fact("p", "Paid")
        world.verdict(world.intents[0], "failed")
        world.later(5 * DAY)
        assert len(world.intents) == 1 and world.told("goal") == [("goal", "c", "goal")]


def test_the_address_that_has_it_by_another_key_gets_it_by_no_other_channel() -> None:
    world = started()
    world.verdict(world.intents[0], "skipped", rule="same_address")
    assert stands(world) == "after" and len(world.intents) == 1


def test_a_loop_comes_to_it_once() -> None:
    again = {"id": "again", "if_data": [{"path": "event.x", "op": "eq", "value": 1}], "then": "c", "else": "end"}
    world = World(journey("j", cascade("c", EMAIL, SMS), wait("w", "1d"), again, {"id": "end", "end": True}))
    world.person("p", kinds=KINDS)
    world.fact("p", "Registered", properties={"x": 1})
    world.verdict(world.intents[0], "accepted")
    world.later(2 * DAY)
    assert world.told("skipped") == [("skipped", "c", "already_sent")] * 2 and len(world.intents) == 1


def test_the_old_states_are_read() -> None:
    world = started(steps=[send("a"), wait("w", "1d")])
    person = list(msgspec.msgpack.decode(encode(world.people["p"])))
    at = Person.__struct_fields__.index("runs")
    person[at] = [list(run)[: Run.__struct_fields__.index("exposed")] for run in person[at]]
    del person[Person.__struct_fields__.index("appointments") :]
    assert reread(msgspec.msgpack.encode(person)) == world.people["p"]


@pytest.mark.parametrize(("attempts", "text"), [
    ([EMAIL], "at least 2"),
    ([EMAIL, EMAIL], "cascade.1.channel: email is tried already"),
    ([{**TELEGRAM, "delivered_within": "5m"}, EMAIL], "delivered_within: telegram tells no deliveries"),
    ([{**EMAIL, "read_within": "0s"}, SMS], "read_within: longer than nothing"),
    ([{**EMAIL, "read_within": "soon"}, SMS], "read_within: 'soon' is not a duration"),
    ([{**EMAIL, "delivered_within": "2h", "read_within": "1h"}, SMS], "read_within: who has read it has got it"),
    ([{**EMAIL, "read_within": "3d"}, SMS], "cascade.0.read_within: 3d is not shorter than expires (3d)"),
    ([{**EMAIL, "channel": "pigeon"}, SMS], "channel"),
])  # fmt: skip
def test_what_cannot_be_is_refused_with_its_field(attempts: list[dict[str, Any]], text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        Journey.model_validate(journey("j", {"id": "c", "cascade": attempts}))
