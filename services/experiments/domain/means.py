"""Means, ratios and what is left of them by CUPED: all become (n, mean, variance of one person), compared by Welch."""

import math
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

from services.experiments.domain.curves import p_of_t, t_of
from services.experiments.domain.proportions import Span

GAIN_LEAST = 0.02  # CUPED that helps less is left out: one number less to explain
UNKNOWN = 1000.0  # times itself: so far off a mean says nothing of a ratio, and the exponents end
LEFT_LEAST = 1e-9  # of the variance of an arm: what is less is what sums of floats were rounded by


class Sample(NamedTuple):
    """n people, the mean of what each has, and its variance from person to person (n - 1 below the line)."""

    n: int
    mean: float
    variance: float

    @property
    def error2(self) -> float:
        return self.variance / self.n


class Compared(NamedTuple):
    difference: float
    error: float
    df: float
    p: float

    @property
    def t(self) -> float:
        return self.difference / self.error

    def interval(self, alpha: float) -> Span:
        half = t_of(alpha, self.df) * self.error
        return Span(self.difference - half, self.difference + half)


def sample(n: int, total: float, squares: float) -> Sample:
    """From sums, exactly: whole numbers lose no digit."""
    spread = Fraction(squares) - Fraction(total) ** 2 / n
    return Sample(n, float(Fraction(total) / n), max(0.0, float(spread / (n - 1))))


def welch(arm: Sample, control: Sample) -> Compared:
    """Two-sided, variances unequal. One of the two has some spread."""
    a, b = arm.error2, control.error2
    error = math.sqrt(a + b)
    df = freedom((a, arm.n), (b, control.n))
    difference = arm.mean - control.mean
    return Compared(difference, error, df, p_of_t(difference / error, df))


def freedom(one: tuple[float, int], other: tuple[float, int]) -> float:
    """Welch and Satterthwaite's, of (squared error, people) of two arms."""
    part = one[0] / (one[0] + other[0])
    return 1 / (part**2 / (one[1] - 1) + (1 - part) ** 2 / (other[1] - 1))


def lifted(arm: Sample, control: Sample, alpha: float) -> tuple[float | None, Span | None]:
    """The relative difference with its interval by the delta method, of the logarithm of the ratio: never below -100 %, and the same when
    the arms change places. Approximate: it is taken at the effect that was found, so it may hold 0 where Welch's does not. None where one
    of them has nothing, or less.
    """
    found = arm.mean / control.mean if control.mean > 0 else math.inf
    if math.isinf(found):  # of next to nothing as well
        return None, None
    if found <= 0:
        return found - 1, None
    one, other = (math.sqrt(of.error2) / of.mean for of in (arm, control))  # not of squares: those of small means are 0
    if max(one, other) > UNKNOWN:
        return found - 1, Span(-1.0, None)
    a, b = one**2, other**2
    half = t_of(alpha, freedom((a, arm.n), (b, control.n))) * math.sqrt(a + b)
    if half > UNKNOWN / 2:
        return found - 1, Span(-1.0, None)
    high = found * math.exp(half) - 1
    return found - 1, Span(found * math.exp(-half) - 1, high if math.isfinite(high) else None)


class Both(NamedTuple):
    """Sums of y, x, their squares and their product, of the same n people."""

    n: int
    y: float
    x: float
    yy: float
    xx: float
    xy: float

    @property
    def cov(self) -> Fraction:
        return (Fraction(self.xy) - Fraction(self.x) * Fraction(self.y) / self.n) / (self.n - 1)

    @property
    def var_x(self) -> Fraction:
        return (Fraction(self.xx) - Fraction(self.x) ** 2 / self.n) / (self.n - 1)

    @property
    def var_y(self) -> Fraction:
        return (Fraction(self.yy) - Fraction(self.y) ** 2 / self.n) / (self.n - 1)

    def with_(self, other: "Both") -> "Both":
        return Both(
            self.n + other.n, self.y + other.y, self.x + other.x, self.yy + other.yy, self.xx + other.xx, self.xy + other.xy
        )


def ratio(of: Both) -> Sample:
    """Sum of y / sum of x, its variance by the delta method with a person as the unit: that of y - R x, over the mean of x."""
    r = Fraction(of.y) / Fraction(of.x)
    variance = of.var_y - 2 * r * of.cov + r**2 * of.var_x
    return Sample(of.n, float(r), max(0.0, float(variance * of.n**2 / Fraction(of.x) ** 2)))


class Adjusted(NamedTuple):
    """samples: of the arms in the order in which they were given; gain: by how much less the squared errors of all together are."""

    samples: tuple[Sample, ...]
    theta: float
    gain: float
    used: bool


def cuped(*arms: Both) -> Adjusted:
    """What y is without that which x, of before the assignment, already told of it. One theta over all arms together, so none of the effect
    goes with it. Not used where it helps little, or where the past tells all of an arm: nothing is left there to compare by.
    """
    together = reduce(Both.with_, arms)
    theta = together.cov / together.var_x if together.var_x else Fraction(0)
    middle = Fraction(together.x) / together.n

    def adjusted(of: Both) -> Sample:
        mean = Fraction(of.y) / of.n - theta * (Fraction(of.x) / of.n - middle)
        variance = of.var_y - 2 * theta * of.cov + theta**2 * of.var_x
        return Sample(of.n, float(mean), max(0.0, float(variance)))

    found = tuple(adjusted(of) for of in arms)
    plain = [float(of.var_y / of.n) for of in arms]
    gain = 1 - sum(one.error2 for one in found) / sum(plain) if sum(plain) else 0.0
    some_left = all(one.error2 > LEFT_LEAST * before for one, before in zip(found, plain, strict=True))
    return Adjusted(found, float(theta), gain, used=gain >= GAIN_LEAST and some_left)
