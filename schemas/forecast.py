"""A forecast of what an improvement is worth, stage by stage of the way from registration to repeat payment. docs/attribution.md."""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.audience_nodes import Node, Problem
from schemas.reports import Currency

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Share = Annotated[float, Field(ge=0, le=1)]
Relative = Annotated[float, Field(gt=-1, le=10)]
Amount = Annotated[int, Field(strict=True, ge=0, le=2**53)]
CHURN = "churn"  # what its stage is called in answers and results
LEAST_WAY = 1e-9  # of those who come, that many pay at the end: below it figures would leave what a number holds


class Effect(Node):
    """How much better a stage may become, relative: 0.11 is +11 %. low, high: pessimistic and optimistic."""

    low: Relative
    expected: Relative
    high: Relative

    def problems(self) -> Iterator[Problem]:
        if not self.low <= self.expected <= self.high:
            yield "expected", "order", "low <= expected <= high is wanted"


class Seen(Node):
    """What a test of ours has shown: a relative effect and its standard error. A forecast leans on all of them."""

    effect: Relative
    error: Annotated[float, Field(ge=1e-6, le=10)]


class Stage(Node):
    """A step of the way. conversion: of those who come here how many go on by themselves; reachable: whom messages reach; effect: what
    messages change, or `seen`, from which it is taken; message: what one person's messages cost; setup: what it costs once (minor units).
    """

    name: Name
    conversion: Annotated[float, Field(ge=LEAST_WAY, le=1)]
    reachable: Share = 1.0
    effect: Effect | None = None
    seen: Annotated[tuple[Seen, ...], Field(max_length=100)] = ()
    message: Amount = 0
    setup: Amount = 0

    def problems(self) -> Iterator[Problem]:
        if self.effect is not None and self.seen:
            yield "seen", "unexpected", "give `effect` or `seen`, not both"


class Churn(Node):
    """Customers of a subscription. customers: there now; arpu: a month (minor units); rate: who leaves in a month, before; effect: by how
    much fewer leave, relative; message: what one person's messages cost in a month; setup: what it costs once.
    """

    customers: Amount
    arpu: Amount
    rate: Annotated[float, Field(ge=1e-6, le=1)]
    reachable: Share = 1.0
    effect: Effect
    message: Amount = 0
    setup: Amount = 0

    def problems(self) -> Iterator[Problem]:
        if self.effect.high >= 1:
            yield "effect.high", "churn_effect", "nobody leaves any more at 1: less is wanted"


class Result(Node):
    """What came of it in the same time: the gain of a stage that was measured against a control group (minor units)."""

    stage: Name
    gain: Annotated[int, Field(strict=True, ge=-(2**53), le=2**53)]


class Forecast(Node):
    """months: for how long is reckoned; entrants: who come to the first stage in a month; spend: ads a month; check: what a payment at the end
    of the way brings; margin: how much of it stays; repeat: payments that follow the first, on average.
    """

    currency: Currency
    months: Annotated[int, Field(ge=1, le=120)] = 12
    entrants: Amount
    spend: Amount = 0
    check: Amount
    margin: Share = 1.0
    repeat: Annotated[float, Field(ge=0, le=1000)] = 0.0
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=20)]
    churn: Churn | None = None
    result: Annotated[tuple[Result, ...], Field(max_length=21)] = ()

    def problems(self) -> Iterator[Problem]:
        names = [stage.name for stage in self.stages] + ([CHURN] if self.churn else [])
        yield from _twice("stages", "name", names[: len(self.stages)], [CHURN] if self.churn else [])
        yield from _twice("result", "stage", [one.stage for one in self.result])
        for place, one in enumerate(self.result):
            if one.stage not in names:
                yield f"result.{place}.stage", "unknown_stage", f"there is no stage {one.stage!r}"
        if math.prod(stage.conversion for stage in self.stages) < LEAST_WAY:
            yield "stages", "way_too_narrow", f"of those who come less than {LEAST_WAY} pay at the end"


def _twice(field: str, of: str, names: Sequence[str], taken: Sequence[str] = ()) -> Iterator[Problem]:
    """A name that stood before, or is taken: which one was meant nobody could say."""
    for place, name in enumerate(names):
        if name in names[:place] or name in taken:
            yield f"{field}.{place}.{of}", "twice", f"the name {name!r} stands there twice"


Scenario = Literal["pessimistic", "expected", "optimistic"]
