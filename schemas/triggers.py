"""What starts a journey beside a fact and a segment: a date of the person's, a schedule, a call of the API, a deal, an answer to a survey."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from schemas.accounts import DEAL_LOST, DEAL_STAGE_CHANGED, DEAL_WON
from schemas.audience import Anniversary, Condition, DateAttribute, Filter
from schemas.audience_nodes import Literals, Name, Path, Scalar
from schemas.audience_windows import ZoneName
from schemas.contact import Clock, Weekday
from schemas.documents import Document, checked_offset, offset_ms
from schemas.steps import FactTrigger, SegmentTrigger
from schemas.surveys import ANSWERED, COMPLETED
from schemas.zones import DAY

JOURNEY_START = "journey.start"  # type of a fact by which the API starts a journey: no tracking call can say it
OF_START = "journey"  # the property of it that names the journey
MOST_DAYS = 366
Text = Annotated[str, Field(min_length=1, max_length=200)]
Texts = Annotated[
    tuple[Text, ...],
    Field(min_length=1, max_length=100),
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Bound = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class OfDate(Document):
    """So long before (-7d) or after a date attribute of the person.

    at: at that time of his own day, counted in whole days; left out: to the millisecond, and of `every: year` at the midnight. every year: as
    it recurs; else once, in its own year. zone: of people whose own is unknown; left out: the brand's, when it is published.
    """

    attribute: Name
    path: Path = ""
    offset: str = "0d"
    at: Clock | None = None
    every: Literal["year"] | None = None
    zone: ZoneName | None = None

    _check = field_validator("offset")(checked_offset)

    @property
    def by_day(self) -> bool:
        """Whether it is a matter of local days, not of an instant."""
        return self.at is not None or self.every is not None

    @model_validator(mode="after")
    def _whole_days(self) -> "OfDate":
        days, rest = divmod(offset_ms(self.offset), DAY)
        if self.by_day and (rest or abs(days) > MOST_DAYS):
            raise ValueError(f"offset: whole days, at most {MOST_DAYS}, where it is at a time of the day or yearly")
        return self

    def condition(self) -> Condition:
        """True for a day from that instant on, or on that local day."""
        offset = offset_ms(self.offset)
        if not self.by_day:
            return DateAttribute(name=self.attribute, path=self.path, after=-offset - DAY, until=-offset)
        year: Literal["own"] | None = None if self.every else "own"
        return Anniversary(name=self.attribute, path=self.path, before=-offset // DAY, year=year, zone=self.zone or "UTC")


class DateTrigger(Document):
    """His day comes. Whoever stands there already when the journey is published, or is known too late, is not started."""

    date: OfDate


class Schedule(Document):
    """At a time of the day: every day, every week `on` weekdays, every month on a `day` (31: its last), or once, on a `date`.

    clock: whose day it is.
    """

    at: Clock
    every: Literal["day", "week", "month"] | None = None
    on: tuple[Weekday, ...] = Field(default=(), max_length=7)
    day: Annotated[int, Field(strict=True, ge=1, le=31)] | None = None
    date: str | None = None
    clock: Literal["person", "brand"] = "person"

    @field_validator("date")
    @classmethod
    def _date(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                found = date.fromisoformat(value).isoformat()
            except ValueError:
                found = ""
            if found != value:
                raise ValueError(f"{value[:40]!r} is no date: write it like 2026-03-31")
        return value

    @model_validator(mode="after")
    def _one(self) -> "Schedule":
        if (self.every is None) == (self.date is None):
            raise ValueError("every: give it or `date`, one of them")
        if bool(self.on) != (self.every == "week"):
            raise ValueError("on: the weekdays of `every: week`, and of nothing else")
        if (self.day is not None) != (self.every == "month"):
            raise ValueError("day: the day of `every: month`, and of nothing else")
        return self


class ScheduleTrigger(Document):
    """Everybody who meets the journey's `audience` at that time, once each time."""

    schedule: Schedule


class ApiTrigger(Document):
    """A call of `POST /api/journeys/{key}/start`."""

    api: Literal[True]


