"""Experiments as documents: what is compared, by which measures, and by which rules it is judged. docs/experiments.md.

Published it runs; what it says is then fixed, or the verdict would be chosen after the fact (services/gateway/domain/experiments.py).
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.audience_nodes import Node, Problem
from schemas.audience_windows import Instant
from schemas.documents import Document
from schemas.reports import Target, Window

KEY = r"^[a-z0-9][a-z0-9_.-]{0,62}$"
WHOLE = 10_000  # shares are counted in hundredths of a percent
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
Key = Annotated[str, Field(pattern=KEY)]
Share = Annotated[float, Field(gt=0, le=100)]
CONTROL, TREATMENT = "control", "treatment"
USUAL_LOOKS = (0.2, 0.4, 0.6, 0.8, 1.0)


class SplitOf(Document):
    """The arms of a split step of a journey."""

    kind: Literal["split"]
    journey: Key
    step: Annotated[str, Field(min_length=1, max_length=200)]


class VariantsOf(Document):
    """The variants of a campaign, with its control group if it has one."""

    kind: Literal["variants"]
    campaign: Key


class ControlOf(Document):
    """The control group of a journey or of a campaign against all others: give one of them."""

    kind: Literal["control"]
    journey: Key | None = None
    campaign: Key | None = None

    @model_validator(mode="after")
    def _one(self) -> "ControlOf":
        if (self.journey is None) == (self.campaign is None):
            raise ValueError("journey, campaign: give one of them")
        return self


class GlobalOf(Document):
    """The global control group against all who got marketing."""

    kind: Literal["global"]


class ImportedOf(Document):
    """A test that another system ran, of which facts `Arm Assigned` were imported. document: as their property of that name has it."""

    kind: Literal["imported"]
    document: Annotated[str, Field(min_length=1, max_length=200)]


Of = Annotated[SplitOf | VariantsOf | ControlOf | GlobalOf | ImportedOf, Field(discriminator="kind")]


class Arm(Document):
    """share: percent, to two digits behind the point; left out: as the journey, campaign or rule says."""

    name: Name
    share: Share | None = None

    @property
    def weight(self) -> int | None:
        """Of WHOLE."""
        return None if self.share is None else round(self.share * 100)


class Metric(Node):
    """conversion: who did the target action within its window after exposure. mean: what it was worth in sum (without `value`, how often),
    of everybody, with zeros. ratio: the same divided by that of `over`, such as clicks by opens.
    """

    key: Key
    name: str = Field(default="", max_length=200)
    kind: Literal["conversion", "mean", "ratio"] = "conversion"
    target: Target
    over: Target | None = None
    better: Literal["more", "less"] = "more"  # which is good, told with the verdict

    def problems(self) -> Iterator[Problem]:
        if (self.kind == "ratio") != (self.over is not None):
            yield "over", "ratio_over", "a ratio, and nothing else, has `over`"


class Outliers(Document):
    """cap: larger amounts count as `at` (minor units). quantile: as that of the amounts above zero (0.999). mean: whoever has more than `at`
    times the mean of all who have anything is left out. Found over all arms together.
    """

    rule: Literal["none", "cap", "quantile", "mean"] = "none"
    at: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _whole(self) -> "Outliers":
        if self.rule == "cap" and self.at is None:
            raise ValueError("at: a cap needs it")
        if self.rule == "quantile" and not 0 < self.place < 1:
            raise ValueError("at: a quantile lies between 0 and 1")
        return self

    @property
    def place(self) -> float:
        """`at`, or what is usual."""
        return self.at if self.at is not None else {"quantile": 0.999, "mean": 10.0}.get(self.rule, 0.0)


class Looks(Document):
    """fixed: one look, at the end. sequential: at these parts of the planned size (1 is the last), by a group-sequential rule. open: at any
    time, by a rule that is always valid. Without it: sequential where a size is planned, else fixed where days are, else open.
    """

    kind: Literal["fixed", "sequential", "open"]
    at: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(default=(), max_length=60)

    @model_validator(mode="after")
    def _whole(self) -> "Looks":
        if self.at and (list(self.at) != sorted(set(self.at)) or self.at[-1] != 1):
            raise ValueError("at: rising parts of the planned size, of which the last is 1")
        if self.at and self.kind != "sequential":
            raise ValueError("at: of sequential looks only")
        return self


class Experiment(Document):
    """control: the arm with which the others are compared. primary: the measure by which it is judged; secondary: others. size: people planned in
    all arms together; days: how long at most. effect: the smallest relative difference worth knowing of, of which sentences speak (0.1 is 10 %).
    pre_period: before exposure, for less variance of means (CUPED). start: exposures from then on; left out: from
    its publication. stopped: when it was stopped (ms), as `stop` writes it.
    """

    key: Key
    brand: str
    name: str = Field(default="", max_length=200)
    of: Of
    arms: tuple[Arm, ...] = Field(default=(), max_length=20)
    control: Name = CONTROL
    primary: Metric
    secondary: tuple[Metric, ...] = Field(default=(), max_length=20)
    alpha: float = Field(default=0.05, ge=0.001, le=0.5)
    power: float = Field(default=0.8, ge=0.5, le=0.999)
    size: int | None = Field(default=None, ge=2, le=1_000_000_000)
    days: int | None = Field(default=None, ge=1, le=3660)
    effect: float | None = Field(default=None, ge=0.0001, le=10)
    looks: Looks | None = None
    outliers: Outliers = Outliers()
    pre_period: Window | None = None
    start: Instant | None = None
    ends: Instant | None = None
    stopped: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _whole(self) -> "Experiment":
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            raise ValueError("arms: every arm needs a name of its own")
        if names and (len(names) < 2 or self.control not in names):
            raise ValueError("arms: two at least, and the control arm is one of them")
        weights = [arm.weight for arm in self.arms]
        if None in weights and set(weights) != {None}:
            raise ValueError("arms: give the shares of all of them, or of none")
        if weights and None not in weights and sum(filter(None, weights)) != WHOLE:
            raise ValueError("arms: the shares must make 100")
        if self.looks is not None and self.looks.kind == "sequential" and self.size is None:
            raise ValueError("size: sequential looks are parts of it, so it must be planned")
        if self.looks is not None and self.looks.kind == "fixed" and self.size is None and self.days is None:
            raise ValueError("size: a fixed look comes when so many people, or `days`, have come: plan one of them")
        if isinstance(self.of, ImportedOf) and (not weights or None in weights):
            raise ValueError("arms: nothing here says in which shares another system drew: give all arms with their shares")
        if isinstance(self.of, ImportedOf) and self.start is None:
            raise ValueError("start: what was imported happened before it is published: give the instant from which on it counts")
        keys = [metric.key for metric in self.metrics]
        if len(set(keys)) < len(keys):
            raise ValueError("secondary: every measure needs a key of its own")
        return self

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (self.primary, *self.secondary)

    @property
    def rule(self) -> Literal["fixed", "sequential", "open"]:
        """When one may look."""
        if self.looks is not None:
            return self.looks.kind
        return "sequential" if self.size is not None else "fixed" if self.days is not None else "open"

    @property
    def parts(self) -> tuple[float, ...]:
        """Of the planned size: at each a look, the last of them at all of it."""
        if self.rule != "sequential":
            return (1.0,)
        return self.looks.at if self.looks is not None and self.looks.at else USUAL_LOOKS

    @property
    def document(self) -> str | None:
        """Whose exposures they are, as verdicts name it; None: everything's."""
        match self.of:
            case SplitOf():
                return f"journey:{self.of.journey}"
            case VariantsOf():
                return f"campaign:{self.of.campaign}"
            case ControlOf():
                return f"journey:{self.of.journey}" if self.of.journey else f"campaign:{self.of.campaign}"
            case ImportedOf():
                return self.of.document
            case GlobalOf():
                return None
