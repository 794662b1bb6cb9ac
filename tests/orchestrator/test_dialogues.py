"""Dialogues: they end or wait, points add up, and nothing is said or told twice."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.orchestrator.bots import CHAT, NEWS, QUIZ, Player, bot, facts
from tests.orchestrator.world import DAY, HOUR, MINUTE, World, brand

MENU_SHOWN = ["menu"]
FIRST = ["quiz.hello", "quiz.q1"]
AGAIN = ["quiz.q1!again", "quiz.q1"]


@pytest.fixture
def world() -> World:
    return World(bot(), brand())


@pytest.fixture
def ann(world: World) -> Player:
    return Player(world)


def test_a_quiz_with_points_and_an_address_that_gives_more(world, ann):
    assert ann.starts(word="quiz", mark="vk-ads") == FIRST
    assert ann.presses("quiz", "q1", 0) == ["quiz.mail"]
    assert ann.writes("ann at example") == ["quiz.mail!again", "quiz.mail"]
    assert ann.writes(" Ann@Example.org ") == ["quiz.well"]
    last = world.intents[-1]
    assert (last.channel, last.message_class, last.document, last.step) == ("telegram", "service", "bot:b", "quiz.well")
    assert last.data["bot"]["points"] == 5 and last.data["bot"]["answers"] == {"q1": "4", "mail": "given"}
    run = last.data["bot"]["run"]
    told = [(f.event or f.type, f.about) for f in facts(world)]
    answered = ("Survey Answered", "ann")
    assert told == [answered, answered, ("identify", "ann"), ("identify", "ann"), ("Survey Completed", "ann")]
    first, mail, address, kept, completed = facts(world)
    common = {"run": run, "bot": "b", "dialogue": "quiz", "survey": "quiz"}
    assert first.properties == {**common, "question": "q1", "answer": "4", "points": 2}
    assert mail.properties == {**common, "question": "mail", "answer": "given", "points": 3}, "an address is no property"
    assert (address.identifiers, address.source, address.brand) == (("email:ann@example.org",), "bot.b", "shop")
    assert kept.attributes == {"quiz_points": 5, "first_answer": "4"}
    assert completed.properties == {**common, "points": 5, "result": "winner"}
    assert len({f.id for f in facts(world)}) == 5 and all(f.cause for f in facts(world))
    assert world.told("entered", "left") == [("entered", "quiz", ""), ("left", "quiz", "end")]


def test_a_question_is_repeated_so_often_and_then_goes_on_without_an_answer(world, ann):
    ann.writes("/quiz")
    assert [ann.writes("six"), ann.writes(), ann.writes("seven")] == [AGAIN, AGAIN, ["quiz.mail"]]
    assert [ann.writes("x"), ann.writes("y")] == [["quiz.mail!again", "quiz.mail"], ["quiz.bye"]]
    assert facts(world, "Survey Answered") == [] and facts(world, "Survey Completed")[0].properties["points"] == 0


def test_an_answer_may_be_written_and_an_address_be_refused(world, ann):
    ann.writes("QUIZ")
    assert ann.writes(" four ") == ["quiz.mail"]
    assert ann.presses("quiz", "mail", None) == ["quiz.bye"]
    assert [f.properties["points"] for f in facts(world, "Survey Answered")] == [2]


def test_unknown_words_get_the_menu_and_its_buttons_begin_something(world, ann):
    assert [ann.writes("hello?"), ann.writes(), ann.starts(), ann.starts(word="gone")] == [MENU_SHOWN] * 4
    assert ann.writes("play") == FIRST, "the label of a button, written"
    assert ann.presses("quiz") == FIRST
    assert ann.writes("/menu") == MENU_SHOWN
    assert ann.writes("four") == MENU_SHOWN, "he has left the quiz"
    assert facts(world) == []


def test_who_begins_another_dialogue_leaves_the_first(world, ann):
    ann.writes("/quiz")
    assert ann.writes("/news") == ["news.want"]
    assert ann.presses("quiz", "q1", 0, run=world.intents[0].data["bot"]["run"]) == [], "a button of what he has left"
    assert ann.writes("quiz") == ["news.want!again", "news.want"], "a word without / is an answer while a question waits"
    assert ann.presses("news", "want", 0) == ["news.thanks"]
    assert world.told("left") == [("left", "quiz.q1", "another"), ("left", "news", "end")]


def test_a_button_pressed_twice_answers_once(world, ann):
    ann.writes("/quiz")
    assert ann.presses("quiz", "q1", 0) == ["quiz.mail"]
    assert ann.presses("quiz", "q1", 0) == [], "of a question behind him"
    assert ann.presses("quiz", "q1", 1) == []
    ann.writes("no")
    assert ann.presses("quiz", "mail", None) == [], "the last one, once more"
    world.later(HOUR)
    assert ann.presses("quiz", "mail", None) == MENU_SHOWN, "an old keyboard still leads somewhere"
    assert len(facts(world, "Survey Answered")) == len(facts(world, "Survey Completed")) == 1


def test_a_forgotten_question_is_left(world, ann):
    ann.writes("/quiz")
    world.later(2 * DAY)
    assert ann.writes("four") == ["quiz.mail"]
    world.later(2 * DAY + MINUTE)
    assert ann.writes("a@example.org") == MENU_SHOWN
    assert world.told("left") == [("left", "quiz.mail", "expired")]


def test_a_topic_is_granted_for_each_channel_with_what_he_was_shown(world, ann):
    ann.writes("/news")
    ann.presses("news", "want", 0)
    *granted, chosen, completed = [f for f in facts(world) if f.event != "Survey Answered"]
    assert [(f.event, f.properties["channel"], f.properties["topic"]) for f in granted] == [
        ("Consent Granted", "telegram", "grammar"),
        ("Consent Granted", "email", "grammar"),
    ]
    evidence = granted[0].properties["evidence"]
    assert (evidence["wording"], evidence["chosen"], evidence["question"], evidence["step"]) == (
        "News of grammar?", "Yes", "news.want", "on",
    )  # fmt: skip
    assert granted[0].properties["text_id"] == "bot:b@1/news.want" and len(granted[0].properties["text_sha256"]) == 64
    assert (chosen.event, chosen.properties["topic"]) == ("Topic Chosen", "grammar") and completed.event == "Survey Completed"
    ann.writes("/news")
    assert ann.writes("no") == MENU_SHOWN, "nothing is left unanswered"
    assert [f.properties["channel"] for f in facts(world, "Consent Withdrawn")] == ["telegram"], "the bot's own way"


def test_only_what_comes_in_by_the_bots_own_way_is_heard(world):
    said = {"bot": "b", "channel": "telegram", "word": "quiz"}
    world.fact("ann", "Bot Started", identifiers=("telegram_id:77",), properties=said)
    world.fact("ann", "Bot Started", identifiers=("telegram_id:77",), source="bot.other", properties={**said, "bot": "other"})
    world.fact("ann", "Bot Started", identifiers=("telegram_id:77",), source="bot.b", lane="bulk", properties=said)
    assert world.log == []


def test_people_finish_in_the_version_in_which_they_began(world, ann):
    ann.writes("/quiz")
    shorter = {**QUIZ, "steps": [QUIZ["steps"][1], *QUIZ["steps"][-2:]]}
    world.book = World(replace(bot(), pointer=False), bot(shorter, NEWS, version=2), brand()).book
    assert ann.presses("quiz", "q1", 0) == ["quiz.mail"], "a question that the new version has not"
    assert ann.writes("/quiz") == ["quiz.q1"] and world.intents[-1].version == 2
    world.book = World(bot(NEWS, version=3, menu={"text": "Hello"}), brand()).book
    assert ann.writes("four") == MENU_SHOWN
    assert world.told("left") == [("left", "quiz.mail", "another"), ("left", "quiz.q1", "no_version")]


def test_of_two_people_who_become_one_in_two_dialogues_the_later_goes_on(world):
    ann, bob = Player(world), Player(world, "bob", "telegram_id:88")
    ann.writes("/quiz")
    ann.presses("quiz", "q1", 0)
    world.later(HOUR)
    bob.writes("/quiz")
    world.merge("ann", "bob")
    assert world.told("left") == [("left", "quiz.mail", "merged")]
    assert ann.presses("quiz", "q1", 0) == ["quiz.mail"] and ann.writes("no") == ["quiz.bye"]
    assert facts(world, "Survey Completed")[0].properties["points"] == 2, "the points of one of them"


def test_a_dialogue_that_is_over_ends_none_that_waits(world):
    ann, bob = Player(world), Player(world, "bob", "telegram_id:88")
    ann.writes("/quiz")
    world.later(HOUR)
    bob.writes("/news")
    bob.writes("no")
    world.merge("ann", "bob")
    assert world.told("left") == [("left", "news", "end")]
    assert ann.writes("four") == ["quiz.mail"]


def test_a_dialogue_goes_on_when_its_person_becomes_somebody_else(world):
    bob = Player(world, "bob", "telegram_id:88")
    bob.writes("/quiz")
    bob.presses("quiz", "q1", 0)
    world.person("ann")
    world.merge("ann", "bob")
    assert bob.writes("ann@example.org") == ["quiz.well"]
    assert (world.intents[-1].profile, facts(world)[-1].about) == ("ann", "ann")


def test_who_goes_on_without_an_answer_has_agreed_to_nothing():
    mail = {"id": "mail", "ask": "News by e-mail? Your address, please.", "kind": "email", "repeats": 0, "skip": "No"}
    letters = {"key": "letters", "words": ["/letters"], "steps": [mail, {"id": "on", "subscribe": "*", "channels": ["email"]}]}
    stop = {"key": "stop", "words": ["/stop"], "steps": [{"id": "quit", "unsubscribe": "*"}]}
    world = World(bot(letters, stop, menu={"text": "Hello"}), brand())
    ann = Player(world)
    for answer in ("No", "nonsense"):
        ann.writes("/letters")
        ann.writes(answer)
    assert facts(world, "Consent Granted") == []
    ann.writes("/letters")
    ann.writes("ann@x.example")
    (granted,) = facts(world, "Consent Granted")
    assert granted.properties["evidence"]["wording"] == mail["ask"] and granted.identifiers == (CHAT,)
    ann.writes("/stop")
    (withdrawn,) = facts(world, "Consent Withdrawn")
    assert (withdrawn.properties["channel"], withdrawn.properties["topic"]) == ("telegram", "*"), "a no needs no question"


def test_private_words_are_used_and_not_told():
    ask = {"id": "words", "ask": "Your question?", "kind": "text", "private": True}
    raised = {"id": "raised", "raise": "Support Requested", "properties": {"written": {"take": "answers.words"}}}
    world = World(bot({"key": "help", "words": ["/help"], "steps": [ask, raised]}, menu={"text": "Hello"}), brand())
    ann = Player(world)
    ann.writes("/help")
    ann.writes("Where is my order?")
    answered, support, _ = facts(world)
    assert (answered.properties["answer"], support.properties["written"]) == ("given", "Where is my order?")


def test_private_words_are_no_evidence_but_that_they_were_given():
    ask = {"id": "why", "ask": "Why do you want our news?", "kind": "text", "private": True}
    on = {"id": "on", "subscribe": "grammar"}
    world = World(bot({"key": "help", "words": ["/help"], "steps": [ask, on]}, menu={"text": "Hello"}), brand())
    ann = Player(world)
    ann.writes("/help")
    ann.writes("My doctor says so")
    (granted,) = facts(world, "Consent Granted")
    assert granted.properties["evidence"]["chosen"] == "given"
    assert all("doctor" not in str(fact) for fact in facts(world))


def test_what_a_dialogue_tells_is_no_word_of_his(world, ann):
    """It carries the bot's own source, and says whom it is about; what comes from the messenger names the chat."""
    said = {"bot": "b", "channel": "telegram", "word": "quiz"}
    world.fact("ann", "Bot Started", identifiers=(CHAT,), source="bot.b", about="ann", properties=said)
    assert world.intents == []
    assert ann.starts(word="quiz") == FIRST


