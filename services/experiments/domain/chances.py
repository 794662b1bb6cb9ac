"""The exact reading of two proportions by Beta-binomial: how sure one may be that the arm is better, and what a wrong choice costs.

Flat priors, Beta(1, 1). It is no safer against looking early than a p-value, so it stands beside the verdict and never makes it.
"""

import math
from typing import NamedTuple

from services.experiments.domain.curves import arrays, nodes, special
from services.experiments.domain.proportions import Share

CLOSED = 100  # terms of the closed form; above it an integral of the same, to eight digits
# Of the least of the four counts: above it both are normal curves to five digits. Those of many people with few deeds are not.
NORMAL = 10**8


class Beta(NamedTuple):
    a: float
    b: float

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)

    @property
    def variance(self) -> float:
        return self.mean * (1 - self.mean) / (self.a + self.b + 1)


class Read(NamedTuple):
    """above: P(arm > control); loss: what is lost on the average by choosing the arm, loss_control: the control."""

    above: float
    loss: float
    loss_control: float


def read(arm: Share, control: Share) -> Read:
    one, other = (Beta(share.x + 1, share.n - share.x + 1) for share in (arm, control))
    above = is_above(one, other)
    longer_one, longer_other = Beta(one.a + 1, one.b), Beta(other.a + 1, other.b)
    won = one.mean * is_above(longer_one, other) - other.mean * (1 - is_above(longer_other, one))
    lost = other.mean * is_above(longer_other, one) - one.mean * (1 - is_above(longer_one, other))
    return Read(above, max(0.0, lost), max(0.0, won))


def is_above(one: Beta, other: Beta) -> float:
    """P(one > other), by the shortest of the four sums that give it."""
    terms = (one.a, one.b, other.a, other.b)
    if min(terms) > NORMAL:
        return float(special().ndtr((one.mean - other.mean) / math.sqrt(one.variance + other.variance)))
    if min(terms) > CLOSED:
        return _integral(one, other) if one.variance < other.variance else 1 - _integral(other, one)
    shortest = terms.index(min(terms))
    if shortest == 0:
        return _sum(one, other)
    if shortest == 1:  # of 1 - rates, and the other way round
        return 1 - _sum(Beta(one.b, one.a), Beta(other.b, other.a))
    if shortest == 2:
        return 1 - _sum(other, one)
    return _sum(Beta(other.b, other.a), Beta(one.b, one.a))


def _sum(one: Beta, other: Beta) -> float:
    """P(one > other) over the whole numbers below one.a."""
    np, betaln = arrays(), special().betaln
    i = np.arange(int(one.a), dtype=float)
    logs = betaln(other.a + i, other.b + one.b) - np.log(one.b + i) - betaln(1 + i, one.b) - betaln(other.a, other.b)
    return min(1.0, float(np.exp(logs).sum()))


def _integral(one: Beta, other: Beta) -> float:
    """P(one > other): the chance of `other` below, over the density of `one`, ten standard deviations to each side. `one` is the narrower: the
    chance of `other` is then no step between two nodes.
    """
    np, found = arrays(), special()
    places, weights = nodes(200)
    deviation = math.sqrt(one.variance)
    low, high = max(0.0, one.mean - 10 * deviation), min(1.0, one.mean + 10 * deviation)
    at = (high - low) / 2 * places + (high + low) / 2
    away = at - one.mean  # logarithms of what is near 1: those of rates lose their digits to so many people
    logs = (one.a - 1) * np.log1p(away / one.mean) + (one.b - 1) * np.log1p(-away / (1 - one.mean))
    density = np.exp(logs - logs.max()) * weights  # its own sum is the best known of its size
    return min(1.0, float((density * found.betainc(other.a, other.b, at)).sum() / density.sum()))
