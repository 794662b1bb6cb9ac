"""The people behind a figure of a report: pages of their profile ids, in the order of their numbers."""

from collections.abc import Mapping
from typing import Any

from schemas.audience_reading import Fault
from services.audience.domain.grouping import distinct, page
from services.audience.handler.answering import Refused
from services.audience.reports.attribution import Figures
from services.audience.store.answers import View

WANTED = ("figure", "after", "limit")  # of them, in the body of a question


def opened(view: View, figures: Figures, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """`{people, count, next}`: up to `limit` of them, behind the person `after`. Raises Refused for a figure that there is not."""
    figure = str(wanted["figure"])
    if figure not in figures:
        raise Refused([Fault(path="figure", code="unknown_figure", message=f"there is no figure {figure!r}")])
    numbers = distinct(figures[figure]())
    after = wanted.get("after")
    found, last = page(numbers, -1 if after is None else int(after), int(wanted.get("limit") or 100))
    return {"people": view.ids(found), "count": len(numbers), "next": None if last is None else str(last)}
