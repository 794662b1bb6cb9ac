"""The people behind a figure of a report: pages of their profile ids, in the order of their numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.audience_reading import Fault
from services.audience.domain.grouping import distinct
from services.audience.handler.answering import Refused
from services.audience.reports.attribution import Figures
from services.audience.store.answers import View

PAGE = 1_000  # people
WANTED = ("figure", "after", "limit")  # of them, in the body of a question


def opened(view: View, figures: Figures, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """`{people, count, next}`: up to `limit` of them, behind the person `after`. Raises Refused for a figure that there is not."""
    figure = str(wanted["figure"])
    if figure not in figures:
        raise Refused([Fault(path="figure", code="unknown_figure", message=f"there is no figure {figure!r}")])
    numbers = distinct(figures[figure]())
    after = wanted.get("after")  # 0 is somebody's number
    begin = int(np.searchsorted(numbers, -1 if after is None else int(after), side="right"))
    page = numbers[begin : begin + min(int(wanted.get("limit") or 100), PAGE)]
    more = begin + len(page) < len(numbers)
    return {"people": view.ids([int(n) for n in page]), "count": len(numbers), "next": str(int(page[-1])) if more else None}
