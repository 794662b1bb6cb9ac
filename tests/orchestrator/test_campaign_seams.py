"""Campaigns beside the rest: priority and windows, journeys that compete with them, a gate, and an unmerge in the middle of a launch."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.campaigns import Campaign
from tests.orchestrator.mailing import EVERYBODY, Mailing, campaign
from tests.orchestrator.world import DAY, HOUR, MINUTE, T0, journey, published, rule, send, wait

COMPETE = rule(compete={"within": "2h"})
AFTERNOON = [{"from": "14:00", "to": "18:00"}]


def launched(news: Any, *documents: Any) -> Mailing:
    world = Mailing(COMPETE, *documents, news=news)
    world.belongs("ann")
    return world


def test_a_campaign_waits_for_its_own_window_and_a_step_of_a_journey_for_its_own():
    world = Mailing(news=campaign(windows=AFTERNOON))
    world.belongs("ann")
    world.turn("ann")
    assert (world.last("ann"), world.intents) == (("deferred", "send_window"), [])
    world.later(DAY)
    assert world.sent() == [("news", T0 + 14 * HOUR)]


@pytest.mark.parametrize(("priority", "first"), [("high", ["news", "j"]), ("low", ["j", "news"])])
def test_the_more_important_of_a_campaign_and_a_journey_goes_first(priority: str, first: list[str]):
    chain = journey("j", wait("w", "1h"), send("j"))
    world = launched(campaign(priority=priority, windows=[{"from": "01:00", "to": "24:00"}]), published("journey", chain))
    world.prompt = True
    world.fact("ann", "Registered")
    world.turn("ann")
    world.later(DAY)
    assert [template for template, _ in world.sent()] == first
    one, other = (at for _, at in world.sent())
    assert other - one >= 2 * HOUR


def test_a_letter_of_a_paused_launch_that_the_sender_held_goes_under_its_key_by_the_same_rules():
    world = launched(campaign(windows=[{"from": "00:00", "to": "01:00"}]))
    world.turn("ann")
    (letter,) = world.intents
    world.state(state="paused")
    world.verdict(letter, "held")
    world.turn("ann")
    assert (world.last("ann"), len(world.intents)) == (("deferred", "paused"), 1)
    world.later(2 * HOUR)
    world.state(state="running")
    world.turn("ann")
    assert world.last("ann") == ("deferred", "send_window")
    world.later(DAY)
    assert [(i.id, i.attempt, i.received_at) for i in world.intents[1:]] == [(letter.id, 1, T0 + DAY)]


@pytest.mark.parametrize("word", ["accepted", "skipped", "in_doubt", "late"])
def test_who_is_parted_while_his_letter_is_under_way_gets_none_of_his_own_while_it_may_have_been_his(word: str):
    world = launched(campaign())
    world.person("bob")
    world.merge("ann", "bob")
    world.turn("ann")
    (letter,) = world.intents
    world.split("ann", "ann>1", "bob")
    world.introduce("ann>1", "ann")
    world.turn("ann>1")
    assert len(world.intents) == 1, "it may be in the hands of either"
    world.verdict(letter, word)
    world.turn("ann", "ann>1")
    world.later(MINUTE)
    went = [i for i in world.intents if i.id != letter.id]
    assert [i.profile for i in went] == []


@pytest.mark.parametrize("word", ["accepted", "failed"])
def test_a_word_on_another_letter_brings_nobody_his_mailing_before_his_own_hour(word: str):
    other = published("journey", journey("other", send("hello")))
    world = Mailing(other, news=campaign(start={"local": "2010-11-22T10:00"}))
    world.belongs("ann")
    world.fact("ann", "Registered")
    world.turn("ann")
    world.verdict(world.intents[0], word)
    world.later(DAY)
    assert world.sent() == [("hello", T0), ("news", T0 + 10 * HOUR)]


def test_marketing_by_a_webhook_is_no_campaign():
    with pytest.raises(ValidationError, match="channel"):
        Campaign.model_validate({"key": "k", "brand": "b", "audience": EVERYBODY, "template": "t", "channel": "webhook"})


def test_two_people_who_are_told_the_same_at_one_instant_are_told_by_two_ids():
    world = Mailing(rule(quiet_hours={"from": "22:00", "to": "08:00"}), news=campaign(control=50))
    world.belongs("ann", "bob", "eve")
    world.turn("ann", "bob", "eve")
    world.later(DAY)
    told = [one.id for one in world.decisions]
    assert len(set(told)) == len(told) >= 6
