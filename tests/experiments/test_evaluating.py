"""A question -> an answer: which verdict stands when, and what blocks it."""

import pytest

from schemas.experiments import as_json
from tests.experiments.asked import FILLED, RATIO, REVENUE, changed, evaluated, hillstrom
from tests.experiments.hillstrom import CONTROL, MENS, WOMENS

SEQUENTIAL = {"people": 3014, "looks": [1000, 2000]}


def only(answer):
    (metric,) = answer.metrics
    (comparison,) = metric.comparisons
    return comparison


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"metrics__0__of__b__x": 93}, "more"),
        ({"metrics__0__of__b__x": 45}, "less"),
        ({"metrics__0__of__b__x": 80}, "not_shown"),
        ({"metrics__0__of__b__x": 93, "plan__people": 6154}, "not_yet"),  # read once, and not before
        ({"metrics__0__of__control__x": 1, "metrics__0__of__b__x": 5}, "too_few"),
        ({"metrics__0__of__control__x": 0, "metrics__0__of__b__x": 9}, "more"),  # Fisher carries it
        ({"arms__1__assigned": 1807, "metrics__0__of__b__x": 300}, "blocked"),
        ({"arms__0__merged": 20, "arms__1__merged": 90, "metrics__0__of__b__x": 300}, "blocked"),
        ({"arms__0__merged": 20, "arms__1__merged": 25, "metrics__0__of__b__x": 93}, "more"),
        ({"plan": SEQUENTIAL, "metrics__0__of__b__x": 95}, "more"),
        ({"plan": SEQUENTIAL, "metrics__0__of__b__x": 85}, "not_shown"),
        ({"plan": {"people": 6154}, "metrics__0__of__b__x": 93}, "not_yet"),
        ({"plan": {"people": 6154}, "metrics__0__of__b__x": 110}, "more"),  # far enough for half of the plan
        ({"plan": {"rule": "always_valid"}, "metrics__0__of__b__x": 93}, "not_yet"),
        ({"plan": {"rule": "always_valid"}, "metrics__0__of__b__x": 115}, "more"),
    ],
    ids=str,
)
def test_a_verdict_says_what_the_data_carries(change, verdict):
    answer = evaluated(changed(FILLED, **change))
    assert (answer.verdict, only(answer).verdict) == (verdict, verdict)


def test_the_order_of_arms_and_the_name_of_the_control():
    swapped = changed(FILLED, arms=list(reversed(FILLED["arms"])), control="control")
    assert only(evaluated(swapped)).arm == "b"
    assert only(evaluated(swapped)).reading == only(evaluated(FILLED)).reading
    back = only(evaluated(changed(FILLED, control="b"))).reading
    assert back.difference == -only(evaluated(FILLED)).reading.difference


def test_the_last_look_takes_what_is_left_and_there_is_one():
    answer = evaluated(changed(FILLED, plan=SEQUENTIAL))
    assert answer.look.final and answer.look.fraction == 1
    assert 0.045 < answer.look.alpha < 0.05  # two looks before have spent little
    before = evaluated(changed(FILLED, plan={"people": 6028, "looks": [1000, 2000]}))
    assert not before.look.final and before.look.alpha < 0.004
    late = evaluated(changed(FILLED, plan={"people": 2500, "looks": [1000, 2000]}))
    assert late.look.final and late.look.fraction > 1


def test_the_letters_of_hillstrom():
    """Visits 10.6, 15.1 and 18.3 %, conversions 0.57, 0.88 and 1.25 %: both letters do something, by Holm behind a gate over three arms."""
    answer = evaluated(hillstrom())
    assert not answer.split.alarm and answer.verdict == "more"
    visits, conversions, revenue, capped = answer.metrics
    assert [one.adjusted_by for one in visits.comparisons] == ["holm", "holm"]
    assert {one.adjusted_by for metric in (conversions, revenue, capped) for one in metric.comparisons} == {"bh"}
    assert {one.verdict for metric in answer.metrics for one in metric.comparisons} == {"more"}
    assert [round(one.reading.value * 100, 2) for one in visits.comparisons] == [18.28, 15.14]
    assert [round(one.reading.value * 100, 3) for one in conversions.comparisons] == [1.253, 0.884]
    assert round(conversions.comparisons[0].reading.control * 100, 3) == 0.573
    assert all(metric.gate < 1e-6 for metric in answer.metrics)
    assert [(one.arm, one.x, one.n) for one in visits.rates] == [
        ("none", 2262, 21306),
        ("mens", 3894, 21307),
        ("womens", 3238, 21387),
    ]
    assert visits.rates[0].interval.low < visits.rates[0].rate < visits.rates[0].interval.high and not revenue.rates
    mens, womens = revenue.comparisons
    assert mens.reading.value == pytest.approx(MENS.spend / MENS.n) and mens.reading.control == pytest.approx(
        CONTROL.spend / CONTROL.n
    )
    assert womens.cuped is not None and not womens.cuped.used and 0 <= womens.cuped.gain < 0.02
    assert womens.cuped.plain == womens.reading
    with_cap = capped.comparisons[1]
    assert with_cap.reading.value == pytest.approx(WOMENS.capped / WOMENS.n)
    assert with_cap.without_rule == womens.reading


def test_cuped_is_used_where_the_past_tells_something():
    told = {"sum": 900_000, "squares": 8_000_000_000, "cross": 7_000_000_000}
    asked = changed(FILLED, metrics=[REVENUE], metrics__0__of__control__before=told, metrics__0__of__b__before=told)
    found = only(evaluated(asked))
    assert found.cuped.used and 0.4 < found.cuped.gain < 0.9
    plain, adjusted = found.cuped.plain.interval, found.reading.interval
    assert adjusted.high - adjusted.low < plain.high - plain.low
    one_arm = only(evaluated(changed(FILLED, metrics=[REVENUE], metrics__0__of__b__before=told)))
    assert one_arm.cuped is None


