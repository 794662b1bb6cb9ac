"""The power of a test of two rates, written apart from the plans that are held against it."""

import math

from services.experiments.domain.curves import special, z_of


def power_of(base: float, other: float, people: tuple[float, float], alpha: float) -> float:
    """Chance that the pooled z sees these rates, with so many in (control, arm): both sides, by the normal curve."""
    control, arm = people
    pooled = (control * base + arm * other) / (control + arm)
    none = math.sqrt(pooled * (1 - pooled) * (1 / control + 1 / arm))
    some = math.sqrt(base * (1 - base) / control + other * (1 - other) / arm)
    z, away = z_of(alpha) * none / some, (other - base) / some
    return float(special().ndtr(away - z) + special().ndtr(-away - z))
