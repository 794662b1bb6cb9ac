"""When one may look, and what a look costs. Each rule says how far from none a difference must be, and what a p-value is worth by it."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from services.experiments.domain.curves import arrays, nodes, p_of, root, special, z_of

FARTHEST = 8.0  # standard errors: what lies beyond is spent on nothing
LEAST_P = 1e-12  # of a group-sequential look: below it the sums over its paths have no digits left
SCALE = 32  # alphas at which a look is worked out, for p-values of all its comparisons
LEAST_TAIL = 1e-15  # a look that may spend less is none
NEAR = 0.002  # of the people at a look: one that comes with fewer more stands beside it. Of 500 at equal distances none does
NODES = 3.5  # of a grid, to a standard deviation of the shorter step
REACH = 10.0  # standard deviations that a step goes
STRIP, STRIP_NODES = 12.0, 32  # standard deviations at an edge from which a near look can be crossed, and the nodes there
TUNED = 5000  # people at which a confidence sequence is narrowest where no plan says another number

_Stood = tuple[float, Any, Any]


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
    return _walked(alpha, people, planned)


def _walked(alpha: float, people: tuple[int, ...], planned: int) -> tuple[float, ...]:
    walk = Walk()
    found, before = [], 0.0
    for n in people:
        total = spent(alpha, n / planned)
        found.append(walk.step(n / planned, (total - before) / 2))
        before = total
    return tuple(found)


class Walk:
    """Brownian motion on its way, stopped where it leaves the boundaries: its density at the last look, where it still goes on.

    Armitage, McPherson and Rowe 1969, with nodes as close as the shorter of the two steps beside a look needs: a density is as
    fine as the step that made it, a crossing as fine as the step that comes.

    A look NEAR the last one of the grid would need a grid without end. What crosses there and did not at that one is counted at its edges
    alone, and the walk goes on as if it had not been: paths that leave at two such looks are counted twice, so no more than alpha is spent.
    """

    def __init__(self, drift: float = 0.0) -> None:
        """drift: expected value at fraction 1."""
        self.drift = drift
        self.upper = self.lower = 0.0  # crossed so far
        self.time = self._edge = 0.0  # of the last look of the grid; 0: none yet
        np = arrays()
        self._before: _Stood = (0.0, np.zeros(1), np.ones(1))  # where paths stood at the look before that one
        self._last: tuple[float, _Stood] = (0.0, self._before)  # where they stand at that one, for a step to so late

    def step(self, time: float, tail: float) -> float:
        """The critical z at `time` that lets `tail` leave above it, and goes on with the rest."""
        if tail < LEAST_TAIL:
            return FARTHEST
        lowest = max(0.0, (self._edge - STRIP / 3 * math.sqrt(time - self.time)) / math.sqrt(time)) if self._near(time) else 0.0
        critical = root(lambda z: self._beyond(time, z, 1) - tail, lowest, FARTHEST)
        self.go(time, critical)
        return critical

    def go(self, time: float, critical: float) -> None:
        self.upper += self._beyond(time, critical, 1)
        self.lower += self._beyond(time, critical, -1)
        if not self._near(time):
            self._before, self.time, self._edge = self._stood(time), time, critical * math.sqrt(time)

    def _near(self, time: float) -> bool:
        return time - self.time < NEAR * self.time

    def _beyond(self, time: float, critical: float, side: int) -> float:
        """Chance to be beyond critical at `time` on that side, and within at all looks before."""
        _, places, mass = self._stood(time)
        away = critical * math.sqrt(time) - side * (places + self.drift * (time - self.time))
        return float((special().ndtr(-away / math.sqrt(time - self.time)) * mass).sum())

    def _stood(self, time: float) -> "_Stood":
        """(when, places, mass) at the last look of the grid, close enough for a step to `time`."""
        if not self.time:
            return self._before
        if self._last[0] != time:
            self._last = time, (self.time, *self._spread(time))
        return self._last[1]

    def _spread(self, time: float) -> tuple[Any, Any]:
        np = arrays()
        since, before, mass = self._before
        made, next_one = math.sqrt(self.time - since), math.sqrt(time - self.time)
        if self._near(time):
            at, weights = nodes(STRIP_NODES)
            half = min(self._edge, STRIP * next_one) / 2
            strip = self._edge + half * (at - 1)
            places, weights = np.concatenate((-strip, strip)), np.concatenate((weights, weights)) * half
        else:
            at, weights = nodes(NODES * self._edge / min(made, next_one))
            places, weights = at * self._edge, weights * self._edge
        return places, _blurred(places - self.drift * (self.time - since), before, mass, made) * weights


def _blurred(at: Any, places: Any, mass: Any, deviation: float) -> Any:
    """Density at these points of a mass at rising places, each of them spread over a normal curve. Of each point only what is within REACH."""
    np = arrays()
    first = np.searchsorted(places, at - REACH * deviation)
    width = int((np.searchsorted(places, at + REACH * deviation) - first).max())
    near = np.minimum(first, len(places) - width)[:, None] + np.arange(width)
    z = (at[:, None] - places[near]) / deviation
    return (np.exp(-0.5 * z * z) * mass[near]).sum(axis=1) / (deviation * math.sqrt(2 * math.pi))


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
        assert self.planned is not None
        found = max(single, _scale((*self.before, self.people), self.planned).p(z))
        beyond = z > self.critical(self.alpha)  # said once: an alpha found between two others may be off in its sixth digit
        return min(found, math.nextafter(self.alpha, 0.0)) if beyond else max(found, self.alpha)


class Scale:
    """What a look is worth at any alpha: its critical z at SCALE of them, each worked out when it is first asked for."""

    def __init__(self, people: tuple[int, ...], planned: int) -> None:
        """Of the last of these looks."""
        self._people, self._planned = people, planned
        farthest = z_of(LEAST_P)
        if self._spare(farthest) < 0 < self._spare(0.0):  # by so small an alpha this look would be none
            farthest = root(self._spare, 0.0, farthest) * (1 - 1e-9)
        # The z that one look alone has at each alpha, rising from 0 (an alpha of 1). Over it a critical z is nearly a line, but near 0.
        self._zs = tuple(farthest * (place / (SCALE - 1)) ** 2 for place in range(SCALE))
        self._known: dict[int, float] = {}

    def _spare(self, z: float) -> float:
        alpha, (before, now) = p_of(z), (0, *self._people)[-2:]
        return (spent(alpha, now / self._planned) - spent(alpha, before / self._planned)) / 2 - LEAST_TAIL

    def _critical(self, place: int) -> float:
        if place not in self._known:
            self._known[place] = _walked(p_of(self._zs[place]), self._people, self._planned)[-1]
        return self._known[place]

    def p(self, z: float) -> float:
        """The least alpha whose critical z is not above this one: between two of them by the cubic through the nearest four, to five digits."""
        if z >= FARTHEST:  # beyond the bound of a look that spends nothing
            return LEAST_P
        low, high = -1, SCALE
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._critical(middle) <= z else (low, middle)
        if low < 0:
            return 1.0
        if high == SCALE:
            return p_of(self._zs[low])
        first = min(max(0, low - 1), SCALE - 4)
        near = range(first, first + 4)

        def left(at: float) -> float:
            return sum(self._critical(one) * self._part(at, one, near) for one in near) - z

        return p_of(root(left, self._zs[low], self._zs[high]))

    def _part(self, at: float, one: int, near: Sequence[int]) -> float:
        """Lagrange's."""
        return math.prod((at - self._zs[other]) / (self._zs[one] - self._zs[other]) for other in near if other != one)


@lru_cache(maxsize=64)
def _scale(people: tuple[int, ...], planned: int) -> Scale:
    return Scale(people, planned)


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
