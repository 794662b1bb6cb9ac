"""Surveys as documents: questions with typed answers, the way from one to the next, points and results. Pure: a page and a dialogue of a
bot walk the same document.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from schemas.documents import Document
from schemas.facts import Fact

ANSWERED = "Survey Answered"
COMPLETED = "Survey Completed"
END = "end"
MAX_TEXT = 2_000  # characters of a free answer
MOST_CHOSEN = 50
_RESERVED = frozenset((END, "points", "result"))
_NUMBER = re.compile(r"-?\d{1,15}(?:[.,]\d{1,6})?", re.ASCII)
_WIDEST = 11  # steps of a scale, which stand in one row

Texts = Annotated[dict[Literal["en", "ru"], Annotated[str, Field(min_length=1, max_length=1000)]], Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,62}$")]
Kind = Literal["nps", "choice", "choices", "scale", "text", "number", "date", "yes_no"]
Answer = bool | int | float | str | tuple[str, ...]
Fault = Literal["required", "choose", "range", "number", "date", "long"]

_OPS: Mapping[str, frozenset[str]] = {
    "nps": frozenset(("eq", "in", "ge", "le")),
    "scale": frozenset(("eq", "in", "ge", "le")),
    "number": frozenset(("eq", "in", "ge", "le")),
    "choice": frozenset(("eq", "in")),
    "choices": frozenset(("has",)),
    "yes_no": frozenset(("eq",)),
    "date": frozenset(("ge", "le")),
    "text": frozenset(),
}


class Option(Document):
    """What may be chosen. points: that the choice is worth."""

    key: Name
    text: Texts
    points: int = Field(default=0, ge=-1_000_000, le=1_000_000, strict=True)


class Jump(Document):
    """Where an answer leads. op: how it compares with `value`; `has`: the option is among the chosen ones. next: a later question, or `end`."""

    op: Literal["eq", "in", "ge", "le", "has"] = "eq"
    value: StrictBool | StrictInt | StrictFloat | StrictStr | tuple[StrictInt | StrictFloat | StrictStr, ...]
    next: Name

    def leads(self, answer: Answer | None) -> bool:
        """Whether this answer takes that way. A question that was passed by takes none."""
        if answer is None:
            return False
        if self.op == "has":
            return isinstance(answer, tuple) and self.value in answer
        if self.op == "in":
            return isinstance(self.value, tuple) and answer in self.value
        if self.op == "eq":
            return type(answer) is type(self.value) and answer == self.value
        if isinstance(answer, str) or isinstance(self.value, str):
            comparable = isinstance(answer, str) and isinstance(self.value, str)
        else:
            comparable = not isinstance(self.value, tuple) and not isinstance(answer, tuple)
        return comparable and (answer >= self.value if self.op == "ge" else answer <= self.value)  # type: ignore[operator]


class Question(Document):
    """One question. kind nps: 0 to 10; scale: whole numbers from `min` to `max`; number: any, within them where they are given; choice: one
    of `options`, choices: some of them; date: a day; yes_no; text: free.

    points: of a yes; the number of an nps or scale counts itself where `scored`. jumps: the first that fits the answer says what comes
    next, else it is `next`, else the question that stands below. note: under the question.
    """

    id: Name
    kind: Kind
    text: Texts
    note: Texts | None = None
    required: bool = True
    options: tuple[Option, ...] = Field(default=(), max_length=MOST_CHOSEN)
    min: int | None = Field(default=None, ge=-(10**15), le=10**15, strict=True)
    max: int | None = Field(default=None, ge=-(10**15), le=10**15, strict=True)
    scored: bool = False
    points: int = Field(default=0, ge=-1_000_000, le=1_000_000, strict=True)
    jumps: tuple[Jump, ...] = Field(default=(), max_length=50)
    next: Name | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Question":
        if self.id in _RESERVED:
            raise ValueError(f"id: `{self.id}` means something else, take another one")
        chosen = [option.key for option in self.options]
        if (self.kind in ("choice", "choices")) != bool(chosen) or len(set(chosen)) < len(chosen):
            raise ValueError("options: a choice needs some, each with a key of its own; the others have none")
        if self.kind == "scale" and (self.min is None or self.max is None or not self.min < self.max < self.min + _WIDEST):
            raise ValueError(f"max: a scale needs min and max, of at most {_WIDEST} steps")
        for jump in self.jumps:
            if jump.op not in _OPS[self.kind] or ((jump.op == "in") != isinstance(jump.value, tuple)):
                known = ", ".join(sorted(_OPS[self.kind])) or "none"
                raise ValueError(
                    f"jumps: `{jump.op}` with this value does not fit a {self.kind}; it knows {known}, `in` takes a list"
                )
            asked = jump.value if isinstance(jump.value, tuple) else (jump.value,)
            if chosen and not set(asked) <= set(chosen):
                raise ValueError("jumps: there is no such option")
        return self

    @property
    def bounds(self) -> tuple[int | None, int | None]:
        """The least and the greatest number that answers it."""
        return (0, 10) if self.kind == "nps" else (self.min, self.max)


class Result(Document):
    """What so many points come to. from_points: at least so many."""

    key: Name
    from_points: int = Field(ge=-(10**9), le=10**9, strict=True)
    text: Texts


class Survey(Document):
    """A survey of a brand. `/s/{key}` is its public page where it is `open`; a letter has a personal link (`survey_url`).

    contact: whether the public page asks for an e-mail, without which nobody knows who answered. results: by points.
    """

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")
    brand: str = Field(min_length=1)
    title: Texts
    intro: Texts | None = None
    thanks: Texts | None = None
    open: bool = False
    contact: Literal["none", "optional", "required"] = "none"
    questions: tuple[Question, ...] = Field(min_length=1, max_length=100)
    results: tuple[Result, ...] = Field(default=(), max_length=50)

    @model_validator(mode="after")
    def _connected(self) -> "Survey":
        ids = [question.id for question in self.questions]
        if len(set(ids)) < len(ids):
            raise ValueError("questions: every question needs an id of its own")
        for place, question in enumerate(self.questions):
            later = {*ids[place + 1 :], END}
            for target in (*(jump.next for jump in question.jumps), question.next or END):
                if target not in later:
                    raise ValueError(f"questions.{place}: `{target}` is no question behind it, nor `{END}`")
        if len({result.from_points for result in self.results}) < len(self.results):
            raise ValueError("results: two begin at the same points")
        return self


class Counted(NamedTuple):
    """What an answer that counts has come to: its points, and where it leads: a question's id, or `end`."""

    points: int
    next: str


