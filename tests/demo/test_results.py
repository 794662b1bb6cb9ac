"""The reports of the demo as numbers and pictures: each promise that can be broken is seen to be broken."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from deploy.demo import asking, pictures, report, results

PENCE = {"minor": 12_300, "currency": "GBP", "negative": 0}
FIGURES: dict[str, Any] = {
    **{what: {"messages": 4, "people": 3} for what in results.SHOWN}, "converted": {"people": 2}, "revenue": PENCE,
    "rates": {"opened": 0.25, "clicked": None, "revenue_per_recipient": 4100.0},
}  # fmt: skip
READING = {
    "value": 0.31,
    "control": 0.29,
    "lift": 0.07,
    "p": 0.4,
    "interval": {"low": -0.03, "high": 0.07},
    "lift_interval": {"low": -0.1, "high": 0.27},
}
CREDIT = {"conversions": 1.5, "revenue": 300}
STEPS = [{"name": "Product Added", "people": 9, "of_first": 1.0}, {"name": "Order Completed", "people": 5, "of_first": 0.5556}]
MEANS = [{"people": 2, "mean": 100.5}, {"people": 1, "mean": None}]
WEEK = {"from": "2010-11-29", "people": 3, "last_is_open": True}
TOLD: dict[str, Any] = {
    "outcomes": {"rows": [{"document": "journey:welcome", "step": "hello", **FIGURES}], "total": FIGURES},
    "experiment": {
        "people": 7, "why": [], "periods": [{"arms": {"control": {"people": 3}, "treatment": {"people": 4}}}],
        "judged": {"verdict": "not_shown", "text": {"en": "No difference is shown."}, "metrics": [
            {"key": key, "comparisons": [{"reading": READING, "verdict": said, "text": {"en": f"{key}: {said}."}}]}
            for key, said in (("ordered", "not_shown"), ("revenue", "more"))]},
    },
    "attribution": {
        "conversions": 5, "revenue": 650, "scanner_clicks": 0, "rows": [{"label": "journey:welcome", "linear": CREDIT, "last_click": CREDIT}],
        "unattributed": {model: {"conversions": 3.5, "revenue": 350} for model in ("linear", "last_click")},
    },
    "cohort": {"people": 3, "groups": [{"name": "0-0", "people": 2}, {"name": "1+", "people": 1}], "revenue": {"all": MEANS, "without_outliers": MEANS}},
    "funnel": {"steps": STEPS, "cohorts": [{"people": [4, 3]}, {"people": [5, 2]}]},
    "lifetime": {"cohorts": [{**WEEK, "per_person": [10.0, 20.5]}]},
    "retention": {"cohorts": [{**WEEK, "back": [3, 1], "share": [1.0, 0.3333]}]},
}  # fmt: skip
for one in TOLD.values():
    one["took_ms"] = 12.5
YOUNG = {**TOLD["experiment"], "people": 0, "periods": [], "judged": None, "why": [{"message": "nobody was exposed"}]}


def changed(name: str, *path: Any, to: Any) -> dict[str, Any]:
    found = deepcopy(TOLD)
    *way, last = path
    place: Any = found[name]
    for step in way:
        place = place[step]
    place[last] = to
    return found


def test_numbers_are_flat_and_nothing_is_broken() -> None:
    found = results.numbers(TOLD)
    assert found["experiment.says"] == "No difference is shown." and found["outcomes.welcome.hello.revenue_per_recipient"] == 4100
    assert found["attribution.linear.(nobody).revenue"] == 350 and found["funnel.Order Completed"] == 5
    assert (found["experiment.revenue.verdict"], found["experiment.revenue.says"]) == ("more", "revenue: more.")
    assert (
        report.broken({**found, "whole": 1}) == []
        and {"reports.slow", "reports.do_not_add_up", "experiment.shows_an_effect"} <= found.keys()
    )


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        (changed("outcomes", "total", "revenue", to={**PENCE, "minor": 1}), "reports.do_not_add_up"),
        (changed("attribution", "unattributed", "linear", "revenue", to=351), "reports.do_not_add_up"),
        (changed("attribution", "unattributed", "linear", "conversions", to=3.4999), "reports.do_not_add_up"),
        (changed("cohort", "people", to=4), "reports.do_not_add_up"),
        (changed("funnel", "steps", 1, "people", to=10), "reports.do_not_add_up"),
        (changed("experiment", "people", to=8), "reports.do_not_add_up"),
        (changed("experiment", "judged", "verdict", to="more"), "experiment.shows_an_effect"),
        (changed("experiment", "judged", "verdict", to="blocked"), "experiment.shows_an_effect"),
    ],
)
def test_each_broken_promise_is_counted(told: dict[str, Any], wrong: str) -> None:
    assert report.broken({**results.numbers(told), "seed": report.HELD_SEED}) == [wrong]


@pytest.mark.parametrize(("name", "took_ms"), [("outcomes", 1000.5), ("attribution", 5000.5)])
def test_a_slow_report_is_shown_and_a_busy_machine_breaks_no_promise(name: str, took_ms: float) -> None:
    found = results.numbers(changed(name, "took_ms", to=took_ms))
    assert (found["reports.slow"], report.broken({**found, "seed": report.HELD_SEED})) == (1, [])
    rows = report.table(found).rows
    assert [row.style for row in rows].count("bold red") == 1


def test_an_effect_that_chance_drew_with_another_seed_is_shown_alone() -> None:
    found = {**results.numbers(changed("experiment", "judged", "verdict", to="more")), "seed": 2}
    assert (found["experiment.shows_an_effect"], report.broken(found)) == (1, [])


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("experiment", [YOUNG, changed("experiment", "judged", "verdict", to="too_few")["experiment"]])
def test_a_whole_month_has_an_answer_and_a_part_of_it_need_not(experiment: dict[str, Any], seed: int) -> None:
    found = {**results.numbers({**TOLD, "experiment": experiment}), "seed": seed}
    assert report.broken({**found, "whole": 1}) == [report.UNANSWERED]
    assert report.broken({**found, "whole": 0}) == []


def test_five_models_may_take_longer_than_one_report() -> None:
    assert asking.slow(changed("attribution", "took_ms", to=4000.0)) == []


def test_before_its_look_an_experiment_says_why_it_says_nothing() -> None:
    found = results.numbers({**TOLD, "experiment": YOUNG})
    assert (found["experiment.verdict"], found["experiment.says"]) == (results.NOT_YET, "nobody was exposed")
    assert report.broken(found) == []


@pytest.mark.parametrize("experiment", [TOLD["experiment"], YOUNG])
def test_pictures_are_drawn_also_of_little(tmp_path: Path, experiment: dict[str, Any]) -> None:
    empty = {"rows": [], "total": FIGURES}
    made = pictures.draw(
        {**TOLD, "experiment": experiment, "outcomes": TOLD["outcomes"] if experiment["judged"] else empty}, tmp_path
    )
    assert [one.name for one in made] == ["letters.png", "experiment.png", "attribution.png", "funnel-and-cohorts.png"]
    assert all(one.read_bytes().startswith(b"\x89PNG") for one in made)
