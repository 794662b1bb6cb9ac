"""What a report asks for: a target action and how long after a message it counts. docs/reports.md."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, StringConstraints, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.audience_nodes import Filter, Name, Node, Path, Problem
from schemas.audience_reading import Fault
from schemas.audience_windows import ZoneName

DAY_MS = 86_400_000
MAX_WINDOW_MS = 366 * DAY_MS
DEFAULT_WINDOW_MS = 7 * DAY_MS
_UNITS: Mapping[str, int] = {"m": 60_000, "h": 3_600_000, "d": DAY_MS, "w": 7 * DAY_MS}
_SPAN = re.compile(r"([1-9]\d{0,8})([mhdw])")


def _window(value: Any) -> int:
    """Whole ms, or a text such as `30m`, `12h`, `7d`, `2w`."""
    if isinstance(value, str) and (found := _SPAN.fullmatch(value)):
        value = int(found[1]) * _UNITS[found[2]]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise PydanticCustomError("window", "no window: give whole milliseconds or a text such as 30m, 12h, 7d or 2w")
    if value > MAX_WINDOW_MS:
        raise PydanticCustomError("window_too_long", "longer than {days} days", {"days": MAX_WINDOW_MS // DAY_MS})
    return value


Window = Annotated[int, PlainValidator(_window), WithJsonSchema({"type": ["integer", "string"], "examples": ["7d", "12h"]})]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Target(Node):
    """What people are wished to do: facts of one event name, all `where` filters true.

    value: the property that says what it was worth: money (`total` with `minor` and `currency` in it) or a whole number. currency: the only
    one that is summed, where facts have several. window: a fact at t counts for a message at s while s < t <= s + window (ms, or a text such
    as `7d`).
    """

    event: Name
    where: Annotated[tuple[Filter, ...], Field(max_length=20)] = ()
    value: Annotated[Path, Field(min_length=1)] | None = None
    currency: Currency | None = None
    window: Window = DEFAULT_WINDOW_MS

    def problems(self) -> Iterator[Problem]:
        if self.currency is not None and self.value is None:
            yield "currency", "unexpected", "a currency is of a value: give `value` too"


class TargetError(ValueError):
    """Everything that is wrong with a target action, at once."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.path or 'target'}: {fault.message}" for fault in faults))
        self.faults = faults


def parse_target(document: Any, at: str = "") -> Target:
    """A target action from its JSON form. Raises TargetError, whose faults begin at `at`."""
    try:
        return Target.model_validate(document)
    except ValidationError as error:
        raise TargetError(tuple(faults_of(error, at))) from error


def faults_of(error: ValidationError, at: str = "") -> Iterator[Fault]:
    """One fault for each field that pydantic names, and one for each contradiction between fields. at: where the document stands."""
    for detail in error.errors(include_url=False, include_input=False):
        place = ".".join(part for part in (at, *map(str, detail["loc"])) if part)
        problems: list[Problem] = detail.get("ctx", {}).get("problems", [])
        if detail["type"] == "problems":
            for field, code, message in problems:
                yield Fault(path=f"{place}.{field}".lstrip("."), code=code, message=message)
        else:
            yield Fault(path=place, code=detail["type"], message=detail["msg"], params=detail.get("ctx", {}))


Group = Literal["document", "step", "template", "variant", "channel", "class", "launch", "version", "brand", "day", "week", "month"]
PERIODS: tuple[Group, ...] = ("day", "week", "month")
# What a report counts of messages and of control units; each opens the people behind it. A figure is named as it stands in a row.
MESSAGE_FIGURES = (
    "sent", "delivered", "bounced", "opened", "opened_raw", "clicked", "clicked_raw", "click_to_open", "unsubscribed", "complained", "failed", "in_doubt",
)  # fmt: skip
TARGET_FIGURES = ("converted", "credited")
CONTROLS = ("local", "global")
CONTROL_FIGURES = tuple(f"control.{group}.{figure}" for group in CONTROLS for figure in ("would_have_sent", *TARGET_FIGURES))
FIGURES = (*MESSAGE_FIGURES, *TARGET_FIGURES, *CONTROL_FIGURES)
MOST_GROUPS = 8
Said = Annotated[str, StringConstraints(max_length=400)]
Some = Annotated[tuple[Said, ...], Field(max_length=100)]


class Outcomes(Node):
    """What a report of outcomes counts. Of everything that is left out, all.

    documents: "journey:welcome", "campaign:spring"; since, until: messages accepted in [since, until), ms; by: what rows are of; zone: whose
    days, weeks and months those are; compared: the period beside it, [since, until). beyond: ms after a period whose messages take the credit for
    what was done after them and are in no row, so that periods of days can be counted one after the other and added up.
    """

    documents: Some = ()
    steps: Some = ()
    templates: Some = ()
    variants: Some = ()
    channels: Some = ()
    classes: Some = ()
    launches: Some = ()
    versions: Annotated[tuple[int, ...], Field(max_length=100)] = ()
    brands: Some = ()
    since: Annotated[int, Field(ge=0)] | None = None
    until: Annotated[int, Field(ge=0)] | None = None
    compared: tuple[int, int] | None = None
    beyond: Annotated[int, Field(ge=0, le=MAX_WINDOW_MS)] = 0
    by: Annotated[tuple[Group, ...], Field(max_length=MOST_GROUPS)] = ()
    zone: ZoneName = "UTC"
    target: Target | None = None

    def problems(self) -> Iterator[Problem]:
        if len(set(self.by)) < len(self.by):
            yield "by", "twice", "the same thing twice"
        if sum(one in PERIODS for one in self.by) > 1:
            yield "by", "periods", "give one of day, week and month"
        if self.since is not None and self.until is not None and self.since >= self.until:
            yield "to", "order", "`to` must be later than `from`"


class Measure(Node):
    """One measure of an experiment: schemas/experiment_documents.py, Metric."""

    key: Name
    kind: Literal["conversion", "mean", "ratio"]
    target: Target
    over: Target | None = None


class Exposures(Node):
    """What the statistics of an experiment are made of.

    document: whose exposures; None: everybody's of the global control group. step: of the split; salts: of a control group's exposures, () any;
    arms: as they are reported; others: the arm as which all other names count. versions: of the document -> its period (of equal shares); spans: in
    place of versions, (instant, the period that begins then), rising; since, until: first exposures in [since, until), ms. marks: at which numbers
    of people of a period to say when they were reached. outliers, at: the rule and its number. pre_period: of means alone.
    """

    document: Said | None = None
    step: Said = ""
    salts: Some = ()
    arms: Some
    others: Said = ""
    versions: Mapping[int, int] | None = None
    spans: tuple[tuple[int, int], ...] = ()
    brands: Some = ()
    since: Annotated[int, Field(ge=0)] = 0
    until: Annotated[int, Field(ge=0)] | None = None
    measures: Annotated[tuple[Measure, ...], Field(max_length=30)]
    marks: Annotated[tuple[int, ...], Field(max_length=60)] = ()
    pre_period: Window | None = None
    outliers: Literal["none", "cap", "quantile", "mean"] = "none"
    at: float = 0.0
    zone: ZoneName = "UTC"