def count(survey: Survey, question: Question, answer: Answer | None) -> Counted:
    """answer: None where the question was passed by."""
    target = next((jump.next for jump in question.jumps if jump.leads(answer)), question.next)
    if target is None:
        ids = [one.id for one in survey.questions]
        target = next(iter(ids[ids.index(question.id) + 1 :]), END)
    return Counted(points_of(question, answer), target)


def next_question(survey: Survey, counted: Mapping[str, Counted]) -> Question | None:
    """The first question that has no answer yet on the way that these (by question's id) take; None: the survey is at its end.

    Of questions beside the way nothing is asked.
    """
    place: int | None = 0
    while place is not None:
        question = survey.questions[place]
        if question.id not in counted:
            return question
        place = _next(survey, place, counted)
    return None


def way(survey: Survey, counted: Mapping[str, Counted]) -> list[Question]:
    """The questions that were asked and answered, or passed by, in their order."""
    passed: list[Question] = []
    place: int | None = 0
    while place is not None and survey.questions[place].id in counted:
        passed.append(survey.questions[place])
        place = _next(survey, place, counted)
    return passed


def _next(survey: Survey, place: int, counted: Mapping[str, Counted]) -> int | None:
    """Forward only: what was counted in another version of the survey may lead to what stands before it by now, or is gone."""
    target = counted[survey.questions[place].id].next
    return next((n for n, one in enumerate(survey.questions) if n > place and one.id == target), None)


def points_of(question: Question, answer: Answer | None) -> int:
    """What an answer is worth."""
    if question.kind in ("choice", "choices"):
        chosen = answer if isinstance(answer, tuple) else (answer,)
        return sum(option.points for option in question.options if option.key in chosen)
    if question.kind == "yes_no":
        return question.points if answer is True else 0
    return answer if question.scored and type(answer) is int else 0


def outcome(survey: Survey, counted: Mapping[str, Counted]) -> tuple[int, Result | None]:
    """The points of a way, and what they come to."""
    points = sum(counted[question.id].points for question in way(survey, counted))
    reached = [result for result in survey.results if result.from_points <= points]
    return points, max(reached, key=lambda result: result.from_points, default=None)


class Unreadable(ValueError):  # noqa: N818 - the answerer's fault, said to him
    """What was given is no answer to the question. code: why."""

    def __init__(self, code: Fault) -> None:
        super().__init__(code)
        self.code = code


def read_answer(question: Question, given: Sequence[str]) -> Answer | None:
    """The typed answer of what a form or a chat gave; None: it was passed by. Raises Unreadable."""
    said = [text.strip() for text in given if text.strip()]
    if not said:
        if question.required:
            raise Unreadable("required")
        return None
    if question.kind in ("choice", "choices"):
        return _chosen(question, said)
    if question.kind == "yes_no":
        if said[0] not in ("yes", "no"):
            raise Unreadable("choose")
        return said[0] == "yes"
    if question.kind == "text":
        if len(said[0]) > MAX_TEXT or "\x00" in said[0]:
            raise Unreadable("long")
        return said[0]
    return _day(said[0]) if question.kind == "date" else _number(question, said[0])


def _chosen(question: Question, said: Sequence[str]) -> Answer:
    known = [option.key for option in question.options]
    if not set(said) <= set(known) or (question.kind == "choice" and len(said) > 1):
        raise Unreadable("choose")
    return said[0] if question.kind == "choice" else tuple(key for key in known if key in said)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Unreadable("date") from None


def _number(question: Question, text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise Unreadable("number")
    value = float(text.replace(",", "."))
    if value.is_integer():
        value = int(value)
    elif question.kind != "number":
        raise Unreadable("number")
    low, high = question.bounds
    if (low is not None and value < low) or (high is not None and value > high):
        raise Unreadable("range")
    return value


def attributes_of(fact: Fact) -> dict[str, Any]:
    """What a fact of a survey says of the person, wherever he was asked: `survey.<survey>.<question>` is his answer, and of a whole one
    its points and result.
    """
    said = fact.properties
    survey = said.get("survey")
    if fact.event not in (ANSWERED, COMPLETED) or not isinstance(survey, str) or not survey:
        return {}
    if fact.event == COMPLETED:
        found = {name: said.get(name) for name in ("points", "result")}
    else:
        question = said.get("question")
        found = {question: said.get("answer")} if isinstance(question, str) and question else {}
    named = {f"survey.{survey}.{name}": value for name, value in found.items() if value is not None}
    return {name: value for name, value in named.items() if len(name) <= 200}
