"""The preference centre, pure: what is offered, and which words are said by what is changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from schemas.permission import ALL, Said, joined, permitted, subject, tree
from schemas.subscriptions import Topic
from schemas.topics import CHANNELS as CHANNELS_OF_ALL
from services.sender.pages import choices, shell
from services.sender.pages.choices import Change, Row
from services.sender.pages.texts import EN, RU, TEXTS
from services.sender.subjects import Subjects

TOPICS = (
    Topic(key="news", brand="shop", name={"en": "News", "ru": "Новости"}),
    Topic(key="weekly", brand="shop", name={"en": "Weekly", "ru": "Раз в неделю"}, parent="news"),
    Topic(key="daily", name={"ru": "Каждый день"}, parent="news"),
    Topic(key="sales", brand="shop", name={"en": "A sale"}),
    Topic(key="school", brand="school", name={"en": "School"}),
)
SHOP = Subjects(TOPICS, tree(TOPICS), {})
CHANNELS = ("email", "sms")


def offered(words=None, language="en") -> list[Row]:
    return choices.rows(SHOP, "shop", words or {}, CHANNELS, language, 10)


def test_the_topics_of_the_brand_stand_as_a_tree_below_everything_in_the_persons_language():
    assert [(row.topic, row.label, row.depth) for row in offered()] == [
        ("*", "All messages", 0),
        ("sales", "A sale", 1),
        ("news", "News", 1),
        ("weekly", "Weekly", 2),
        ("daily", "Каждый день", 2),
    ]
    assert [row.label for row in offered(language="ru")] == ["Все сообщения", "A sale", "Новости", "Каждый день", "Раз в неделю"]


def test_it_shows_what_is_permitted_on_each_channel():
    on = {row.topic: row.on for row in offered({"shop|email|news": Said(yes=1), "shop|*|weekly": Said(no=2)})}
    assert on["news"] == on["daily"] == {"email": True, "sms": False}
    assert on["weekly"] == on["*"] == on["sales"] == {"email": False, "sms": False}


boxes = st.sets(
    st.sampled_from([choices.box(channel, row.topic) for row in offered() for channel in CHANNELS] + ["email|school", "?"])
)


@given(boxes, boxes)
def test_a_word_is_said_by_what_he_changed_and_by_nothing_else(was, ticked):
    said = choices.changes(offered(), was, ticked)
    assert {choices.box(c.channel, c.topic) for c in said} == (was ^ ticked) - {"email|school", "?"}
    assert all(c.granted == (choices.box(c.channel, c.topic) in ticked) for c in said)
    assert [c.granted for c in said] == sorted(c.granted for c in said)


@given(
    st.dictionaries(
        st.sampled_from(["shop|email|*", "shop|email|news", "shop|*|weekly"]), st.builds(Said, st.integers(0, 9), st.integers(0, 9))
    ),
    boxes,
)
def test_what_he_switches_on_is_on_and_what_he_switches_off_is_off_afterwards(words, ticked):
    """Whatever he does in one go: a part by itself may be switched on while what it is a part of is switched off."""
    before = offered(words)
    was = {choices.box(channel, row.topic) for row in before for channel, on in row.on.items() if on}
    after = dict(words)
    said = choices.changes(before, was, ticked)
    for change in said:
        about = subject("shop", change.channel, change.topic)
        word = Said(yes=21) if change.granted else Said(no=20)
        after[about] = joined(after.get(about, Said()), word)
    for change in said:
        assert permitted(after, SHOP.tree, "shop", change.channel, change.topic, 30) is change.granted


def test_everything_off_is_one_word():
    after = {"shop|email|news": Said(yes=5), subject("shop", ALL, ALL): Said(no=6)}
    assert not any(on for row in offered(after) for on in row.on.values())
    assert choices.changes(offered(), (), ("email|news",)) == [Change("email", "news", granted=True)]


@pytest.mark.parametrize(
    ("channel", "address", "shown"),
    [
        ("email", "ann@example.org", "a•••@e•••.org"),
        ("email", "a@example.org", "a•••@e•••.org"),
        ("sms", "+79161234567", "•••67"),
        ("telegram", "123456", "•••56"),
    ],
)
def test_no_address_is_shown_in_full(channel, address, shown):
    assert shell.masked(channel, address) == shown


@pytest.mark.parametrize(
    ("query", "known", "accept", "brand", "language"),
    [
        ("", None, "", "en", "en"),
        ("", None, "", "ru", "ru"),
        ("", None, "de, fr;q=0.9", "ru", "ru"),
        ("", None, "en-GB,ru;q=0.8", "ru", "en"),
        ("", None, "de,en;q=0.2,ru;q=0.8", "en", "ru"),
        ("", None, "ru;q=x,en", "ru", "en"),
        ("", "ru_RU", "en", "en", "ru"),
        ("lang=en", "ru", "ru", "ru", "en"),
        ("lang=xx", None, "ru", "en", "ru"),
    ],
)
def test_the_language_is_his(query, known, accept, brand, language):
    headers = [(b"accept-language", accept.encode())] if accept else []
    request = Request({"type": "http", "query_string": query.encode(), "headers": headers})
    assert shell.language_of(request, known, brand) == language


def test_both_languages_say_all_and_fill_the_same_blanks():
    for name, english, russian in zip(EN._fields, EN, RU, strict=True):
        if isinstance(english, str):
            assert (
                english and russian and [b in english for b in ("{brand}", "{to}")] == [b in russian for b in ("{brand}", "{to}")]
            ), name
    assert {texts.channels.keys() == set(CHANNELS_OF_ALL) for texts in TEXTS.values()} == {True}
