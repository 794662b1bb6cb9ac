"""What makes no sense: one fault a field, and all of them at once."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.experiments import Evaluation, Planning
from services.gateway.domain.faults import FAULTS
from tests.experiments.asked import FILLED, RATIO, REVENUE, changed, evaluated, faults, hillstrom, planned

WITH_MONEY = changed(FILLED, metrics=[*FILLED["metrics"], REVENUE, RATIO])
CASES = [
    ({"arms__1__assigned": 0}, {"arms.1.assigned": "no_people"}),
    ({"arms__1__assigned": 1}, {"arms.1.assigned": "one_alone"}),
    ({"arms__1__assigned": -1}, {"arms.1.assigned": "negative"}),
    ({"arms__1__name": "control"}, {"arms.0.name": "twice", "arms.1.name": "twice", **{f"metrics.{n}.of.b": "unknown_arm" for n in range(3)}}),
    ({"arms__0__share": 0, "arms__1__share": 0}, {"arms": "shares_empty"}),
    ({"arms__0__share": 0}, {"arms.0.share": "share_empty"}),
    ({"arms__0__share": -1}, {"arms.0.share": "negative"}),
    ({"arms__0__merged": 3}, {"arms": "merged_of_some"}),
    ({"arms__0__merged": 3, "arms__1__merged": 9999}, {"arms.1.merged": "more_than_assigned"}),
    ({"metrics__0__of__b__x": 1508}, {"metrics.0.of.b.x": "more_than_people"}),
    ({"metrics__0__of__b__x": -1}, {"metrics.0.of.b.x": "negative"}),
    ({"metrics__0__of__b__n": 1508}, {"metrics.0.of.b.n": "more_than_assigned"}),
    ({"metrics__0__of__b__n": 1}, {"metrics.0.of.b.n": "one_alone"}),
    ({"metrics__0__of__b": ...}, {"metrics.0.of.b": "missing"}),
    ({"metrics__0__of__c": {"x": 1}}, {"metrics.0.of.c": "unknown_arm"}),
    ({"metrics__1__key": "filled"}, {"metrics.1.key": "twice"}),
    ({"primary": "nothing"}, {"primary": "unknown_metric"}),
    ({"control": "nothing"}, {"control": "unknown_arm"}),
    ({"metrics__1__of__b__sum": -5}, {"metrics.1.of.b.sum": "money_negative"}),
    ({"metrics__1__of__b__sum": 10.5}, {"metrics.1.of.b.sum": "money_whole"}),
    ({"metrics__1__of__b__currency": "USD"}, {"metrics.1.of.b.currency": "currency_mixed"}),
    ({"metrics__1__of__b__currency": ...}, {"metrics.1.of.b.currency": "currency_mixed"}),
    ({"metrics__1__of__b__sum": 1507 * 7, "metrics__1__of__b__squares": 1507 * 49}, {"metrics.1.of.b.squares": "no_spread"}),
    ({"metrics__1__of__b__sum": 0, "metrics__1__of__b__squares": 0}, {"metrics.1.of.b.squares": "no_spread"}),
    ({"metrics__1__of__b__squares": 1000}, {"metrics.1.of.b.squares": "squares_impossible"}),
    ({"metrics__1__of__b__squares": -1}, {"metrics.1.of.b.squares": "negative"}),
    ({"metrics__1__of__b__before": {"sum": 10, "squares": 20, "cross": 10**9}}, {"metrics.1.of.b.before.cross": "cross_impossible"}),
    ({"metrics__1__of__b__before": {"sum": 5000, "squares": 20, "cross": 0}}, {"metrics.1.of.b.before.squares": "squares_impossible"}),
    ({"metrics__1__outliers": {"rule": "ten_times", "cap": 9, "changed": 1}}, {f"metrics.1.of.{arm}.without_rule": "rule_without" for arm in ("control", "b")}),
    ({"metrics__2__of__b__x": 0}, {"metrics.2.of.b.x": "not_positive"}),
    ({"metrics__2__of__b__xy": 10**6}, {"metrics.2.of.b.xy": "cross_impossible"}),
    ({"metrics__2__of__b__xx": 1}, {"metrics.2.of.b.xx": "squares_impossible"}),
    ({"metrics__2__of__b__y": 1000, "metrics__2__of__b__yy": 3000, "metrics__2__of__b__xy": 3000}, {"metrics.2.of.b.yy": "no_spread"}),
    ({"plan__alpha": 0}, {"plan.alpha": "alpha"}),
    ({"plan__power": 1}, {"plan.power": "power"}),
    ({"plan__effect": 0}, {"plan.effect": "effect_size"}),
    ({"plan": {}}, {"plan.people": "plan_missing"}),
    ({"plan__looks": [100]}, {"plan.looks": "looks_unused"}),
    ({"plan": {"people": 9000, "looks": [100, 100]}}, {"plan.looks.1": "looks_order"}),
    ({"plan": {"people": 9000, "looks": [5000]}}, {"plan.looks.0": "looks_order"}),
    ({"plan": {"people": 2000, "looks": [1000, 2000]}}, {"plan.looks.1": "look_final"}),
    ({"plan__sides": 1}, {"plan.sides": "extra_forbidden"}),
    ({"arms__0__assigned": True}, {"arms.0.assigned": "int_type"}),
    ({"metrics__0__kind": "median"}, {"metrics.0": "union_tag_invalid"}),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), CASES, ids=lambda one: next(iter(one)))
def test_what_makes_no_sense_is_named_where_it_stands(change, expected):
    assert faults(Evaluation, changed(WITH_MONEY, **change)) == expected


def test_everything_at_once():
    wrong = changed(
        WITH_MONEY,
        arms__0__share=-1,
        metrics__0__of__b__x=2000,
        metrics__1__of__b__sum=-5,
        metrics__1__of__b__currency="EUR",
        plan={"alpha": 3},
    )
    assert faults(Evaluation, wrong) == {
        "arms.0.share": "negative",
        "metrics.0.of.b.x": "more_than_people",
        "metrics.1.of.b.sum": "money_negative",
        "metrics.1.of.b.currency": "currency_mixed",
        "plan.alpha": "alpha",
        "plan.people": "plan_missing",
    }


PLAN = {"base": 0.05, "effect": {"relative": 0.1}}
PLANS = [
    ({"base": 0}, {"base": "rate"}),
    ({"base": 1}, {"base": "rate"}),
    ({"effect": {}}, {"effect": "effect_one"}),
    ({"effect": {"relative": 0.1, "points": 0.01}}, {"effect": "effect_one"}),
    ({"effect": {"relative": 0}}, {"effect.relative": "effect_none"}),
    ({"effect": {"points": 0.96}}, {"effect.points": "rate"}),
    ({"effect": {"relative": -1}}, {"effect.relative": "rate"}),
    ({"effect": None}, {"effect": "plan_asks"}),
    ({"shares": [0, 0]}, {"shares": "shares_empty"}),
    ({"shares": [1, 0]}, {"shares": "share_empty"}),
    ({"shares": [1, -1]}, {"shares": "negative"}),
    ({"people": 3}, {"people": "one_alone"}),
    ({"per_day": 0}, {"per_day": "not_positive"}),
    ({"looks": 500}, {"looks": "looks_many"}),
    ({"global_base": 10}, {"global_base": "base_small"}),
    ({"deviation": 3}, {"deviation": "deviation_unused"}),
    ({"kind": "mean"}, {"deviation": "missing"}),
    ({"kind": "mean", "deviation": 0}, {"deviation": "no_spread"}),
    ({"kind": "mean", "deviation": 3, "base": 0}, {"base": "not_positive"}),
    ({"alpha": 0.9, "power": 0.2}, {"alpha": "alpha", "power": "power"}),
]


@pytest.mark.parametrize(("change", "expected"), PLANS, ids=str)
def test_plans_that_make_no_sense(change, expected):
    assert faults(Planning, {**PLAN, **change}) == expected


def test_every_code_speaks_both_languages():
    codes = {code for _, expected in (*CASES, *PLANS) for code in expected.values()}
    assert codes <= set(FAULTS)


usual = st.lists(
    st.sampled_from([0, 0, 1, 1, 2, 7, -1, 1e-200, 1e-9, 0.1, 100, 10**6, 10**12, 1e15, -(10**12)]), min_size=2, max_size=5
)
nearly_nothing = st.builds(
    lambda of, left: [*of, *(-one for one in of), left], usual, st.sampled_from([0, 1, 1e-200, -1e-200, 1e-300, 1e-9])
)  # what comes and goes leaves a sum that is small beside its spread
amounts = st.one_of(usual, nearly_nothing)
divisors = st.sampled_from([1, 1, 2, 3, 50, 0.25, 1e-9, 1e-200, 10**9])
times = st.sampled_from([1, 1, 20, 1000, 10**9])


def added(of, others=None):
    """Sum of squares, or of products, as whoever has a database adds it up: exactly, and then in one float where there were any."""
    others = of if others is None else others
    total = sum(Fraction(one) * Fraction(other) for one, other in zip(of, others, strict=True))
    return int(total) if all(isinstance(one, int) for one in (*of, *others)) else float(total)


@st.composite
def possible(draw):
    """A question whose figures some people have: each arm is a few amounts, met many times."""
    asked = changed(WITH_MONEY, metrics__1__of__b__currency=..., metrics__1__of__control__currency=...)
    proportion, mean, ratio = asked["metrics"]
    before, rule = draw(st.booleans()), draw(st.booleans())
    if rule:
        mean["outliers"] = {"rule": "winsorized", "cap": 7, "changed": 1}
    for arm in asked["arms"]:
        of, name = draw(amounts), arm["name"]
        past, under = (
            draw(st.lists(amounts.flatmap(st.sampled_from), min_size=len(of), max_size=len(of))),
            [draw(divisors) for _ in of],
        )
        past = draw(st.sampled_from([past, of]))
        many, ones = draw(times), [1] * len(of)
        n = arm["assigned"] = len(of) * many
        arm["share"] = n * draw(st.floats(0.999, 1.001))
        proportion["of"][name] = {"x": draw(st.integers(0, n))}
        mean["of"][name] = {"sum": added(of, ones) * many, "squares": added(of) * many}
        if before:
            mean["of"][name]["before"] = {
                "sum": added(past, ones) * many,
                "squares": added(past) * many,
                "cross": added(of, past) * many,
            }
        if rule:
            mean["of"][name]["without_rule"] = {"sum": added(past, ones) * many, "squares": added(past) * many}
        sums = {"y": (of, ones), "x": (under, ones), "yy": (of, of), "xx": (under, under), "xy": (of, under)}
        ratio["of"][name] = {key: added(*both) * many for key, both in sums.items()}
    people = sum(arm["assigned"] for arm in asked["arms"])
    asked["plan"] = draw(st.sampled_from([{"rule": "fixed"}, {"rule": "always_valid"}, {"people": 2 * people, "looks": [1, 2]}]))
    return asked


def test_whatever_passes_can_be_answered():
    """Figures that can be are answered with numbers, each measure by itself; most are, or this would show nothing."""
    refused = answered = 0

    @settings(deadline=None, max_examples=200, database=None)
    @given(possible())
    def ask(asked):
        nonlocal refused, answered
        for metric in asked["metrics"]:
            alone = {**asked, "metrics": [metric]}
            if faults(Evaluation, alone):
                refused += 1
                continue
            answered += 1
            for one in evaluated(alone).metrics[0].comparisons:
                assert 0 <= one.reading.p <= 1 and math.isfinite(one.reading.difference)
                assert one.reading.interval.low <= one.reading.interval.high
                assert one.text.en and one.text.ru

    ask()
    assert answered > refused


@settings(deadline=None, max_examples=100)
@given(st.floats(-1, 2), st.floats(-1e15, 1e15) | st.floats(-1, 1), st.integers(-1, 10**11), st.floats(0, 1e15), st.integers(0, 3))
def test_whatever_is_planned_can_be_answered(base, effect, people, per_day, looks):
    asked = {
        "base": base,
        "effect": {"relative": effect},
        "people": people,
        "per_day": per_day,
        "looks": looks,
        "global_base": people,
    }
    for one in (asked, {**asked, "kind": "mean", "deviation": abs(effect)}):
        if not faults(Planning, one):
            found = planned(**one)
            assert found.needed.people >= 4 and found.text.en and found.text.ru


def test_the_letters_make_sense():
    assert not faults(Evaluation, hillstrom())
