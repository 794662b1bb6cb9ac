"""All 64,000 of Hillstrom's letters, judged here from the rows of the file, are what other libraries make of them, to six digits."""

from typing import Any

import pytest

from deploy.hillstrom import figures, letters
from tests.experiments.asked import evaluated
from tests.experiments.letters import counted

NO_REPORT: dict[str, Any] = {
    "rows": [],
    "total": {"control": {"local": {"would_have_sent": {"people": 0}, "converted": {"people": 0}, "revenue": {"minor": 0}}}},
}


def judged(rows: list[letters.Row]) -> dict[str, Any]:
    """As the results of the experiment have it."""
    arms = counted(rows)
    of = arms.items()

    def sums(values: list[int]) -> dict[str, Any]:
        return {"sum": sum(values), "squares": sum(value * value for value in values), "currency": "USD"}

    cut = {
        "rule": "winsorized",
        "cap": letters.CAP,
        "changed": sum(cents > letters.CAP for one in arms.values() for cents in one["spend"]),
    }
    revenue = {name: {**sums(one["capped"]), "without_rule": sums(one["spend"])} for name, one in of}
    proportions = [
        {"key": key, "kind": "proportion", "of": {name: {"x": sum(one[key])} for name, one in of}} for key in ("visit", "order")
    ]
    asked = {
        "arms": [{"name": name, "share": letters.SHARES[name], "assigned": len(one["visit"])} for name, one in of],
        "metrics": [*proportions, {"key": "revenue", "kind": "mean", "outliers": cut, "of": revenue}],
        "control": "control", "primary": "visit", "plan": {"rule": "fixed"},
    }  # fmt: skip
    people = {name: {"people": len(one["visit"])} for name, one in of}
    return {"judged": evaluated(asked).model_dump(mode="json"), "periods": [{"arms": people}]}


@pytest.mark.parametrize("which", ["whole", "sample"])
def test_every_figure_is_that_of_another_library(which: str) -> None:
    rows = letters.load()
    ours = figures.flat(judged(rows if which == "whole" else letters.sample(rows)), NO_REPORT)
    theirs = {name: value for name, value in figures.expected(which).items() if not name.startswith("report.")}
    assert [one for one in figures.held(ours, theirs) if not one.agrees] == []
    assert len(theirs) > 60


def test_a_figure_that_is_off_in_the_sixth_digit_is_seen() -> None:
    assert not figures.Held("p", 1.000001, 1.0).agrees and figures.Held("p", 1.0000001, 1.0).agrees
    assert not figures.Held("p", None, 1.0).agrees
