"""One question about an experiment -> one answer. Whoever has counts from elsewhere makes an `Evaluation` of them and calls `evaluate`."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from schemas.experiments import (
    Arm,
    Check,
    Comparison,
    Evaluated,
    Evaluation,
    Look,
    Mean,
    Measured,
    Metric,
    Proportion,
    Rate,
    Text,
    Verdict,
)
from services.experiments.domain import means, proportions, several, split, telling
from services.experiments.domain.comparing import Pair, Under, compare, interval, pairs, samples, share
from services.experiments.domain.curves import z_of
from services.experiments.domain.looks import Rule
from services.experiments.domain.split import Checked

By = Literal["none", "holm", "bh"]


class Weighed(NamedTuple):
    """A comparison with what it is worth among the others; among: how many are adjusted together."""

    metric: Metric
    arm: Arm
    pair: Pair
    p: float
    by: By
    gate: float | None
    among: int


def evaluate(asked: Evaluation) -> Evaluated:
    """Primary metric: each arm against the control, Holm over the arms, behind a gate over all arms. Secondary ones: Benjamini-Hochberg."""
    people = sum(arm.assigned for arm in asked.arms)
    rule = Rule(asked.plan.rule, asked.plan.alpha, people, asked.plan.people, asked.plan.looks)
    under = Under(rule, rule.look())
    fair, merges = checks(asked)
    blocked = fair.alarm or (merges is not None and merges.alarm)
    weighed = _weighed(asked, under)
    told = telling.Told(asked, under, fair, merges)
    measured = tuple(_measured(metric, weighed, told, blocked=blocked) for metric in asked.metrics)
    primary = next(one for one in measured if one.primary)
    return Evaluated(
        verdict=_overall([one.verdict for one in primary.comparisons]),
        split=_check(fair),
        merges=None if merges is None else _check(merges),
        look=Look(rule=asked.plan.rule, people=people, **under.look._asdict()),
        metrics=measured,
        text=_headline(primary, told, blocked=blocked),
    )


def checks(asked: Evaluation) -> tuple[Checked, Checked | None]:
    """Of the split, and of merges where they are said. Either alarm blocks every verdict."""
    assigned = [arm.assigned for arm in asked.arms]
    merged = [arm.merged for arm in asked.arms if arm.merged is not None]
    fair = split.against_shares(assigned, [arm.share for arm in asked.arms])
    return fair, split.merged_alike(merged, assigned) if len(merged) == len(assigned) else None


def _weighed(asked: Evaluation, under: Under) -> list[Weighed]:
    others = [arm for arm in asked.arms if arm is not asked.base]
    primary = next(metric for metric in asked.metrics if metric.key == asked.deciding)
    secondary = [metric for metric in asked.metrics if metric is not primary]
    found = _family(asked, [(primary, arm) for arm in others], "holm" if len(others) > 1 else "none", under)
    return found + _family(asked, [(metric, arm) for metric in secondary for arm in others], "bh", under)


def _family(asked: Evaluation, of: Sequence[tuple[Metric, Arm]], by: By, under: Under) -> list[Weighed]:
    """Comparisons that are adjusted together."""
    found = [compare(metric, arm, asked.base, under) for metric, arm in of]
    single = [pair.reading.p for pair in found]
    adjusted = several.holm(single) if by == "holm" else several.bh(single) if by == "bh" else single
    gates = {metric.key: _gate(asked, metric, under) for metric, _ in of}
    return [
        Weighed(metric, arm, pair, p, by, gates[metric.key], len(of))
        for (metric, arm), pair, p in zip(of, found, adjusted, strict=True)
    ]


def _gate(asked: Evaluation, metric: Metric, under: Under) -> float | None:
    """p, under the rule, that all arms are alike; None for two arms, whose comparison it is."""
    if len(asked.arms) < 3:
        return None
    if isinstance(metric, Proportion):
        return under.rule.p(several.alike([share(metric.of[arm.name], arm) for arm in asked.arms]))
    if isinstance(metric, Mean):
        return under.rule.p(several.same(samples(metric, asked.arms)))
    return under.rule.p(several.same([means.ratio(pairs(metric.of[arm.name], arm)) for arm in asked.arms]))


def _measured(metric: Metric, weighed: Sequence[Weighed], told: telling.Told, *, blocked: bool) -> Measured:
    mine = [one for one in weighed if one.metric.key == metric.key]
    return Measured(
        key=metric.key,
        kind=metric.kind,
        primary=metric.key == told.asked.deciding,
        gate=mine[0].gate,
        outliers=metric.outliers if isinstance(metric, Mean) else None,
        rates=_rates(metric, told.asked) if isinstance(metric, Proportion) else (),
        comparisons=tuple(_comparison(one, told, blocked=blocked) for one in mine),
    )


def _rates(metric: Proportion, asked: Evaluation) -> tuple[Rate, ...]:
    """Each arm's own. Nothing is compared, so looks make it no wider."""
    critical, found = z_of(asked.plan.alpha), {arm.name: share(metric.of[arm.name], arm) for arm in asked.arms}
    spans = {name: interval(proportions.wilson(one, critical)) for name, one in found.items()}
    return tuple(Rate(arm=name, x=one.x, n=one.n, rate=one.rate, interval=spans[name]) for name, one in found.items())


def _comparison(one: Weighed, told: telling.Told, *, blocked: bool) -> Comparison:
    verdict = "blocked" if blocked else _verdict(one, told)
    return Comparison(
        arm=one.arm.name,
        reading=one.pair.reading,
        p_adjusted=one.p,
        adjusted_by=one.by,
        verdict=verdict,
        cuped=one.pair.cuped,
        without_rule=one.pair.without_rule,
        chances=one.pair.chances,
        text=_both(lambda lang: told.compared(lang, one.metric, one.arm, one.pair, verdict, one.among)),
    )


def _verdict(one: Weighed, told: telling.Told) -> Verdict:
    """Nothing that the data does not carry: a test that is read once says nothing before its time."""
    alpha = told.asked.plan.alpha
    if told.early:
        return "not_yet"
    if one.pair.few:
        return "too_few"
    if one.p < alpha and (one.gate is None or one.gate < alpha):
        return "more" if one.pair.reading.difference > 0 else "less"
    return "not_shown" if told.under.look.final else "not_yet"


def _overall(found: Sequence[Verdict]) -> Verdict:
    """Of the primary metric's comparisons, the one that says most."""
    return min(found, key=("blocked", "more", "less", "not_yet", "not_shown", "too_few").index)


def _check(found: Checked) -> Check:
    return Check(p=found.p, alarm=found.alarm, expected=found.expected)


def _headline(primary: Measured, told: telling.Told, *, blocked: bool) -> Text:
    if blocked:
        return _both(told.blocked)
    said = [one.text for one in primary.comparisons]
    return Text(en=" ".join(one.en for one in said), ru=" ".join(one.ru for one in said))


def _both(say: telling.Say) -> Text:
    return Text(en=say("en"), ru=say("ru"))
