"""What must hold whatever the counts are."""

import itertools
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.experiments.domain import chances, looks, means, planning, proportions, several, split
from services.experiments.domain.curves import p_of, z_of
from services.experiments.domain.looks import Rule
from services.experiments.domain.means import Both
from services.experiments.domain.planning import Aim
from services.experiments.domain.proportions import Share
from tests.experiments.power import power_of

AIM = Aim(0.05, 0.8)
calm = settings(deadline=None, max_examples=60)
few = settings(deadline=None, max_examples=25)


@st.composite
def shares(draw, most=3000):
    n = draw(st.integers(2, most))
    return Share(draw(st.integers(0, n)), n)


@calm
@given(shares(), shares(), st.floats(0.3, 6))
def test_p_and_interval_agree(arm, control, critical):
    """0 is outside exactly when the pooled z is beyond, for the difference and for the lift."""
    z = abs(proportions.pooled_z(arm, control))
    assume(abs(z - critical) > 1e-6)
    assert proportions.mee(arm, control, critical).holds(0.0) == (z < critical)
    lift = proportions.koopman(arm, control, critical)
    assert lift is None or lift.holds(0.0) == (z < critical)


@calm
@given(shares(), shares(), st.floats(0.3, 6))
def test_arms_that_change_places_are_a_mirror(arm, control, critical):
    there, back = proportions.mee(arm, control, critical), proportions.mee(control, arm, critical)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)
    assert proportions.pooled_z(arm, control) == pytest.approx(-proportions.pooled_z(control, arm))
    assert chances.read(arm, control).above == pytest.approx(1 - chances.read(control, arm).above, abs=1e-9)
    one, other = proportions.koopman(arm, control, critical), proportions.koopman(control, arm, critical)
    if one is not None and other is not None and one.high is not None and other.low > -1:
        assert (1 + one.high) * (1 + other.low) == pytest.approx(1, rel=1e-7)


@calm
@given(shares(), shares(), st.floats(0.3, 6))
def test_intervals_hold_what_was_found_and_lie_where_rates_can(arm, control, critical):
    span = proportions.mee(arm, control, critical)
    assert -1 <= span.low <= arm.rate - control.rate + 1e-9 and arm.rate - control.rate - 1e-9 <= span.high <= 1
    lift, lifts = proportions.lift(arm, control), proportions.koopman(arm, control, critical)
    assert (lift is None) == (lifts is None) == (control.x == 0)
    if lifts is not None:
        assert -1 <= lifts.low <= lift + 1e-7 and (lifts.high is None or lifts.high >= lift - 1e-7)


@calm
@given(shares(), st.floats(0.3, 6))
def test_an_own_rate_is_refused_at_both_ends_of_its_interval_by_the_score_test(arm, critical):
    """A rate that is so far off that the people found are just `critical` standard errors, of that rate, away from it."""
    span = proportions.wilson(arm, critical)
    assert 0 <= span.low <= arm.rate <= span.high <= 1
    for end, at_the_edge in ((span.low, arm.x == 0), (span.high, arm.x == arm.n)):
        error = math.sqrt(end * (1 - end) / arm.n)
        assert at_the_edge or abs(arm.rate - end) == pytest.approx(critical * error, rel=1e-6, abs=1e-12)


@calm
@given(shares(300), shares(300), st.integers(2, 50))
def test_more_people_of_the_same_rates_narrow_every_interval(arm, control, times):
    more, others = Share(arm.x * times, arm.n * times), Share(control.x * times, control.n * times)
    wide, narrow = proportions.mee(arm, control, 1.96), proportions.mee(more, others, 1.96)
    assert narrow.high - narrow.low < wide.high - wide.low
    assert abs(proportions.pooled_z(more, others)) == pytest.approx(abs(proportions.pooled_z(arm, control)) * math.sqrt(times))


@calm
@given(shares(60), shares(60))
def test_fisher_is_a_chance_and_a_mirror(arm, control):
    p = proportions.fisher(arm, control)
    assert 0 < p <= 1 and p == pytest.approx(proportions.fisher(control, arm))


values = st.lists(st.integers(0, 100_000), min_size=3, max_size=40)


def _sums(found):
    return len(found), sum(found), sum(one * one for one in found)


@calm
@given(values, values, st.integers(2, 1000))
def test_means_scale_and_mirror(one, other, unit):
    assume(len(set(one)) > 1 and len(set(other)) > 1)
    arm, control = means.sample(*_sums(one)), means.sample(*_sums(other))
    found, back = means.welch(arm, control), means.welch(control, arm)
    assert (found.difference, found.p) == pytest.approx((-back.difference, back.p))
    scaled = means.welch(means.sample(*_sums([x * unit for x in one])), means.sample(*_sums([x * unit for x in other])))
    assert (scaled.difference, scaled.p) == pytest.approx((found.difference * unit, found.p))
    assert means.lifted(arm, control, 0.05)[0] == pytest.approx(arm.mean / control.mean - 1)
    assert found.interval(0.05).holds(0.0) == (found.p >= 0.05)


