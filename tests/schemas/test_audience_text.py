"""Sentences of conditions: one for each in both languages, as people say it, and another one where the meaning is another."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import audience as a
from schemas.attributes import canonical, date_ms
from schemas.audience_reading import parse
from schemas.audience_text import LEXICONS, Titles, sentence, sentences
from tests.schemas.conditions import DAY, KINDS, LEAVES, RUB, conditions

LANGUAGES = ("en", "ru")
BOUGHT = {"kind": "did", "event": "Order Completed"}


def said(document: Any, language: Any, titles: Titles = Titles()) -> str:  # noqa: B008
    return sentence(parse(document), language, titles).replace("\u00a0", " ")


def meaning(node: Any) -> Any:
    """Equal for conditions that nobody can tell apart by whom they are true of, as far as this domain goes."""
    match node:
        case a.All() | a.AnyOf():
            parts: dict[bytes, Any] = {}
            for part in map(meaning, node.of):
                for piece in part[1] if part[0] == node.kind else [part]:
                    parts[canonical(piece)] = piece
            unique = [parts[key] for key in sorted(parts)]
            return unique[0] if len(unique) == 1 else [node.kind if unique else "all", unique]
        case a.Not():
            inner = meaning(node.of)
            return inner[1] if inner[0] == "not" else ["not", inner]
        case a.Did(op="eq", value=0):
            return ["not", meaning(node.model_copy(update={"op": "ge", "value": 1}))]
        case a.Attribute(type="date"):
            return ["leaf", {**a.dump(node), "value": [date_ms(value) for value in node.listed]}]
    return ["leaf", a.dump(node)]


def test_there_are_leaves_of_every_kind():
    assert set(KINDS) == {model.model_fields["kind"].default for model in a.Leaf.__args__}
    assert len(LEAVES) > 1000


def test_both_languages_have_the_same_templates_with_the_same_parts():
    english, russian = (LEXICONS[language] for language in LANGUAGES)
    assert english.texts.keys() == russian.texts.keys()
    assert english.deeds.keys() == russian.deeds.keys() and english.names.keys() == russian.names.keys()
    for name, text in english.texts.items():
        parts = [{one.removesuffix("_of") for one in re.findall(r"{(\w+)}", each)} for each in (text, russian.texts[name])]
        assert parts[0] == parts[1], name


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_that_say_an_event_say_no_other(language):
    lexicon = LEXICONS[language]
    for field in ("did", "done", "over"):
        words = [getattr(deed, field) for deed in lexicon.deeds.values()]
        assert len(set(words)) == len(words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_leaves_that_differ_in_meaning_differ_in_words(language):
    found: dict[str, Any] = {}
    for leaf in LEAVES:
        for node in (leaf, a.Not(of=leaf)):
            text = sentence(node, language)
            assert not re.search(r"[{}]|None|  |^ | $|\(\)", text), text
            assert found.setdefault(text, meaning(node)) == meaning(node), text


@settings(max_examples=400, deadline=None)
@given(st.lists(conditions, min_size=2, max_size=12))
def test_trees_that_differ_in_meaning_differ_in_words(drawn):
    for language in LANGUAGES:
        found: dict[str, Any] = {}
        for one in drawn:
            wholes = sentences(one, language)
            assert wholes[0] == ("", sentence(one, language)) and all(text for _, text in wholes)
            assert found.setdefault(wholes[0].text, meaning(one)) == meaning(one), wholes[0].text
    for one in drawn:
        assert parse(a.dump(one)) == one


@settings(max_examples=100, deadline=None)
@given(conditions)
def test_a_tree_and_its_opposite_differ(one):
    for language in LANGUAGES:
        texts = {sentence(node, language) for node in (one, a.Not(of=one), a.All(of=(one, a.Not(of=one))))}
        assert len(texts) == 3


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_names_of_any_letters_are_kept_apart(one, other):
    for language in LANGUAGES:
        texts = {sentence(a.Did(event=name), language) for name in (one, other)}
        assert len(texts) == len({one, other})


@pytest.mark.parametrize(
    ("document", "english", "russian"),
    [
        (
            {**BOUGHT, "value": 2, "within": 90 * DAY, "where": [{"path": "total.minor", "op": "ge", "value": 500_000}, RUB]},
            "bought for 5,000 ₽ or more at least 2 times in the last 90 days",
            "купил на 5 000 ₽ и больше не меньше 2 раз за последние 90 дней",
        ),
        (
            {"kind": "any", "of": [{**BOUGHT, "value": 11}, {"kind": "distinct", "event": "X", "of": "sku", "value": 3}]},
            'bought at least 11 times or (the number of different "sku" over events "X" is at least 3)',
            'купил не меньше 11 раз или (число разных "sku" по событиям "X" — не меньше 3)',
        ),
        (
            {"kind": "not", "of": {**BOUGHT, "within": DAY}},
            "has not bought in the last day",
            "ни разу не купил за последний день",
        ),
        (
            {**BOUGHT, "op": "gt", "value": 21, "within": 21 * DAY},
            "bought more than 21 times in the last 21 days",
            "купил больше 21 раза за последние 21 день",
        ),
        (
            {**BOUGHT, "op": "eq", "value": 3, "within": 36 * 3_600_000},
            "bought exactly 3 times in the last 1 day 12 hours",
            "купил ровно 3 раза за последние 1 день 12 часов",
        ),
        (
            {**BOUGHT, "op": "lt", "value": 112, "within": 60_000},
            "bought less than 112 times in the last minute",
            "купил меньше 112 раз за последнюю минуту",
        ),
        (
            {"kind": "total", "event": "Order Completed", "sum": "total.minor", "op": "lt", "value": 123_450, "where": [RUB]},
            'the sum of "total" over purchases is less than 1,234.50 ₽',
            'сумма "total" по покупкам — меньше 1 234,50 ₽',
        ),
        (
            {"kind": "total", "event": "Order Completed", "sum": "total.minor", "op": "ge", "value": 500_000},
            'the sum of "total.minor" over purchases is at least 500,000 minor units',
            'сумма "total.minor" по покупкам — не меньше 500 000 копеек (центов)',
        ),
        (
            {"kind": "average", "event": "X", "of": "sum.minor", "op": "ge", "value": -5, "where": [{**RUB, "path": "sum.currency", "value": "JPY"}]},
            'the average of "sum" over events "X" is at least -5 JPY',
            'среднее "sum" по событиям "X" — не меньше -5 JPY',
        ),
        (
            {"kind": "age", "event": "page", "op": "older", "age": 2 * DAY},
            "last visited a page 2 days ago or earlier",
            "в последний раз заходил на страницу 2 дня назад или раньше",
        ),
        (
            {"kind": "since", "event": "Product Added", "without": {"event": "Order Completed"}, "after": 3_600_000, "within": 14 * DAY},
            "put a product into the basket at least 1 hour and less than 14 days ago, and has not bought since",
            "положил товар в корзину не меньше 1 часа и меньше 14 дней назад и с тех пор не купил",
        ),
        (
            {"kind": "all", "of": [{"kind": "attribute", "name": "plan", "op": "eq", "value": "pro"},
                                   {"kind": "any", "of": [{"kind": "reachable", "channel": "sms"}, {"kind": "segment", "key": "vip"}]}]},
            '"plan" is "pro" and (can be reached by SMS or is in the segment "vip")',
            '"plan" — "pro" и (доступен по SMS или в сегменте "vip")',
        ),
        (
            {"kind": "date", "name": "tariff_end", "after": 0, "until": 7 * DAY},
            '"tariff_end" comes in the next 7 days',
            '"tariff_end" наступит в ближайшие 7 дней',
        ),
        (
            {"kind": "attribute", "name": "seen", "op": "ge", "type": "date", "value": "2026-03-31"},
            '"seen" is 31 March 2026 or later',
            '"seen" не раньше 31 марта 2026',
        ),
    ],
)  # fmt: skip
def test_as_people_say_it(document, english, russian):
    assert (said(document, "en"), said(document, "ru")) == (english, russian)


def test_titles_stand_for_names_unless_two_names_share_one():
    titles = Titles(
        events={"X": "Заявка", "Y": "Звонок", "Z": "звонок"},
        attributes={("plan", ""): "Тариф", ("account", "kind"): "Вид компании"},
        segments={"vip": "Лучшие"},
        topics={"news": "Новости"},
    )

    def russian(**document: Any) -> str:
        return said(document, "ru", titles)

    assert russian(kind="did", event="X") == "сделал «Заявка» хотя бы раз"
    assert russian(kind="did", event="Y") == 'сделал "Y" хотя бы раз'
    assert russian(kind="segment", key="vip") == "в сегменте «Лучшие»"
    assert russian(kind="attribute", name="plan", op="exists") == "«Тариф» известно"
    assert russian(kind="attribute", name="plan", path="x", op="exists") == '"x" из «Тариф» известно'
    assert russian(kind="attribute", name="account", path="kind", op="exists") == "«Вид компании» известно"
    assert russian(kind="consent", channel="sms", topic="news") == "согласен на сообщения по SMS на тему «Новости»"


def test_each_node_has_its_path():
    document = {
        "kind": "all",
        "of": [BOUGHT, {"kind": "not", "of": {"kind": "any", "of": [BOUGHT, {"kind": "segment", "key": "x"}]}}],
    }
    assert [one.path for one in sentences(parse(document), "en")] == ["", "of.0", "of.1", "of.1.of", "of.1.of.of.0", "of.1.of.of.1"]
    assert sentences(parse(document), "en")[2].text == 'not (bought at least once or is in the segment "x")'
