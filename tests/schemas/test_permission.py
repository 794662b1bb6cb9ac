"""What words permit: against a plain replay of all of them, whatever the tree and the order in which they are heard."""

import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import permission
from schemas.facts import Fact
from schemas.permission import ALL, Request, Said, joined, permitted, requests
from schemas.subscriptions import Topic

PARENTS = {"news": None, "weekly": "news", "daily": "news", "morning": "daily", "sales": None}
TREE = permission.tree([Topic(key=key, name={"en": key}, parent=parent) for key, parent in PARENTS.items()])
TOPICS = (ALL, *PARENTS, "unknown")


def word(event: str, at: int, topic: str = ALL, channel: str = "email", **more: Any) -> Fact:
    said = {"channel": channel, "topic": topic, **more}
    given_ = {"source": "s", "occurred_at": at, "received_at": at, "event": event, "properties": said, "profile": "p"}
    return Fact(id=f"{at}", type="track", brand="shop", **given_)


def heard(*facts: Fact) -> dict[str, Said]:
    words: dict[str, Said] = {}
    for fact in facts:
        key, said = permission.word(fact)
        words[key] = joined(words.get(key, said), said)
    return words


def below(topic: str) -> set[str]:
    return {key for key, line in TREE.items() if topic in line[1:]} if topic != ALL else set(TREE) | {"unknown"}


def replayed(facts: list[Fact], channel: str, topic: str, now: int) -> bool:
    """The plain meaning: word by word as they were said (of one instant, the noes last), then the nearest word decides."""
    nodes: dict[str, int | bool | None] = {}  # False: a no; else when it ends
    for fact in sorted(
        facts, key=lambda f: (f.occurred_at, f.event == "Consent Withdrawn", -(f.properties.get("expires_at") or 10**6))
    ):
        about = fact.properties["topic"]
        if fact.properties["channel"] not in (channel, "*"):
            continue
        if fact.event == "Consent Granted":
            nodes[about] = fact.properties.get("expires_at")
        else:
            nodes[about] = False
            everything = {ALL: False} if about == "unknown" else {}  # a no to what there is not is one to everything
            nodes |= everything
            for part in below(ALL if everything else about):
                if nodes.get(part) is not False:
                    nodes.pop(part, None)
    for part in (*TREE.get(topic, (topic,) if topic != ALL else ()), ALL):
        if part in nodes:
            until = nodes[part]
            return until is not False and (until is None or now < until)
    return False


def said_facts() -> st.SearchStrategy[list[Fact]]:
    one = st.builds(
        word,
        st.sampled_from(["Consent Granted", "Consent Withdrawn"]),
        st.integers(1, 9),
        st.sampled_from(TOPICS),
        st.sampled_from(["email", "sms", "*"]),
        expires_at=st.none() | st.integers(1, 15),
    )
    return st.lists(one, max_size=8)


@given(said_facts(), st.sampled_from(TOPICS), st.integers(1, 16), st.randoms(use_true_random=False))
@example([word("Consent Withdrawn", 1), word("Consent Granted", 5, "news")], "news", 9, random.Random(0))
def test_it_is_a_replay_of_all_words_whoever_of_two_said_them_and_in_whatever_order_they_are_heard(facts, topic, now, chance):
    expected = replayed(facts, "email", topic, now)
    chance.shuffle(facts)
    cut = chance.randint(0, len(facts))
    one, other = heard(*facts[:cut], *facts[:1]), heard(*facts[cut:])  # a word that is heard twice counts once
    merged = {key: joined(one.get(key, Said()), other.get(key, Said())) for key in one.keys() | other.keys()}
    assert permitted(merged, TREE, "shop", "email", topic, now) is expected


@given(said_facts(), st.sampled_from(TOPICS), st.data())
def test_a_later_no_to_anything_above_forbids_and_a_later_yes_to_it_by_itself_permits(facts, topic, data):
    line = [*TREE.get(topic, (topic,) if topic != ALL else ()), ALL]
    no = word("Consent Withdrawn", 20, data.draw(st.sampled_from(line)))
    assert not permitted(heard(*facts, no), TREE, "shop", "email", topic, 30)
    assert permitted(heard(*facts, no, word("Consent Granted", 21, topic)), TREE, "shop", "email", topic, 30)
    assert not permitted(heard(*facts, no, word("Consent Granted", 20, topic)), TREE, "shop", "email", topic, 30), "a tie is a no"


