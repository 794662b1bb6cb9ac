"""Whether the statistics keep what they promise: tests that are thrown 10,000 times with a known truth. No server is needed.

False alarms without any difference, with one look and with one a day; power as planned; how often intervals hold the truth; a broken split.
A figure outside its bounds fails the run.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from bench.experiments_money import Figure, coverage, halves
from bench.results import record
from schemas.experiments import Evaluation, Planning
from services.experiments.domain import looks, means, planning, proportions, split
from services.experiments.domain.curves import z_of
from services.experiments.domain.evaluating import evaluate
from services.experiments.domain.looks import Rule
from services.experiments.domain.means import Both
from services.experiments.domain.proportions import Share

RUNS = 10_000
ALPHA, Z = 0.05, z_of(0.05)
DAYS, A_DAY, BASE = 30, 500, 0.05  # people of an arm a day


def experiments(runs: int = RUNS) -> None:
    """Prints and keeps every figure. Raises RuntimeError where one is outside its bounds."""
    began, outside = time.perf_counter(), []
    thrown = (_one_look, _daily_looks, _power, _power_with_looks, _coverage_of_rates, _coverage_of_means, coverage, halves, _splits)
    for part in thrown:
        for what, found, low, high, more in part(np.random.default_rng(20261128), runs):
            record(f"experiments.{what}", round(found, 5), "share", runs, bounds=[low, high], **more)
            if not low <= found <= high:
                outside.append(f"{what}: {found:.4f} is not between {low} and {high}")
        _progress(part, began)
    record("experiments.simulation_s", round(time.perf_counter() - began, 1), "s", runs)
    if outside:
        raise RuntimeError("; ".join(outside))


def _progress(part: Callable[..., object], began: float) -> None:
    print(
        f"{part.__name__.strip('_').replace('_', ' ')}: done after {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True
    )


def _one_look(rng: np.random.Generator, runs: int) -> Iterator[Figure]:
    """No difference; whole answers, as `POST /api/experiments/evaluate` gives them. Five hundredths and a bit of chance."""
    n, found = 2000, 0
    for a, b in rng.binomial(n, BASE, (runs, 2)):
        found += _verdict(n, int(a), int(b)) in ("more", "less")
    yield "aa_one_look", found / runs, 0.043, 0.057, {"people": 2 * n, "rate": BASE}
    tests = rng.binomial(n, BASE, (runs, 4))
    alarms = sum(min(_adjusted(n, *(int(x) for x in row))) < ALPHA for row in tests)
    yield "aa_four_arms_holm", alarms / runs, 0.0, 0.057, {"people": 4 * n, "rate": BASE}


@cache
def _verdict(n: int, control: int, arm: int) -> str:
    arms = [{"name": name, "share": 1, "assigned": n} for name in ("control", "b")]
    metric = {"key": "m", "kind": "proportion", "of": {"control": {"x": control}, "b": {"x": arm}}}
    return evaluate(Evaluation.model_validate({"arms": arms, "metrics": [metric], "plan": {"rule": "fixed"}})).verdict


def _adjusted(n: int, control: int, *arms: int) -> list[float]:
    from services.experiments.domain.several import holm

    return holm([_p(n, control, arm) for arm in arms])


@cache
def _p(n: int, control: int, arm: int) -> float:
    return proportions.tested(Share(arm, n), Share(control, n))[2]


def _daily_looks(rng: np.random.Generator, runs: int) -> Iterator[Figure]:
    """One look a day, and the test ends when a bound is crossed."""
    people = np.arange(1, DAYS + 1) * 2 * A_DAY
    none = _walks(rng, runs, BASE, BASE)
    bounds = np.array(looks.boundaries(ALPHA, tuple(int(n) for n in people), int(people[-1])))
    settings = {"days": DAYS, "people_a_day": 2 * A_DAY, "rate": BASE}
    yield "aa_daily_looks_sequential", _stopped(none, bounds), 0.0, 0.05 + _noise(runs), settings
    rho = looks.tuned(ALPHA, int(people[-1]))
    widths = np.array([looks.sequence_width(ALPHA, int(n), rho) for n in people])
    yield "aa_daily_looks_always_valid", _stopped(none, widths), 0.0, 0.05, settings
    yield "aa_daily_looks_naive", _stopped(none, np.full(DAYS, Z)), 0.2, 0.4, settings  # what looking costs without a rule
    some = _walks(rng, runs, BASE, BASE * 1.15)
    fixed = float((np.abs(some[:, -1]) > Z).mean())
    settings |= {"relative": 0.15}
    yield "power_one_look_at_the_end", fixed, 0.79, 0.85, settings
    yield "power_daily_looks_sequential", _stopped(some, bounds), fixed - 0.035, fixed, settings
    yield "power_daily_looks_always_valid", _stopped(some, widths), 0.4, fixed, settings


def _noise(runs: int) -> float:
    """Two and a half standard errors of five hundredths."""
    return 2.5 * math.sqrt(0.05 * 0.95 / runs)


def _walks(rng: np.random.Generator, runs: int, control: float, arm: float) -> Any:
    """Pooled z of each run at each look."""
    x0 = rng.binomial(A_DAY, control, (runs, DAYS)).cumsum(axis=1)
    x1 = rng.binomial(A_DAY, arm, (runs, DAYS)).cumsum(axis=1)
    n = np.arange(1, DAYS + 1) * A_DAY
    pooled = (x0 + x1) / (2 * n)
    z = (x1 - x0) / n / np.sqrt(pooled * (1 - pooled) * 2 / n)
    for run, day in ((0, 0), (1, DAYS - 1)):  # the same as the product's
        one = proportions.pooled_z(Share(int(x1[run, day]), int(n[day])), Share(int(x0[run, day]), int(n[day])))
        assert math.isclose(z[run, day], one, rel_tol=1e-12)
    return z


def _stopped(z: Any, bounds: Any) -> float:
    return float((np.abs(z) > bounds).any(axis=1).mean())


def _power(rng: np.random.Generator, runs: int) -> Iterator[Figure]:
    """Plans of rates, of a split of one to nine, and of means; 80 % each, two points to either side."""
    for name, base, effect, shares in (("rates", 0.045, 0.016, (50, 50)), ("one_to_nine", 0.05, 0.015, (10, 90))):
        asked = Planning.model_validate({"base": base, "effect": {"points": effect}, "shares": shares})
        needed = planning.plan(asked).needed
        assert needed is not None
        n0, n1 = needed.arms
        x0, x1 = rng.binomial(n0, base, runs), rng.binomial(n1, base + effect, runs)
        pooled = (x0 + x1) / (n0 + n1)
        z = (x1 / n1 - x0 / n0) / np.sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1))
        yield f"power_{name}", float((np.abs(z) > Z).mean()), 0.78, 0.82, {"planned": 0.8, "people": list(needed.arms)}
    asked = Planning.model_validate({"kind": "mean", "base": 1000, "deviation": 600, "effect": {"relative": 0.1}})
    needed = planning.plan(asked).needed
    assert needed is not None
    n = needed.arms[0]
    # The same deviation in both arms, as a plan takes it; and where everybody buys a tenth more, so that it grows too.
    for name, deviation, low, high in (("means", 600.0, 0.78, 0.82), ("means_multiplied", 660.0, 0.74, 0.82)):
        (m0, v0), (m1, v1) = _spent(rng, runs, n, 1000, 600), _spent(rng, runs, n, 1100, deviation)
        found = float((np.abs(m1 - m0) / np.sqrt(v0 + v1) > Z).mean())
        yield f"power_{name}", found, low, high, {"planned": 0.8, "people": list(needed.arms), "deviations": [600, deviation]}


def _spent(rng: np.random.Generator, runs: int, n: int, mean: float, deviation: float) -> tuple[Any, Any]:
    """Mean and squared error of each run: n people with gamma amounts."""
    of = rng.gamma((mean / deviation) ** 2, deviation**2 / mean, (runs, n))
    return of.mean(axis=1), of.var(axis=1, ddof=1) / n


def _power_with_looks(rng: np.random.Generator, runs: int) -> Iterator[Figure]:
    """Five looks of a plan that was made with them."""
    asked = Planning.model_validate({"base": 0.1, "effect": {"relative": 0.15}, "looks": 5})
    needed = planning.plan(asked).needed
    assert needed is not None
    n = np.array([needed.arms[0] * k // 5 for k in range(1, 6)])
    steps = np.diff(n, prepend=0)
    x0 = np.stack([rng.binomial(step, 0.1, runs) for step in steps], axis=1).cumsum(axis=1)
    x1 = np.stack([rng.binomial(step, 0.115, runs) for step in steps], axis=1).cumsum(axis=1)
    pooled = (x0 + x1) / (2 * n)
    z = (x1 - x0) / n / np.sqrt(pooled * (1 - pooled) * 2 / n)
    bounds = np.array(looks.boundaries(ALPHA, tuple(int(2 * one) for one in n), needed.people))
    yield "power_five_looks", _stopped(z, bounds), 0.78, 0.82, {"planned": 0.8, "people": list(needed.arms)}


def _coverage_of_rates(rng: np.random.Generator, runs: int) -> Iterator[Figure]:
    for name, n0, p0, n1, p1 in (
        ("many", 2000, 0.05, 2000, 0.06),
        ("few", 300, 0.1, 150, 0.13),
        ("rare", 8000, 0.004, 8000, 0.006),
    ):
        difference = lift = 0
        for x0, x1 in zip(rng.binomial(n0, p0, runs), rng.binomial(n1, p1, runs), strict=True):
            held = _held(n0, int(x0), n1, int(x1), p0, p1)
            difference += held[0]
            lift += held[1]
        more = {"rates": [p0, p1], "people": [n0, n1]}
        yield f"coverage_difference_{name}", difference / runs, 0.94, 0.96, more
        yield f"coverage_lift_{name}", lift / runs, 0.94, 0.96, more


@cache
def _held(n0: int, x0: int, n1: int, x1: int, p0: float, p1: float) -> tuple[bool, bool]:
    """Whether the intervals of difference and lift hold the truth; without any in the control there is no lift to be wrong about."""
    arm, control = Share(x1, n1), Share(x0, n0)
    lift = proportions.koopman(arm, control, Z)
    return proportions.mee(arm, control, Z).holds(p1 - p0), lift is None or lift.holds(p1 / p0 - 1)


def _coverage_of_means(rng: np.random.Generator, runs: int) -> Iterator[Figure]:
    """Revenue of people of whom one in ten buys, in cents; average check, of those who buy up to three times."""
    n, found, ratio, lifts = 4000, 0, 0, 0
    truth = 0.1 * math.exp(0.32) * 5000
    for _ in range(runs):
        one, other = (_bought(rng, n) for _ in range(2))
        arm, control = means.sample(n, one.y, one.yy), means.sample(n, other.y, other.yy)
        found += means.welch(arm, control).interval(ALPHA).holds(0.0)
        span = means.lifted(arm, control, ALPHA)[1]
        lifts += span is not None and span.holds(0.0)
        ratio += means.welch(means.ratio(one), means.ratio(other)).interval(ALPHA).holds(0.0)
    settings = {"people": 2 * n, "buyers": 0.1, "mean_cents": round(truth)}
    yield "coverage_means", found / runs, 0.94, 0.96, settings
    yield "coverage_lift_of_means", lifts / runs, 0.94, 0.96, settings
    yield "coverage_ratios", ratio / runs, 0.94, 0.96, settings


def _bought(rng: np.random.Generator, n: int) -> Both:
    """Sums over n people: y cents, x orders."""
    buyers = rng.binomial(n, 0.1)
    orders = rng.integers(1, 4, buyers)
    taste = rng.lognormal(0, 0.8, buyers) * 2500
    cents = np.rint(taste * orders).astype(np.int64)
    return Both(n, int(cents.sum()), int(orders.sum()), int((cents**2).sum()), int((orders**2).sum()), int((cents * orders).sum()))


def _splits(rng: np.random.Generator, runs: int) -> Iterator[Figure]:
    """10,000 people at 50 to 50: as configured, and where 3 of 100 fall to the other side."""
    for name, share, low, high in (("false_alarms", 0.5, 0.0, 0.0022), ("caught", 0.53, 0.98, 1.0)):
        arms = rng.binomial(10_000, share, runs)
        alarms = sum(_alarm(int(x)) for x in arms)
        yield f"split_{name}", alarms / runs, low, high, {"people": 10_000, "share": share}
    rule = Rule("sequential", ALPHA, 10_000, 10_000)
    assert math.isclose(rule.look().critical, Z, rel_tol=1e-9)  # without looks before it a plan is one look


@cache
def _alarm(x: int) -> bool:
    return split.against_shares((x, 10_000 - x), (50, 50)).alarm
