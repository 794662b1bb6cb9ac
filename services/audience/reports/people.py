"""Who stands behind a figure of a report: as many people as it says."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pyroaring import BitMap

from schemas.audience_reading import Fault
from schemas.reports import CONTROLS, Outcomes
from services.audience.domain.grouping import distinct, page
from services.audience.domain.ways import Flags, Numbers
from services.audience.handler.answering import Refused
from services.audience.reports.outcomes import EVER, WITHOUT, gather, labels
from services.audience.reports.outcomes_messages import ACCEPTED, BIT, FAILED, GLOBAL, IN_DOUBT, LOCAL, Span, Units
from services.audience.reports.outcomes_target import Credits
from services.audience.store.answers import View

PARTS = {"local": LOCAL, "global": GLOBAL}


def behind(
    view: View, asked: Outcomes, members: BitMap | None, figure: str, row: Sequence[Any] | None, after: int, limit: int
) -> dict[str, Any]:
    """A page of profile ids, in the order of their numbers. row: what a row is of, in the order of `by`; None: the whole. after, limit: as
    of grouping.page. Raises Refused for a row that there is not.
    """
    units, deeds, _ = gather(view, asked, Span(asked.since or 0, asked.until or EVER), members)
    messages = _messages(units, deeds, figure)
    if row is not None:
        messages = messages[_of_row(asked, units, row, control=figure.startswith("control."))[units.group[messages]]]
    people = distinct(units.n[messages])
    found, last = page(people, after, limit)
    return {"count": len(people), "items": view.ids(found), "next": last}


def _messages(units: Units, deeds: Credits | None, figure: str) -> Numbers:
    """Those that were counted for a figure."""
    part = ACCEPTED
    if figure.startswith("control."):
        _, group, figure = figure.split(".")
        part = PARTS[group] if group in CONTROLS else ACCEPTED
    if figure == "credited":
        messages = np.zeros(0, dtype=np.int64) if deeds is None else deeds.message
        credited: Numbers = messages[units.part[messages] == part]
        return credited
    if figure == "bounced":
        return np.flatnonzero(np.isin(units.part, (ACCEPTED, FAILED)) & (units.became & BIT["bounced"] > 0))
    if figure in BIT:
        return np.flatnonzero((units.part == part) & (units.became & BIT[figure] > 0))
    of = {"failed": FAILED, "in_doubt": IN_DOUBT}.get(figure, part)
    return np.flatnonzero(units.part == of)


def _of_row(asked: Outcomes, units: Units, row: Sequence[Any], *, control: bool) -> Flags:
    """Of each group whether it is that row."""
    for key in units.keys:
        if [str(one) for one in labels(asked, units.labels, key)] == [str(one) for one in row]:
            beside = key._replace(variant="", template="") if control and not set(WITHOUT).isdisjoint(asked.by) else key
            return np.array([one == beside for one in units.keys], dtype=np.bool_)
    raise Refused([Fault(path="row", code="unknown_row", message="the report has no such row")])