def test_a_button_of_an_earlier_run_answers_nothing_in_the_next(world, ann):
    ann.writes("/quiz")
    before = world.intents[-1].data["bot"]["run"]
    ann.writes("/quiz")
    assert ann.presses("quiz", "q1", 0, run=before) == []
    assert ann.presses("quiz", "q1", 0) == ["quiz.mail"]


does = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(["/quiz", "quiz", "/news", "four", "Five", "stop", "no", "yes", "a@x.example", "?", "/x", None])),
    st.tuples(st.just("press"), st.sampled_from(["quiz", "news", "gone"]), st.sampled_from(["q1", "mail", "want", "gone"]), st.integers(-1, 4)),
    st.tuples(st.just("begin"), st.sampled_from(["quiz", "news", "gone"])),
    st.tuples(st.just("raw"), st.sampled_from(["", "a:", "a:00000000:quiz:q1:0", "s:", "x" * 64])),
    st.tuples(st.just("pass"), st.sampled_from([MINUTE, HOUR, 3 * DAY])),
    st.tuples(st.just("merge")),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["ann", "bob"]), does), max_size=40))
def test_whatever_is_done_in_whatever_order_it_ends_or_waits_and_points_add_up(moves):
    world = World(bot(), brand())
    players = {"ann": Player(world), "bob": Player(world, "bob", "telegram_id:88")}
    for who, move in moves:
        _play(world, players[who], move)
    for person in world.people.values():
        assert len(person.talks) <= 1
        assert all(talk.step in ("", "q1", "mail", "want") for talk in person.talks), "it waits at a question, or is over"
    answered, completed = facts(world, "Survey Answered"), facts(world, "Survey Completed")
    by_run = Counter()
    for fact in answered:
        by_run[fact.properties["run"]] += fact.properties["points"]
    for fact in completed:
        assert fact.properties["points"] == by_run[fact.properties["run"]]
    assert len({f.properties["run"] for f in completed}) == len(completed), "a dialogue ends once"
    assert len({(f.properties["run"], f.properties["question"]) for f in answered}) == len(answered)
    ids = [e.id for e in world.log]
    assert len(set(ids)) == len(ids)
    entered, left = (sum(d.verdict == verdict for d in world.decisions) for verdict in ("entered", "left"))
    assert entered - left == sum(bool(talk.step) for person in world.people.values() for talk in person.talks)


def _play(world: World, player: Player, move: tuple) -> None:
    match move:
        case ("write", words):
            assert player.writes(words), "whatever is written is answered"
        case ("press", dialogue, step, option):
            player.presses(dialogue, step, None if option < 0 else option)
        case ("begin", dialogue):
            assert player.presses(dialogue)
        case ("raw", data):
            player._does("Bot Button", pressed=data)
        case ("pass", duration):
            world.later(duration)
        case ("merge",):
            if len(world.people) == 2:
                world.merge("ann", "bob")
