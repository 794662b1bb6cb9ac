"""Who stands behind a figure of a report: as many people as it says."""
# ruff: noqa: S608 - names of ours and quoted texts

from collections.abc import Sequence
from typing import Any

from pyroaring import BitMap

from runtime.lake import text
from schemas.audience_reading import Fault
from schemas.reports import CONTROLS, Outcomes
from services.audience.handler.answering import Refused
from services.audience.reports.outcomes import EVER, WITHOUT, labels, tables
from services.audience.reports.outcomes_messages import ACCEPTED, FAILED, FLAGS, GLOBAL, GROUPED, IN_DOUBT, LOCAL, Groups, Span
from services.audience.store.answers import View

PARTS = {"local": LOCAL, "global": GLOBAL}


def behind(
    view: View, asked: Outcomes, members: BitMap | None, figure: str, row: Sequence[Any] | None, page: tuple[int, int]
) -> dict[str, Any]:
    """A page of profile ids, in the order of their numbers. row: what a row is of, in the order of `by`; None: the whole. page: the number
    after which it begins and how many it has. Raises Refused for a row that there is not.
    """
    groups, _ = tables(view, asked, Span(asked.since or 0, asked.until or EVER), members)
    duck, (after, limit) = view.instant.duck, page
    source, where = _of(figure)
    if row is not None:
        where = f"{where} AND {_row(duck, asked, groups, row, control=figure.startswith('control.'))}"
    people = f"SELECT DISTINCT n FROM {source} WHERE {where}"
    count = duck.execute(f"SELECT count(*) FROM ({people})").fetchall()[0][0]
    found = [n for (n,) in duck.execute(f"{people} AND n > {after} ORDER BY n LIMIT {limit + 1}").fetchall()]
    return {"count": count, "items": view.ids(found[:limit]), "next": found[limit - 1] if len(found) > limit else None}


def _of(figure: str) -> tuple[str, str]:
    """The table in which a figure was counted, and the condition of its rows."""
    part = ACCEPTED
    if figure.startswith("control."):
        _, group, figure = figure.split(".")
        part = PARTS[group] if group in CONTROLS else ACCEPTED
    if figure == "credited":
        return "credit", f"part = {part}"
    if figure == "bounced":
        return "counted", f"part IN ({ACCEPTED}, {FAILED}) AND bounced"
    if figure in FLAGS or figure == "converted":
        return "counted", f"part = {part} AND {figure}"
    return "counted", f"part = {({'failed': FAILED, 'in_doubt': IN_DOUBT}).get(figure, part)}"


def _row(duck: Any, asked: Outcomes, groups: Groups, row: Sequence[Any], *, control: bool) -> str:
    """The condition of the groups that a row is."""
    for key in duck.execute(f"SELECT DISTINCT {GROUPED} FROM counted").fetchall():
        if [str(one) for one in labels(asked, groups, key)] == [str(one) for one in row]:
            gl, gp, gv, gt = key
            if control and not set(WITHOUT).isdisjoint(asked.by):
                gv, gt = "", ""
            return f"gl = {gl} AND gp = {gp} AND gv = {text(gv)} AND gt = {text(gt)}"
    raise Refused([Fault(path="row", code="unknown_row", message="the report has no such row")])
