"""What a form adds to a run of a survey, and the words of open pages."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.surveys import Survey, count, outcome
from services.sender import survey_runs as runs
from services.sender.links import Keys, Kind, sign
from services.sender.surveys import read
from tests.schemas.test_surveys import NPS

SURVEY = Survey.model_validate(NPS)
SCORE = SURVEY.questions[0]
KEYS = Keys(1, {1: b"1" * 32})


@given(st.integers(0, 10), st.integers(0, 10))
def test_what_counts_says_the_way_and_the_points_whatever_the_form_says_now(first, then):
    counted = {"score": count(SURVEY, SCORE, first)}
    form = {"at": ["friend", "more"], "q.score": [str(then)], "q.why": ["price"], "q.friend": ["yes"], "q.more": [""]}
    told = read(SURVEY, form, counted)
    assert told.current is None and "score" not in told.answers
    assert list(told.answers) == (["friend"] if first >= 9 else ["why", "more"])
    assert outcome(SURVEY, told.counted)[0] == first + (5 if first >= 9 else -2)


@given(st.integers(0, 60_000 * runs.DAY_MS), st.integers(0, 20 * runs.DAY_MS))
def test_a_word_is_taken_for_a_week_at_most_and_only_one_of_ours(now, later):
    word = runs.word_of(now, KEYS)
    ends = runs.word_ends(word, now, KEYS)
    assert ends is not None and now + 6 * runs.DAY_MS < ends <= now + 7 * runs.DAY_MS
    assert runs.word_ends(word, now + later, KEYS) == (ends if now + later < ends else None)
    assert runs.word_ends(word, now, Keys(1, {1: b"2" * 32})) is None


def test_no_other_token_is_a_word():
    for token in ("", "x", sign(Kind.SURVEY, "6f1d3c5e-0b55-5c0e-9d0b-0a7f6b1f2a11", 0, KEYS), sign(Kind.CLICK, "6f1d3c5e-0b55-5c0e-9d0b-0a7f6b1f2a11", 60_000, KEYS)):  # fmt: skip
        assert runs.word_ends(token, 10 * runs.DAY_MS, KEYS) is None