class DealStage(Document):
    """A deal of his that truly came into a stage, or was won or lost. Values are texts, or lists of them of which one is enough."""

    pipeline: Texts | None = None
    stage: Texts | None = None
    status: Literal["won", "lost"] | None = None
    lost_reason: Texts | None = None

    @model_validator(mode="after")
    def _some(self) -> "DealStage":
        if self.stage is None and self.status is None and self.lost_reason is None:
            raise ValueError("stage: give it, `status` or `lost_reason`")
        if self.lost_reason is not None and self.status == "won":
            raise ValueError("lost_reason: a deal that is won has none")
        return self


class DealTrigger(Document):
    deal_stage: DealStage


class SurveyAnswer(Document):
    """An answer to a question of a survey, or (without a question) that one was completed.

    answer: it, or a list of which one is enough; at_least, at_most: of a number; has: of what was chosen. result: of a completed one.
    """

    key: Text
    question: Text | None = None
    answer: Literals = None
    at_least: Bound | None = None
    at_most: Bound | None = None
    has: Text | None = None
    result: Texts | None = None

    @model_validator(mode="after")
    def _fitting(self) -> "SurveyAnswer":
        asked = [name for name in ("answer", "at_least", "at_most", "has") if getattr(self, name) is not None]
        if asked and self.question is None:
            raise ValueError(f"question: say to which, for `{asked[0]}`")
        if self.result is not None and self.question is not None:
            raise ValueError("result: it is of the whole survey, leave `question` out")
        if isinstance(self.answer, tuple) and len({type(one) for one in self.answer}) != 1:
            raise ValueError("answer: one or more values of one type")
        return self


class SurveyTrigger(Document):
    survey: SurveyAnswer


Trigger = FactTrigger | SegmentTrigger | DateTrigger | ScheduleTrigger | ApiTrigger | DealTrigger | SurveyTrigger


def reentry_of(trigger: object) -> Literal["outside", "always", "never"]:
    """The mode of re-entry where nothing is said: what comes again by itself, or is asked for, is not held back. trigger: as it is written, or
    read.
    """
    said = trigger.model_dump().keys() if isinstance(trigger, Document) else trigger.keys() if isinstance(trigger, dict) else ()
    return "outside" if "date" in said or "schedule" in said else "always" if "api" in said else "never"


def as_fact(key: str, trigger: Trigger) -> FactTrigger | None:
    """The fact that is meant; None where it is none. key: of the journey."""
    match trigger:
        case FactTrigger():
            return trigger
        case ApiTrigger():
            return FactTrigger(event=JOURNEY_START, where=(Filter(path=OF_START, op="eq", value=key),))
        case DealTrigger(deal_stage=deal):
            return _of_deal(deal)
        case SurveyTrigger(survey=survey):
            return _of_survey(survey)
    return None


def _of_deal(deal: DealStage) -> FactTrigger:
    lost = deal.status == "lost" or deal.lost_reason is not None
    event = DEAL_LOST if lost else DEAL_WON if deal.status == "won" else DEAL_STAGE_CHANGED
    wanted = (("pipeline", deal.pipeline), ("stage", deal.stage), ("reason_lost", deal.lost_reason))
    return FactTrigger(event=event, where=tuple(_is(path, value) for path, value in wanted if value is not None))


def _of_survey(survey: SurveyAnswer) -> FactTrigger:
    where = [_is("survey", survey.key)]
    if survey.question is None:
        where += [_is("result", survey.result)] if survey.result is not None else []
        return FactTrigger(event=COMPLETED, where=tuple(where))
    where.append(_is("question", survey.question))
    if survey.answer is not None:
        where.append(_is("answer", survey.answer))
    bounds = (("ge", survey.at_least), ("le", survey.at_most), ("contains", survey.has))
    where += [Filter.model_validate({"path": "answer", "op": op, "value": value}) for op, value in bounds if value is not None]
    return FactTrigger(event=ANSWERED, where=tuple(where))


def _is(path: str, value: Scalar | tuple[Scalar, ...]) -> Filter:
    return Filter(path=path, op="in" if isinstance(value, tuple) else "eq", value=value)
