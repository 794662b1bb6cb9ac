"""Looks that lie close together, p-values of many comparisons, and how much of either may be asked at once."""

import math

import numpy as np
import pytest

from schemas.experiment_documents import Experiment, Looks
from schemas.experiments import MOST_ARMS, MOST_LOOKS, MOST_METRICS, Evaluation
from schemas.experiments_sense import MOST_WORK
from services.experiments.domain import looks
from services.experiments.domain.curves import p_of, root, z_of
from services.experiments.domain.looks import Rule
from services.gateway.domain.faults import FAULTS
from tests.experiments.asked import evaluated, faults

RUNS = 2_000_000
NOISE = 4.5 * math.sqrt(0.05 * 0.95 / RUNS)


def crossed(people, planned):
    """How often paths without any difference leave the boundaries, thrown and not integrated."""
    rng, bounds = np.random.default_rng(20261128), looks.boundaries(0.05, people, planned)
    place, left, before = np.zeros(RUNS), np.zeros(RUNS, dtype=bool), 0
    for now, critical in zip(people, bounds, strict=True):
        place += rng.standard_normal(RUNS) * math.sqrt((now - before) / planned)
        left |= np.abs(place) > critical * math.sqrt(now / planned)
        before = now
    return float(left.mean())


@pytest.mark.parametrize(
    ("people", "planned"),
    [
        ((500_000, 500_005, 500_010, 500_015, 1_000_000), 1_000_000),
        ((5_000_000, 5_000_001, 5_000_002, 10_000_000), 10_000_000),
        ((5000, 5020, 5040, 10_000), 10_000),  # as near as looks of the grid come
        ((900, 901, 902, 950, 951, 999, 1000), 1000),
        (tuple(range(1, 31)), 30),
    ],
    ids=lambda one: str(one)[:40],
)
def test_looks_that_lie_close_together_spend_alpha(people, planned):
    assert crossed(people, planned) == pytest.approx(0.05, abs=NOISE)


def test_a_calendar_of_near_looks_alone_spends_less_and_never_more():
    """Paths that leave at two looks of one place of the grid are counted at both."""
    people = tuple(round(10**6 * 1.001**step) for step in range(60))
    assert 0.044 < crossed(people, people[-1]) < 0.05


def test_a_look_beside_another_changes_nothing_at_the_end():
    alone = looks.boundaries(0.05, (500_000, 1_000_000), 1_000_000)
    beside = looks.boundaries(0.05, (500_000, 500_005, 500_010, 500_015, 1_000_000), 1_000_000)
    assert beside[0] == alone[0] and beside[-1] == pytest.approx(alone[-1], abs=2e-5)
    assert (
        list(beside[:4]) == sorted(beside[:4]) and beside[3] - beside[0] < 0.02
    )  # what was not crossed a moment ago is hardly crossed now


@pytest.mark.parametrize("people", [(5000, 5011, 5022, 10_000), (900, 902, 904, 950, 999, 1002), tuple(range(1, 13))], ids=str)
def test_a_finer_grid_says_the_same(monkeypatch, people):
    found = looks.boundaries(0.05, people, people[-1])
    monkeypatch.setattr(looks, "NODES", 4 * looks.NODES)
    assert found == pytest.approx(looks._walked(0.05, people, people[-1]), abs=2e-6)


CALENDARS = [
    ((), 600, 3000),
    ((600, 1200, 1800), 2400, 3000),
    ((600, 1200, 1800, 2400), 3000, 3000),
    ((500_000,), 500_005, 1_000_000),
    (tuple(range(10, 100, 10)), 100, 100),
    ((50, 80), 100, 2000),
]


@pytest.mark.parametrize(("before", "people", "planned"), CALENDARS, ids=str)
@pytest.mark.parametrize("single", [0.2, 0.04, 0.003, 1e-6])
def test_p_of_a_look_is_the_alpha_whose_bound_it_is(before, people, planned, single):
    """Against a search with the whole walk at each alpha."""

    def away(log_alpha):
        return z_of(single) - looks.boundaries(math.exp(log_alpha), (*before, people), planned)[-1]

    searched = max(single, math.exp(root(away, math.log(single), 0.0)))
    assert Rule("sequential", 0.9, people, planned, before).p(single) == pytest.approx(searched, rel=1e-4)


def test_a_hair_beside_the_bound_p_is_on_the_same_side():
    for before, people, planned in CALENDARS:
        for alpha in (0.01, 0.05, 0.1):
            rule = Rule("sequential", alpha, people, planned, before)
            critical = rule.look().critical
            if critical < looks.FARTHEST:
                assert rule.p(p_of(critical + 1e-9)) < alpha <= rule.p(p_of(critical - 1e-9))


def test_an_early_look_that_spends_nothing_is_crossed_by_what_lies_farthest_alone():
    for people, planned in ((10, 10**9), (300, 3000)):
        rule = Rule("sequential", 0.001, people, planned)
        assert rule.look().critical == looks.FARTHEST
        assert rule.p(p_of(looks.FARTHEST + 0.1)) == looks.LEAST_P and rule.p(p_of(looks.FARTHEST - 0.1)) > 0.001


def large(arms, metrics, count):
    of = {f"a{arm}": {"x": 10_000 + 7 * arm} for arm in range(arms)}
    return {
        "arms": [{"name": name, "share": 1, "assigned": 200_000} for name in of],
        "metrics": [{"key": f"m{place}", "kind": "proportion", "of": of} for place in range(metrics)],
        "plan": {"people": 200_000 * arms + 1, "looks": [1000 * (place + 1) for place in range(count)]},
    }


def test_all_comparisons_of_a_question_share_their_walks(monkeypatch):
    """Looks are walked once for each alpha of the scale, however many comparisons ask for their p."""
    walks = []
    monkeypatch.setattr(looks, "_walked", lambda *given, walked=looks._walked: walks.append(given[0]) or walked(*given))
    evaluated(large(4, 40, 6))
    assert len(walks) <= looks.SCALE + 1 and len(walks) == len(set(walks))


def test_more_work_than_may_be_asked_is_refused_with_its_field():
    assert faults(Evaluation, large(MOST_ARMS, MOST_METRICS, 29)) == {}
    assert faults(Evaluation, large(MOST_ARMS, MOST_METRICS, 30)) == {"plan.looks": "looks_work"}
    assert faults(Evaluation, large(2, MOST_METRICS, MOST_LOOKS)) == {}
    assert "looks_work" in FAULTS


def test_the_largest_document_can_be_judged():
    def most(model, field):
        return next(one.max_length for one in model.model_fields[field].metadata if hasattr(one, "max_length"))

    measures, at = 1 + most(Experiment, "secondary"), most(Looks, "at")
    assert most(Experiment, "arms") * measures * at <= MOST_WORK
    assert faults(Evaluation, large(most(Experiment, "arms"), measures, at - 1)) == {}
