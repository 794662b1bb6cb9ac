"""What makes no sense in a question about an experiment: every fault at once, each with its place, a code and how to mend it."""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.experiments import Arm, Before, Count, Evaluation, Pairs, Plain, Plan, Planning, Sums

Problem = tuple[str, str, str]  # where, code, what
MOST_PLANNED_LOOKS = 120
MOST_WORK = 30_000  # arms x metrics x looks; the largest document has 20 x 21 x 60
LEAST_SHARE = 1e-6
LEAST_RATE = 1e-9
LEAST_SPREAD = Fraction(1, 10**100)


def spread(n: int, total: float, squares: float) -> Fraction:
    """Sum of squared distances from the mean, exactly: none where all are equal, less where there are no such numbers."""
    return Fraction(squares) - Fraction(total) ** 2 / n


def of_evaluation(asked: "Evaluation") -> Iterator[Problem]:
    yield from _arms(asked)
    yield from _plan(asked.plan, sum(arm.assigned for arm in asked.arms))
    if len(asked.arms) * len(asked.metrics) * (len(asked.plan.looks) + 1) > MOST_WORK:
        yield (
            "plan.looks",
            "looks_work",
            f"arms x metrics x looks, this one among them: at most {MOST_WORK}. Ask for fewer metrics at a time",
        )
    keys = [metric.key for metric in asked.metrics]
    for place, metric in enumerate(asked.metrics):
        where = f"metrics.{place}"
        if keys.index(metric.key) != place:
            yield f"{where}.key", "twice", f"{metric.key!r} stands here twice"
        yield from _of_arms(asked, f"{where}.of", list(metric.of))
        for arm in asked.arms:
            found = metric.of.get(arm.name)
            if found is None:
                continue
            at = f"{where}.of.{arm.name}"
            yield from _people(at, found.n, arm)
            n = arm.assigned if found.n is None else found.n
            yield from _figures(at, found, n, metric.kind)
        yield from _currencies(where, {arm: getattr(one, "currency", None) for arm, one in metric.of.items()})
        yield from _outliers(where, metric)
    if asked.primary is not None and asked.primary not in keys:
        yield "primary", "unknown_metric", f"there is no metric {asked.primary!r} among these"
    if asked.control is not None and asked.control not in {arm.name for arm in asked.arms}:
        yield "control", "unknown_arm", f"there is no arm {asked.control!r} among these"


def _arms(asked: "Evaluation") -> Iterator[Problem]:
    named = Counter(arm.name for arm in asked.arms)
    for place, arm in enumerate(asked.arms):
        where = f"arms.{place}"
        if named[arm.name] > 1:
            yield f"{where}.name", "twice", f"{arm.name!r} stands here twice"
        if arm.share < 0:
            yield f"{where}.share", "negative", "at least 0"
        elif arm.share < LEAST_SHARE and any(one.share for one in asked.arms):
            yield f"{where}.share", "share_empty", "an arm without a share gets nobody: take it out, or give it one"
        if arm.assigned < 2:
            yield f"{where}.assigned", *_too_few(arm.assigned)
        if arm.merged is not None and not 0 <= arm.merged <= max(arm.assigned, 0):
            yield f"{where}.merged", "more_than_assigned", "between 0 and `assigned`"
    if not any(arm.share for arm in asked.arms):
        yield "arms", "shares_empty", "the shares add up to nothing"
    if len({arm.merged is None for arm in asked.arms}) > 1:
        yield "arms", "merged_of_some", "say `merged` of every arm, or of none"


def _too_few(people: int) -> tuple[str, str]:
    if people < 0:
        return "negative", "at least 0"
    if people == 0:
        return "no_people", "nobody was exposed: there is nothing to say yet"
    return "one_alone", "one person alone tells nothing: at least 2"


def _plan(plan: "Plan", now: int) -> Iterator[Problem]:
    yield from _chances("plan.", plan.alpha, plan.power)
    if not 1e-4 <= plan.effect <= 10:
        yield "plan.effect", "effect_size", "between 0.0001 and 10: 0.1 is 10 % of what the control has"
    if plan.people is None and plan.rule == "sequential":
        yield (
            "plan.people",
            "plan_missing",
            "looks are spent against a planned number of people: plan it first, or take another rule",
        )
    if plan.people is not None and plan.people < 4:
        yield "plan.people", "one_alone", "at least 2 people for each arm"
    if plan.looks and plan.rule != "sequential":
        yield "plan.looks", "looks_unused", "earlier looks count under the rule `sequential` alone"
    before = 0
    for place, look in enumerate(plan.looks):
        if not before < look < max(now, 1):
            yield f"plan.looks.{place}", "looks_order", "looks grow, and lie before the present number of people"
        elif plan.people is not None and look >= plan.people:
            yield (
                f"plan.looks.{place}",
                "look_final",
                "this was the one final look: what comes after it is read with `always_valid`",
            )
        before = look


