"""One metric of one arm against the control, under the plan's rule: a reading, and what stands beside it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from schemas.experiments import Arm, Chances, Count, Cuped, Interval, Mean, Metric, Pairs, Plain, Proportion, Reading, Sums
from services.experiments.domain import chances, means, proportions
from services.experiments.domain.looks import Look, Rule
from services.experiments.domain.means import Both, Sample
from services.experiments.domain.proportions import Share, Span

FEW = 30  # people of an arm below which a mean is not compared: t takes the values for normal
SPREAD_MOST = 1e6  # of the mean: a part of one that is so small beside its spread is nothing that a test is planned for


class Under(NamedTuple):
    """The plan's rule and what it says about this look."""

    rule: Rule
    look: Look


def usual(metric: Metric, arm: Arm) -> tuple[float, float | None] | None:
    """(what the arm has, its deviation from person to person) for plans; None where it has nothing to plan with."""
    if isinstance(metric, Proportion):
        found = share(metric.of[arm.name], arm)
        return (found.rate, None) if 0 < found.x < found.n else None
    one = sums(metric.of[arm.name], arm) if isinstance(metric, Mean) else means.ratio(pairs(metric.of[arm.name], arm))
    deviation = math.sqrt(one.variance)
    return (one.mean, deviation) if 0 < deviation < SPREAD_MOST * abs(one.mean) else None


class Pair(NamedTuple):
    """What was found: the reading that counts, and those beside it. few: too few for any verdict that the test does not carry."""

    reading: Reading
    few: bool
    cuped: Cuped | None = None
    without_rule: Reading | None = None
    chances: Chances | None = None


def compare(metric: Metric, arm: Arm, control: Arm, under: Under) -> Pair:
    if isinstance(metric, Proportion):
        return _proportion(share(metric.of[arm.name], arm), share(metric.of[control.name], control), under)
    if isinstance(metric, Mean):
        return _mean(metric, arm, control, under)
    one, other = (means.ratio(pairs(metric.of[each.name], each)) for each in (arm, control))
    return Pair(of_samples(one, other, under, "delta"), min(one.n, other.n) < FEW)


def people(of: Count | Plain | Pairs, arm: Arm) -> int:
    """How many of the arm a metric counts: all who were assigned, where it does not say."""
    return arm.assigned if of.n is None else of.n


def share(count: Count, arm: Arm) -> Share:
    return Share(count.x, people(count, arm))


def sums(of: Plain, arm: Arm) -> Sample:
    return means.sample(people(of, arm), of.sum, of.squares)


def samples(metric: Mean, arms: Sequence[Arm]) -> Sequence[Sample]:
    """Of all arms at once, without what was known before of all of them where it tells something: as their comparisons are made."""
    found = [sums(metric.of[arm.name], arm) for arm in arms]
    if any(metric.of[arm.name].before is None for arm in arms):
        return found
    adjusted = means.cuped(*(both(metric.of[arm.name], one.n) for arm, one in zip(arms, found, strict=True)))
    return adjusted.samples if adjusted.used else found


def pairs(of: Pairs, arm: Arm) -> Both:
    return Both(people(of, arm), of.y, of.x, of.yy, of.xx, of.xy)


def _proportion(arm: Share, control: Share, under: Under) -> Pair:
    test, z, single = proportions.tested(arm, control)
    critical = under.look.critical
    span, lifts = proportions.mee(arm, control, critical), proportions.koopman(arm, control, critical)
    reading = Reading(
        value=arm.rate,
        control=control.rate,
        difference=arm.rate - control.rate,
        interval=interval(span),
        lift=proportions.lift(arm, control),
        lift_interval=None if lifts is None else interval(lifts),
        lift_approximate=False,
        test="fisher" if test == "fisher" else "z",
        statistic=z,
        df=None,
        p_single=single,
        p=under.rule.p(single),
    )
    few = test == "fisher" and not (reading.p < under.rule.alpha and not span.holds(0.0))
    read = chances.read(arm, control)
    return Pair(reading, few, chances=Chances(**read._asdict()))


def _mean(metric: Mean, arm: Arm, control: Arm, under: Under) -> Pair:
    mine, theirs = metric.of[arm.name], metric.of[control.name]
    one, other = sums(mine, arm), sums(theirs, control)
    plain = of_samples(one, other, under, "welch")
    cuped, reading = None, plain
    if mine.before is not None and theirs.before is not None:
        adjusted = means.cuped(both(mine, one.n), both(theirs, other.n))
        cuped = Cuped(theta=adjusted.theta, gain=adjusted.gain, used=adjusted.used, plain=plain)
        if adjusted.used:
            without_past = adjusted.samples
            reading = of_samples(without_past[0], without_past[1], under, "welch")
    without = None
    if mine.without_rule is not None and theirs.without_rule is not None:
        raw = sums(mine.without_rule, arm), sums(theirs.without_rule, control)
        without = of_samples(*raw, under, "welch")
    return Pair(reading, min(one.n, other.n) < FEW, cuped, without)


def both(of: Sums, n: int) -> Both:
    assert of.before is not None
    return Both(n, of.sum, of.before.sum, of.squares, of.before.squares, of.before.cross)


def of_samples(arm: Sample, control: Sample, under: Under, test: str) -> Reading:
    """Welch, under the rule: its t is held against the t that is as rare as the rule's z."""
    found = means.welch(arm, control)
    lift, lifts = means.lifted(arm, control, under.look.alpha)
    return Reading(
        value=arm.mean,
        control=control.mean,
        difference=found.difference,
        interval=interval(found.interval(under.look.alpha)),
        lift=lift,
        lift_interval=None if lifts is None else interval(lifts),
        lift_approximate=True,
        test="delta" if test == "delta" else "welch",
        statistic=found.t,
        df=found.df,
        p_single=found.p,
        p=under.rule.p(found.p),
    )


def interval(span: Span) -> Interval:
    return Interval(low=span.low, high=span.high)
