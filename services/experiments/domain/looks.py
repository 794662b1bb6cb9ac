"""When one may look, and what a look costs. Each rule says how far from none a difference must be, and what a p-value is worth by it."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from services.experiments.domain.curves import arrays, p_of, root, special, z_of

FARTHEST = 8.0  # standard errors: what lies beyond is spent on nothing
LEAST_P = 1e-12  # of a group-sequential look: below it the sums over its paths have no digits left
LEAST_TAIL = 1e-15  # a look that may spend less is none
TUNED = 5000  # people at which a confidence sequence is narrowest where no plan says another number


class Look(NamedTuple):
    """critical: standard errors; alpha: two-sided, of this look alone; fraction: of the plan; final: no more looks."""

    critical: float
    alpha: float
    fraction: float | None
    final: bool


def spent(alpha: float, fraction: float) -> float:
    """Of alpha, what may be spent up to this fraction of the plan, on both sides together: Lan and DeMets 1983, as O'Brien and Fleming.

    Half of alpha on each side: 2 - 2 Phi(z / sqrt(t)), z of alpha/4.
    """
    if fraction <= 0:
        return 0.0
    return min(alpha, 4 * float(special().ndtr(-z_of(alpha / 2) / math.sqrt(min(1.0, fraction)))))


def boundaries(alpha: float, people: Sequence[int], planned: int) -> tuple[float, ...]:
    """Critical z of each look, at so many people. The look at or after the plan takes what is left of alpha."""
    return _boundaries(alpha, tuple(people), planned)


@lru_cache(maxsize=256)
def _boundaries(alpha: float, people: tuple[int, ...], planned: int) -> tuple[float, ...]:
    walk = Walk()
    found, before = [], 0.0
    for n in people:
        total = spent(alpha, n / planned)
        found.append(walk.step(n / planned, (total - before) / 2))
        before = total
    return tuple(found)


class Walk:
    """Brownian motion on its way, stopped where it leaves the boundaries: its density at the last look, where it still goes on.

    Armitage, McPherson and Rowe 1969, with Gauss-Legendre nodes as many as the steps between looks need.
    """

    def __init__(self, drift: float = 0.0) -> None:
        """drift: expected value at fraction 1."""
        self.drift = drift
        self.time = 0.0
        self.upper = self.lower = 0.0  # crossed so far
        self._places: Any = None  # None: it stands at 0
        self._mass: Any = None

    def step(self, time: float, tail: float) -> float:
        """The critical z at `time` that lets `tail` leave above it, and goes on with the rest."""
        if tail < LEAST_TAIL:
            return FARTHEST
        critical = root(lambda z: self._beyond(time, z, 1) - tail, 0.0, FARTHEST)
        self.go(time, critical)
        return critical

    def go(self, time: float, critical: float) -> None:
        np = arrays()
        self.upper += self._beyond(time, critical, 1)
        self.lower += self._beyond(time, critical, -1)
        edge = critical * math.sqrt(time)
        nodes, weights = _nodes(min(600, max(48, math.ceil(5 * edge / math.sqrt(time - self.time)))))
        places = nodes * edge
        if self._places is None:
            mass = _bell(np, (places - self.drift * time) / math.sqrt(time)) / math.sqrt(time)
        else:
            root_of = math.sqrt(time - self.time)
            steps = (places[:, None] - self._places[None, :] - self.drift * (time - self.time)) / root_of
            mass = (_bell(np, steps) / root_of) @ self._mass
        self._places, self._mass, self.time = places, mass * weights * edge, time

    def _beyond(self, time: float, critical: float, side: int) -> float:
        """Chance to be beyond critical at `time` on that side, and within at all looks before."""
        edge, ndtr = critical * math.sqrt(time), special().ndtr
        if self._places is None:
            return float(ndtr(-(edge - side * self.drift * time) / math.sqrt(time)))
        left = math.sqrt(time - self.time)
        away = edge - side * (self._places + self.drift * (time - self.time))
        return float((ndtr(-away / left) * self._mass).sum())


def _bell(np: Any, z: Any) -> Any:
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


@lru_cache(maxsize=64)
def _nodes(count: int) -> tuple[Any, Any]:
    found: tuple[Any, Any] = arrays().polynomial.legendre.leggauss(count)
    return found


class Rule(NamedTuple):
    """name: sequential, always_valid or fixed; people: now; planned, before: of the plan, and at the looks until now."""

    name: str
    alpha: float
    people: int
    planned: int | None = None
    before: tuple[int, ...] = ()

    def look(self) -> Look:
        fraction = self.people / self.planned if self.planned else None
        final = self.name == "fixed" or (self.name == "sequential" and self.people >= (self.planned or 0))
        critical = self.critical(self.alpha)
        return Look(critical, self.alpha if self.name == "fixed" else p_of(critical), fraction, final)

    def critical(self, alpha: float) -> float:
        """How far from none a difference must be at this look."""
        if self.name == "sequential":
            assert self.planned is not None
            return boundaries(alpha, (*self.before, self.people), self.planned)[-1]
        if self.name == "always_valid":
            return sequence_width(alpha, self.people, self.tuning)
        return z_of(alpha)

    @property
    def tuning(self) -> float:
        return tuned(self.alpha, self.planned or TUNED)

    def p(self, single: float) -> float:
        """The least alpha by which this look refuses what one look alone gives this p: below the plan's alpha when 0 is outside the interval."""
        z = z_of(single)
        if self.name == "always_valid":
            return sequence_p(z, self.people, self.tuning)
        if self.name != "sequential" or single >= 1:
            return single
        least = max(single, LEAST_P)
        if self.critical(least) <= min(z, FARTHEST):
            return least
        log_alpha = root(lambda a: min(z, FARTHEST) - self._near(math.exp(a)), math.log(least), 0.0)
        return max(single, math.exp(log_alpha))

    def _near(self, alpha: float) -> float:
        return _boundaries.__wrapped__(alpha, (*self.before, self.people), self.planned or 1)[-1]


def tuned(alpha: float, people: int) -> float:
    """Rho of the confidence sequence that is narrowest at so many people (Waudby-Smith et al. 2024, with rho^2 n of the best width)."""
    log_alpha = -2 * math.log(alpha)
    return math.sqrt((log_alpha + math.log(log_alpha + 1)) / people)


def sequence_width(alpha: float, people: int, rho: float) -> float:
    """Standard errors to each side that hold at all times together: the asymptotic confidence sequence, a normal mixture."""
    v = people * rho**2
    return math.sqrt((v + 1) / v * math.log((v + 1) / alpha**2))


def sequence_p(z: float, people: int, rho: float) -> float:
    """The same turned round: the alpha whose width is |z|."""
    v = people * rho**2
    return min(1.0, math.exp(0.5 * (math.log(v + 1) - min(1400.0, z * z * v / (v + 1)))))


def sequential_power(alpha: float, looks: int, drift: float) -> float:
    """Chance to stop, at one of so many equally distant looks, for what on the average is `drift` standard errors at the end."""
    times = [(k + 1) * 1000 for k in range(looks)]
    walk = Walk(drift)
    for time, critical in zip(times, boundaries(alpha, times, times[-1]), strict=True):
        walk.go(time / times[-1], critical)
    return walk.upper + walk.lower


def inflation(alpha: float, power: float, looks: int) -> float:
    """By how much more people a plan with looks has than one without."""
    if looks <= 1:
        return 1.0
    one = z_of(alpha) + z_of(2 * (1 - power))
    drift = root(lambda d: sequential_power(alpha, looks, d) - power, one * 0.9, one * 1.5)
    return max(1.0, (drift / one) ** 2)
