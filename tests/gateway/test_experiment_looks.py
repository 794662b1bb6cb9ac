"""When an experiment is looked at, what ends it, and what the global control group was at each instant. Pure."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.experiment_documents import WHOLE, Experiment
from schemas.experiments import Evaluation
from services.experiments.domain.evaluating import evaluate
from services.experiments.domain.looks import Walk, boundaries
from services.gateway.domain import experiment_looks as looks
from services.gateway.domain import experiments as domain
from services.gateway.domain.experiment_evaluation import question
from services.gateway.domain.experiment_looks import Look
from services.gateway.domain.experiments import Compared, Ruled
from tests.gateway.experimenting import SHARES, document, measured, period

WEEK, DAY = 7 * 86_400_000, 86_400_000


def at(*reached: int | None) -> dict[str, Any]:
    return {"reached": list(reached)}


def test_looks_at_the_same_number_of_people_are_one() -> None:
    assert looks.marks(document(size=1001)) == [201, 401, 601, 801, 1001]
    assert looks.marks(document(size=4)) == [1, 2, 3, 4]
    assert looks.marks(document(size=500, looks={"kind": "sequential", "at": [0.001, 0.002, 1]})) == [1, 500]
    assert looks.marks(document(size=500, looks={"kind": "open"})) == []


def test_it_ends_when_it_is_stopped_when_it_was_to_end_or_when_its_days_are_over() -> None:
    planned = document(days=14, ends=DAY * 9)
    assert looks.end_of(planned, 0, DAY * 5) == DAY * 5
    assert looks.end_of(planned, 0, None) == DAY * 9
    assert looks.end_of(document(days=14, size=100), DAY, DAY * 50) == DAY * 15
    assert looks.end_of(document(), 0, None) is None


@pytest.mark.parametrize(
    ("more", "until", "reached", "now", "look"),
    [
        ({"days": 14}, 14 * DAY, [], 20 * DAY, None),
        ({"days": 14}, 14 * DAY, [], 21 * DAY, Look(14 * DAY, 21 * DAY, final=True)),
        ({"days": 14}, 5 * DAY, [], 30 * DAY, Look(5 * DAY, 12 * DAY, final=True)),
        ({"size": 100}, None, [1, 2, None, None, None], WEEK + 1, Look(2, WEEK + 1)),
        ({"size": 100}, None, [1, 2, None, None, None], WEEK + 2, Look(3, WEEK + 2, (20,))),
        ({"size": 100}, None, [1, 2, 3, 4, 5], WEEK + 5, Look(6, WEEK + 5, (20, 40, 60, 80), final=True)),
        ({"size": 100}, 9, [1, 2, 3, 4, 5], WEEK + 9, Look(6, WEEK + 5, (20, 40, 60, 80), final=True)),
        ({"size": 100}, 9, [1, 2, None, None, None], WEEK + 8, Look(3, WEEK + 2, (20,))),
        ({"size": 100}, 9, [1, 2, None, None, None], WEEK + 9, Look(9, WEEK + 9, (20, 40), final=True, short=True)),
        ({"size": 100, "looks": {"kind": "fixed"}}, 9, [None], WEEK + 8, None),
        ({"size": 100, "looks": {"kind": "fixed"}}, 9, [None], WEEK + 9, Look(9, WEEK + 9, final=True, short=True)),
    ],
)
def test_the_last_look_that_is_over(more: Any, until: int | None, reached: list[int | None], now: int, look: Look | None) -> None:
    assert looks.last(document(**more), until, at(*reached), now) == look


def test_the_next_look_is_told_as_far_as_it_is_known() -> None:
    planned = document(size=100)
    assert looks.following(planned, None, at(None, None, None, None, None), 5) == {"people": 20, "at": None, "window_ms": WEEK}
    assert looks.following(planned, None, at(5, None, None, None, None), 5) == {"people": 20, "at": WEEK + 5, "window_ms": WEEK}
    assert looks.following(planned, 9, at(None, None, None, None, None), 10) == {"people": None, "at": WEEK + 9, "window_ms": WEEK}
    assert looks.following(document(days=1), DAY, at(), 5) == {"people": None, "at": DAY + WEEK, "window_ms": WEEK}


@given(st.lists(st.integers(0, 50), min_size=5, max_size=5), st.integers(0, 5), st.integers(0, 60) | st.none(), st.integers(0, 120))
def test_what_is_looked_at_is_over_and_once_it_is_final_it_stays(
    moments: list[int], there: int, until: int | None, now: int
) -> None:
    moments = sorted(moment for moment in moments if until is None or moment < until)[:there]
    reached = at(*moments, *[None] * (5 - len(moments)))
    planned = document(size=100, primary={"key": "bought", "target": {"event": "Order Completed", "window": 7}})
    found, later = (looks.last(planned, until, reached, then) for then in (now, now + 1))
    if found is None:
        return
    assert (
        found.at <= now
        and (until is None or found.until <= until)
        and list(found.before) == looks.marks(planned)[: len(found.before)]
    )
    assert later is not None and later.at >= found.at and (later == found or not found.final)


def test_a_test_that_ended_short_of_its_size_is_judged_by_whom_it_has() -> None:
    small = period(measured(500, 20, 100), measured(500, 50, 90))
    for rule, before in (("sequential", (400,)), ("fixed", ())):
        planned = document(size=6200, looks={"kind": rule})
        open_ = question(planned, SHARES, small, Look(5, 9, before))
        assert (open_.body or {})["plan"]["people"] == 6200 and open_.faults == []
        asked = question(planned, SHARES, small, Look(5, 9, (*before, 1000)[: len(before) + 1], final=True, short=True))
        assert asked.body is not None and [fault.code for fault in asked.faults] == ["ended_early"]
        assert asked.body["plan"]["people"] == 1000
        told = evaluate(Evaluation.model_validate({**asked.body, "plan": {**asked.body["plan"], "looks": list(before)}}))
        assert told.look.final and told.verdict == "more"
    assert question(document(size=1000), SHARES, small, Look(5, 9, (400, 1000), final=True)).body["plan"]["looks"] == [400]  # type: ignore[index]


@settings(deadline=None)
@given(st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True), st.integers(100, 400))
def test_a_last_look_before_the_size_spends_no_more_than_alpha(before: list[int], size: int) -> None:
    """Earlier looks had the bounds of the whole plan, the last one those of a plan of the people that it has."""
    before = sorted(before)
    bounds = [*boundaries(0.05, before, size), boundaries(0.05, [*before, 100], 100)[-1]]
    walk = Walk()
    for people, bound in zip([*before, 100], bounds, strict=True):
        walk.go(people / size, bound)
    assert walk.upper + walk.lower <= 0.05 + 1e-6


def test_several_global_groups_hold_together_and_each_change_is_an_instant() -> None:
    one, two = {"share": 500, "salt": "2025"}, {"share": 500, "salt": "2026"}
    found = domain.held_back(
        [
            Ruled(1, "a", one),
            Ruled(2, "b", two),
            Ruled(3, "c", {"share": 300, "salt": "2026"}),
            Ruled(4, "a", None),
            Ruled(5, "b", None),
            Ruled(6, "c", {"share": 0, "salt": "2026"}),
        ]
    )
    held = {at: None if one is None else one.weights["control"] for at, one in found.items()}
    assert held == {1: 500, 2: 975, 4: 500, 5: 300, 6: None}
    assert domain.periods(found) == (
        [{"control": share, "treatment": WHOLE - share} for share in (500, 975, 500, 300)],
        {1: 0, 2: 1, 4: 2, 5: 3},
    )


def test_the_end_of_what_runs_is_chosen_ahead_of_it_and_its_stop_by_nobody() -> None:
    def faults(running: dict[str, Any], draft: dict[str, Any]) -> list[tuple[str, str]]:
        return [(fault.path, fault.code) for fault in domain.changed(running, draft, 1000)]

    assert faults({"name": "a"}, {"name": "b", "ends": 1000}) == faults({"ends": 2000}, {}) == faults({}, {"stopped": 1000}) == []
    assert (
        faults({}, {"ends": 999})
        == faults({"ends": 999}, {"ends": 2000})
        == faults({"ends": 999}, {})
        == [("ends", "experiment_over")]
    )
    assert faults({"ends": 999}, {"ends": 999, "name": "b"}) == []
    assert faults({}, {"stopped": 999}) == [("stopped", "experiment_stopped_by")]


def test_a_version_with_other_arms_unsettles_what_runs() -> None:
    asked, two, three = document(), Compared(SHARES), Compared({**SHARES, "c": 1})
    assert not domain.unsettled(asked, two, Compared({"a": 1, "b": 9999}))
    assert (
        domain.unsettled(asked, two, None)
        and domain.unsettled(asked, two, three)
        and domain.unsettled(asked, None, Compared({"b": WHOLE}))
    )
    assert domain.unsettled(document(arms=[{"name": "a"}, {"name": "b"}]), three, three)


def test_arms_of_every_version_are_asked_for() -> None:
    shares = [{"a": 5000, "b": 5000}, {"a": 5000, "c": 5000}]
    assert domain.arms_of(document(), shares) == ["a", "c", "b"]
    assert domain.arms_of(document(arms=[{"name": "b"}, {"name": "a"}]), shares) == ["b", "a", "c"]
    assert domain.arms_of(document(), []) == ["control", "treatment"]


def test_a_period_is_judged_by_its_own_arms() -> None:
    several = period(measured(500, 20, 100), measured(500, 30, 90))
    several["arms"]["c"] = measured(1, 0, 0)
    asked = question(document(), SHARES, several, None)
    assert asked.body is not None and [arm["name"] for arm in asked.body["arms"]] == ["a", "b"]
    assert "unknown_arm" in {fault.code for fault in question(document(control="z"), SHARES, several, None).faults}


def test_the_smallest_effect_is_the_documents() -> None:
    whole = period(measured(500, 20, 100), measured(500, 30, 90))
    assert question(document(effect=0.03), SHARES, whole, None).body["plan"]["effect"] == 0.03  # type: ignore[index]
    assert Experiment.model_validate(document().model_dump(mode="json", exclude_none=True)).effect is None