@calm
@given(values)
def test_whole_numbers_lose_no_digit(found):
    """Far from 0 sums of squares of floats would have none left."""
    far = [10**12 + one for one in found]
    near, away = means.sample(*_sums(found)), means.sample(*_sums(far))
    assert away.variance == pytest.approx(near.variance, rel=1e-12)


@calm
@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 50)), min_size=5, max_size=30))
def test_a_ratio_of_ones_is_a_mean(pairs):
    y = [one for one, _ in pairs]
    assume(len(set(y)) > 1)
    n, total, squares = _sums(y)
    ratio = means.ratio(Both(n, total, n, squares, n, total))
    assert (ratio.mean, ratio.variance) == pytest.approx(means.sample(n, total, squares)[1:])


@calm
@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=6, max_size=40), st.integers(0, 500))
def test_cuped_keeps_a_shift_whole_and_never_widens(pairs, shift):
    """The arm is the control with everybody `shift` richer and the same past: all of the shift is found, whatever the past told."""
    y, x = [a for a, _ in pairs], [b for _, b in pairs]
    assume(len(set(y)) > 1)

    def both(of):
        return Both(
            len(of), sum(of), sum(x), sum(a * a for a in of), sum(b * b for b in x), sum(a * b for a, b in zip(of, x, strict=True))
        )

    found = means.cuped(both([one + shift for one in y]), both(y))
    assert found.samples[0].mean - found.samples[1].mean == pytest.approx(shift, abs=1e-6)
    left = min(found.samples[0].variance, found.samples[1].variance)
    assert found.used == (found.gain >= 0.02) or left < 1e-6
    same = means.cuped(both(y), both(y))
    assert -1e-9 <= same.gain <= 1 + 1e-9


@calm
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusted_p_values_are_in_order_and_never_less(p):
    for adjust in (several.holm, several.bh):
        found = adjust(p)
        assert all(one >= least - 1e-15 and one <= 1 for one, least in zip(found, p, strict=True))
        order = sorted(range(len(p)), key=p.__getitem__)
        assert all(found[a] <= found[b] + 1e-15 for a, b in itertools.pairwise(order))
    assert all(b <= h + 1e-15 for b, h in zip(several.bh(p), several.holm(p), strict=True))
    assert min(several.holm(p)) == pytest.approx(min(1, min(p) * len(p)))


@calm
@given(st.lists(st.integers(10, 10_000), min_size=2, max_size=6), st.integers(2, 9))
def test_a_split_as_configured_is_no_alarm_and_units_of_shares_do_not_matter(people, unit):
    assert split.against_shares(people, people).p == 1
    even = [1] * len(people)
    assert split.against_shares(people, even).p == split.against_shares(people, [unit] * len(people)).p


@few
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=12, unique=True), st.sampled_from([0.01, 0.05, 0.1]), st.booleans())
def test_looks_spend_alpha_and_no_more(people, alpha, over):
    people = sorted(people)
    planned = people[-1] if not over else people[-1] + 100
    walk = looks.Walk()
    for n, critical in zip(people, looks.boundaries(alpha, people, planned), strict=True):
        if critical < looks.FARTHEST:
            walk.go(n / planned, critical)
    assert walk.upper == pytest.approx(walk.lower, abs=1e-9)
    assert walk.upper + walk.lower == pytest.approx(looks.spent(alpha, people[-1] / planned), abs=1e-7)
    assert over or walk.upper + walk.lower == pytest.approx(alpha, abs=1e-7)


