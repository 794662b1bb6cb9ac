"""Whether people fell into the arms as configured. If not, something that is no chance decides who is where, and no comparison is fair."""

from collections.abc import Sequence
from typing import NamedTuple

from services.experiments.domain.curves import p_of_chi2

ALARM = 0.001


class Checked(NamedTuple):
    p: float
    expected: tuple[float, ...]

    @property
    def alarm(self) -> bool:
        return self.p < ALARM


def against_shares(assigned: Sequence[int], shares: Sequence[float]) -> Checked:
    """chi2 of people assigned against the shares; shares above 0, in any unit."""
    people, whole = sum(assigned), sum(shares)
    expected = tuple(people * share / whole for share in shares)
    chi2 = sum((n - due) ** 2 / due for n, due in zip(assigned, expected, strict=True))
    return Checked(p_of_chi2(chi2, len(assigned) - 1), expected)


def merged_alike(merged: Sequence[int], assigned: Sequence[int]) -> Checked:
    """chi2 of merges by arm: a treatment that makes people known (a click names a device) may change who is in which arm."""
    of, people = sum(merged), sum(assigned)
    expected = tuple(n * of / people for n in assigned)
    if of in (0, people):
        return Checked(1.0, expected)
    rate = of / people
    chi2 = sum((n - due) ** 2 / (due * (1 - rate)) for n, due in zip(merged, expected, strict=True))
    return Checked(p_of_chi2(chi2, len(assigned) - 1), expected)