def _chances(prefix: str, alpha: float, power: float) -> Iterator[Problem]:
    if not 1e-6 <= alpha <= 0.5:
        yield f"{prefix}alpha", "alpha", "between 0.000001 and 0.5: 0.05 is usual"
    if not 0.5 <= power <= 0.999:
        yield f"{prefix}power", "power", "between 0.5 and 0.999: 0.8 is usual"


def _of_arms(asked: "Evaluation", where: str, given: list[str]) -> Iterator[Problem]:
    names = [arm.name for arm in asked.arms]
    for name in given:
        if name not in names:
            yield f"{where}.{name}", "unknown_arm", f"there is no arm {name!r} among these"
    for name in names:
        if name not in given:
            yield f"{where}.{name}", "missing", "this field is needed"


def _people(where: str, n: int | None, arm: "Arm") -> Iterator[Problem]:
    if n is None:
        return
    if n < 2:
        yield f"{where}.n", *_too_few(n)
    elif n > arm.assigned:
        yield f"{where}.n", "more_than_assigned", f"at most the {arm.assigned} people who were assigned to the arm"


def _figures(where: str, found: "Count | Sums | Pairs", n: int, kind: str) -> Iterator[Problem]:
    if n < 2:
        return  # said already
    if kind == "proportion":
        x: int = found.x  # type: ignore[union-attr,assignment]
        if x < 0:
            yield f"{where}.x", "negative", "at least 0"
        elif x > n:
            yield f"{where}.x", "more_than_people", f"at most the {n} people of the arm: each counts once"
        return
    if kind == "mean":
        yield from _sums(where, found, n)  # type: ignore[arg-type]
        return
    yield from _pairs(where, found, n)  # type: ignore[arg-type]


def _sums(where: str, found: "Sums", n: int) -> Iterator[Problem]:
    yield from _plain(where, found, n)
    if found.before is not None:
        yield from _before(where, n, found, found.before)
    if found.without_rule is not None:
        at = f"{where}.without_rule"
        if found.without_rule.currency != found.currency:
            yield f"{at}.currency", "currency_mixed", "one currency for all arms of a metric: convert it where it is taken in"
        left = found.without_rule.n
        if left is not None and left < n:
            yield f"{at}.n", "rule_adds", "a rule leaves people out, it adds none"
            return
        yield from _plain(at, found.without_rule, n if left is None else left)


def _plain(where: str, found: "Plain", n: int) -> Iterator[Problem]:
    if found.currency is not None:
        yield from _money(f"{where}.sum", found.sum)
    yield from _spread(f"{where}.squares", n, found.sum, found.squares)


def _money(where: str, amount: float) -> Iterator[Problem]:
    if not isinstance(amount, int):
        yield where, "money_whole", "money comes in whole minor units"
    if amount < 0:
        yield where, "money_negative", "revenue is not below 0: count refunds as a metric of their own"


def _spread(where: str, n: int, total: float, squares: float) -> Iterator[Problem]:
    if squares < 0:
        yield where, "negative", "at least 0"
        return
    found = spread(n, total, squares)
    if found < 0 and not _rounded(found, squares):
        yield where, "squares_impossible", "no numbers have this sum and so small a sum of squares"
    elif found <= LEAST_SPREAD or _rounded(found, squares):
        yield where, "no_spread", "all values are equal: without any spread nothing can be said"


def _rounded(found: Fraction, squares: float) -> bool:
    """Whether it is what is left of floats by rounding."""
    return isinstance(squares, float) and abs(found) <= Fraction(squares) * Fraction(1, 10**13)


def _before(where: str, n: int, after: "Sums", before: "Before") -> Iterator[Problem]:
    if before.squares < 0:
        yield f"{where}.before.squares", "negative", "at least 0"
        return
    x, y = spread(n, before.sum, before.squares), spread(n, after.sum, after.squares)
    both = Fraction(before.cross) - Fraction(before.sum) * Fraction(after.sum) / n
    if x < 0 and not _rounded(x, before.squares):
        yield f"{where}.before.squares", "squares_impossible", "no numbers have this sum and so small a sum of squares"
    elif x >= 0 and y >= 0 and both**2 > x * y * (1 + Fraction(1, 10**9)):
        yield f"{where}.before.cross", "cross_impossible", "no numbers have these sums and such a sum of products"


