"""x of n people in one arm against x of n in the control: tests, and intervals that never disagree with them."""

import math
from typing import NamedTuple

from services.experiments.domain.curves import arrays, p_of, root, special

HAIR = 1e-12
FAR = 1000  # people
EXPECTED_LEAST = 5.0  # below it the normal curve is no picture of so few


class Share(NamedTuple):
    """x of n people; n at least 1."""

    x: int
    n: int

    @property
    def rate(self) -> float:
        return self.x / self.n


class Span(NamedTuple):
    """None: no bound on that side."""

    low: float | None
    high: float | None

    def holds(self, value: float) -> bool:
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)


def pooled_z(arm: Share, control: Share) -> float:
    """How many standard errors, under no difference, the arm is above the control: the root of chi2 without Yates' correction."""
    pooled = (arm.x + control.x) / (arm.n + control.n)
    error = pooled * (1 - pooled) * (1 / arm.n + 1 / control.n)
    return (arm.rate - control.rate) / math.sqrt(error) if error > 0 else 0.0


def least_expected(arm: Share, control: Share) -> float:
    """The smallest of the four counts that no difference would give."""
    yes = arm.x + control.x
    people = arm.n + control.n
    return min(arm.n, control.n) * min(yes, people - yes) / people


def fisher(arm: Share, control: Share) -> float:
    """Two-sided exact p: of all tables with these margins, the chance of those that are no likelier than this one."""
    np, log_gamma = arrays(), special().gammaln
    yes, people = arm.x + control.x, arm.n + control.n
    # Where fewer than 5 are expected in a cell, tables so FAR from it have no chance that a float can tell from 0.
    due = arm.n * yes // people
    x = np.arange(max(0, yes - control.n, due - FAR), min(yes, arm.n, due + FAR) + 1, dtype=float)
    if not x[0] <= arm.x <= x[-1]:
        return 0.0

    def log_choose(n: float, k: object) -> object:
        return log_gamma(n + 1) - log_gamma(np.asarray(k) + 1) - log_gamma(n - np.asarray(k) + 1)

    logs = log_choose(arm.n, x) + log_choose(control.n, yes - x) - log_choose(people, yes)  # type: ignore[operator]
    chances = np.exp(logs)
    here = chances[arm.x - int(x[0])]
    return min(1.0, float(chances[chances <= here * (1 + 1e-7)].sum() / chances.sum()))


def tested(arm: Share, control: Share) -> tuple[str, float | None, float]:
    """(which test, its z, p): Fisher's where fewer than 5 are to be expected in a cell."""
    if least_expected(arm, control) < EXPECTED_LEAST:
        return "fisher", None, fisher(arm, control)
    z = pooled_z(arm, control)
    return "z", z, p_of(z)


def mee(arm: Share, control: Share, critical: float) -> Span:
    """Of the difference of the rates: all differences that the score test with z = critical does not refuse (Mee 1984).

    At no difference it is the pooled z, so 0 lies outside exactly when that one is above critical.
    """
    found = arm.rate - control.rate

    def beyond(difference: float) -> float:
        return abs(found - difference) - critical * score_error(arm, control, difference)

    # A hair beside what was found: there itself the error may be nothing (0 of n on both sides).
    low = -1.0 if beyond(-1.0) <= 0 else root(beyond, -1.0, max(-1.0, found - HAIR))
    high = 1.0 if beyond(1.0) <= 0 else root(beyond, min(1.0, found + HAIR), 1.0)
    return Span(low, high)


def score_error(arm: Share, control: Share, difference: float) -> float:
    """Standard error of the difference of the rates where it truly is so much."""
    base = restricted(arm, control, difference)
    other = min(1.0, max(0.0, base + difference))
    return math.sqrt(max(0.0, other * (1 - other) / arm.n + base * (1 - base) / control.n))


def restricted(arm: Share, control: Share, difference: float) -> float:
    """The likeliest rate of the control where the arm's is above it by `difference`: the root of a cubic (Farrington and Manning 1990)."""
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    people = arm.n + control.n
    a3 = people
    a2 = (arm.n + 2 * control.n) * difference - people - arm.x - control.x
    a1 = (control.n * difference - people - 2 * control.x) * difference + arm.x + control.x
    a0 = control.x * difference * (1 - difference)
    q = a2**3 / (3 * a3) ** 3 - a1 * a2 / (6 * a3**2) + a0 / (2 * a3)
    spread = a2**2 / (3 * a3) ** 2 - a1 / (3 * a3)
    p = math.copysign(math.sqrt(max(0.0, spread)), q)
    angle = (math.pi + math.acos(max(-1.0, min(1.0, q / p**3 if p else 0.0)))) / 3
    return min(high, max(low, 2 * p * math.cos(angle) - a2 / (3 * a3)))


def koopman(arm: Share, control: Share, critical: float) -> Span | None:
    """Of the lift, arm / control - 1: all that the score test of a ratio does not refuse (Koopman 1984). None: the control has nothing.

    At a lift of 0 it is the pooled z as well.
    """
    if not control.x:
        return None
    found = arm.rate / control.rate

    def beyond(log_ratio: float) -> float:
        return abs(ratio_score(arm, control, math.exp(log_ratio))) - critical

    far = 60.0
    if not arm.x:
        return Span(-1.0, math.exp(root(beyond, -far, far)) - 1)
    middle = math.log(found)
    low, high = middle - far, middle + far
    return Span(
        -1.0 if beyond(low) <= 0 else math.exp(root(beyond, low, middle)) - 1,
        None if beyond(high) <= 0 else math.exp(root(beyond, middle, high)) - 1,
    )


def ratio_score(arm: Share, control: Share, ratio: float) -> float:
    """Score of "the arm's rate is `ratio` times the control's"."""
    a = (arm.n + control.n) * ratio
    b = -(arm.n * ratio + arm.x + control.n + control.x * ratio)
    c = arm.x + control.x
    base = 2 * c / (-b + math.sqrt(max(0.0, b * b - 4 * a * c)))
    base = min(1.0, 1.0 / ratio, base)
    other = min(1.0, base * ratio)
    error = other * (1 - other) / arm.n + ratio**2 * base * (1 - base) / control.n
    gap = arm.rate - ratio * control.rate
    if error <= 0:
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)
    return gap / math.sqrt(error)


def wilson(arm: Share, critical: float) -> Span:
    """Of an arm's own rate: all rates that the score test with z = critical does not refuse (Wilson 1927). Never outside 0 and 1."""
    z2 = critical**2
    middle, whole = arm.x + z2 / 2, arm.n + z2
    half = critical * math.sqrt(arm.x * (arm.n - arm.x) / arm.n + z2 / 4)
    low, high = (middle - half) / whole, (middle + half) / whole
    return Span(0.0 if not arm.x else low, 1.0 if arm.x == arm.n else high)


def lift(arm: Share, control: Share) -> float | None:
    """None where the control has nothing: never infinite."""
    return arm.rate / control.rate - 1 if control.x else None
