"""More than one comparison: what each p-value is worth among the others."""

from collections.abc import Sequence

from services.experiments.domain.curves import p_of_chi2
from services.experiments.domain.means import Sample
from services.experiments.domain.proportions import Share


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values: below alpha in no more than alpha of all families without any difference."""
    order = sorted(range(len(p)), key=p.__getitem__)
    found, least = [0.0] * len(p), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(p) - rank) * p[place]))
        found[place] = least
    return found


def bh(p: Sequence[float]) -> list[float]:
    """Adjusted p-values (Benjamini and Hochberg): of those below alpha, alpha are false on the average."""
    order = sorted(range(len(p)), key=p.__getitem__, reverse=True)
    found, most = [0.0] * len(p), 1.0
    for step, place in enumerate(order):
        most = min(most, p[place] * len(p) / (len(p) - step))
        found[place] = most
    return found


def alike(arms: Sequence[Share]) -> float:
    """The p of chi2 over all arms: that all have one rate."""
    yes, people = sum(arm.x for arm in arms), sum(arm.n for arm in arms)
    pooled = yes / people
    if pooled in (0, 1):
        return 1.0
    chi2 = sum((arm.x - arm.n * pooled) ** 2 / (arm.n * pooled * (1 - pooled)) for arm in arms)
    return p_of_chi2(chi2, len(arms) - 1)


def same(arms: Sequence[Sample]) -> float:
    """The p of Wald's chi2 over all arms: that all have one mean, whatever their variances. For the many people that experiments have."""
    weights = [1 / arm.error2 for arm in arms]
    middle = sum(w * arm.mean for w, arm in zip(weights, arms, strict=True)) / sum(weights)
    chi2 = sum(w * (arm.mean - middle) ** 2 for w, arm in zip(weights, arms, strict=True))
    return p_of_chi2(chi2, len(arms) - 1)
