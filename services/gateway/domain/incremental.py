"""The gain against a control group beside what attribution credits: the only figure of the two that is a cause. Pure.

dN = n_T (p_T - p_C) and dR = n_T (m_T - m_C), over people: T got the message, C stood in the control group and would have got it.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

LITTLE = 0.3  # of what is credited, with an interval below all of it: an alarm
MODEL = "last_click"


class Groups(NamedTuple):
    """Of one document, or of all: people with and without the message, how many of them did the target action, and what it was worth."""

    treated: int
    converted: int
    revenue: int
    control: int
    control_converted: int
    control_revenue: int


def question(body: Mapping[str, Any]) -> dict[str, Any]:
    """What to ask for the outcomes of the messages of the period: the same target action, by document."""
    asked = {"by": ["document"], "target": body["target"], **{name: body[name] for name in ("since", "until", "brands", "zone")}}
    return {"asked": asked, "as_of": body.get("as_of")}


def groups_of(outcomes: Mapping[str, Any]) -> dict[str, Groups]:
    """By document, and of all under "": those that have a control group of their own."""
    rows = [*((row["document"], row) for row in outcomes["rows"]), ("", outcomes["total"])]
    found = {name: _groups(row) for name, row in rows}
    return {name: one for name, one in found.items() if one.control and one.treated}


def _groups(row: Mapping[str, Any]) -> Groups:
    control = row["control"]["local"]
    return Groups(
        row["sent"]["people"], row["converted"]["people"], row["revenue"]["minor"],
        control["would_have_sent"]["people"], control["converted"]["people"], control["revenue"]["minor"],
    )  # fmt: skip


def largest(groups: Mapping[str, Groups], rows: Collection[str], most: int) -> list[tuple[str, Groups]]:
    """Of the documents that have a row, those that went to most people: each is a question for the statistics."""
    return sorted(((name, one) for name, one in groups.items() if name in rows), key=lambda pair: -pair[1].treated)[:most]


def telling(one: Groups) -> bool:
    """Whether the statistics can say anything: one person alone shows nothing."""
    return min(one.treated, one.control) > 1


def evaluation(one: Groups) -> dict[str, Any]:
    """The question for the statistics (schemas/experiments.py, Evaluation): as the groups came out, whatever shares they were to have."""
    arms = [
        {"name": name, "share": people, "assigned": people} for name, people in (("control", one.control), ("treated", one.treated))
    ]
    of = {"control": {"x": one.control_converted}, "treated": {"x": one.converted}}
    metric = {"key": "converted", "kind": "proportion", "of": of}
    return {"arms": arms, "control": "control", "metrics": [metric], "plan": {"rule": "fixed"}}


def gained(one: Groups, evaluated: Mapping[str, Any] | None, credited: Mapping[str, Any] | None) -> dict[str, Any]:
    """The gain in conversions, with its interval where the statistics told one, and in revenue; `of_credited`: over what is credited."""
    conversions = one.treated * (one.converted / one.treated - one.control_converted / one.control)
    revenue = one.treated * (one.revenue / one.treated - one.control_revenue / one.control)
    low, high = _interval(one, evaluated)
    attributed = credited["conversions"] if credited else None
    share = round(conversions / attributed, 4) if attributed else None
    told: dict[str, Any] = {
        "people": {"treated": one.treated, "control": one.control}, "converted": {"treated": one.converted, "control": one.control_converted},
        "conversions": round(conversions, 4), "interval": None if low is None else {"low": low, "high": high}, "revenue": round(revenue),
        "of_credited": share,
    }  # fmt: skip
    if attributed and share is not None and share < LITTLE and high is not None and high < attributed:
        told["alarm"] = {"code": "little_incremental", "share": share, "limit": LITTLE}
    return told


def _interval(one: Groups, evaluated: Mapping[str, Any] | None) -> tuple[float | None, float | None]:
    if evaluated is None:
        return None, None
    interval = evaluated["metrics"][0]["comparisons"][0]["reading"]["interval"]
    low, high = (None if bound is None else round(one.treated * bound, 4) for bound in (interval["low"], interval["high"]))
    return low, high
