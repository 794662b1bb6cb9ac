"""What is asked about an experiment, and what is answered: sufficient statistics in, intervals and verdicts out (docs/experiments.md).

Rates are fractions (0.061), money is whole minor units, people are counted once. Nothing here names a person.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.experiments_sense import Problem, of_evaluation, of_planning

MOST_ARMS, MOST_METRICS, MOST_LOOKS = 20, 50, 120
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
MOST = 10**15
Whole = Annotated[int, Field(strict=True, ge=-MOST, le=10**11)]
Exact = Annotated[int, Field(strict=True, ge=-(10**40), le=10**40)] | Annotated[float, Field(strict=True, ge=-1e40, le=1e40)]
Number = Annotated[float, Field(ge=-MOST, le=MOST)]
Rule = Literal["sequential", "always_valid", "fixed"]
Verdict = Literal["more", "less", "not_shown", "not_yet", "too_few", "blocked"]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Words(Model):
    """A few words in both languages."""

    en: str = Field(min_length=1, max_length=200)
    ru: str = Field(min_length=1, max_length=200)


class Text(Model):
    """Sentences in both languages."""

    en: str
    ru: str


class Arm(Model):
    """share: its configured part, in any unit that all arms have in common; assigned: people; merged: how many of them became one with
    somebody else since.
    """

    name: Name
    share: Number
    assigned: Whole
    merged: Whole | None = None


class Count(Model):
    """x of n people did it. n: left out, everybody who was assigned."""

    x: Whole
    n: Whole | None = None


class Before(Model):
    """Of the same people before they were assigned (nothing is 0): sum, sum of squares, sum of products with what came after."""

    sum: Exact
    squares: Exact
    cross: Exact


class Plain(Model):
    """Of n people, those with nothing among them: the sum of what each has, and of its squares. currency: then whole minor units."""

    n: Whole | None = None
    sum: Exact
    squares: Exact
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")


class Sums(Plain):
    """without_rule: the same sums where no rule about outliers was used."""

    before: Before | None = None
    without_rule: Plain | None = None


class Pairs(Model):
    """Of n people: sums of y (above the line) and x (below it), of their squares and of their product. currency: of y."""

    n: Whole | None = None
    y: Exact
    x: Exact
    yy: Exact
    xx: Exact
    xy: Exact
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")


class Outliers(Model):
    """Which rule the sums were made by. cap: pooled over all arms, in the metric's unit; changed: how many values it cut or left out."""

    rule: Literal["winsorized", "ten_times"]
    cap: Exact
    changed: Whole


class Named(Model):
    """key: of the metric. title: as it stands before a colon. says: of a proportion, what people do: {en: "fill in the profile", ru:
    "заполнил профиль"}.
    """

    key: Name
    title: Words | None = None


class Proportion(Named):
    kind: Literal["proportion"]
    says: Words | None = None
    of: Mapping[str, Count] = Field(max_length=MOST_ARMS)


class Mean(Named):
    kind: Literal["mean"]
    outliers: Outliers | None = None
    of: Mapping[str, Sums] = Field(max_length=MOST_ARMS)


class Ratio(Named):
    kind: Literal["ratio"]
    of: Mapping[str, Pairs] = Field(max_length=MOST_ARMS)


Metric = Annotated[Proportion | Mean | Ratio, Field(discriminator="kind")]


class Plan(Model):
    """What was settled before the start. rule: when one may look; people: planned, over all arms; looks: how many people there were at
    each earlier look; effect: the smallest relative difference worth knowing of.
    """

    rule: Rule = "sequential"
    alpha: Number = 0.05
    power: Number = 0.8
    people: Whole | None = None
    looks: tuple[Whole, ...] = Field(default=(), max_length=MOST_LOOKS)
    effect: Number = 0.1


def _refuse(problems: list[Problem]) -> None:
    if problems:
        text = "; ".join(f"{field}: {what}" for field, _, what in problems)
        raise PydanticCustomError("problems", "{text}", {"text": text, "problems": problems})


class Evaluation(Model):
    """`POST /api/experiments/evaluate`. control: the arm that others are compared with; left out: the first. primary: the metric that
    decides; left out: the first. All others are secondary.
    """

    arms: tuple[Arm, ...] = Field(min_length=2, max_length=MOST_ARMS)
    metrics: tuple[Metric, ...] = Field(min_length=1, max_length=MOST_METRICS)
    control: str | None = None
    primary: str | None = None
    plan: Plan

    @model_validator(mode="after")
    def _sense(self) -> Self:
        _refuse(list(of_evaluation(self)))
        return self

    @property
    def base(self) -> Arm:
        return next((arm for arm in self.arms if arm.name == self.control), self.arms[0])

    @property
    def deciding(self) -> str:
        return self.primary or self.metrics[0].key