def test_a_no_to_a_topic_that_there_is_not_is_one_to_everything_of_the_brand_on_the_channel_where_there_are_topics():
    words = heard(word("Consent Granted", 1), word("Consent Granted", 1, channel="sms"), word("Consent Withdrawn", 2, "newz"))
    assert not any(permitted(words, TREE, "shop", "email", topic, 9) for topic in TOPICS)
    assert permitted(words, TREE, "shop", "sms", "news", 9) and permitted(words, permission.FLAT, "shop", "email", "news", 9)
    later = heard(word("Consent Withdrawn", 2, "newz"), word("Consent Granted", 3))
    assert permitted(later, TREE, "shop", "email", "news", 9), "he has said another word since"
    asked = heard(word("Consent Granted", 1, "news", double_opt_in=True), word("Consent Withdrawn", 2, "newz"))
    assert requests(asked, TREE, "shop", "email") == [] != requests(asked, permission.FLAT, "shop", "email")


def test_a_yes_by_a_channel_that_there_is_not_says_nothing_and_names_are_cut():
    assert heard(word("Consent Granted", 1, channel="pigeon"))["shop|pigeon|*"] == Said()
    (key,) = heard(word("Consent Granted", 1, "t" * 30_000))
    assert key == f"shop|email|{'t' * 200}"


def test_a_yes_to_a_parent_is_one_for_those_below_without_a_word_of_their_own():
    words = heard(word("Consent Withdrawn", 1, "weekly"), word("Consent Granted", 5, "news"))
    assert [topic for topic in TOPICS if permitted(words, TREE, "shop", "email", topic, 9)] == ["news", "daily", "morning"]
    assert not permitted(words, TREE, "shop", "sms", "news", 9) and not permitted(words, TREE, "other", "email", "news", 9)


def test_permission_ends_at_the_instant_that_the_yes_names_and_one_that_cannot_be_read_permits_nothing():
    words = heard(word("Consent Granted", 1, expires_at=50))
    assert [permitted(words, TREE, "shop", "email", "news", now) for now in (49, 50)] == [True, False]
    assert not permitted(heard(word("Consent Granted", 1, expires_at="soon")), TREE, "shop", "email", "news", 9)
    day = heard(word("Consent Granted", 1, expires_at="1970-01-02"))
    assert [permitted(day, TREE, "shop", "email", "news", now) for now in (86_399_999, 86_400_000)] == [True, False]


@pytest.mark.parametrize("ends", [(50, 60), (60, 50), (None, 50), (50, None)])
def test_of_two_yeses_of_one_millisecond_that_which_ends_first(ends):
    words = heard(*(word("Consent Granted", 1, expires_at=end) for end in ends))
    assert [permitted(words, TREE, "shop", "email", ALL, now) for now in (49, 50)] == [True, False]


@pytest.mark.parametrize("flag", [True, "true", "on", 1, ["yes"]])
def test_a_request_permits_nothing_until_it_is_confirmed(flag):
    words = heard(word("Consent Granted", 5, "news", double_opt_in=flag))
    assert not permitted(words, TREE, "shop", "email", "news", 9)
    assert requests(words, TREE, "shop", "email") == [Request("news", 5)]
    confirmed = word("Consent Confirmed", 8, "news", requested_at=5)
    words = heard(word("Consent Granted", 5, "news", double_opt_in=flag), confirmed, confirmed)
    assert permitted(words, TREE, "shop", "email", "weekly", 9) and requests(words, TREE, "shop", "email") == []


@pytest.mark.parametrize("about", ["weekly", "news", ALL])
@pytest.mark.parametrize("channel", ["email", "*"])
def test_confirming_does_not_undo_a_later_no_and_does_undo_an_earlier_one(about, channel):
    asked, no = word("Consent Granted", 5, "weekly", double_opt_in=True), word("Consent Withdrawn", 6, about, channel)
    assert requests(heard(asked, no), TREE, "shop", "email") == []
    confirmed = word("Consent Confirmed", 8, "weekly", requested_at=5)
    assert not permitted(heard(asked, no, confirmed), TREE, "shop", "email", "weekly", 9)
    earlier = word("Consent Withdrawn", 4, about, channel)
    assert permitted(heard(asked, earlier, confirmed), TREE, "shop", "email", "weekly", 9)


def test_the_end_that_was_asked_for_is_known_at_the_confirmation():
    words = heard(word("Consent Granted", 5, "news", double_opt_in=True, expires_at=50), word("Consent Granted", 1, expires_at=9))
    assert requests(words, TREE, "shop", "email") == [Request("news", 5, 50)]


def test_a_request_takes_nothing_away_from_one_who_agreed_before():
    words = heard(word("Consent Granted", 1, "news"), word("Consent Granted", 5, "news", double_opt_in=True))
    assert permitted(words, TREE, "shop", "email", "news", 9)
    assert requests(words, TREE, "shop", "email") == [Request("news", 5)]