def with_past(n, after, correlation, deviation=10.0, before=50.0):
    """Sums of n people whose past was alike."""
    variance = (n - 1) * deviation**2
    past = {"sum": n * before, "squares": variance + n * before**2, "cross": correlation * variance + n * after * before}
    return {"sum": n * after, "squares": variance + n * after**2, "before": past}


def test_the_gate_uses_what_was_known_before_as_its_comparisons_do():
    """A past that tells nine tenths: by it alone the difference is plain, and the gate does not undo that."""
    arms = [{"name": name, "share": 1, "assigned": 1000} for name in ("control", "b", "c")]
    of = {name: with_past(1000, after, 0.95) for name, after in (("control", 50.0), ("b", 50.8), ("c", 50.1))}
    asked = {"arms": arms, "metrics": [{"key": "m", "kind": "mean", "of": of}], "plan": {"rule": "fixed"}}
    answer = evaluated(asked)
    b, c = answer.metrics[0].comparisons
    assert b.cuped.used and b.p_adjusted < 1e-7 and (b.verdict, c.verdict) == ("more", "not_shown")
    assert answer.metrics[0].gate < 1e-6
    blind = {name: {key: one[key] for key in ("sum", "squares")} for name, one in of.items()}
    plain = evaluated(changed(asked, metrics=[{"key": "m", "kind": "mean", "of": blind}]))
    assert plain.metrics[0].gate == pytest.approx(0.15, abs=0.01) and plain.verdict == "not_shown"
    one_without = evaluated(changed(asked, metrics__0__of__c=blind["c"]))
    assert one_without.metrics[0].gate == plain.metrics[0].gate


def test_a_past_that_tells_everything_leaves_nothing_to_compare_by():
    """What came before is what came after: the figures are of one thing, so they are compared as they are."""
    arms = [{"name": name, "share": 1, "assigned": 1000} for name in ("control", "b", "c")]
    of = {name: with_past(1000, after, 1.0, before=after) for name, after in (("control", 50.0), ("b", 50.8), ("c", 50.1))}
    answer = evaluated({"arms": arms, "metrics": [{"key": "m", "kind": "mean", "of": of}], "plan": {"rule": "fixed"}})
    assert not any(one.cuped.used for one in answer.metrics[0].comparisons)
    assert answer.metrics[0].gate == pytest.approx(0.15, abs=0.01)


def test_among_several_arms_holm_stands_behind_a_gate():
    arms = [{"name": name, "share": 1, "assigned": 2000} for name in ("control", "b", "c", "d")]
    of = {"control": {"x": 100}, "b": {"x": 132}, "c": {"x": 104}, "d": {"x": 99}}
    answer = evaluated({"arms": arms, "metrics": [{"key": "m", "kind": "proportion", "of": of}], "plan": {"rule": "fixed"}})
    b, c, d = answer.metrics[0].comparisons
    assert b.reading.p < 0.05 < b.p_adjusted == pytest.approx(3 * b.reading.p)
    assert [one.verdict for one in (b, c, d)] == ["not_shown"] * 3
    assert "not enough" in b.text.en and "not enough" not in c.text.en
    assert b.reading.interval.low > 0  # the interval is its own, not adjusted
    better = evaluated(
        {"arms": arms, "metrics": [{"key": "m", "kind": "proportion", "of": {**of, "b": {"x": 160}}}], "plan": {"rule": "fixed"}}
    )
    assert [one.verdict for one in better.metrics[0].comparisons] == ["more", "not_shown", "not_shown"]
    assert better.metrics[0].gate < 0.05


def test_a_gate_that_is_closed_lets_no_single_arm_through():
    """By Holm one arm is just below alpha, over all arms it is no surprise."""
    arms = [{"name": f"a{n}", "share": 1, "assigned": 10_000} for n in range(6)]
    of = {f"a{n}": {"x": x} for n, x in enumerate((1000, 1112, 1056, 1056, 1056, 1056))}
    answer = evaluated({"arms": arms, "metrics": [{"key": "m", "kind": "proportion", "of": of}], "plan": {"rule": "fixed"}})
    first = answer.metrics[0].comparisons[0]
    assert first.p_adjusted < 0.05 < answer.metrics[0].gate
    assert first.verdict == "not_shown"


def test_a_mean_of_few_people_gets_no_verdict():
    arms = [{"name": name, "share": 1, "assigned": 20} for name in ("control", "b")]
    of = {"control": {"sum": 20, "squares": 40}, "b": {"sum": 200, "squares": 2100}}
    answer = evaluated({"arms": arms, "metrics": [{"key": "m", "kind": "mean", "of": of}], "plan": {"rule": "fixed"}})
    assert only(answer).reading.p < 0.001 and answer.verdict == "too_few"


def test_an_answer_is_plain_json():
    told = as_json(evaluated(changed(hillstrom(), metrics=[*hillstrom()["metrics"][:3]])))
    assert told["conventions"] == 1
    assert told["metrics"][0]["comparisons"][0]["chances"]["above"] == 1
    assert told["metrics"][2]["comparisons"][0]["reading"]["lift_approximate"]


def test_money_far_from_zero_and_rates_of_nothing():
    none = evaluated(changed(FILLED, metrics__0__of__control__x=0, metrics__0__of__b__x=0))
    assert only(none).verdict == "too_few" and only(none).reading.lift is None and only(none).reading.p == 1
    ratio = evaluated(changed(FILLED, metrics=[RATIO]))
    assert only(ratio).reading.test == "delta"
