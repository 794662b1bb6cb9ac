"""Questions for reports: what is asked is read, counted at one instant of the index, and told; or the people behind one of its figures."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from schemas.attribution import Asked, Attribution, Channels, Cohort, Funnel, Lifetime, Stages, Touchpoints
from schemas.audience import Condition
from schemas.audience_reading import Fault
from schemas.reports import faults_of
from services.audience.domain.periods import TooMany
from services.audience.domain.world import World
from services.audience.handler.answering import Refused, answered
from services.audience.handler.opening import WANTED, opened
from services.audience.reports import attribution, channels, cohort, funnel, lifetime, touchpoints
from services.audience.reports.attribution import Figures
from services.audience.reports.target import MixedCurrencies
from services.audience.store.answers import Answers, View

Report = Callable[[View, Any], tuple[dict[str, Any], Figures]]
REPORTS: Mapping[str, tuple[type[Asked], Report]] = {
    "attribution": (Attribution, attribution.attribution),
    "funnel": (Funnel, funnel.funnel),
    "stages": (Stages, funnel.stages),
    "cohort": (Cohort, cohort.cohort),
    "touchpoints": (Touchpoints, touchpoints.touchpoints),
    "channels": (Channels, channels.channels),
    "lifetime": (Lifetime, lifetime.lifetime),
    "retention": (Lifetime, lifetime.retention),
}


def read(name: str, body: Mapping[str, Any]) -> Asked:
    """What is asked of a report. Raises Refused with every fault."""
    try:
        return REPORTS[name][0].model_validate({key: value for key, value in body.items() if key not in WANTED})
    except ValidationError as error:
        raise Refused(list(faults_of(error))) from error


def conditions(asked: Asked) -> dict[str, Condition]:
    """The conditions in it, by their places."""
    if not isinstance(asked, Cohort):
        return {}
    return {"among": asked.among, **{f"groups.{place}.condition": group.condition for place, group in enumerate(asked.groups)}}


def report(answers: Answers, world: World, name: str, asked: Asked, wanted: Mapping[str, Any], now: int) -> dict[str, Any]:
    """The report, or with `figure` the profile ids of those behind it: `{people, count, next}`. Raises Refused."""

    def work(view: View) -> dict[str, Any]:
        try:
            told, figures = REPORTS[name][1](view, asked)
        except MixedCurrencies as error:
            raise Refused([error.fault("target" if "target" in type(asked).model_fields else "purchase")]) from error
        except TooMany as error:
            raise Refused([Fault(path="until", code="period_too_long", message=str(error))]) from error
        return told if wanted.get("figure") is None else opened(view, figures, wanted)

    return answered(answers, world, conditions(asked), now, work)
