"""Distributions, roots and the nodes of integrals: the one place that knows scipy.

scipy.special takes 0.2 s and 25 MB when it is imported, so it waits for the first question: an installation starts without it.
"""

import math
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

Curve = Callable[[float], float]


@cache
def special() -> Any:
    """scipy.special."""
    from scipy import special as found

    return found


@cache
def arrays() -> Any:
    """Numpy."""
    import numpy as np

    return np


def nodes(count: float) -> tuple[Any, Any]:
    """At least so many places between -1 and 1, rising, with the weights of an integral; a few sizes serve all."""
    return _fejer(16 * max(2, math.ceil(count / 16)))


@lru_cache(maxsize=128)
def _fejer(count: int) -> tuple[Any, Any]:
    """Fejer's first rule: of no less use here than Gauss's, whose nodes take a hundred times as long to find."""
    np = arrays()
    angles = (np.arange(count) + 0.5) * math.pi / count
    j = np.arange(1, count // 2 + 1)
    weights = 1 - 2 * (np.cos(2 * angles[:, None] * j) / (4 * j * j - 1)).sum(axis=1)
    return -np.cos(angles), weights * 2 / count


def z_of(p: float) -> float:
    """How many standard deviations from 0 leave p outside, on both sides together."""
    return -float(special().ndtri(p / 2)) if p > 0 else math.inf


def p_of(z: float) -> float:
    """Two-sided."""
    return 2 * float(special().ndtr(-abs(z)))


def quantile(p: float) -> float:
    """Of the normal distribution: z with p below it."""
    return float(special().ndtri(p))


def p_of_t(t: float, df: float) -> float:
    """Two-sided."""
    return 2 * float(special().stdtr(df, -abs(t)))


def t_of(p: float, df: float) -> float:
    """The t that leaves p outside, on both sides together."""
    return -float(special().stdtrit(df, p / 2))


def p_of_chi2(chi2: float, df: float) -> float:
    return float(special().chdtrc(df, chi2))


def root(curve: Curve, low: float, high: float) -> float:
    """Where a curve passes 0 between low and high, to the last digits; the nearer end where it does not.

    Chandrupatla 1997: an inverse parabola where the last three points allow one, else the middle. A curve may be infinite at its ends.
    """
    a, b = low, high
    at_a, at_b = curve(a), curve(b)
    if at_a * at_b > 0:
        return a if abs(at_a) < abs(at_b) else b
    part = 0.5
    for _ in range(200):
        x = a + part * (b - a)
        at_x = curve(x)
        if (at_x > 0) == (at_a > 0):
            c, at_c = a, at_a
        else:
            c, at_c, b, at_b = b, at_b, a, at_a
        a, at_a = x, at_x
        best, at_best = (a, at_a) if abs(at_a) < abs(at_b) else (b, at_b)
        least = (4e-16 * abs(best) + 1e-300) / abs(b - a) if a != b else 1.0
        if least > 0.5 or at_best == 0:
            return best
        part = min(1 - least, max(least, _parabola((a, at_a), (b, at_b), (c, at_c))))
    return best


def _parabola(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """How far from a to b the root of the inverse parabola lies; 0.5 where it would be no good one."""
    gap, run = c[1] - b[1], c[0] - b[0]
    if not gap or not run or not all(math.isfinite(one[1]) for one in (a, b, c)):
        return 0.5
    xi, phi = (a[0] - b[0]) / run, (a[1] - b[1]) / gap
    if not (phi**2 < xi and (1 - phi) ** 2 < 1 - xi):
        return 0.5
    first = a[1] / (b[1] - a[1]) * c[1] / (b[1] - c[1])
    return first + (c[0] - a[0]) / (b[0] - a[0]) * a[1] / (c[1] - a[1]) * b[1] / (c[1] - b[1])
