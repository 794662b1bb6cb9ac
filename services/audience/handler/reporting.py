"""Reports as JSON values: what is asked is read, and whom a segment means is found, for one instant of the index."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pyroaring import BitMap

from schemas.audience import Condition
from schemas.audience_reading import Fault
from schemas.reports import FIGURES, Exposures, Outcomes, faults_of
from services.audience.domain.world import World
from services.audience.handler.answering import Refused, answered
from services.audience.handler.opening import opened
from services.audience.reports import outcomes, people, statistics
from services.audience.store.answers import Answers, View

Who = Condition | None


def counted(answers: Answers, world: World, body: Mapping[str, Any], who: Who, now: int) -> dict[str, Any]:
    """What became of messages. who: of the people of whom it is true."""
    asked = _asked(body)
    return _told(answers, world, who, now, lambda view: outcomes.report(view, asked, _members(view, who)))


def behind(answers: Answers, world: World, body: Mapping[str, Any], who: Who, now: int) -> dict[str, Any]:
    """The people behind a figure."""
    asked = _asked(body)
    figure = body.get("figure", "")
    if figure not in FIGURES:
        raise Refused([Fault(path="figure", code="unknown_figure", message=f"figures are {', '.join(FIGURES)}")])
    after, limit = int(body.get("after", -1)), int(body.get("limit", 100))
    return _told(
        answers,
        world,
        who,
        now,
        lambda view: people.behind(view, asked, _members(view, who), figure, body.get("row"), after, limit),
    )


def exposed(answers: Answers, world: World, body: Mapping[str, Any], who: Who, now: int) -> dict[str, Any]:
    """The statistics of an experiment, or with `figure` the people behind one of its figures."""
    try:
        asked = Exposures.model_validate(body["asked"])
    except ValidationError as error:
        raise Refused(list(faults_of(error))) from error

    def work(view: View) -> dict[str, Any]:
        told, figures = statistics.results(view, asked)
        return told if body.get("figure") is None else opened(view, figures, body)

    return _told(answers, world, who, now, work)


def _asked(body: Mapping[str, Any]) -> Outcomes:
    try:
        return Outcomes.model_validate(body["asked"])
    except ValidationError as error:
        raise Refused(list(faults_of(error))) from error


def _told(answers: Answers, world: World, who: Who, now: int, work: Callable[[View], dict[str, Any]]) -> dict[str, Any]:
    return answered(answers, world, {} if who is None else {"condition": who}, now, work)


def _members(view: View, who: Who) -> BitMap | None:
    return None if who is None else view.members(who)