@calm
@given(
    st.sampled_from(["sequential", "always_valid", "fixed"]),
    st.floats(1e-9, 0.999),
    st.integers(100, 2000),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_p_of_a_rule_is_below_alpha_exactly_when_its_bound_is_crossed(name, single, people, alpha):
    rule = Rule(name, alpha, people, 2000, (50, 80) if name == "sequential" else ())
    critical, z = rule.look().critical, z_of(single)
    assume(abs(critical - z) > 1e-5)
    assert (rule.p(single) < alpha) == (z > critical)
    assert rule.p(single) >= single * (1 - 1e-9)


@calm
@given(st.floats(0.001, 0.2), st.integers(10, 10**6), st.integers(10, 10**6))
def test_a_confidence_sequence_is_wider_than_one_look_and_p_is_its_inverse(alpha, people, planned):
    rho = looks.tuned(alpha, planned)
    width = looks.sequence_width(alpha, people, rho)
    assert width > z_of(alpha)
    assert looks.sequence_p(width, people, rho) == pytest.approx(alpha, rel=1e-9)


rates = st.floats(0.001, 0.5)


@calm
@given(rates, st.floats(0.02, 0.9), st.floats(0.2, 5), st.sampled_from([0.01, 0.05, 0.1]), st.sampled_from([0.7, 0.8, 0.9]))
def test_a_plan_has_the_power_that_it_promises(base, relative, ratio, alpha, power):
    aim = Aim(alpha, power)
    control = planning.of_control(base, base * (1 + relative), ratio, aim)
    found = power_of(base, base * (1 + relative), (control, control * ratio), alpha)
    assert found == pytest.approx(power, abs=2e-3)  # the far side is not planned for
    seen = planning.smallest(base, (control, control * ratio), aim)
    assert seen == pytest.approx(base * relative, rel=1e-6)


@calm
@given(rates, st.floats(0.02, 0.4), st.floats(1.05, 2))
def test_plans_are_monotone(base, relative, more):
    other = base * (1 + relative)
    people = planning.of_control(base, other, 1, AIM)
    assert planning.of_control(base, base * (1 + relative * more), 1, AIM) < people
    assert planning.of_control(base, other, 1, Aim(0.05, 0.9)) > people
    assert planning.of_control(base, other, 1, Aim(0.01, 0.8)) > people
    assert planning.of_control_mean(1, relative * more, 1, AIM) < planning.of_control_mean(1, relative, 1, AIM)
    assert planning.smallest(base, (people * more, people * more), AIM) < planning.smallest(base, (people, people), AIM)


def test_looks_cost_a_few_people_and_plans_with_them_keep_their_power():
    assert looks.inflation(0.05, 0.8, 1) == 1
    costs = [looks.inflation(0.05, 0.8, count) for count in (2, 5, 30)]
    assert costs == sorted(costs) and 1 < costs[0] < costs[-1] < 1.06
    z = z_of(0.05) + z_of(0.4)
    assert looks.sequential_power(0.05, 5, z * math.sqrt(costs[1])) == pytest.approx(0.8, abs=1e-6)


@calm
@given(shares(400), shares(400))
def test_chances_of_the_two_add_up_and_their_losses_differ_by_the_means(arm, control):
    found = chances.read(arm, control)
    one, other = (chances.Beta(share.x + 1, share.n - share.x + 1).mean for share in (arm, control))
    assert 0 <= found.above <= 1
    assert found.loss_control - found.loss == pytest.approx(one - other, abs=1e-9)


def test_the_closed_form_the_integral_and_the_normal_curve_meet():
    one, other = chances.Beta(50_201, 800_000), chances.Beta(50_001, 800_001)
    closed = chances._sum(one, other)
    assert chances._integral(one, other) == pytest.approx(closed, abs=1e-7)
    normal = p_of((one.mean - other.mean) / math.sqrt(one.variance + other.variance)) / 2
    assert 1 - normal == pytest.approx(closed, abs=1e-4)
    few, many = chances.Beta(chances.CLOSED + 40, 10**5), chances.Beta(chances.CLOSED + 50, 10**5)
    assert chances._integral(few, many) == pytest.approx(chances._sum(few, many), abs=1e-8)
    assert 1 - chances._integral(many, few) == pytest.approx(chances._sum(few, many), abs=1e-8)


def test_an_arm_of_few_beside_one_of_very_many():
    """The chance of the smaller arm is read over the density of the larger: the other way round it is a step between two nodes."""
    few, many = chances.Beta(60_000, 60_000), chances.Beta(6 * 10**7, 6.001 * 10**7)
    normal = p_of((few.mean - many.mean) / math.sqrt(few.variance + many.variance)) / 2  # so near a half it is one to six digits
    assert chances.is_above(few, many) == pytest.approx(1 - normal, abs=1e-6)
    assert chances.is_above(many, few) == pytest.approx(normal, abs=1e-6)


@pytest.mark.parametrize("people", [2 * 10**6, 2 * 10**8, 10**11])
def test_rare_deeds_of_very_many_people_are_no_normal_curve(people):
    """10 against 3: the next of their deeds is as likely the one's as the other's, so it is 14 tosses of a coin."""
    coins = sum(math.comb(14, heads) for heads in range(11)) / 2**14
    found = chances.read(Share(10, people), Share(3, people))
    assert found.above == pytest.approx(coins, abs=1e-6 if people > 10**7 else 1e-5)
    assert chances.read(Share(3, people), Share(10, people)).above == pytest.approx(1 - coins, abs=1e-5)


def test_an_exact_test_of_very_many_people():
    """With so many of them a table of few deeds is tosses of a coin as well."""
    tosses = 2 * sum(math.comb(9, heads) for heads in range(2)) / 2**9
    assert proportions.fisher(Share(1, 10**11), Share(8, 10**11)) == pytest.approx(tosses, rel=1e-3)
    assert proportions.fisher(Share(5000, 10**4), Share(0, 10**11)) == 0  # less than a float can tell
