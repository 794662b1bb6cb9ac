"""Surveys: the way through the questions, typed answers, points; what a document may not say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import surveys
from schemas.surveys import Counted, Survey, Unreadable, attributes_of, count, next_question, outcome, points_of, read_answer, way
from tests.support.live import fact

Q = {"text": {"en": "?"}}
NPS = {
    "key": "nps",
    "brand": "shop",
    "title": {"en": "NPS"},
    "questions": [
        {"id": "score", "kind": "nps", "scored": True, **Q, "jumps": [{"op": "ge", "value": 9, "next": "friend"}]},
        {"id": "why", "kind": "choices", **Q, "options": [{"key": k, "points": p, **Q} for k, p in (("price", -2), ("speed", 3))]},
        {"id": "more", "kind": "text", "required": False, **Q, "next": "end"},
        {"id": "friend", "kind": "yes_no", "points": 5, **Q},
    ],
    "results": [{"key": k, "from_points": n, **Q} for k, n in (("critic", -100), ("neutral", 7), ("promoter", 12))],
}
SURVEY = Survey.model_validate(NPS)
GIVEN = {
    "nps": "7",
    "choice": "a",
    "choices": "a",
    "scale": "2",
    "text": "x",
    "number": "1,5",
    "date": "2026-03-31",
    "yes_no": "yes",
}


@pytest.mark.parametrize(
    ("answers", "asked", "points", "result"),
    [
        ({"score": 9, "friend": True}, ["score", "friend"], 14, "promoter"),
        ({"score": 10, "friend": False}, ["score", "friend"], 10, "neutral"),
        ({"score": 8, "why": ("price", "speed"), "more": None}, ["score", "why", "more"], 9, "neutral"),
        ({"score": 0, "why": ("price",), "more": "dear", "friend": True}, ["score", "why", "more"], -2, "critic"),
    ],
)
def test_the_way_of_the_answers_is_asked_and_counted_and_no_other(answers, asked, points, result):
    told = {}
    while (question := next_question(SURVEY, told)) is not None:
        told[question.id] = count(SURVEY, question, answers[question.id])
    beside = {one.id: count(SURVEY, one, answers[one.id]) for one in SURVEY.questions if one.id in answers}
    assert [one.id for one in way(SURVEY, beside)] == asked == list(told)
    reached = outcome(SURVEY, beside)
    assert outcome(SURVEY, told) == reached
    assert (reached[0], reached[1].key) == (points, result)


def question(kind: str, **more):
    options = [{"key": key, "points": n, **Q} for n, key in enumerate("abc", 1)] if kind in ("choice", "choices") else []
    bounds = {"min": 1, "max": 5} if kind == "scale" else {}
    return {"id": "q", "kind": kind, "options": options, **bounds, **Q, **more}


def one_of(kind: str, **more):
    return Survey.model_validate({**NPS, "questions": [question(kind, **more)], "results": []}).questions[0]


@st.composite
def documents(draw):
    """Surveys of any kinds, jumping anywhere forward."""
    size = draw(st.integers(1, 6))
    made = []
    for n in range(size):
        targets = [*(f"q{m}" for m in range(n + 1, size)), "end"]
        kind = draw(st.sampled_from(["nps", "yes_no", "choice", "text"]))
        value = {"nps": 5, "yes_no": True, "choice": "b", "text": None}[kind]
        jumps = [] if value is None else [{"op": "eq", "value": value, "next": draw(st.sampled_from(targets))}]
        after = draw(st.sampled_from([None, *targets]))
        made.append({**question(kind), "id": f"q{n}", "required": draw(st.booleans()), "jumps": jumps, "next": after})
    return Survey.model_validate({**NPS, "questions": made})


@given(documents(), st.lists(st.sampled_from(["", "5", "yes", "b", "text"]), min_size=6, max_size=6))
def test_every_survey_comes_to_its_end_each_question_once_and_in_order(survey, given_):
    answers, counted, asked = {}, {}, []
    while (found := next_question(survey, counted)) is not None:
        try:
            answers[found.id] = read_answer(found, [given_[len(asked)]])
        except Unreadable:
            answers[found.id] = None
        counted[found.id] = count(survey, found, answers[found.id])
        asked.append(found.id)
        assert len(asked) <= len(survey.questions)
    assert asked == sorted(asked) == [one.id for one in way(survey, counted)]
    points, _ = outcome(survey, counted)
    assert points == sum(points_of(one, answers[one.id]) for one in survey.questions if one.id in asked)


@given(
    documents(),
    st.dictionaries(st.sampled_from([f"q{n}" for n in range(6)]), st.sampled_from([*(f"q{n}" for n in range(6)), "end"])),
)
def test_what_was_counted_in_another_version_leads_forward_to_an_end_too(survey, told):
    counted = {id_: Counted(1, target) for id_, target in told.items()}
    passed = [one.id for one in way(survey, counted)]
    assert passed == sorted(set(passed)) and outcome(survey, counted)[0] == len(passed)
    while (found := next_question(survey, counted)) is not None:
        counted[found.id] = count(survey, found, None)


@pytest.mark.parametrize(
    ("kind", "typed"),
    [("nps", 7), ("choice", "a"), ("choices", ("a",)), ("scale", 2), ("text", "x"), ("number", 1.5), ("date", "2026-03-31"), ("yes_no", True)],
)  # fmt: skip
def test_answers_are_typed_and_nothing_is_an_answer_only_where_it_may_be(kind, typed):
    answer = read_answer(one_of(kind), [GIVEN[kind]])
    assert (answer, type(answer)) == (typed, type(typed))
    with pytest.raises(Unreadable, match="required"):
        read_answer(one_of(kind), [" "])
    assert read_answer(one_of(kind, required=False), []) is None


@pytest.mark.parametrize(
    ("kind", "given_", "code"),
    [
        ("nps", "11", "range"), ("nps", "1.5", "number"), ("nps", "ten", "number"), ("scale", "0", "range"), ("choice", "z", "choose"),
        ("yes_no", "да", "choose"), ("date", "31.03", "date"), ("number", "1e9", "number"), ("number", "٣", "number"),
        ("text", "x" * 2001, "long"), ("text", "a\x00", "long"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_told_by_its_kind(kind, given_, code):
    with pytest.raises(Unreadable) as fault:
        read_answer(one_of(kind), [given_])
    assert fault.value.code == code


def test_one_is_not_true_and_a_choice_is_one():
    jumping = one_of("yes_no", jumps=[{"op": "eq", "value": True, "next": "end"}])
    assert jumping.jumps[0].leads(True) and not jumping.jumps[0].leads(1)
    number = one_of("nps", jumps=[{"op": "eq", "value": 1, "next": "end"}, {"op": "in", "value": [2, 3], "next": "end"}])
    assert number.jumps[0].leads(1) and not number.jumps[0].leads(True) and number.jumps[1].leads(3)
    with pytest.raises(Unreadable):
        read_answer(one_of("choice"), ["a", "b"])
    assert read_answer(one_of("choices"), ["b", "a"]) == ("a", "b")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"questions": [question("text"), question("text")]}, "an id of its own"),
        ({"questions": [{**question("text"), "next": "q"}]}, "no question behind it"),
        ({"questions": [question("choice", options=[])]}, "a choice needs some"),
        ({"questions": [question("text", options=[{"key": "a", **Q}])]}, "the others have none"),
        ({"questions": [question("scale", max=50)]}, "at most 11 steps"),
        ({"questions": [question("choice", jumps=[{"value": "z", "next": "end"}])]}, "no such option"),
        ({"questions": [question("text", jumps=[{"value": "z", "next": "end"}])]}, "does not fit a text"),
        ({"results": [{"key": "a", "from_points": 1, **Q}, {"key": "b", "from_points": 1, **Q}]}, "same points"),
    ],
)
def test_what_a_document_may_not_say(change, why):
    with pytest.raises(ValidationError, match=why):
        Survey.model_validate({**NPS, **change})


def test_answers_from_wherever_are_attributes_of_the_person():
    said = {"survey": "nps", "question": "score", "answer": 9, "points": 9, "run": "r"}
    assert attributes_of(fact("1", "user_id:1", event=surveys.ANSWERED, properties=said)) == {"survey.nps.score": 9}
    done = {"survey": "nps", "points": 12, "result": "promoter"}
    completed = attributes_of(fact("2", "user_id:1", event=surveys.COMPLETED, properties=done))
    assert completed == {"survey.nps.points": 12, "survey.nps.result": "promoter"}
    for odd in ({}, {"survey": 7, "question": "q", "answer": 1}, {"survey": "s", "question": [], "answer": 1}, {"survey": "s", "question": "q" * 300, "answer": 1}):  # fmt: skip
        assert attributes_of(fact("3", "user_id:1", event=surveys.ANSWERED, properties=odd)) == {}
    assert attributes_of(fact("4", "user_id:1", event="Order Completed", properties=said)) == {}