class Effect(Model):
    """One of: relative (0.1 is a tenth of the base), or points (0.016 is 1.6 points of a rate; of a mean, its unit)."""

    relative: Number | None = None
    points: Number | None = None


class Planning(Model):
    """`POST /api/experiments/plan`. base: the rate, or the mean, of the control; deviation: of a mean, from person to person. shares: of the
    arms, the control first. people: there are so many (what can be seen with them?); per_day: come so many (how long?). looks: at equal
    distances; 0: one at the end. global_base: people in the installation, for the table of global control groups.
    """

    kind: Literal["proportion", "mean"] = "proportion"
    base: Number
    deviation: Number | None = None
    effect: Effect | None = None
    alpha: Number = 0.05
    power: Number = 0.8
    shares: tuple[Number, ...] = Field(default=(50, 50), min_length=2, max_length=MOST_ARMS)
    people: Whole | None = None
    per_day: Number | None = None
    looks: Whole = 0
    global_base: Whole | None = None

    @model_validator(mode="after")
    def _sense(self) -> Self:
        _refuse(list(of_planning(self)))
        return self


class Interval(Model):
    """None: there is no bound on that side."""

    low: float | None
    high: float | None


class Reading(Model):
    """One comparison, made in one way. p_single: as if it were the only look; p: as the plan's rule has it. lift: relative; None where the
    control has nothing, or less. lift_interval: None where the arm has nothing or less, too.
    """

    value: float
    control: float
    difference: float
    interval: Interval
    lift: float | None
    lift_interval: Interval | None
    lift_approximate: bool
    test: Literal["z", "fisher", "welch", "delta"]
    statistic: float | None
    df: float | None
    p_single: float
    p: float


class Cuped(Model):
    """gain: by how much less the variance is; used: not below 0.02. plain: the same without it."""

    theta: float
    gain: float
    used: bool
    plain: Reading


class Chances(Model):
    """An exact reading by Beta-binomial, flat priors. above: that the arm's rate is the larger; loss, loss_control: points lost on the average
    if the arm, or the control, is chosen and the other is better. Looking early is no safer by it.
    """

    above: float
    loss: float
    loss_control: float


class Comparison(Model):
    arm: str
    reading: Reading
    p_adjusted: float
    adjusted_by: Literal["none", "holm", "bh"]
    verdict: Verdict
    cuped: Cuped | None = None
    without_rule: Reading | None = None
    chances: Chances | None = None
    text: Text


class Rate(Model):
    """What an arm has by itself: x of n people, and Wilson's interval of their rate at 1 - alpha. It compares nothing and knows of no looks."""

    arm: str
    x: int
    n: int
    rate: float
    interval: Interval


class Measured(Model):
    """gate: of three arms or more, the p-value that all are alike. rates: of a proportion, each arm's own, in the order of the arms."""

    key: str
    kind: Literal["proportion", "mean", "ratio"]
    primary: bool
    gate: float | None = None
    outliers: Outliers | None = None
    rates: tuple[Rate, ...] = ()
    comparisons: tuple[Comparison, ...]


class Check(Model):
    """chi2 of counts against what they should be."""

    p: float
    alarm: bool
    expected: tuple[float, ...]


class Look(Model):
    """critical: how many standard errors a difference must be away from none; alpha: what this look alone may spend of the plan's."""

    rule: Rule
    people: int
    fraction: float | None
    critical: float
    alpha: float
    final: bool


class Evaluated(Model):
    """conventions: of docs/experiments.md, raised when figures change."""

    conventions: Literal[1] = 1
    verdict: Verdict
    split: Check
    merges: Check | None = None
    look: Look
    metrics: tuple[Measured, ...]
    text: Text


class Needed(Model):
    """Of each arm in the order of the shares, of all, and with looks."""

    arms: tuple[int, ...]
    people: int
    inflation: float
    days: float | None
    too_long: bool


class Seen(Model):
    """The smallest effect that is seen with what there is; None: not even the largest."""

    people: int
    relative: float | None
    points: float | None


class ControlRow(Model):
    """share: of the global control group; relative: the smallest uplift seen, at each of the base rates."""

    share: float
    people: int
    relative: tuple[float | None, ...]


class ControlTable(Model):
    rates: tuple[float, ...]
    rows: tuple[ControlRow, ...]


class Planned(Model):
    conventions: Literal[1] = 1
    needed: Needed | None = None
    seen: Seen | None = None
    control_groups: ControlTable | None = None
    refused: bool
    text: Text


class Flow(Model):
    """Who came to the arms of what a document compares: `people` on `days` local days that are over, the first of them `since`."""

    since: str
    days: int
    people: int
    per_day: float


class PlannedOf(Planned):
    """flow: by which the days are counted where the body says no `per_day`; None: nobody came yet on a day that is over, or all come at once."""

    flow: Flow | None


def as_json(answer: Model) -> dict[str, Any]:
    """The body of an answer."""
    return answer.model_dump(mode="json")