def _pairs(where: str, found: "Pairs", n: int) -> Iterator[Problem]:
    if found.currency is not None:
        yield from _money(f"{where}.y", found.y)
    if found.x <= 0:
        yield f"{where}.x", "not_positive", "more than 0: it is what is divided by"
        return
    yy, xx = spread(n, found.y, found.yy), spread(n, found.x, found.xx)
    both = Fraction(found.xy) - Fraction(found.x) * Fraction(found.y) / n
    impossible = {"yy": yy, "xx": xx}
    for field, one in impossible.items():
        if one < 0 and not _rounded(one, getattr(found, field)):
            yield f"{where}.{field}", "squares_impossible", "no numbers have this sum and so small a sum of squares"
    if yy < 0 or xx < 0:
        return
    if both**2 > xx * yy * (1 + Fraction(1, 10**9)):
        yield f"{where}.xy", "cross_impossible", "no numbers have these sums and such a sum of products"
        return
    ratio = Fraction(found.y) / Fraction(found.x)
    left = yy - 2 * ratio * both + ratio**2 * xx
    if left <= LEAST_SPREAD or _rounded(left, float(found.yy) or 1.0):
        yield f"{where}.yy", "no_spread", "all values are equal: without any spread nothing can be said"


def _currencies(where: str, given: dict[str, str | None]) -> Iterator[Problem]:
    """Against the first arm's: two currencies make no sum."""
    first = next(iter(given.values()), None)
    for arm, currency in given.items():
        if currency != first:
            yield (
                f"{where}.of.{arm}.currency",
                "currency_mixed",
                "one currency for all arms of a metric: convert it where it is taken in",
            )


def _outliers(where: str, metric: object) -> Iterator[Problem]:
    rule, of = getattr(metric, "outliers", None), getattr(metric, "of", {})
    without = {arm: getattr(one, "without_rule", None) is None for arm, one in of.items()}
    for arm, missing in without.items():
        if rule is not None and missing:
            yield f"{where}.of.{arm}.without_rule", "rule_without", "say the sums without the rule too: both results are shown"
        if rule is None and not missing:
            yield f"{where}.outliers", "missing", "this field is needed"
            return
    if rule is not None and rule.changed < 0:
        yield f"{where}.outliers.changed", "negative", "at least 0"


def of_planning(asked: "Planning") -> Iterator[Problem]:
    yield from _chances("", asked.alpha, asked.power)
    yield from _base(asked)
    if any(share < 0 for share in asked.shares):
        yield "shares", "negative", "at least 0"
    elif not sum(asked.shares):
        yield "shares", "shares_empty", "the shares add up to nothing"
    elif any(share < LEAST_SHARE for share in asked.shares):
        yield "shares", "share_empty", "an arm without a share gets nobody: take it out, or give it one"
    if asked.people is not None and asked.people < 2 * len(asked.shares):
        yield "people", "one_alone", "at least 2 people for each arm"
    if asked.per_day is not None and asked.per_day < 1e-3:
        yield "per_day", "not_positive", "more than 0"
    if not 0 <= asked.looks <= MOST_PLANNED_LOOKS:
        yield "looks", "looks_many", f"between 0 and {MOST_PLANNED_LOOKS}"
    if asked.global_base is not None and asked.global_base < 1000:
        yield "global_base", "base_small", "at least 1000 people"
    if asked.effect is None and asked.people is None and asked.global_base is None:
        yield "effect", "plan_asks", "say `effect`, `people` or `global_base`: what is to be planned?"


def _base(asked: "Planning") -> Iterator[Problem]:
    if asked.kind == "proportion":
        if not LEAST_RATE <= asked.base <= 1 - LEAST_RATE:
            yield "base", "rate", "a rate between 0 and 1, both left out: 0.05 is 5 %"
        if asked.deviation is not None:
            yield "deviation", "deviation_unused", "a rate has its own spread: leave it out"
    elif asked.deviation is None:
        yield "deviation", "missing", "this field is needed"
    elif asked.deviation < LEAST_RATE:
        yield "deviation", "no_spread", "all values are equal: without any spread nothing can be said"
    if asked.kind == "mean" and asked.base < LEAST_RATE:
        yield "base", "not_positive", "more than 0"
    if asked.effect is not None:
        yield from _effect(asked)


def _effect(asked: "Planning") -> Iterator[Problem]:
    assert asked.effect is not None
    relative, points = asked.effect.relative, asked.effect.points
    if (relative is None) == (points is None):
        yield "effect", "effect_one", "say `relative` or `points`, one of them: 10 % of 5 % is half a point"
        return
    field, given = ("relative", relative) if relative is not None else ("points", points or 0.0)
    whole = asked.base * given if relative is not None else given
    if not given or (asked.base >= LEAST_RATE and abs(whole) < LEAST_RATE * 1e-6):
        yield f"effect.{field}", "effect_none", "no effect is never seen: say one"
        return
    if asked.kind == "proportion" and 0 < asked.base < 1:
        other = asked.base + whole
        if not 0 < other < 1:
            yield f"effect.{field}", "rate", "the base with the effect is to be a rate between 0 and 1 again"
